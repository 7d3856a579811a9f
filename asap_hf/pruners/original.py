"""Original: the whole reasoning, as the "Original" row of Table 1 was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..scoring.flops import CountedTrace
from ..traces.trace import Trace
from .base import Pruner, Pruning
from .cost import Cost
from .method import Method


@dataclass(frozen=True)
class OriginalPruner(Pruner):
    """Prune nothing. With words around the prompt this is the long half of a method that trains on both lengths, as
    [`C3oTPruner`] does; without them it is the same as no stage at all (`wo_any`).

    Args:
        before, after (`str`, *optional*, defaults to `""`):
            What the prompt says before and after the user's message.

    Example:
        >>> from asap_hf import OriginalPruner, Trace
        >>> trace = Trace("What is 2 + 3?", ("That is 5.",), "5")
        >>> [pruning] = OriginalPruner(before="[long] ").prune([trace])
        >>> (pruning.trace is trace, pruning.conditioned)
        (True, ('[long] ', ''))
    """

    before: str = ""
    after: str = ""

    version = "1"

    @property
    def name(self) -> str:
        return "original"

    @property
    def conditions(self) -> bool:
        return bool(self.before or self.after)

    def cost(self, counted: CountedTrace) -> Cost:
        return Cost()

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        return [Pruning(trace, conditioned=(self.before, self.after)) for trace in traces]


METHODS = (
    Method("original", lambda _: (), 'the paper\'s row "Original" (Table 1), the traces as they are', paper="Table 1"),
)
