"""Whether a reasoning got stuck: the same words over and over, as a model writes them that finds no way on."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SPAN = 120  # characters
_TIMES = 8
_WORDS, _VALUES, _ROWS = 300, 2_000, 200

_PIECE = re.compile(r"\S+")
_UNSPACED = 32  # characters; a piece as long as this is no word of a language that puts spaces between its words
_LETTERS = re.compile(r"[^\W\d_]+")
_CONSTANTS = frozenset(("true", "false", "none", "null", "infinity", "inf", "nan", "yes"))


def is_looping(text: str) -> bool:
    """Whether one span of a reasoning comes back again and again at one distance.

    A loop is a span of 120 characters that stands at least 8 times, each time the same number of characters after the
    last, over 300 characters in all. The span counts line breaks and needs no spaces, so the unit that repeats may be
    a sign, a word, a phrase in a language without spaces, a line, some lines in turn, or paragraphs, also with
    something short between them that changes.

    Values are repeated for good reason: a grid of zeros, a row of a table, `False, False, …`, a string `aaaa…`. Where
    what repeats holds no word, it is a loop only over 2,000 characters of one line or as 200 equal rows.

    A sentence whose numbers count up ("Case 12: …") is none: that is an enumeration, and each one says something new.
    Nor is what comes back at different distances, as a table of a test case does after each idea.

    The bounds are ours, not the papers', which do not treat loops. In 1,140 real reasonings that were finished,
    nothing repeats over more than 121 characters; `tests/traces/test_loops.py` holds the bounds against them.

    Args:
        text (`str`):
            The reasoning.
    """
    seen: dict[str, tuple[int, int, int]] = {}  # span -> its last place, distance to the one before, times
    for start in _starts(text):
        span = text[start : start + _SPAN]
        place, distance, times = seen.get(span, (start, 0, 0))
        times = times + 1 if start - place == distance else 2
        seen[span] = (start, start - place, times)
        if times >= _TIMES and _is_loop(text, start, start - place, times):
            return True
    return False


def _starts(text: str) -> Iterator[int]:
    """Where a span may begin: at every word, and at every character where there are no spaces between words."""
    last = len(text) - _SPAN
    for piece in _PIECE.finditer(text):
        start, end = piece.span()
        for place in range(start, end) if end - start >= _UNSPACED else (start,):
            if place > last:
                return
            yield place


def _is_loop(text: str, start: int, distance: int, times: int) -> bool:
    """Whether what repeated up to the span at `start` does so long enough for what it is."""
    length = _SPAN + distance * (times - 1)
    unit = text[start : start + min(distance, _SPAN)]
    if _says_something(unit):
        return length >= _WORDS
    return times >= _ROWS if "\n" in unit else length >= _VALUES


def _says_something(unit: str) -> bool:
    """Whether a unit that repeats is more than values: it holds a word, a letter of a language that writes no spaces,
    or a statement about a name."""
    if any(not run.isascii() for run in _LETTERS.findall(unit)):
        return True
    runs = [run for run in _LETTERS.findall(unit * 3) if len(run) <= len(unit)]  # a longer one: a string such as abab
    return bool(runs) and ("=" in unit or any(map(_is_word, runs)))


def _is_word(run: str) -> bool:
    return len(set(run.lower())) > 1 and not run.isupper() and run.lower() not in _CONSTANTS
