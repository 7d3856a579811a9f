"""Algorithm 1 (§3.2): is a shortened reasoning an ordered, nearly verbatim part of the original, and which part of it?

The similarity is Gestalt Pattern Matching (Ratcliff/Obershelp) as Python's `difflib` computes it, to the last bit: the
original step is `a`, the coarse step `b` (it is not symmetric). `cydifflib` does the matching in compiled code, and
cheap upper bounds decide most pairs of steps before it is asked.

`autojunk` is off here. It is on in `difflib`, and so in the reference implementation, and then this is not the paper's
similarity any more: in a coarse step of 200 characters or more, a character that makes up over 1 % of it (in prose,
nearly every letter) cannot start a match. Of real DeepSeek-R1 traces every one has such steps, 12 % of the steps and
47 % of the characters on average. Measured on 1,002 of them (`bench/match.py` repeats it), at the threshold of 0.6:

- One step in ten copied, each with one word or one punctuation mark dropped: Algorithm 1 refuses 24 % of the traces
  with `autojunk`, 0.4 % without.
- Copies of steps of 200 to 400 characters fail in 6 % (a punctuation mark dropped) to 7 % (the first word dropped) of
  the cases with it, and never without. Below 200 characters the two are the same.
- What it protects from is rare: of pairs of different steps of one trace, both over 200 characters, under 1 % pass
  without it at any length, and up to 0.6 % with it.

`autojunk=True` is there for the reference's behaviour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heapreplace

from cydifflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which original steps the coarse ones were matched with, and where it went wrong if it did.

    Args:
        matched (`tuple[int, ...]`):
            Position in the original of each coarse step before the failing one (of each, if none failed), ascending.
        similarities (`tuple[float, ...]`):
            Their similarities, each at or above the threshold.
        failed_step (`int`, *optional*):
            Position in the coarse reasoning of the first step without a match; `None` if every step has one.
        best_similarity (`float`, *optional*, defaults to 0.0):
            The highest similarity of the failing step with any original step after the last match: those that
            Algorithm 1 looks at. 0.0 where none is left, or nothing failed.
    """

    matched: tuple[int, ...]
    similarities: tuple[float, ...]
    failed_step: int | None = None
    best_similarity: float = 0.0

    @property
    def valid(self) -> bool:
        """The verdict of Algorithm 1."""
        return self.failed_step is None


def gestalt_similarity(a: str, b: str, autojunk: bool = False) -> float:
    """GestaltSimilarity of Algorithm 1: `difflib.SequenceMatcher(None, a, b, autojunk).ratio()`, compiled.

    Args:
        a (`str`):
            The original step.
        b (`str`):
            The coarse step.
        autojunk (`bool`, *optional*, defaults to `False`):
            Whether frequent characters of a `b` of 200 characters or more are junk. The paper does not say; `True` is
            `difflib`'s default and the reference's behaviour. The module's docstring has what it does to real steps.

    Returns:
        `float`: twice the matched characters over all characters, 0 to 1; 1.0 for two empty strings.
    """
    similarity: float = SequenceMatcher(None, a, b, autojunk).ratio()
    return similarity


def align(origin: Sequence[str], coarse: Sequence[str], threshold: float = 0.6, autojunk: bool = False) -> Alignment:
    """Algorithm 1, with the alignment it finds on the way.

    Greedy and ordered: each coarse step is given to the first original step, after the one matched last, whose
    similarity reaches the threshold. Verdict, alignment and similarities are those of the plain loop over `difflib`.

    Args:
        origin (`Sequence[str]`):
            The original steps, without the blank lines after them (see [`asap_hf.traces.trace.Trace.texts`]).
        coarse (`Sequence[str]`):
            The steps of the shortened reasoning. None at all is valid, as in the paper's loop; who must not end up
            with an empty reasoning has to look at that.
        threshold (`float`, *optional*, defaults to 0.6):
            τ of Algorithm 1; 0.6 is the paper's (Appendix A). At 0 or less anything matches, above 1 nothing does.
        autojunk (`bool`, *optional*, defaults to `False`):
            See [`gestalt_similarity`].

    Raises:
        `TypeError`: if given a text where steps are expected.
    """
    matched, similarities, failed_step, candidates = _scan(origin, coarse, threshold, autojunk)
    return Alignment(tuple(matched), tuple(similarities), failed_step, _closest(candidates))


def is_ordered_match(
    origin: Sequence[str], coarse: Sequence[str], threshold: float = 0.6, autojunk: bool = False
) -> bool:
    """PatternMatch of Algorithm 1: the verdict of [`align`], without the search for what a failing step is closest to.

    Arguments and errors as there; no coarse step at all is `True`, as in the paper's loop.

    Example:
        >>> from asap_hf import is_ordered_match
        >>> steps = ("Let me add 2 and 3.", "Wait.", "That is 5.")
        >>> is_ordered_match(steps, ["Let me add 2, 3.", "That is 5."])
        True
        >>> is_ordered_match(steps, ["That is 5.", "Wait."])
        False
    """
    return _scan(origin, coarse, threshold, autojunk)[2] is None


_Candidate = tuple[float, int, Iterator[float]]
"""An upper bound of a similarity, negated for the heap; a position in the original; the bounds that follow."""


def _scan(
    origin: Sequence[str], coarse: Sequence[str], threshold: float, autojunk: bool
) -> tuple[list[int], list[float], int | None, list[_Candidate]]:
    """The loop of Algorithm 1: positions, similarities; if a step failed, its number and what it was compared with."""
    if isinstance(origin, str) or isinstance(coarse, str):
        raise TypeError("pattern matching takes the steps of each reasoning, not its text: split it first")
    matched: list[int] = []
    similarities: list[float] = []
    for number, text in enumerate(coarse):
        step = _CoarseStep(text, autojunk)
        passed: list[_Candidate] = []
        for position in range(matched[-1] + 1 if matched else 0, len(origin)):
            bounds = step.bounds(origin[position])
            for bound in bounds:
                if not bound >= threshold:  # not `<`: nothing reaches a threshold of NaN
                    passed.append((-bound, position, bounds))
                    break
            else:
                matched.append(position)
                similarities.append(bound)
                break
        else:
            return matched, similarities, number, passed
    return matched, similarities, None, []


class _CoarseStep:
    """One coarse step, prepared once and compared with many original ones."""

    def __init__(self, text: str, autojunk: bool):
        self._text = text
        self._autojunk = autojunk
        self._counts = tuple(Counter(text).items())

    @cached_property
    def _matcher(self) -> SequenceMatcher:
        return SequenceMatcher(None, "", self._text, self._autojunk)

    def bounds(self, origin: str) -> Iterator[float]:
        """Upper bounds of the similarity, each dearer and no higher than the one before; the last is the similarity.

        All are `ratio()`'s float expression on a number of matched characters that is no smaller than the true one.
        Rounding is monotonic: where a bound is below the threshold, so is what `difflib` would have computed.
        """
        text = self._text
        if origin == text:
            yield 1.0
            return
        length = len(origin) + len(text)
        reachable = min(len(origin), len(text))
        yield 2.0 * reachable / length
        count = origin.count
        shared = sum([min(here, count(character)) for character, here in self._counts])
        yield 2.0 * shared / length
        # difflib's recursion, block by block. Left and right of a block, the shorter text bounds what can follow; once
        # no region is open, what is reachable is what was matched.
        matcher = self._matcher
        regions = [(reachable, 0, len(origin), 0, len(text))]
        while regions:
            room, a_low, a_high, b_low, b_high = regions.pop()
            matcher.set_seq1(origin)  # others may have been compared since the last block
            a, b, size = matcher.find_longest_match(a_low, a_high, b_low, b_high)
            reachable -= room
            if size:
                a_end, b_end = a + size, b + size
                before = (min(a - a_low, b - b_low), a_low, a, b_low, b)
                after = (min(a_high - a_end, b_high - b_end), a_end, a_high, b_end, b_high)
                reachable += before[0] + size + after[0]
                for side in (after, before) if before[0] > after[0] else (before, after):  # more room goes first
                    if side[0]:
                        regions.append(side)
            yield 2.0 * min(reachable, shared) / length


def _closest(candidates: list[_Candidate]) -> float:
    """The true highest similarity; 0.0 where there is no candidate.

    Tightens the highest bound until it is a similarity: no pair is compared further than it takes to know that
    another one is closer.
    """
    heapify(candidates)
    while candidates:
        negated, position, bounds = candidates[0]
        tighter = next(bounds, None)
        if tighter is None:
            return -negated
        heapreplace(candidates, (-tighter, position, bounds))
    return 0.0
