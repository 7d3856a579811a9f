"""The lines of a text that could be fences, and the evidence that one opens a block, closes one, or is stray."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .code_lines import LineKind, classify, indentation

# A fence may stand in a list item or a quotation; the words after backticks hold no backtick ("```x```" is no fence).
_CONTAINER = r"(?:>|[-*+]|\d{1,9}[.)]|[a-zA-Z][.)])"
_FENCE = re.compile(rf"([ \t]*+(?:{_CONTAINER}[ \t]++|>)*+[ \t]*+)(`{{3,}}(?=[^`]*$)|~{{3,}})(.*)")
_AFTER_TEXT = re.compile(r"(`{3,})([\w.+#-]*)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)]|[a-zA-Z][.)])(?:[ \t]+|$)")
QUOTE = re.compile(r"(?:[ \t]{0,3}>[ \t]?)+")
# What tokenizers and answer formats put behind a closing fence: <|im_end|>, </s>, </answer>, [/INST].
SPECIAL = re.compile(r"(?:<[|｜][^|｜<>\n]{1,40}[|｜]>|</?[A-Za-z_][\w-]{0,20}>|\[/?[A-Z_]{2,20}\])")
_SPECIALS = re.compile(rf"\s*(?:{SPECIAL.pattern}\s*)+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_TRIPLE = re.compile(r'"""|\'\'\'')

BY_RULE = 0.1  # the most that a closing fence costs which CommonMark takes for one, but for what a tokenizer left


@dataclass(frozen=True, slots=True)
class Mark:
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


def is_fence(line: str) -> bool:
    """Whether a line is a fence as it stands, with no more than a language behind it."""
    fence = _FENCE.match(line.rstrip())
    return fence is not None and len(fence[3].split()) < 2


class MarkdownLines:
    """The lines of a text, and what kinds they are of."""

    def __init__(self, lines: Sequence[str]):
        self.given = lines
        self.lines = [line.rstrip() for line in lines]
        self.kinds = [classify(line) if line else None for line in self.lines]
        self._filled = [0, *accumulate(map(bool, self.lines))]
        self._code = [0, *accumulate(kind is LineKind.CODE for kind in self.kinds)]
        self._said = [0, *accumulate(map(_is_sentence, self.lines, self.kinds))]
        self._quotes = [0, *accumulate(len(_TRIPLE.findall(line)) for line in self.lines)]

    def filled(self, start: int, end: int) -> int:
        return self._filled[end] - self._filled[start]

    def code(self, start: int, end: int) -> int:
        return self._code[end] - self._code[start]

    def sentences(self, start: int, end: int) -> int:
        return self._said[end] - self._said[start]

    def in_string(self, start: int, end: int) -> bool:
        """Whether an odd number of triple quotes stands in these lines."""
        return (self._quotes[end] - self._quotes[start]) % 2 == 1

    def is_code(self, line: int) -> bool:
        """Whether there is such a line and it may be code."""
        return 0 <= line < len(self.kinds) and self.kinds[line] in (LineKind.CODE, LineKind.DOUBTFUL)

    def is_said(self, start: int, end: int) -> bool:
        """Whether these lines are prose: sentences, and no code at both ends."""
        said = self.sentences(start, end)
        framed = self.is_code(start) and self.is_code(end - 1)
        return said > 2 * self.code(start, end) and not framed


def _is_sentence(line: str, kind: LineKind | None) -> bool:
    words = _WORD.findall(line) if kind is LineKind.PROSE else ()
    return len(words) > 3 or any(not word.isascii() and len(word) > 5 for word in words)


def marks_in(text: MarkdownLines) -> list[Mark]:
    """The lines that could be fences."""
    marks: list[Mark] = []
    bases: list[int] = []  # where the content of each open list item begins
    for number, line in enumerate(text.lines):
        if not line:
            continue
        bare = line[quote.end() :] if (quote := QUOTE.match(line)) else line
        indent = indentation(bare)
        while bases and bases[-1] > indent:
            bases.pop()
        base = bases[-1] if bases else 0
        if ("```" in line or "~~~" in line) and (mark := _mark(text, number, indent, base)):
            marks.append(mark)
        if item := _ITEM.match(bare):
            bases.append(len(item[0].expandtabs(4)) if len(item[0]) < len(bare) else indent + 2)
    return marks


def _mark(text: MarkdownLines, number: int, indent: int, base: int) -> Mark | None:
    """What a line could be, `indent` columns in where the list items around it begin at `base`."""
    line = text.lines[number]
    fence = _FENCE.match(line)
    if fence is None:
        return _mark_after_text(line, number, indent)
    prefix, signs, info = fence[1], fence[2], fence[3].strip()
    in_item = bool(prefix.strip(" \t>"))
    if not in_item and indent - base > 3:
        return None  # an indented line, for CommonMark: as in a docstring
    special, is_prose = _SPECIALS.fullmatch(info) is not None, len(info.split()) > 3
    ends_code = text.is_code(number - 1) and not text.is_code(number + 1)
    opens = None if special else 1.0 if is_prose or (ends_code and not info) else 0.0
    closes = None if in_item else 0.0 if not info else BY_RULE if special else 1.0 if is_prose else None
    stray = 0.5 if ends_code and closes is not None else 0.75 if text.is_code(number + 1) else 4.0
    deepest = 3 + (len(prefix.expandtabs(4)) if in_item else base)
    return Mark(number, signs[0], len(signs), prefix, indent, deepest, info, opens, closes, stray)


def _mark_after_text(line: str, number: int, indent: int) -> Mark | None:
    """A fence at the end of a line, as in "print(x)```" or "Here it is: ```python": none for CommonMark."""
    if line.endswith((">", "]")):
        line = _SPECIALS.sub("", line)
    start = line.find("`")
    after = _AFTER_TEXT.fullmatch(line, start) if start > 0 else None
    if after is None:
        return None
    opens, closes, stray = (0.25, None, 0.5) if after[2] else (0.5, 1.0, 0.25)
    return Mark(number, "`", len(after[1]), "", indent, 3, after[2], opens, closes, stray, line[:start])
