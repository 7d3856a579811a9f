"""The conditions of a comparison: a pruner at a ratio, the whole reasoning, and none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from ..llm.generator import Generator
from ..pruners.base import Pruner
from ..pruners.original import OriginalPruner
from ..runtime.ledger import ledger_key

CONTROL = "random"
"""Against which every pruner is tested."""


@dataclass(frozen=True)
class Condition:
    """A way to prune.

    Args:
        name (`str`):
            As `--pruner` has it.
        ratio (`float`, *optional*):
            The budget as a share of the original's tokens; `None` where none is met.
        pruner ([`Pruner`], *optional*):
            The pruner; `None` leaves nothing of the reasoning, which no pruner does.
    """

    name: str
    ratio: float | None
    pruner: Pruner | None

    @property
    def identity(self) -> str:
        """A hash of the pruner's settings and version: 16 hex digits."""
        return ledger_key(_state(self.pruner))[:16]

    @property
    def scoring(self) -> str:
        """A hash of the scores that it needs: methods with the same one share one scoring pass. A second stage scores
        what the first one left, and so has scores of its own."""
        scorer = getattr(self._stages[0], "scorer", None) if len(self._stages) == 1 else None
        return self.name if scorer is None else ledger_key(_state(scorer))[:16]

    @property
    def asks_an_llm(self) -> bool:
        """Whether a stage asks an LLM, whose answers cost too much to ask for again."""
        return any(hasattr(stage, "generator") for stage in self._stages)

    @property
    def _stages(self) -> Sequence[Any]:
        return getattr(self.pruner, "stages", (self.pruner,))


UNBUDGETED = (Condition("original", None, OriginalPruner()), Condition("nothing", None, None))
"""The whole reasoning, and none of it."""


def conditions_of(
    names: Iterable[str], ratios: Sequence[float], pruner_of: Callable[[str, float], Pruner]
) -> list[Condition]:
    """Every method at every ratio, largest first; the names in `UNBUDGETED` have one condition each.

    Args:
        names (`Iterable[str]`):
            Methods.
        ratios (`Sequence[float]`):
            Budgets, over 0 and at most 1.
        pruner_of (`Callable`):
            Name and ratio → pruner.

    Raises:
        [`UsageError`]: from `pruner_of`.
    """
    ends = {one.name: one for one in UNBUDGETED}
    found = []
    for name in dict.fromkeys(names):
        if name in ends:
            found.append(ends[name])
        else:
            found += [Condition(name, ratio, pruner_of(name, ratio)) for ratio in sorted(set(ratios), reverse=True)]
    return found


def _state(value: Any) -> Any:
    """Class, version and fields of a value and of what it holds, as JSON. Fields at their default are left out, so
    that a field that is added later does not change the identity."""
    if isinstance(value, Generator):
        return value.model  # what its answers are stored under; how they are asked for decides nothing
    if is_dataclass(value) and not isinstance(value, type):
        values = {
            one.name: getattr(value, one.name) for one in fields(value) if getattr(value, one.name) != one.default
        }
        state = {name: _state(one) for name, one in values.items()}
        return [type(value).__name__, str(getattr(value, "version", "")), state]
    if isinstance(value, (list, tuple)):
        return [_state(one) for one in value]
    return value if isinstance(value, (str, int, float, type(None))) else getattr(value, "__qualname__", repr(value))
