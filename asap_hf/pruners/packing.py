"""In place of Algorithm 2 (ours): the steps that fit a token budget together and have the greatest total score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .selection import CountTokens, check_arguments, joined

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Packing:
    """Which steps were packed.

    Args:
        kept (`tuple[int, ...]`):
            Positions kept, ascending; at least one.
        tokens (`int`):
            Tokens of what is kept, counted on the joined text.
        value (`float`):
            Sum of the kept steps' values: see [`non_negative`].
    """

    kept: tuple[int, ...]
    tokens: int
    value: float


def select_by_value(steps: Sequence[str], scores: Sequence[float], budget: int, count_tokens: CountTokens) -> Packing:
    """Keep the steps with the greatest total value that fit the budget: a 0/1 knapsack, as LongCodeZip packs lines.

    Where Algorithm 2 stops at the first score that is too much, this trades one long step for several short ones. A
    step weighs its own tokens; what joining merges is left as slack. Should the joined text be over the budget all the
    same, the best packing of so many tokens less is taken. At least one step stays: where none fits, the one with the
    highest score, of equal ones the last.

    Args:
        steps (`Sequence[str]`):
            The reasoning's steps, each with the blank lines after it; they are joined as they are.
        scores (`Sequence[float]`):
            One per step, finite; the higher the more worth keeping.
        budget (`int`):
            In tokens, 1 or more. Work and memory grow with `len(steps) * budget`: 500 steps under 16,384 tokens take a
            megabyte.
        count_tokens (`Callable`):
            Token counts of texts.

    Raises:
        `ValueError`: if there is not one score per step, no step, or the budget is below 1.
    """
    check_arguments(steps, scores, budget)
    values = non_negative(scores)
    everything = tuple(range(len(steps)))
    *weights, whole = count_tokens([*steps, joined(steps, everything)])
    if whole <= budget:
        return Packing(everything, whole, float(values.sum()))
    table, capacity = Knapsack(values, weights, budget), budget
    while capacity > 0 and (kept := table.best(capacity)):
        tokens = count_tokens([joined(steps, kept)])[0]
        if tokens <= budget:
            return Packing(kept, tokens, float(values[list(kept)].sum()))
        capacity -= tokens - budget
    best = max(everything, key=lambda position: (values[position], position))
    return Packing((best,), count_tokens([joined(steps, [best])])[0], float(values[best]))


def non_negative(scores: Sequence[float]) -> Values:
    """Scores as values: as they are if none is below zero (surprisal, entropy, perplexity); else all raised by as much
    as makes the lowest one zero, so that the order stays and no step is worth less than nothing."""
    values = np.asarray(scores, dtype=np.float64)
    return values - min(0.0, float(values.min()))


class Knapsack:
    """The 0/1 knapsack, solved for every capacity up to one at once (dynamic programming).

    Args:
        values (`NDArray` of shape `(items,)`):
            None below zero.
        weights (`Sequence[int]`):
            None below zero.
        capacity (`int`):
            The largest capacity asked for later.
    """

    def __init__(self, values: Values, weights: Sequence[int], capacity: int):
        self._weights = weights
        # One bit per item and capacity: whether the best packing with the items so far takes this one.
        self._taken = np.zeros((len(weights), capacity // 8 + 1), dtype=np.uint8)
        best = np.zeros(capacity + 1)
        for item, (value, weight) in enumerate(zip(values, weights, strict=True)):
            if weight > capacity:
                continue
            with_it = best[: capacity + 1 - weight] + value
            taken = np.zeros(capacity + 1, dtype=bool)
            # Also where it makes no difference: room that is left costs nothing, and of equals the later one stays.
            taken[weight:] = with_it >= best[weight:]
            best[weight:] = np.maximum(with_it, best[weight:])
            self._taken[item] = np.packbits(taken)

    def best(self, capacity: int) -> tuple[int, ...]:
        """The items of a packing of the greatest value within `capacity`, ascending; empty if none fits."""
        items = []
        for item in reversed(range(len(self._weights))):
            if self._taken[item, capacity // 8] & (0x80 >> capacity % 8):
                items.append(item)
                capacity -= self._weights[item]
        return tuple(reversed(items))
