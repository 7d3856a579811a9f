"""Where the fenced blocks of a Markdown text are, also where its fences do not pair up.

Fences are those of CommonMark (§4.5), in list items and quotations too. CommonMark lets a fence without an end reach
to the end of the text, and so one stray line of backticks makes a block of all that follows. Models leave out fences,
close one on a line of code, and write some within docstrings. So every line that could be a fence may open a block,
close one, or be stray, and of all readings the one is taken that contradicts the text least. Contradictions are a
block of sentences, code between two blocks, a block within a block, and a stray fence that stands at no end of code.
A text whose fences pair up is read as CommonMark reads it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .code_lines import Kind, classify, indentation

# A fence may stand in a list item or a quotation; the words after backticks hold no backtick ("```x```" is no fence).
_CONTAINER = r"(?:>|[-*+]|\d{1,9}[.)]|[a-zA-Z][.)])"
_FENCE = re.compile(rf"([ \t]*+(?:{_CONTAINER}[ \t]++|>)*+[ \t]*+)(`{{3,}}(?=[^`]*$)|~{{3,}})(.*)")
_AFTER_TEXT = re.compile(r"(`{3,})([\w.+#-]*)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)]|[a-zA-Z][.)])(?:[ \t]+|$)")
_QUOTE = re.compile(r"(?:[ \t]{0,3}>[ \t]?)+")
# What tokenizers and answer formats put behind a closing fence: <|im_end|>, </s>, </answer>, [/INST].
SPECIAL = re.compile(r"(?:<[|｜][^|｜<>\n]{1,40}[|｜]>|</?[A-Za-z_][\w-]{0,20}>|\[/?[A-Z_]{2,20}\])")
_SPECIALS = re.compile(rf"\s*(?:{SPECIAL.pattern}\s*)+")
_TEXTS = frozenset(
    ("text", "txt", "plain", "plaintext", "markdown", "md", "output", "input", "console", "latex", "tex")
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_TRIPLE = re.compile(r'"""|\'\'\'')

_BY_RULE = 0.1  # the most that a closing fence costs which CommonMark takes for one, but for what a tokenizer left
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


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that could be a fence. Costs are contradictions; `None`: it cannot be that."""

    line: int
    sign: str
    count: int
    prefix: str
    indent: int
    deepest: int
    """Columns that a fence may be indented by to close this one."""
    info: str
    opens: float | None
    closes: float | None
    stray: float
    before: str = ""
    """Text of the line before the fence, where that is no indentation: `print(x)` in "print(x)```"."""


def find_blocks(lines: Sequence[str]) -> list[Block]:
    """The fenced blocks of a text, in order.

    Args:
        lines (`Sequence[str]`):
            All of its lines, blank ones too; a carriage return at their end does no harm.
    """
    if not any("```" in line or "~~~" in line for line in lines):
        return []
    text = _Lines(lines)
    marks = _marks(text)
    return [_block(text, marks[opening], closing) for opening, closing in _least_contradicted(text, marks)]


def is_fence(line: str) -> bool:
    """Whether a line is a fence as it stands, with no more than a language behind it."""
    fence = _FENCE.match(line.rstrip())
    return fence is not None and len(fence[3].split()) < 2


class _Lines:
    """The lines of a text, and what kinds they are of."""

    def __init__(self, lines: Sequence[str]):
        self.given = lines
        self.lines = [line.rstrip() for line in lines]
        self.kinds = [classify(line) if line else None for line in self.lines]
        self._code = [0, *accumulate(kind is Kind.CODE for kind in self.kinds)]
        self._said = [0, *accumulate(map(_is_sentence, self.lines, self.kinds))]
        self._quotes = [0, *accumulate(len(_TRIPLE.findall(line)) for line in self.lines)]

    def code(self, start: int, end: int) -> int:
        return self._code[end] - self._code[start]

    def sentences(self, start: int, end: int) -> int:
        return self._said[end] - self._said[start]

    def in_string(self, start: int, end: int) -> bool:
        """Whether an odd number of triple quotes stands in these lines."""
        return (self._quotes[end] - self._quotes[start]) % 2 == 1

    def is_code(self, line: int) -> bool:
        """Whether there is such a line and it may be code."""
        return 0 <= line < len(self.kinds) and self.kinds[line] in (Kind.CODE, Kind.DOUBTFUL)

    def is_said(self, start: int, end: int) -> bool:
        """Whether these lines are prose: sentences, and no code at both ends."""
        said = self.sentences(start, end)
        framed = self.is_code(start) and self.is_code(end - 1)
        return said > 2 * self.code(start, end) and not framed


def _is_sentence(line: str, kind: Kind | None) -> bool:
    words = _WORD.findall(line) if kind is Kind.PROSE else ()
    return len(words) > 3 or any(not word.isascii() and len(word) > 5 for word in words)


def _marks(text: _Lines) -> list[_Mark]:
    """The lines that could be fences."""
    marks: list[_Mark] = []
    bases: list[int] = []  # where the content of each open list item begins
    for number, line in enumerate(text.lines):
        if not line:
            continue
        bare = line[quote.end() :] if (quote := _QUOTE.match(line)) else line
        indent = indentation(bare)
        while bases and bases[-1] > indent:
            bases.pop()
        base = bases[-1] if bases else 0
        if ("```" in line or "~~~" in line) and (mark := _mark(text, number, indent, base)):
            marks.append(mark)
        if item := _ITEM.match(bare):
            bases.append(len(item[0].expandtabs(4)) if len(item[0]) < len(bare) else indent + 2)
    return marks


def _mark(text: _Lines, number: int, indent: int, base: int) -> _Mark | None:
    """What a line could be, `indent` columns in where the list items around it begin at `base`."""
    line = text.lines[number]
    fence = _FENCE.match(line)
    if fence is None:
        return _mark_after_text(line, number, indent)
    prefix, signs, info = fence[1], fence[2], fence[3].strip()
    in_item = bool(prefix.strip(" \t>"))
    if not in_item and indent - base > 3:
        return None  # an indented line, for CommonMark: as in a docstring
    special, told = _SPECIALS.fullmatch(info) is not None, len(info.split()) > 3
    ends_code = text.is_code(number - 1) and not text.is_code(number + 1)
    opens = None if special else 1.0 if told or (ends_code and not info) else 0.0
    closes = None if in_item else 0.0 if not info else _BY_RULE if special else 1.0 if told else None
    stray = 0.5 if ends_code and closes is not None else 0.75 if text.is_code(number + 1) else 4.0
    deepest = 3 + (len(prefix.expandtabs(4)) if in_item else base)
    return _Mark(number, signs[0], len(signs), prefix, indent, deepest, info, opens, closes, stray)


def _mark_after_text(line: str, number: int, indent: int) -> _Mark | None:
    """A fence at the end of a line, as in "print(x)```" or "Here it is: ```python": none for CommonMark."""
    if line.endswith((">", "]")):
        line = _SPECIALS.sub("", line)
    start = line.find("`")
    after = _AFTER_TEXT.fullmatch(line, start) if start > 0 else None
    if after is None:
        return None
    opens, closes, stray = (0.25, None, 0.5) if after[2] else (0.5, 1.0, 0.25)
    return _Mark(number, "`", len(after[1]), "", indent, 3, after[2], opens, closes, stray, line[:start])


def _least_contradicted(text: _Lines, marks: list[_Mark]) -> list[tuple[int, _Mark | None]]:
    """The blocks of the cheapest reading: number of the opening mark, and the closing one or `None`."""
    closings = _Closings(text, marks)
    best = [0.0] * (len(marks) + 1)  # of a reading from this mark on, outside of any block before it
    choice: list[int | None] = [None] * (len(marks) + 1)  # the closing mark; len(marks): none; None: stray
    for at in range(len(marks) - 1, -1, -1):
        mark = marks[at]
        stray = mark.stray if mark.closes is not None or not closings.strict(at) else max(mark.stray, 1.5)
        best[at] = stray + _between(text, marks, at) + best[at + 1]
        if mark.opens is None:
            continue
        endings = closings.of(at)
        for end in endings:
            cost = mark.opens + _inside(text, marks, at, end, closings) + _between(text, marks, end) + best[end + 1]
            if cost <= best[at]:
                best[at], choice[at] = cost, end
        if not closings.strict(at) and (cost := mark.opens + _unclosed(text, mark) + bool(endings)) < best[at]:
            best[at], choice[at] = cost, len(marks)
    blocks: list[tuple[int, _Mark | None]] = []
    at = 0
    while at < len(marks):
        closing = choice[at]
        if closing is not None:
            blocks.append((at, marks[closing] if closing < len(marks) else None))
        at = (at if closing is None else closing) + 1
    return blocks


def _between(text: _Lines, marks: list[_Mark], at: int) -> float:
    """What it costs that the lines after a mark, up to the next one, are in no block."""
    if at + 1 >= len(marks):
        return 0.0
    start, end = marks[at].line + 1, marks[at + 1].line
    return 0.5 if text.code(start, end) > text.sentences(start, end) else 0.0


def _inside(text: _Lines, marks: list[_Mark], at: int, end: int, closings: _Closings) -> float:
    """What it costs that the lines between two marks are a block."""
    opening, closing = marks[at], marks[end]
    cost = closing.closes or 0.0
    language = opening.info.split(" ")[0].lower()
    if language not in _TEXTS:
        if text.is_said(opening.line + 1, closing.line):
            cost += 2.0 if opening.closes == 0.0 else 0.5  # the end of another block, perhaps
        cost += 2.0 * closings.openings_between(at, end)
    return cost


def _unclosed(text: _Lines, mark: _Mark) -> float:
    """What it costs that a block is never closed: nothing much where what follows may be the rest of a program."""
    start, end = mark.line + 1, len(text.lines)
    filled = sum(map(bool, text.lines[start:end]))
    return 0.25 if 10 * text.sentences(start, end) <= filled and filled else 6.0


class _Closings:
    """Which marks can close which."""

    def __init__(self, text: _Lines, marks: list[_Mark]):
        self._text, self._marks = text, marks
        self._strict: dict[tuple[str, int], list[int]] = {}
        self._loose: list[int] = []
        for at, mark in enumerate(marks):
            if mark.closes is not None and mark.closes <= _BY_RULE:
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

    def of(self, at: int) -> list[int]:
        """The marks that may close this one: the first that does so by rule and is not within a string of the program,
        and those before it that break the rule."""
        mark, strict = self._marks[at], self.strict(at)
        outside = [end for end in strict if not self._text.in_string(mark.line + 1, self._marks[end].line)]
        first = (outside or strict)[:1]
        start = bisect_left(self._loose, at + 1)
        near = self._loose[start : start + _FAR]
        loose = [end for end in near if self._marks[end].sign == mark.sign and (not first or end < first[0])]
        return [*first, *loose]

    def openings_between(self, at: int, end: int) -> int:
        """How many marks between two can only open a block of their own; more signs than three mean to hold such."""
        return self._openings[end] - self._openings[at + 1] if self._marks[at].count == 3 else 0


def _block(text: _Lines, opening: _Mark, closing: _Mark | None) -> Block:
    end = closing.line if closing else len(text.lines)
    content = [_without(line, opening) for line in text.given[opening.line + 1 : end]]
    if closing and closing.before:
        content.append(_without(closing.before, opening))
    return Block(opening.line, end + bool(closing), opening.info, closing is not None, tuple(content))


def _without(line: str, opening: _Mark) -> str:
    """A line of a block without the quotation marks and the indentation of the opening fence."""
    width = len(opening.prefix.expandtabs(4))
    if ">" in opening.prefix:
        quote = _QUOTE.match(line)
        line = line[quote.end() :] if quote else line
        width -= len(opening.prefix.rpartition(">")[0]) + 2
    indent = len(line) - len(line.lstrip(" \t"))
    kept = line[:indent].expandtabs(4)[width:] if width > 0 else line[:indent]
    return kept + line[indent:]
