"""Cut a reasoning into steps. Every splitter is lossless: the steps joined are the text, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

from .code_lines import Kind, announces_block, classify, indentation

# A line break, then at least one line with nothing on it: SplitStepsByBlankLine of Algorithms 1 and 2.
_BLANK_LINES = re.compile(r"\r?\n(?:[^\S\n]*\n)+")

# A fence may stand in a list item or a quotation; the name after backticks holds no backtick ("```x```" is no fence).
_FENCE = re.compile(r"[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*)?(`{3,}(?=[^`]*$)|~{3,})")

DEFAULT_SPLITTER = "code"


def split_steps(text: str, splitter: str = DEFAULT_SPLITTER) -> tuple[str, ...]:
    """The steps of `text`, each with the blank lines that follow it.

    Raises:
        `ValueError`: if no splitter has that name.
    """
    if splitter not in SPLITTERS:
        raise ValueError(f"there is no splitter {splitter!r}; there are {', '.join(SPLITTERS)}")
    return SPLITTERS[splitter](text)


def split_paper(text: str) -> tuple[str, ...]:
    """One step per paragraph: the paper's SplitStepsByBlankLine."""
    ends = [match.end() for match in _BLANK_LINES.finditer(text)]
    starts = [0, *ends]
    return tuple(step for start, end in zip(starts, [*ends, len(text)], strict=True) if (step := text[start:end]))


def split_code(text: str) -> tuple[str, ...]:
    """The paragraphs of `split_paper`, but a fenced block is one step, and so is a run of bare code lines.

    Not in the paper. DeepSeek-R1 writes its draft programs with a blank line between any two lines and no fence, so
    that many of the paper's steps are single lines out of the middle of a program: `bench/split.py` counts them, and
    measures this splitter against boundaries labelled by hand. A program is one step however long it is, and an
    unclosed fence reaches to the end of the text.
    """
    paragraphs = split_paper(text)
    lines = [
        (position, line)
        for position, paragraph in enumerate(paragraphs)
        for line in paragraph.split("\n")
        if line.strip()
    ]
    blocks = _blocks([line for _, line in lines])
    cuts = [
        after
        for (before, _), (after, _), block, following in zip(lines, lines[1:], blocks, blocks[1:], strict=False)
        if before != after and (block is None or block != following)
    ]
    starts, ends = [0, *cuts], [*cuts, len(paragraphs)]
    return tuple("".join(paragraphs[start:end]) for start, end in zip(starts, ends, strict=True) if start < end)


def _blocks(lines: list[str]) -> list[int | None]:
    """For each non-blank line where the fenced block or the run of code that holds it begins, `None` for prose."""
    blocks = _fences(lines)
    kinds = [Kind.PROSE if fenced is not None else _kind(lines, at) for at, fenced in enumerate(blocks)]
    start = 0
    for is_prose, group in groupby(kinds, key=lambda kind: kind is Kind.PROSE):
        run = list(group)
        if not is_prose and Kind.CODE in run:  # doubtful lines alone, such as the values of an example, are prose
            blocks[start : start + len(run)] = [start] * len(run)
        start += len(run)
    return blocks


def _fences(lines: list[str]) -> list[int | None]:
    """For each line where the fenced block that holds it begins; the lines of the fence itself belong to it."""
    blocks: list[int | None] = []
    start, marks = None, ""
    for at, line in enumerate(lines):
        if start is not None:
            blocks.append(start)
            closing = line.strip().lstrip("> \t")
            if len(closing) >= len(marks) and closing == marks[0] * len(closing):
                start = None
            continue
        opening = _FENCE.match(line)
        if opening:
            start, marks = at, opening[1]
        blocks.append(start)
    return blocks


def _kind(lines: list[str], at: int) -> Kind:
    """What the line at `at` is; one that opens a block in words is doubtful if the next line is indented deeper."""
    kind = classify(lines[at])
    opens = kind is Kind.PROSE and at + 1 < len(lines) and announces_block(lines[at])
    return Kind.DOUBTFUL if opens and indentation(lines[at + 1]) > indentation(lines[at]) else kind


SPLITTERS: dict[str, Callable[[str], tuple[str, ...]]] = {"paper": split_paper, "code": split_code}
