"""Cut a reasoning into steps. Every splitter is lossless: the steps joined are the text, byte for byte."""

from __future__ import annotations

import re
from itertools import groupby, pairwise
from typing import Protocol

from .code_lines import LineKind
from .code_runs import kinds_in_context
from .fences import find_blocks

# A line break, then at least one line with nothing on it: SplitStepsByBlankLine of Algorithms 1 and 2.
_BLANK_LINES = re.compile(r"\r?\n(?:[^\S\n]*\n)+")

DEFAULT_SPLITTER = "code"
# Raised in the change that alters where a text is cut. 2: fences that do not pair up, programs in more languages.
SPLITTING_VERSION = "2"


class Splitter(Protocol):
    r"""A function that cuts a reasoning into steps: text in, the steps out, which joined are the text again.

    [`Trace.parse`], [`Columns`] and pruners take the name that one has in `asap_hf.traces.splitting.SPLITTERS`.

    Example:
        >>> from asap_hf import Trace
        >>> def split_lines(text: str) -> tuple[str, ...]:
        ...     return tuple(text.splitlines(keepends=True))
        >>> Trace("What is 2 + 3?", split_lines("Let me add.\nThat is 5."), "5").texts
        ('Let me add.', 'That is 5.')
    """

    def __call__(self, text: str) -> tuple[str, ...]: ...


def split_steps(text: str, splitter: str = DEFAULT_SPLITTER) -> tuple[str, ...]:
    r"""The steps of `text`, each with the blank lines that follow it.

    Raises:
        `ValueError`: if no splitter has that name.

    Example:
        >>> from asap_hf import split_steps
        >>> split_steps("Let me add.\n\nThat is 5.")
        ('Let me add.\n\n', 'That is 5.')
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
    measures this splitter against boundaries labelled by hand. A program is one step however long it is. Where fences
    do not pair up, `asap_hf.traces.fences` says which of them are: a stray one belongs to the code next to it.
    """
    paragraphs = split_paper(text)
    owners = [at for at, paragraph in enumerate(paragraphs) for _ in range(paragraph.count("\n"))]
    owners.append(len(paragraphs) - 1)  # of what follows the last line break
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    blocks = _blocks(lines, filled)
    cuts = [
        owners[after]
        for before, after in pairwise(filled)
        if owners[before] != owners[after] and (blocks[before] is None or blocks[before] != blocks[after])
    ]
    starts, ends = [0, *cuts], [*cuts, len(paragraphs)]
    return tuple("".join(paragraphs[start:end]) for start, end in zip(starts, ends, strict=True) if start < end)


def _blocks(lines: list[str], filled: list[int]) -> dict[int, int | None]:
    """For each line that is not blank where the fenced block or run of code that holds it begins, `None` for prose.

    Args:
        lines (`list[str]`):
            All lines.
        filled (`list[int]`):
            Numbers of those that are not blank.
    """
    blocks: dict[int, int | None] = dict.fromkeys(filled)
    for block in find_blocks(lines):
        blocks.update(dict.fromkeys(range(block.start, block.end), block.start))
    bare = [number for number in filled if blocks[number] is None]
    kinds = dict(zip(bare, kinds_in_context([lines[number] for number in bare]), strict=True))
    for is_prose, group in groupby(filled, key=lambda number: kinds.get(number, LineKind.PROSE) is LineKind.PROSE):
        run = list(group)
        # Doubtful lines alone, such as the values of an example, are prose.
        if not is_prose and LineKind.CODE in map(kinds.get, run):
            blocks.update(dict.fromkeys(run, run[0]))
    return blocks


SPLITTERS: dict[str, Splitter] = {"paper": split_paper, "code": split_code}
