"""The written folder: whole or absent, what load_dataset opens, never a former version from a cache."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest
from datasets import Features, List, Value, load_dataset

from asap_hf.dataset.result_folder import RUN_FILE
from asap_hf.dataset.writer import DatasetWriter
from asap_hf.errors import RunError, UsageError

FEATURES = Features({"row": Value("int64"), "completion": Value("string")})
STEPS = Features({"row": Value("int64"), "scores": List(Value("float64"))})


def write(folder: Path, texts: list[str], overwrite: bool = False) -> None:
    with DatasetWriter(folder, overwrite) as writer:
        writer.table("default", "train", FEATURES).add([{"row": i, "completion": t} for i, t in enumerate(texts)])
        writer.table("steps", "train", STEPS).add([{"row": i, "scores": [1.5, None]} for i in range(len(texts))])
        writer.finish({"asap_hf": "test"}, "# body\n")


def test_both_configs_load_and_the_default_one_is_default(tmp_path: Path) -> None:
    write(tmp_path / "out", ["a", "b\n\nc"])
    train = load_dataset(str(tmp_path / "out"), split="train")
    steps = load_dataset(str(tmp_path / "out"), "steps", split="train")
    assert train["completion"] == ["a", "b\n\nc"]
    assert steps["scores"][0] == [1.5, None]
    told = json.loads((tmp_path / "out" / RUN_FILE).read_text())
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != RUN_FILE]
    files = {path.relative_to(tmp_path / "out").as_posix(): path.stat().st_size for path in written}
    assert told == {"asap_hf": "test", "files": files}


def test_streams_and_loads_with_the_network_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write(tmp_path / "out", ["a", "b"])
    rows = load_dataset(str(tmp_path / "out"), "steps", split="train", streaming=True)
    assert [row["row"] for row in rows] == [0, 1]


def test_a_folder_rewritten_in_place_is_not_served_from_a_cache(tmp_path: Path) -> None:
    write(tmp_path / "out", ["old"])
    assert load_dataset(str(tmp_path / "out"), split="train")["completion"] == ["old"]
    write(tmp_path / "out", ["new"], overwrite=True)
    assert load_dataset(str(tmp_path / "out"), split="train")["completion"] == ["new"]


def test_rows_in_many_row_groups_keep_their_order(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(1000)]
    with DatasetWriter(tmp_path / "out") as writer:
        table = writer.table("default", "train", FEATURES)
        for first in range(0, 1000, 37):
            rows = [{"row": i, "completion": texts[i]} for i in range(first, min(first + 37, 1000))]
            table.add(rows)
        writer.finish({}, "")
    assert load_dataset(str(tmp_path / "out"), split="train")["completion"] == texts


def test_shards_are_cut_by_size_and_all_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asap_hf.dataset.writer._MAX_SHARD_BYTES", 1)
    with DatasetWriter(tmp_path / "out") as writer:
        for number in range(3):
            rows = [{"row": number * 256 + i, "completion": "x"} for i in range(256)]
            writer.table("default", "train", FEATURES).add(rows)
        writer.finish({}, "")
    assert len(list((tmp_path / "out" / "default").iterdir())) == 3
    assert load_dataset(str(tmp_path / "out"), split="train")["row"] == list(range(768))


def test_nothing_stands_there_before_finish_and_nothing_is_left_without_it(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        writer.table("default", "train", FEATURES).add([{"row": i, "completion": "x"} for i in range(300)])
        assert not (tmp_path / "out").exists()
    assert list(tmp_path.iterdir()) == []


def test_the_old_result_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "out", ["old"])
    before = sorted(path.name for path in (tmp_path / "out" / "default").iterdir())
    with DatasetWriter(tmp_path / "out", overwrite=True) as writer:
        writer.table("default", "train", FEATURES).add([{"row": 0, "completion": "new"}])
    assert sorted(path.name for path in (tmp_path / "out" / "default").iterdir()) == before


def test_a_result_is_not_overwritten_unasked(tmp_path: Path) -> None:
    write(tmp_path / "out", ["old"])
    with pytest.raises(UsageError, match="replace it with --overwrite"):
        DatasetWriter(tmp_path / "out")
    assert load_dataset(str(tmp_path / "out"), split="train")["completion"] == ["old"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_overwritten(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds 'thesis.tex': choose another --output_dir$"):
        DatasetWriter(tmp_path / "out", overwrite)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


def _hold(folder: Path, ready: multiprocessing.Event) -> None:  # type: ignore[valid-type]
    writer = DatasetWriter(folder)
    writer.table("default", "train", FEATURES).add([{"row": i, "completion": "x"} for i in range(300)])
    ready.set()
    signal.pause()


def test_two_processes_do_not_write_one_folder_and_a_killed_one_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "out", ready))
    other.start()
    assert ready.wait(60)
    with pytest.raises(UsageError, match="another process"):
        DatasetWriter(tmp_path / "out")
    os.kill(other.pid or 0, signal.SIGKILL)
    other.join()
    assert not (tmp_path / "out").exists()
    write(tmp_path / "out", ["a"])
    assert load_dataset(str(tmp_path / "out"), split="train")["completion"] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_killed_between_the_two_renames_the_old_result_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "out", ["old"])
    killed = tmp_path / ".out.partial"
    (killed / "new").mkdir(parents=True)
    (killed / "asap-hf.lock").touch()
    os.rename(tmp_path / "out", killed / "old")
    DatasetWriter(tmp_path / "out", overwrite=True).close()
    assert load_dataset(str(tmp_path / "out"), split="train")["completion"] == ["old"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(RunError, match="cannot be written"):
            write(tmp_path / "out", [os.urandom(4096).hex() for _ in range(600)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_an_output_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        DatasetWriter(tmp_path / "file" / "out")
