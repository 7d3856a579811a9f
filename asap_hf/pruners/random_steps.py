"""Random: steps removed by chance until the budget holds, the control that every other choice has to beat."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..scoring.flops import CountedTrace, ForwardPass
from ..traces.trace import Trace
from .base import Pruner
from .iterative import IterativePruner
from .method import HALF, Method, Options


@dataclass(frozen=True)
class RandomScorer:
    """Gives every step a random number from 0 to 1, the score `random`. It depends on the seed and on the trace's own
    text alone, not on other traces of its batch or run.

    Args:
        seed (`int`, *optional*, defaults to 42):
            The paper's seed for training (Appendix A); it has no random pruning.
    """

    seed: int = 42

    def forward_passes(self, counted: CountedTrace) -> Sequence[ForwardPass]:
        """None: no model is asked."""
        return []

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


def _stages(options: Options) -> tuple[Pruner, ...]:
    return (options.selected(random_steps(options.tokenizer, **options.budget, seed=options.arguments.seed)),)


METHODS = (
    Method(
        "random",
        _stages,
        "a control that the paper does not have: steps go by chance",
        settings=("seed",),
        budget=HALF,
        score="random",
    ),
)
