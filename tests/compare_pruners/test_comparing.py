"""A comparison as a whole: every result once, gone on with after any interruption, alike in several processes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from asap_hf.compare_pruners.comparing import PrunerComparison, write_tables
from asap_hf.compare_pruners.conditions import UNBUDGETED, Condition
from asap_hf.compare_pruners.measuring import Meter
from asap_hf.compare_pruners.results import Measurement
from asap_hf.compare_pruners.retention import Judge
from asap_hf.compare_pruners.table import tables_of
from asap_hf.compare_pruners.trace_sample import trace_key
from asap_hf.compare_pruners.workers import _collected, measure_all
from asap_hf.errors import RunError, UsageError
from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.base import Pruner, Pruning
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.runtime.ledger import open_ledger
from asap_hf.runtime.output_folder import WorkingFolder
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.trace import Trace
from tests.compare_pruners.traces import conditions, small_model, trace

TIMES = ("seconds", "cpu_seconds")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("compare"))


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


@pytest.fixture
def comparison(model: str) -> PrunerComparison:
    traces = {trace_key(one): one for one in map(trace, range(3))}
    return PrunerComparison(traces, conditions(model), Judge(model, dtype="float32", device="cpu"), model, "code")


@dataclass(frozen=True)
class Stubborn(Pruner):
    """Fails as a pruner may: whole, with a reason. At one question it ends the process, as a lack of memory does."""

    deadly_question: str = ""

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        if self.deadly_question in [one.question for one in traces]:
            os._exit(9)
        return [Pruning(one, "no_way: none found") for one in traces]


def told(results: Sequence[Measurement]) -> list[Measurement]:
    """What does not depend on the moment, in one order."""
    bare = [{name: value for name, value in one.items() if name not in (*TIMES, "read")} for one in results]
    return sorted(bare, key=lambda one: (one["trace"], one["pruner"], -(one["ratio"] or 0)))


def test_a_result_says_what_is_left_and_what_that_tells(
    comparison: PrunerComparison, model: str, tmp_path: Path
) -> None:
    results = comparison.run(tmp_path / "out")
    assert len(results) == 3 * 6
    for result in results:
        one = comparison.traces[result["trace"]]
        before = count_tokens(model, [one.reasoning])[0]
        assert result["tokens_before"] == before
        assert result["budget"] == (None if result["ratio"] is None else int(result["ratio"] * before))
        left = {"original": one.reasoning, "nothing": ""}.get(result["pruner"])
        if left is None:
            pruner = next(c.pruner for c in comparison.conditions if (c.name, c.ratio) == _condition(result))
            left = pruner.prune([one])[0].trace.reasoning
            assert 0 < result["tokens"] <= result["budget"]
        assert result["tokens"] == count_tokens(model, [left])[0]
        assert result["nats"] == pytest.approx(comparison.judge(one, left).nats, abs=1e-6)
        assert result["read"] == comparison.judge.length(one, left)
        assert (result["reason"], result["fence_opened"], result["code_lines"]) == ("", False, 0)


def _condition(result: Mapping[str, Any]) -> tuple[str, float | None]:
    return result["pruner"], result["ratio"]


def test_a_run_goes_on_from_any_line_and_measures_nothing_twice(
    comparison: PrunerComparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparison.run(tmp_path / "whole")
    lines = (tmp_path / "whole" / "results.jsonl").read_bytes().splitlines(keepends=True)
    asked: list[tuple[str, str]] = []
    judge = Judge.__call__
    monkeypatch.setattr(
        Judge, "__call__", lambda self, one, left: asked.append((one.question, left)) or judge(self, one, left)
    )
    for count in (0, 1, 7, len(lines)):
        folder = tmp_path / str(count)
        folder.mkdir()
        (folder / "results.jsonl").write_bytes(b"".join(lines[:count]) + b'{"trace": "cut sho' * (count == 7))
        asked.clear()
        assert told(comparison.run(folder)) == told(whole)
        assert len(asked) == min(18, 19 - count)


def test_methods_can_be_added_later_and_their_table_holds_the_earlier_ones(
    comparison: PrunerComparison, tmp_path: Path
) -> None:
    whole = comparison.run(tmp_path / "whole")
    half = len(comparison.conditions) // 2
    for some in (comparison.conditions[:half], comparison.conditions[half:]):
        results = replace(comparison, conditions=some).run(tmp_path / "out")
    assert told(results) == told(whole)


def test_several_processes_find_the_same_and_lose_nothing_when_one_is_killed(
    comparison: PrunerComparison, tmp_path: Path
) -> None:
    deadly = Condition("deadly", 0.5, Stubborn(deadly_question=trace(2).question))
    with pytest.raises(RunError, match=r"was killed \(exit code 9\)"):
        replace(comparison, conditions=[*comparison.conditions, deadly]).run(tmp_path / "two", processes=2)
    whole = told(comparison.run(tmp_path / "one"))
    lines = (tmp_path / "two" / "results.jsonl").read_text().splitlines()
    finished = [one for one in told(list(map(json.loads, lines[1:]))) if one["pruner"] != "deadly"]
    assert finished
    assert all(one in whole for one in finished)
    gone_on_with = told(comparison.run(tmp_path / "two"))
    assert [one for one in gone_on_with if one["pruner"] != "deadly"] == whole


def test_an_error_of_a_process_is_the_runs_error() -> None:
    results: SimpleQueue[Any] = SimpleQueue()
    for one in ({"nats": 1.0}, UsageError("no such model")):
        results.put(one)
    collected = _collected([SimpleNamespace(exitcode=None)], results)
    assert next(collected) == {"nats": 1.0}
    with pytest.raises(UsageError, match="no such model"):
        next(collected)


def test_equal_texts_are_judged_once(comparison: PrunerComparison, tmp_path: Path) -> None:
    same = [Condition("one", None, Stubborn()), Condition("two", None, Stubborn()), *UNBUDGETED]
    meter = Meter(comparison.judge, comparison.tokenizer, tmp_path)
    results = list(measure_all(meter, [(trace(), same)]))
    assert [bool(result["read"]) for result in results] == [True, False, False, True]
    assert len({result["nats"] for result in results[:3]}) == 1
    assert [result["reason"] for result in results] == [*["no_way: none found"] * 2, "", ""]
    assert meter.expected_tokens(trace(), same) >= sum(result["read"] for result in results)


def test_scores_are_made_once_a_trace_and_their_time_is_told_for_all_who_need_them(
    comparison: PrunerComparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the ledger of the operator is neither read, which would make a method look quick, nor written."""
    scorer = SurprisalScorer(comparison.tokenizer, dtype="float32", device="cpu")
    made: list[str] = []
    compute = SurprisalScorer.compute
    monkeypatch.setattr(
        SurprisalScorer,
        "compute",
        lambda self, some, *loaded: made.extend(one.question for one in some) or compute(self, some, *loaded),
    )
    pruners = {
        (name, ratio): IterativePruner(scorer, comparison.tokenizer, ratio=ratio, score=score)
        for name, score in (("first", "first_token_surprisal"), ("second", "perplexity"))
        for ratio in (0.5, 0.25)
    }
    scorer([trace()])
    made.clear()
    former = len(open_ledger("scores"))
    asked = [Condition(name, ratio, pruner) for (name, ratio), pruner in pruners.items()]
    meter = Meter(comparison.judge, comparison.tokenizer, tmp_path / "scratch")
    results = list(measure_all(meter, [(trace(), asked), (trace(1), asked)]))
    assert made == [trace(0).question, trace(1).question]
    assert len(open_ledger("scores")) == former == 1
    for first, later, second, last in (results[:4], results[4:]):
        assert second["seconds"] > first["seconds"] > 0
        assert second["cpu_seconds"] >= first["cpu_seconds"]
        assert (later["seconds"], last["cpu_seconds"]) == (None, None)


def test_only_one_process_writes_a_folder(comparison: PrunerComparison, tmp_path: Path) -> None:
    with (
        WorkingFolder(tmp_path / "out"),
        pytest.raises(UsageError, match="another process is writing"),
    ):
        comparison.run(tmp_path / "out")
    assert comparison.run(tmp_path / "out")


def test_tables_are_written_whole_or_not_at_all(
    comparison: PrunerComparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tables_of(comparison.run(tmp_path))
    write_tables(tmp_path, tables, {"seed": 1})
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["seed"], [one["ratio"] for one in run["tables"]]) == (1, [0.5, 0.25])
    assert "| `keep_last` |" in (tmp_path / "table.md").read_text()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert sorted(before) == ["results.jsonl", "run.json", "table.md"]
    monkeypatch.setattr("os.replace", _full_disk)
    with pytest.raises(RunError, match="the comparison cannot be written"):
        write_tables(tmp_path, tables[:1], {"seed": 2})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name in before} == before


def _full_disk(*_: Any) -> None:
    raise OSError(28, "No space left on device")
