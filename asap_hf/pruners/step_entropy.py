"""Step entropy: prune the steps that the model was least uncertain in; at a token budget, or by the authors' rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ..errors import UsageError
from ..scoring.flops import CountedTrace
from ..scoring.step_entropy import StepEntropyScorer
from ..traces.trace import Trace
from .base import Pruner, Pruning
from .cost import Cost, scoring_cost
from .iterative import IterativePruner
from .method import HALF, SCORER, Method, Options
from .scored import Scorer, plain_scores, score_named
from .selection import removal_order


def step_entropy(
    scorer: Scorer, tokenizer: str, max_tokens: int | None = None, ratio: float | None = None
) -> IterativePruner:
    """Algorithm 2 on the entropy summed over each step; `step_entropy` in records. Not in the ASAP paper.

    Args:
        scorer (`Scorer`):
            One that gives `step_entropy`: [`StepEntropyScorer`].
        tokenizer, max_tokens, ratio:
            As [`IterativePruner`] has them.
    """
    return IterativePruner(scorer, tokenizer, max_tokens, ratio, score="step_entropy", name="step_entropy")


@dataclass(frozen=True)
class StepEntropyPruner(Pruner):
    r"""The step-entropy paper's own rule: replace a share of the *steps*, those of the lowest entropy, by a mark.

    At least one step stays. Of equal entropies the earlier step goes first. Two differences from the released code:
    equal steps are told apart, and what separates two steps stays (it joins them with nothing between).

    Args:
        scorer (`Scorer`):
            For the paper's rule, [`StepEntropyScorer`].
        kappa (`float`, *optional*, defaults to 0.8):
            Share of steps to prune, from 0 to below 1; 0.8 in that paper.
        replacement (`str`, *optional*, defaults to `"[SKIP]"`):
            What stands in the place of each pruned step; the steps simply go where it is empty.
        score (`str`, *optional*, defaults to `"step_entropy"`):
            `"step_entropy_released"` is what the authors' code computes.

    Example:
        >>> from asap_hf import StepEntropyPruner, StepEntropyScorer, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add the two of them.\n\n", "That is 5."), "5")
        >>> [pruning] = StepEntropyPruner(StepEntropyScorer("embedded"), kappa=0.5).prune([trace])
        >>> pruning.trace.reasoning.count("[SKIP]")
        1
    """

    scorer: Scorer
    kappa: float = 0.8
    replacement: str = "[SKIP]"
    score: str = "step_entropy"

    version = "1"

    def __post_init__(self) -> None:
        if not 0 <= self.kappa < 1:
            raise UsageError(f"kappa is the share of steps to prune, from 0 to below 1; got {self.kappa}")

    @property
    def name(self) -> str:
        return "step_entropy_share"

    def cost(self, counted: CountedTrace) -> Cost | None:
        return scoring_cost(self.scorer, counted)

    def to_rank(self, rank: int | None) -> None:
        if hasattr(self.scorer, "to_rank"):
            self.scorer.to_rank(rank)

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        answers = self.scorer(traces) if traces else ()
        return [self._decide(trace, answer) for trace, answer in zip(traces, answers, strict=True)]

    def _decide(self, trace: Trace, answer: Mapping[str, Any]) -> Pruning:
        record = {name: value for name, value in answer.items() if name not in ("reason", "scores")}
        if answer.get("reason"):
            return Pruning(trace, f"scoring: {answer['reason']}", record)
        scores = plain_scores(answer)
        entropies = score_named(self.score, scores)
        if not all(map(isfinite, entropies)):
            return Pruning(trace, "scoring: not_finite", record)
        kept = sorted(removal_order(entropies)[int(self.kappa * len(entropies)) :])
        record["scores"] = scores
        if not self.replacement or len(kept) == len(trace.steps):
            return Pruning(trace.select(kept), record=record)
        steps = self._with_marks(trace.steps, kept)
        return Pruning(trace.rewritten(steps, kept), record={**record, "rewritten": steps})

    def _with_marks(self, steps: Sequence[str], kept: Sequence[int]) -> list[str]:
        """One text per kept step: the marks of the pruned ones before it, and itself; the last one's after it, too."""
        texts, marks = [], ""
        for position, step in enumerate(steps):
            if position in kept:
                texts.append(marks + step)
                marks = ""
            else:
                marks += self.replacement + step[len(step.rstrip()) :]
        texts[-1] += marks
        return texts


def _stages(options: Options) -> tuple[Pruner, ...]:
    given = options.arguments
    scorer = StepEntropyScorer(given.scorer, context=given.context, **options.placement)
    return (options.selected(step_entropy(scorer, options.tokenizer, **options.budget)),)


METHODS = (
    Method(
        "step_entropy",
        _stages,
        "a method beside the paper's: steps go in which the model was least uncertain",
        settings=SCORER,
        budget=HALF,
        score="step_entropy",
    ),
)
