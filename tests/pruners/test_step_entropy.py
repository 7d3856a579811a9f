"""Step entropy by its authors' rule: a share of the steps goes, and a mark may tell where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from asap_hf.errors import UsageError
from asap_hf.pruners.step_entropy import StepEntropyPruner, step_entropy
from asap_hf.traces.trace import Trace

STEPS = ("a", "b", "c", "d", "e")
TRACE = Trace("q", ("a\n\n", "b\n\n\n", "c\n\n", "d\n \n", "e"), "5")


@dataclass(frozen=True)
class Fixed:
    """Gives every trace the same answer."""

    entropies: tuple[float, ...] = (3.0, 1.0, 2.0, 0.5, 2.5)
    reason: str = ""

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        if self.reason:
            return [{"reason": self.reason} for _ in traces]
        return [{"scores": {"step_entropy": self.entropies}, "windows": 1} for _ in traces]


# kappa → kept, with marks, without.
SHARES = {
    0.0: ((0, 1, 2, 3, 4), TRACE.reasoning, TRACE.reasoning),
    0.19: ((0, 1, 2, 3, 4), TRACE.reasoning, TRACE.reasoning),
    0.2: ((0, 1, 2, 4), "a\n\nb\n\n\nc\n\n[SKIP]\n \ne", "a\n\nb\n\n\nc\n\ne"),
    0.4: ((0, 2, 4), "a\n\n[SKIP]\n\n\nc\n\n[SKIP]\n \ne", "a\n\nc\n\ne"),
    0.6: ((0, 4), "a\n\n[SKIP]\n\n\n[SKIP]\n\n[SKIP]\n \ne", "a\n\ne"),
    0.8: ((0,), "a\n\n[SKIP]\n\n\n[SKIP]\n\n[SKIP]\n \n[SKIP]", "a"),
    0.99: ((0,), "a\n\n[SKIP]\n\n\n[SKIP]\n\n[SKIP]\n \n[SKIP]", "a"),
}


@pytest.mark.parametrize("kappa", SHARES)
def test_the_lowest_entropies_go(kappa: float) -> None:
    kept, marked, dropped = SHARES[kappa]
    with_marks = StepEntropyPruner(Fixed(), kappa).prune([TRACE])[0]
    without = StepEntropyPruner(Fixed(), kappa, replacement="").prune([TRACE])[0]
    assert with_marks.trace.kept == without.trace.kept == kept
    assert (with_marks.trace.reasoning, without.trace.reasoning) == (marked, dropped)
    assert with_marks.record.get("rewritten", list(TRACE.steps)) == list(with_marks.trace.steps)
    assert "rewritten" not in without.record
    assert json.loads(json.dumps(with_marks.record)) == with_marks.record


def test_each_kept_step_carries_the_marks_before_it() -> None:
    trace = StepEntropyPruner(Fixed((0.0, 0.0, 1.0, 0.0, 1.0)), 0.6).prune([TRACE])[0].trace
    assert trace.steps == ("[SKIP]\n\n[SKIP]\n\n\nc\n\n", "[SKIP]\n \ne")
    assert trace.select([1]).kept == (4,)


def test_of_equal_entropies_the_earlier_goes_first_and_equal_steps_are_two() -> None:
    twice = Trace("q", ("Wait.\n\n", "Wait.\n\n", "x"), "5")
    assert StepEntropyPruner(Fixed((1.0, 1.0, 1.0)), 0.4, "").prune([twice])[0].trace.kept == (1, 2)


def test_traces_without_scores_stay_whole() -> None:
    for scorer, reason in ((Fixed(reason="out_of_memory"), "out_of_memory"), (Fixed((float("nan"),)), "not_finite")):
        pruning = StepEntropyPruner(scorer).prune([TRACE])[0]
        assert (pruning.trace, pruning.reason) == (TRACE, f"scoring: {reason}")
        assert "scores" not in pruning.record
    assert StepEntropyPruner(Fixed()).prune([]) == []
    with pytest.raises(UsageError, match="no score 'step_entropy_released' here; there are: step_entropy"):
        StepEntropyPruner(Fixed(), score="step_entropy_released").prune([TRACE])


@pytest.mark.parametrize("kappa", [1.0, -0.1, float("nan")])
def test_shares_that_cannot_be(kappa: float) -> None:
    with pytest.raises(UsageError, match="from 0 to below 1"):
        StepEntropyPruner(Fixed(), kappa)


def test_at_a_token_budget_it_is_algorithm_2(embedded_model: str) -> None:
    pruner = step_entropy(Fixed(), embedded_model, ratio=0.5)
    assert pruner.name == "step_entropy"
    assert pruner.prune([TRACE])[0].record["order"] == [3, 1, 2, 4, 0]
