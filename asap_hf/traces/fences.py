"""Where the fenced blocks of a Markdown text are, also where its fences do not pair up.

Fences are those of CommonMark (§4.5), in list items and quotations too. CommonMark lets a fence without an end reach
to the end of the text, and so one stray line of backticks makes a block of all that follows. Models leave out fences,
close one on a line of code, and write some within docstrings. So every line that could be a fence may open a block,
close one, or be stray, and of all readings the one is taken that contradicts the text least. Contradictions are a
block of sentences, code between two blocks, a block within a block, and a stray fence that stands at no end of code.
A text whose fences pair up is read as CommonMark reads it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .fence_marks import BY_RULE, QUOTE, Mark, MarkdownLines, marks_in

_TEXTS = frozenset(
    ("text", "txt", "plain", "plaintext", "markdown", "md", "output", "input", "console", "latex", "tex")
)
_FAR = 8  # fences that a block is looked for beyond: no text makes the search slow


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the lines of the text from its first fence to its last, both included."""

    start: int
    """Number of the line with the opening fence."""
    end: int
    """Number of the line after the block."""
    info: str
    """What stands after the opening fence: a language, mostly."""
    closed: bool
    """Whether a fence ends it; else it reaches to the end of the text."""
    content: tuple[str, ...]
    """The lines between the fences, without the indentation or the quotation marks that the opening fence has."""


def find_blocks(lines: Sequence[str]) -> list[Block]:
    """The fenced blocks of a text, in order.

    Args:
        lines (`Sequence[str]`):
            All of its lines, blank ones too; a carriage return at their end does no harm.
    """
    if not any("```" in line or "~~~" in line for line in lines):
        return []
    text = MarkdownLines(lines)
    marks = marks_in(text)
    return [_block(text, marks[opening], closing) for opening, closing in _least_contradicted(text, marks)]


def ends_in_block(lines: Sequence[str]) -> bool:
    """Whether the end of a text lies within a fenced block as CommonMark alone has it: a fence without an end reaches
    to the end of the text, however little of what follows is code."""
    if not any("```" in line or "~~~" in line for line in lines):
        return False
    open_mark: Mark | None = None
    for mark in marks_in(MarkdownLines(lines)):
        if mark.before:
            continue
        if open_mark is None:
            open_mark = mark
        elif mark.sign == open_mark.sign and mark.count >= open_mark.count and mark.closes is not None:
            open_mark = open_mark if mark.info else None
    return open_mark is not None


def _least_contradicted(text: MarkdownLines, marks: list[Mark]) -> list[tuple[int, Mark | None]]:
    """The blocks of the cheapest reading: number of the opening mark, and the closing one or `None`."""
    closings = _Closings(text, marks)
    best = [0.0] * (len(marks) + 1)  # of a reading from this mark on, outside of any block before it
    choice: list[int | None] = [None] * (len(marks) + 1)  # the closing mark; len(marks): none; None: stray
    for at in range(len(marks) - 1, -1, -1):
        mark = marks[at]
        strict = closings.strict(at)
        stray = mark.stray if mark.closes is not None or not strict else max(mark.stray, 1.5)
        best[at] = stray + _between(text, marks, at) + best[at + 1]
        if mark.opens is None:
            continue
        endings = closings.of(at, strict)
        for end in endings:
            cost = mark.opens + _inside(text, marks, at, end, closings) + _between(text, marks, end) + best[end + 1]
            if cost <= best[at]:
                best[at], choice[at] = cost, end
        if not strict and (cost := mark.opens + _unclosed(text, mark) + bool(endings)) < best[at]:
            best[at], choice[at] = cost, len(marks)
    blocks: list[tuple[int, Mark | None]] = []
    at = 0
    while at < len(marks):
        closing = choice[at]
        if closing is not None:
            blocks.append((at, marks[closing] if closing < len(marks) else None))
        at = (at if closing is None else closing) + 1
    return blocks


def _between(text: MarkdownLines, marks: list[Mark], at: int) -> float:
    """What it costs that the lines after a mark, up to the next one, are in no block."""
    if at + 1 >= len(marks):
        return 0.0
    start, end = marks[at].line + 1, marks[at + 1].line
    return 0.5 if text.code(start, end) > text.sentences(start, end) else 0.0


def _inside(text: MarkdownLines, marks: list[Mark], at: int, end: int, closings: _Closings) -> float:
    """What it costs that the lines between two marks are a block."""
    opening, closing = marks[at], marks[end]
    cost = closing.closes or 0.0
    language = opening.info.split(" ")[0].lower()
    if language not in _TEXTS:
        if text.is_said(opening.line + 1, closing.line):
            cost += 2.0 if opening.closes == 0.0 else 0.5  # the end of another block, perhaps
        cost += 2.0 * closings.openings_between(at, end)
    return cost


def _unclosed(text: MarkdownLines, mark: Mark) -> float:
    """What it costs that a block is never closed: nothing much where what follows may be the rest of a program."""
    start, end = mark.line + 1, len(text.lines)
    filled = text.filled(start, end)
    return 0.25 if 10 * text.sentences(start, end) <= filled and filled else 6.0


class _Closings:
    """Which marks can close which."""

    def __init__(self, text: MarkdownLines, marks: list[Mark]):
        self._text, self._marks = text, marks
        self._strict: dict[tuple[str, int], list[int]] = {}
        self._loose: list[int] = []
        for at, mark in enumerate(marks):
            if mark.closes is not None and mark.closes <= BY_RULE:
                self._strict.setdefault((mark.sign, mark.count), []).append(at)
            elif mark.closes is not None:
                self._loose.append(at)
        only_open = (mark.opens == 0.0 and mark.closes is None for mark in marks)
        self._openings = [0, *accumulate(only_open)]

    def strict(self, at: int) -> list[int]:
        """The next marks that close this one by CommonMark's rule, nearest first; few of them."""
        mark, found = self._marks[at], []
        for (sign, count), places in self._strict.items():
            if sign == mark.sign and count >= mark.count:
                first = bisect_left(places, at + 1)
                found += places[first : first + _FAR]
        return [end for end in sorted(found)[:_FAR] if self._marks[end].indent <= mark.deepest]

    def of(self, at: int, strict: list[int]) -> list[int]:
        """The marks that may close this one: the first of `strict`, which do so by rule, that is in no string of the
        program, and those before it that break the rule."""
        mark = self._marks[at]
        outside = [end for end in strict if not self._text.in_string(mark.line + 1, self._marks[end].line)]
        first = (outside or strict)[:1]
        start = bisect_left(self._loose, at + 1)
        near = self._loose[start : start + _FAR]
        loose = [end for end in near if self._marks[end].sign == mark.sign and (not first or end < first[0])]
        return [*first, *loose]

    def openings_between(self, at: int, end: int) -> int:
        """How many marks between two can only open a block of their own; more signs than three mean to hold such."""
        return self._openings[end] - self._openings[at + 1] if self._marks[at].count == 3 else 0


def _block(text: MarkdownLines, opening: Mark, closing: Mark | None) -> Block:
    end = closing.line if closing else len(text.lines)
    content = [_without(line, opening) for line in text.given[opening.line + 1 : end]]
    if closing and closing.before:
        content.append(_without(closing.before, opening))
    return Block(opening.line, end + bool(closing), opening.info, closing is not None, tuple(content))


def _without(line: str, opening: Mark) -> str:
    """A line of a block without the quotation marks and the indentation of the opening fence."""
    width = len(opening.prefix.expandtabs(4))
    if ">" in opening.prefix:
        quote = QUOTE.match(line)
        line = line[quote.end() :] if quote else line
        width -= len(opening.prefix.rpartition(">")[0]) + 2
    indent = len(line) - len(line.lstrip(" \t"))
    kept = line[:indent].expandtabs(4)[width:] if width > 0 else line[:indent]
    return kept + line[indent:]
