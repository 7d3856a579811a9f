"""Keep last: the end of a reasoning, where it has come closest to its answer; a control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..traces.trace import Trace
from .iterative import IterativePruner


@dataclass(frozen=True)
class PositionScorer:
    """Scores every step with its position, the score `position`: 0.0 for the first one."""

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
