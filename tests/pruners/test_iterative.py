"""Stage 2: any scorer, a budget in some tokenizer's tokens, and a record from which another budget can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from asap_hf.errors import UsageError
from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.base import Sequential
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.traces.trace import Trace

STEPS = ("Let me count them.", "Wait, is that right?", "There are 2 + 3 = 5 apples.", "Wait, is that right?", "So 5.")
TRACE = Trace.parse("How many?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\nIt is 5.", "paper")
SCORES = [0.9, 0.1, 0.8, 0.2, 0.5]


@dataclass(frozen=True)
class Fixed:
    """Gives every trace the same answer; the shortest scorer there is needs no more than `__call__`."""

    answer: Mapping[str, Any] = field(default_factory=lambda: {"scores": {"first_token_surprisal": SCORES}})

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [self.answer for _ in traces]


def budgeted(scorer: Any, embedded_model: str, **fields: Any) -> IterativePruner:
    return IterativePruner(scorer, embedded_model, **fields)


def tokens_of(embedded_model: str, text: str) -> int:
    return count_tokens(embedded_model, [text])[0]


def test_the_lowest_scores_go_until_the_budget_holds(embedded_model: str) -> None:
    kept: list[tuple[int, ...]] = []
    for budget in range(1, tokens_of(embedded_model, TRACE.reasoning) + 1):
        pruning = budgeted(Fixed(), embedded_model, max_tokens=budget).prune([TRACE])[0]
        tokens = tokens_of(embedded_model, pruning.trace.reasoning)
        assert pruning.record["tokens"] == tokens
        assert tokens <= budget or (pruning.trace.kept == (0,) and pruning.remark.startswith("over_budget: "))
        assert (tokens > budget) == (pruning.remark == f"over_budget: {tokens} > {budget} tokens")
        kept.append(pruning.trace.kept)
    assert sorted(set(kept)) == [(0,), (0, 1, 2, 3, 4), (0, 2), (0, 2, 3, 4), (0, 2, 4)]
    assert kept == sorted(kept, key=len)


def test_the_record(embedded_model: str) -> None:
    record = budgeted(Fixed(), embedded_model, max_tokens=15).prune([TRACE])[0].record
    whole = tokens_of(embedded_model, TRACE.reasoning)
    assert record["scores"] == {"first_token_surprisal": SCORES}
    assert record["order"] == [1, 3, 4, 2, 0]
    assert record["lengths"][0] == record["tokens_before"] == whole
    assert record["lengths"][2] == tokens_of(embedded_model, TRACE.select([0, 2, 4]).reasoning)
    assert len(record["lengths"]) == 5
    assert record["budget"] == 15
    assert record["tokens"] in record["lengths"]
    assert json.loads(json.dumps(record)) == record


def test_what_else_a_scorer_tells_is_recorded(embedded_model: str) -> None:
    scorer = Fixed({"scores": {"first_token_surprisal": SCORES}, "windows": 2, "scorer": {"model": "m"}})
    record = budgeted(scorer, embedded_model, max_tokens=15).prune([TRACE])[0].record
    assert (record["windows"], record["scorer"]) == (2, {"model": "m"})


def test_scores_may_be_arrays_and_have_any_name(embedded_model: str) -> None:
    scores = {"random": np.array(SCORES, dtype="float32"), "length": [len(step) for step in TRACE.steps]}
    by_random = budgeted(Fixed({"scores": scores}), embedded_model, max_tokens=15, score="random").prune([TRACE])[0]
    by_length = budgeted(Fixed({"scores": scores}), embedded_model, max_tokens=15, score="length").prune([TRACE])[0]
    assert by_random.record["order"] == [1, 3, 4, 2, 0]
    assert by_length.record["order"] == [4, 0, 1, 3, 2]
    assert json.loads(json.dumps(by_random.record))["scores"]["random"] == pytest.approx(SCORES)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"reason": "out_of_memory: one trace alone"}, "scoring: out_of_memory: one trace alone"),
        ({"scores": {"first_token_surprisal": [0.1, float("nan"), 0.2, 0.3, 0.4]}}, "scoring: not_finite"),
    ],
)
def test_a_trace_without_scores_stays_whole(answer: dict[str, Any], reason: str, embedded_model: str) -> None:
    pruning = budgeted(Fixed(answer), embedded_model, max_tokens=5).prune([TRACE])[0]
    assert pruning.trace is TRACE
    assert pruning.reason == reason
    assert pruning.record["tokens"] == pruning.record["tokens_before"] == tokens_of(embedded_model, TRACE.reasoning)
    assert pruning.record["budget"] == 5
    assert "scores" not in pruning.record


@pytest.mark.parametrize("scores", [{}, {"other": SCORES}, {"other": SCORES, "first_token_surprisal": ()}])
def test_a_score_that_the_scorer_does_not_give(scores: dict[str, Any], embedded_model: str) -> None:
    with pytest.raises(UsageError, match=r"no score 'first_token_surprisal' here; there are: (other)?"):
        budgeted(Fixed({"scores": scores}), embedded_model, max_tokens=5).prune([TRACE])


def test_a_scorer_that_miscounts_is_an_error(embedded_model: str) -> None:
    with pytest.raises(ValueError, match="5 steps need as many scores, got 2"):
        budgeted(Fixed({"scores": {"first_token_surprisal": [1.0, 2.0]}}), embedded_model, max_tokens=5).prune([TRACE])


def test_short_traces_are_scored_or_not(embedded_model: str) -> None:
    for score_short in (True, False):
        pruning = budgeted(Fixed(), embedded_model, max_tokens=900, score_short=score_short).prune([TRACE])[0]
        assert pruning.trace is TRACE
        assert pruning.reason == ""
        assert ("scores" in pruning.record) == score_short
        assert pruning.record["tokens"] == tokens_of(embedded_model, TRACE.reasoning)
    unscored = budgeted(Fixed({"reason": "never asked"}), embedded_model, max_tokens=900, score_short=False)
    assert unscored.prune([TRACE])[0].reason == ""


def test_a_ratio_is_of_the_source_also_after_another_stage(embedded_model: str) -> None:
    whole = tokens_of(embedded_model, TRACE.reasoning)
    pruner = budgeted(Fixed({"scores": {"first_token_surprisal": [3.0, 2.0, 1.0]}}), embedded_model, ratio=0.5)
    pruning = pruner.prune([TRACE.select([0, 2, 4])])[0]
    assert pruning.record["budget"] == whole // 2
    assert pruning.trace.kept == (0, 2)
    assert pruning.trace.source is TRACE
    assert budgeted(Fixed(), embedded_model, ratio=1).prune([TRACE])[0].trace is TRACE
    assert budgeted(Fixed(), embedded_model, ratio=1e-9).prune([TRACE])[0].record["budget"] == 1


def test_no_traces_no_model(embedded_model: str) -> None:
    class Unasked(Fixed):
        def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
            raise AssertionError("there was nothing to score")

    assert budgeted(Unasked(), embedded_model, max_tokens=5).prune([]) == []


@pytest.mark.parametrize(
    "fields", [{}, {"max_tokens": 5, "ratio": 0.5}, {"max_tokens": 0}, {"ratio": 0.0}, {"ratio": 1.1}]
)
def test_budgets_that_cannot_be(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        IterativePruner(Fixed(), "any", **fields)


def test_a_tokenizer_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no tokenizer could be loaded for .\./nowhere"):
        IterativePruner(Fixed(), "./nowhere", max_tokens=5).prune([TRACE])


def test_the_rank_is_passed_on_to_scorers_that_want_it(embedded_model: str) -> None:
    ranks: list[int | None] = []

    class Ranked(Fixed):
        def to_rank(self, rank: int | None) -> None:
            ranks.append(rank)

    for scorer in (Ranked(), Fixed()):
        Sequential((budgeted(scorer, embedded_model, max_tokens=5),)).to_rank(3)
    assert ranks == [3]
