"""Random: steps removed by chance until the budget holds, the control that every other choice has to beat."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..traces.trace import Trace
from .iterative import IterativePruner


@dataclass(frozen=True)
class RandomScorer:
    """Gives every step a random number from 0 to 1, the score `random`. It depends on the seed and on the trace's own
    text alone, not on which traces stand beside it or were scored before.

    Args:
        seed (`int`, *optional*, defaults to 42):
            The paper's seed for training (Appendix A); it has no random pruning.
    """

    seed: int = 42

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": {"random": self._draw(trace)}} for trace in traces]

    def _draw(self, trace: Trace) -> list[float]:
        stream = random.Random("\0".join((str(self.seed), trace.question, *trace.steps)))
        return [stream.random() for _ in trace.steps]


def random_steps(
    tokenizer: str, max_tokens: int | None = None, ratio: float | None = None, seed: int = 42
) -> IterativePruner:
    r"""Algorithm 2 on random numbers; `random` in records. Not in the paper.

    Args:
        tokenizer, max_tokens, ratio:
            As [`IterativePruner`] has them.
        seed (`int`, *optional*, defaults to 42):
            See [`RandomScorer`].

    Example:
        >>> from asap_hf import Trace, random_steps
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Wait.\n\n", "That is 5."), "5")
        >>> [pruning] = random_steps("embedded", ratio=0.5, seed=7).prune([trace])
        >>> (pruning.reason, len(pruning.trace.steps) < 3)
        ('', True)
    """
    return IterativePruner(RandomScorer(seed), tokenizer, max_tokens, ratio, score="random", name="random")
