"""Cut a reasoning into steps. Every splitter is lossless: the steps joined are the text, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable

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
    """The paragraphs of `split_paper`, but a fenced block and a run of bare code lines are one step each."""
    paragraphs = split_paper(text)
    lines = [(position, line) for position, paragraph in enumerate(paragraphs) for line in paragraph.split("\n")]
    lines = [(position, line) for position, line in lines if line.strip()]
    blocks = _blocks([line for _, line in lines])
    steps: list[str] = []
    start = 0
    for (before, _), (after, _), block, next_block in zip(lines, lines[1:], blocks, blocks[1:], strict=False):
        if before != after and (block is None or block != next_block):
            steps.append("".join(paragraphs[start:after]))
            start = after
    return (*steps, "".join(paragraphs[start:])) if text else ()


def _blocks(lines: list[str]) -> list[int | None]:
    """For each non-blank line the number of the fenced block or run of code that holds it, `None` for prose."""
    blocks: list[int | None] = [None] * len(lines)
    kinds = [Kind.PROSE] * len(lines)
    fence: re.Match[str] | None = None
    number = 0
    for position, line in enumerate(lines):
        if fence is not None:
            blocks[position] = number
            if _closes(line, fence):
                fence = None
        elif (fence := _FENCE.match(line)) is not None:
            number += 1
            blocks[position] = number
        else:
            kinds[position] = classify(line)
            if kinds[position] is Kind.PROSE and announces_block(line) and position + 1 < len(lines):
                if indentation(lines[position + 1]) > indentation(line):
                    kinds[position] = Kind.DOUBTFUL
    start = 0
    for position in range(len(lines) + 1):
        if position < len(lines) and kinds[position] is not Kind.PROSE:
            continue
        if Kind.CODE in kinds[start:position]:
            number += 1
            blocks[start:position] = [number] * (position - start)
        start = position + 1
    return blocks


def _closes(line: str, fence: re.Match[str]) -> bool:
    marks = line.strip().lstrip("> \t")
    return len(marks) >= len(fence[1]) and set(marks) == {fence[1][0]}


SPLITTERS: dict[str, Callable[[str], tuple[str, ...]]] = {"paper": split_paper, "code": split_code}
