"""The knapsack as a pruner: the same scoring, records and failures as Algorithm 2's, another choice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from asap_hf.errors import UsageError
from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.knapsack import KnapsackPruner
from asap_hf.traces.trace import Trace

STEPS = ("one two three four five six seven", "red green blue", "Wait.", "cat dog cow", "So it is five.")
TRACE = Trace.parse("How many?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\nIt is 5.", "paper")


@dataclass(frozen=True)
class Fixed:
    """Gives every trace the same scores."""

    scores: tuple[float, ...]

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": {"first_token_surprisal": self.scores}, "windows": 1} for _ in traces]


def pruner(embedded_model: str, *scores: float, **fields: Any) -> KnapsackPruner:
    return KnapsackPruner(Fixed(scores), embedded_model, **fields)


def test_several_short_steps_beat_one_long_one(embedded_model: str) -> None:
    scores = (3.0, 2.0, 0.1, 2.0, 0.2)
    long, *others = count_tokens(embedded_model, list(TRACE.steps))
    assert others[0] + others[2] <= long
    packed = pruner(embedded_model, *scores, max_tokens=long).prune([TRACE])[0]
    assert packed.trace.kept == (1, 3)
    assert (packed.reason, packed.record["value"]) == ("", 4.0)
    removed = IterativePruner(Fixed(scores), embedded_model, max_tokens=long).prune([TRACE])[0]
    assert removed.trace.kept == (0,)


def test_the_record(embedded_model: str) -> None:
    record = pruner(embedded_model, 3.0, -1.0, 0.0, 2.0, 1.0, max_tokens=12).prune([TRACE])[0].record
    kept = pruner(embedded_model, 3.0, -1.0, 0.0, 2.0, 1.0, max_tokens=12).prune([TRACE])[0].trace
    assert record == {
        "budget": 12,
        "tokens_before": count_tokens(embedded_model, [TRACE.reasoning])[0],
        "tokens": count_tokens(embedded_model, [kept.reasoning])[0],
        "windows": 1,
        "scores": {"first_token_surprisal": [3.0, -1.0, 0.0, 2.0, 1.0]},
        "value": sum((4.0, 0.0, 1.0, 3.0, 2.0)[position] for position in kept.kept),
    }
    assert json.loads(json.dumps(record)) == record


def test_no_smaller_budget_is_worth_more_and_every_budget_holds(embedded_model: str) -> None:
    whole = count_tokens(embedded_model, [TRACE.reasoning])[0]
    values = []
    for budget in range(1, whole + 1):
        pruning = pruner(embedded_model, 3.0, 2.0, 0.1, 2.0, 0.2, max_tokens=budget).prune([TRACE])[0]
        tokens = count_tokens(embedded_model, [pruning.trace.reasoning])[0]
        assert (tokens > budget) == pruning.remark.startswith("over_budget: ")
        if tokens <= budget:
            values.append(pruning.record["value"])
    assert values == sorted(values)
    assert pruning.trace is TRACE


def test_scores_that_are_not_finite(embedded_model: str) -> None:
    for bad in (float("nan"), float("inf")):
        pruning = pruner(embedded_model, 1.0, bad, 1.0, 1.0, 1.0, max_tokens=5).prune([TRACE])[0]
        assert pruning.trace is TRACE
        assert pruning.reason == "scoring: not_finite"
        assert "scores" not in pruning.record


def test_a_budget_is_needed_and_the_word_in_records() -> None:
    with pytest.raises(UsageError, match="one budget"):
        KnapsackPruner(Fixed(()), "any")
    assert KnapsackPruner(Fixed(()), "any", ratio=0.5).name == "knapsack"
