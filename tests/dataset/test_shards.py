"""A run in shards gives what one in one piece gives, and goes on with the first shard that is not whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from asap_hf.cli import main
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner
from asap_hf.pruners.base import Pruning
from asap_hf.traces.sources import open_source
from asap_hf.traces.trace import Trace

SAMPLES = Path(__file__).parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"
BROKEN = {"id": "none", "prompt": "p", "completion": "just an answer"}


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """Twelve samples; one row that cannot be pruned in the first shard of four, and nothing but such in the last."""
    rows = [json.loads(line) for line in SAMPLES.open()][:11]
    rows = [{name: row[name] for name in ("id", "prompt", "completion")} for row in rows]
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows[:2], BROKEN, *rows[2:], *[BROKEN] * 4]))
    return path


@pytest.fixture(autouse=True)
def _no_ledger(monkeypatch: pytest.MonkeyPatch, embedded_model: str) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")


def prune(source: Path, output_dir: Path, *more: str) -> int:
    return main(["prune", str(source), "--pruner", "wo_fine", "--output_dir", str(output_dir), *more])


def tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{config}/{split}": rows.to_list()
        for config in ("default", "messages", "steps")
        for split, rows in load_dataset(str(folder), config).items()
    }


def summary(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "run.json").read_text())["summary"]
    return {name: value for name, value in told.items() if name not in ("seconds", "shards")}


@pytest.mark.parametrize("streaming", [(), ("--streaming", "--limit", "16")])
def test_shards_together_are_what_one_run_gives(traces: Path, tmp_path: Path, streaming: tuple[str, ...]) -> None:
    assert prune(traces, tmp_path / "whole") == 0
    assert prune(traces, tmp_path / "cut", "--num_shards", "4", *streaming) == 0
    assert tables(tmp_path / "cut") == tables(tmp_path / "whole")
    assert summary(tmp_path / "cut") == summary(tmp_path / "whole")
    assert len(list((tmp_path / "cut" / "default").glob("train-*-of-00004.parquet"))) == 4
    assert not list(tmp_path.glob(".cut*"))


def test_a_killed_run_goes_on_with_the_first_shard_that_is_not_whole(
    traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    prune_all = AnswerAnchorPruner.prune

    def counting(self: AnswerAnchorPruner, given: Sequence[Trace]) -> list[Pruning]:
        questions.extend(trace.question for trace in given)
        if len(questions) > 7:
            raise KeyboardInterrupt
        return prune_all(self, given)

    monkeypatch.setattr(AnswerAnchorPruner, "prune", counting)
    assert prune(traces, tmp_path / "out", "--num_shards", "4") == 130
    assert not (tmp_path / "out").exists()
    assert len(questions) == 11  # three whole shards' worth were asked for, two of them finished
    questions.clear()
    monkeypatch.setattr(
        AnswerAnchorPruner, "prune", lambda self, given: prune_all(self, (questions.extend(given), given)[1])
    )
    assert prune(traces, tmp_path / "out", "--num_shards", "4") == 0
    assert len(questions) == 4
    assert prune(traces, tmp_path / "whole") == 0
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_other_settings_do_not_find_the_shards(traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("asap_hf.dataset.shards.join_shards", broken)
    assert prune(traces, tmp_path / "out", "--num_shards", "4") == 130
    monkeypatch.undo()
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    assert prune(traces, tmp_path / "out", "--num_shards", "4", "--answer_keep", "0.5") == 0
    assert prune(traces, tmp_path / "whole", "--answer_keep", "0.5") == 0
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_a_stream_that_does_not_say_how_long_it_is(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prune(traces, tmp_path / "out", "--num_shards", "4", "--streaming") == 2
    assert "give --limit" in capsys.readouterr().err


@pytest.mark.parametrize(("rows", "count"), [(10, 3), (10, 10), (3, 5), (1, 1)])
@pytest.mark.parametrize("streaming", [False, True])
def test_shards_are_runs_of_the_rows_in_order(tmp_path: Path, rows: int, count: int, streaming: bool) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"n": number}) + "\n" for number in range(rows)))
    source = open_source(str(path), limit=rows, streaming=streaming)
    shards = list(source.shards(count))
    assert [number for number, _ in shards] == list(range(count))
    seen = [row["n"] for _, shard in shards for batch in shard.batches(4) for row in batch]
    assert seen == list(range(rows))
    firsts = [shard.first for _, shard in shards]
    assert firsts == [rows * number // count for number in range(count)]
    assert [number for number, _ in source.shards(count, {0})] == list(range(1, count))
    left = [row["n"] for _, shard in source.shards(count, {0}) for batch in shard.batches(4) for row in batch]
    assert left == list(range(rows // count, rows))
