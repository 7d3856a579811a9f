"""Keep last: the end of a reasoning, where it has come closest to its answer; a control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..scoring.flops import CountedTrace, ForwardPass
from ..traces.trace import Trace
from .base import Pruner
from .iterative import IterativePruner
from .method import HALF, Method, Options


@dataclass(frozen=True)
class PositionScorer:
    """Scores every step with its position, the score `position`: 0.0 for the first one."""

    def forward_passes(self, counted: CountedTrace) -> Sequence[ForwardPass]:
        """None: no model is asked."""
        return []

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": {"position": list(map(float, range(len(trace.steps))))}} for trace in traces]


def keep_last(tokenizer: str, max_tokens: int | None = None, ratio: float | None = None) -> IterativePruner:
    r"""Algorithm 2 on positions, which removes from the front; `keep_last` in records. Not in the paper.

    Args:
        tokenizer, max_tokens, ratio:
            As [`IterativePruner`] has them.

    Example:
        >>> from asap_hf import Trace, keep_last
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Wait.\n\n", "That is 5."), "5")
        >>> [pruning] = keep_last("embedded", max_tokens=5).prune([trace])
        >>> pruning.trace.texts
        ('That is 5.',)
    """
    return IterativePruner(PositionScorer(), tokenizer, max_tokens, ratio, score="position", name="keep_last")


def _stages(options: Options) -> tuple[Pruner, ...]:
    return (options.selected(keep_last(options.tokenizer, **options.budget)),)


METHODS = (
    Method(
        "keep_last",
        _stages,
        "a control that the paper does not have: the end of the reasoning stays",
        budget=HALF,
        score="position",
    ),
)
