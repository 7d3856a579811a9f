"""Algorithm 2 (§3.3): scores + steps + a token budget → positions to keep. No model, and no tokenizer of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

CountTokens = Callable[[Sequence[str]], list[int]]
"""Texts in, the number of tokens of each one out, without special tokens."""

# How much text on either side of a joint is tokenised to see what the joint does. What reaches further over a blank
# line is missed; `select_by_budget` checks the lengths that decide against the whole text.
_WINDOW = 64


@dataclass(frozen=True)
class Selection:
    """What Algorithm 2 decided.

    Args:
        kept (`tuple[int, ...]`):
            Positions kept, ascending; at least one.
        order (`tuple[int, ...]`):
            Positions in the order in which they would be removed if the budget never held; the last one is never
            removed.
        lengths (`tuple[int, ...]`):
            `lengths[i]` is the number of tokens of the reasoning after the first `i` removals; `lengths[0]` is the
            whole. One entry per possible number of removals, so that any other budget can be read off.
        tokens (`int`):
            Tokens of what is kept, counted on the joined text.
    """

    kept: tuple[int, ...]
    order: tuple[int, ...]
    lengths: tuple[int, ...]
    tokens: int

    @property
    def removed(self) -> int:
        """How many removals were made."""
        return len(self.order) - len(self.kept)


def removal_order(scores: Sequence[float]) -> tuple[int, ...]:
    """Positions from the lowest score to the highest (SortByScore). Of equal scores the earlier step goes first."""
    return tuple(sorted(range(len(scores)), key=lambda position: scores[position]))


def removals_within(lengths: Sequence[int], budget: int) -> int:
    """The fewest removals after which the length is at most `budget`; all possible ones if none suffices.

    The loop of Algorithm 2, lines 11 to 19: it stops at the first length that fits, also if removing a step made the
    text longer by a token somewhere later.
    """
    return next((count for count, length in enumerate(lengths) if length <= budget), len(lengths) - 1)


def select_by_budget(
    steps: Sequence[str], scores: Sequence[float], budget: int, count_tokens: CountTokens
) -> Selection:
    """Remove the step with the lowest score until the reasoning has at most `budget` tokens (Algorithm 2).

    At least one step stays: the paper's loop may remove all of them. If that one is longer than the budget, the
    selection overshoots and `tokens` says by how much.

    Args:
        steps (`Sequence[str]`):
            The reasoning's steps, each with the blank lines after it; they are joined as they are.
        scores (`Sequence[float]`):
            One per step; the lowest goes first.
        budget (`int`):
            L_max, in tokens, 1 or more.
        count_tokens (`Callable`):
            Token counts of texts. The text is not encoded again after each removal, as the paper's pseudocode has it:
            lengths come from the steps' own counts and what each new joint changes. The lengths that decide are
            verified on the whole text; should one be off, every length is counted as the paper has it.

    Raises:
        `ValueError`: if there is not one score per step, no step, or the budget is below 1.
    """
    check_arguments(steps, scores, budget)
    order = removal_order(scores)
    lengths = lengths_after_removals(steps, order, count_tokens)
    count = removals_within(lengths, budget)
    # Where the outcome hangs: the whole, the length that fits, and the one before it that does not.
    checked = sorted({0, max(count - 1, 0), count})
    if [lengths[one] for one in checked] != count_tokens([_after(steps, order, one) for one in checked]):
        lengths = tuple(count_tokens([_after(steps, order, one)])[0] for one in range(len(steps)))
        count = removals_within(lengths, budget)
    return Selection(tuple(sorted(order[count:])), order, lengths, lengths[count])


def check_arguments(steps: Sequence[str], scores: Sequence[float], budget: int) -> None:
    """Refuse what nothing can be selected from.

    Raises:
        `ValueError`: if there is not one score per step, no step, or the budget is below 1.
    """
    if len(scores) != len(steps) or not steps:
        raise ValueError(f"{len(steps)} steps need as many scores, got {len(scores)}")
    if budget < 1:
        raise ValueError(f"a budget is at least 1 token, got {budget}")


def _after(steps: Sequence[str], order: Sequence[int], count: int) -> str:
    return joined(steps, sorted(order[count:]))


def joined(steps: Sequence[str], kept: Sequence[int]) -> str:
    """The reasoning that is left: the kept steps, without the blank lines after the last one."""
    return "".join(steps[position] for position in kept).rstrip()


def lengths_after_removals(steps: Sequence[str], order: Sequence[int], count_tokens: CountTokens) -> tuple[int, ...]:
    """Tokens of the reasoning after 0, 1, 2, … removals in this order, down to one step.

    A removal changes the text at one place only: two steps that were apart now meet. So the length is the steps' own
    counts plus, for each two that meet, what their meeting changes (blank lines and indentation merge into other
    tokens there), and the last step loses its trailing blank lines.
    """
    final = len(steps) - 1
    removals = list(_removals(order))
    adjacent = [(left, left + 1) for left in range(final)]
    meetings = [*adjacent, *((left, right) for _, left, right in removals if left >= 0 and right >= 0)]
    ends = [final, *(left for _, left, right in removals if right < 0)]
    own, of_end, joint = _count_pieces(steps, meetings, ends, count_tokens)
    length = sum(own) + sum(joint[pair] for pair in adjacent) - own[final] + of_end[final]
    lengths = [length]
    for position, left, right in removals:
        length -= joint.get((left, position), 0) + joint.get((position, right), 0)
        length += joint.get((left, right), 0)
        length += of_end[left] - own[left] - of_end[position] if right < 0 else -own[position]
        lengths.append(length)
    return tuple(lengths)


def _removals(order: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each position but the last one of `order`, and the two that meet when it goes; -1 where there is none."""
    count = len(order)
    following = [*range(1, count), -1]
    preceding = [*range(-1, count - 1)]
    for position in order[:-1]:
        left, right = preceding[position], following[position]
        if left >= 0:
            following[left] = right
        if right >= 0:
            preceding[right] = left
        yield position, left, right


def _count_pieces(
    steps: Sequence[str], meetings: Sequence[tuple[int, int]], ends: Sequence[int], count_tokens: CountTokens
) -> tuple[list[int], dict[int, int], dict[tuple[int, int], int]]:
    """Tokens of each step, of the steps that end a text without their blank lines, and what each meeting changes."""
    tails = [step[-_WINDOW:] for step in steps]
    heads = [step[:_WINDOW] for step in steps]
    stripped = [steps[position].rstrip() for position in ends]
    met = [tails[left] + heads[right] for left, right in meetings]
    counts = iter(count_tokens([*steps, *stripped, *tails, *heads, *met]))
    own, of_ends, of_tails, of_heads, of_met = (
        list(islice(counts, len(texts))) for texts in (steps, stripped, tails, heads, met)
    )
    joint = {
        (left, right): together - of_tails[left] - of_heads[right]
        for (left, right), together in zip(meetings, of_met, strict=True)
    }
    return own, dict(zip(ends, of_ends, strict=True)), joint
