"""Where no row is left, one sentence says why, and which column to name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asap_hf.cli import main

COMPLETION = "<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5."
TALK = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": COMPLETION}]
HUMAN = {"problem": "How many?", "solution": "Count them."}

SOURCES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "a conversation": (
        {**HUMAN, "messages": TALK},
        ("no_think", "there is no <think> block", "'problem' and 'solution'"),
        ("--prompt_column messages --completion_column messages",),
    ),
    "a text": (
        {**HUMAN, "trace": COMPLETION},
        ("no_think", "'trace' holds closed reasonings"),
        ("--completion_column trace",),
    ),
}


@pytest.mark.parametrize(("row", "says", "flags"), SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("shards", [(), ("--num_shards", "1")])
def test_the_column_that_holds_the_reasonings_is_named(
    row: dict[str, Any],
    says: tuple[str, ...],
    flags: tuple[str, ...],
    shards: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    settings = ("--pruner", "keep_last", "--ratio", "0.5", "--output_dir", str(tmp_path / "out"), *shards)
    assert main(["prune", str(path), *settings]) == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("asap-hf:")]
    for part in (*says, *flags):
        assert part in error
    named = [word for flag in flags for word in flag.split()]
    assert main(["prune", str(path), *settings, *named]) == 0


def test_a_column_that_belongs_in_the_prompt_is_not_passed_over_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"question": "How many?", "output": COMPLETION, "system_prompt": "Think.", "category": "maths"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    named = ("--prompt_column", "question", "--completion_column", "output", "--pruner", "keep_last")
    assert main(["prune", str(tmp_path / "rows.jsonl"), *named, "--output_dir", str(tmp_path / "out")]) == 0
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert "'system_prompt' is no part of any prompt" in note
    assert "'question' and 'output'" in note


def test_no_other_column_is_named_where_none_is_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"prompt": "How many?", "completion": "<think>\nnever ends", "note": "no tags"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["prune", str(tmp_path / "rows.jsonl"), "--output_dir", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "1 unclosed_think (the reasoning never ends" in error
    assert "but" not in error
