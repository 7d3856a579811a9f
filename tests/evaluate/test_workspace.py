"""Where an unfinished evaluation lies, and how it becomes a folder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asap_hf.errors import RunError, UsageError
from asap_hf.evaluate.workspace import Workspace
from asap_hf.runtime.json_lines import Lines

from ..killing import kills

SETTINGS = {"model": "m", "benchmarks": {"humaneval": {"budget": 8}}}


NEW = '{"asap_hf": "2", "run": {}, "results": []}'
OLD = '{"asap_hf": "1", "run": {}, "results": []}'


def finish(space: Workspace, text: str = OLD) -> None:
    space.finish({"samples.parquet": pa.table({"a": [1]})}, {"summary.json": text})


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("torn", [b'{"a": 2, "b', b"\x00\x00\x00", b'{"a": 2}'])
def test_a_line_that_was_cut_short_is_passed_over_and_no_other(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a": 1}\n' + torn)
    whole = [{"a": 1}, {"a": 2}] if torn.endswith(b"}") else [{"a": 1}]
    lines = Lines(path)
    assert lines.records == whole
    lines.add({"a": "é\u2028"})
    lines.close()
    assert Lines(path).records == [*whole, {"a": "é\u2028"}]


def test_a_full_disk_is_a_run_error_and_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines(tmp_path / "lines.jsonl")
    lines.add({"a": 1})
    with monkeypatch.context() as patch:

        def full(file: int) -> None:
            os.truncate(tmp_path / "lines.jsonl", 12)
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match="No space left on device"):
            lines.add({"a": 2})
    lines.add({"a": 3})
    assert Lines(tmp_path / "lines.jsonl").records == [{"a": 1}, {"a": 3}]


def test_what_was_stored_is_there_for_the_next_run(tmp_path: Path) -> None:
    with Workspace(tmp_path / "out", SETTINGS) as space:
        space.generations.add({"benchmark": "humaneval", "task_id": "a"})
    assert hidden(tmp_path) == [".out.partial"]
    with Workspace(tmp_path / "out", SETTINGS) as space:
        assert space.of("humaneval") == [{"benchmark": "humaneval", "task_id": "a"}]
        assert space.of("leetcode") == []
        finish(space)
    assert hidden(tmp_path) == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["samples.parquet", "summary.json"]


def test_what_ended_before_its_first_answer_leaves_nothing(tmp_path: Path) -> None:
    with Workspace(tmp_path / "out", SETTINGS) as space:
        space.sessions.add({"benchmark": "humaneval"})
        assert ".out.partial" in hidden(tmp_path)
    assert hidden(tmp_path) == []
    with Workspace(tmp_path / "out", {**SETTINGS, "model": "n"}) as space:
        finish(space)


def test_other_settings_are_named_and_refused_unless_told_to_begin_anew(tmp_path: Path) -> None:
    with Workspace(tmp_path / "out", SETTINGS) as space:
        space.generations.add({"benchmark": "humaneval"})
    other = {**SETTINGS, "model": "n"}
    with pytest.raises(UsageError, match=r"model 'm', now 'n'.*--overwrite"):
        Workspace(tmp_path / "out", other)
    with Workspace(tmp_path / "out", SETTINGS, overwrite=True) as space:
        assert len(space.generations.records) == 1
    with Workspace(tmp_path / "out", other, overwrite=True) as space:
        assert space.generations.records == []
        finish(space)
    aside = tmp_path / "out.unfinished-1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.unfinished-1"]
    aside.rename(tmp_path / ".out.partial")  # as the warning says
    with Workspace(tmp_path / "out", SETTINGS, overwrite=True) as space:
        assert space.generations.records == [{"benchmark": "humaneval"}]


def test_a_result_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    with Workspace(tmp_path / "out", SETTINGS) as space:
        finish(space)
    with pytest.raises(UsageError, match="--overwrite"):
        Workspace(tmp_path / "out", SETTINGS)
    with Workspace(tmp_path / "out", SETTINGS, overwrite=True) as space:
        assert (tmp_path / "out" / "summary.json").read_text() == OLD
        finish(space, "new")
    assert (tmp_path / "out" / "summary.json").read_text() == "new"
    assert hidden(tmp_path) == []


def test_killed_at_every_moment_of_the_end_either_result_stands_there_and_no_answer_is_lost(tmp_path: Path) -> None:
    def replace_it() -> None:
        with Workspace(tmp_path / "out", SETTINGS, overwrite=True) as space:
            if not space.generations.records:
                space.generations.add({"benchmark": "humaneval"})
            finish(space, NEW)

    with Workspace(tmp_path / "out", SETTINGS) as space:
        finish(space, OLD)
    killed = 0
    for moment in kills(replace_it):
        killed += 1
        generations = tmp_path / ".out.partial" / "generations.jsonl"
        answered = generations.exists() and generations.read_bytes().endswith(b"\n")
        with Workspace(tmp_path / "out", SETTINGS, overwrite=True) as space:
            there = (tmp_path / "out" / "summary.json").read_text()
            assert there in (OLD, NEW), moment
            assert (len(space.generations.records) == 1) == answered or there == NEW, moment
            finish(space, OLD)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], moment
    assert killed > 20


def test_a_kill_before_the_settings_were_written_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "asap-hf.lock").touch()
    (tmp_path / ".out.partial" / "settings.json.new").write_text("{")
    with Workspace(tmp_path / "out", SETTINGS) as space:
        finish(space)
    assert (tmp_path / "out").is_dir()


def test_two_processes_do_not_write_one_folder(tmp_path: Path) -> None:
    with Workspace(tmp_path / "out", SETTINGS):
        code = f"""
from pathlib import Path
from asap_hf.evaluate.workspace import Workspace
Workspace(Path({str(tmp_path / "out")!r}), {SETTINGS!r})
"""
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "another process is writing" in other.stderr
    with Workspace(tmp_path / "out", SETTINGS):
        pass


@pytest.mark.parametrize("trouble", ["file in the way", "no folder"])
def test_a_place_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path, trouble: str) -> None:
    blocked: Any = tmp_path / "file"
    blocked.write_text("")
    target = blocked / "out" if trouble == "no folder" else blocked
    with pytest.raises((RunError, UsageError), match="make room|choose another"):
        Workspace(target, SETTINGS)
