"""The kind of a line in the context of the lines around it: prose within a program is a comment, a docstring or a
header."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .code_lines import LineKind, announces_block, classify, indentation
from .fence_marks import is_fence

_LONGEST = 100  # lines of a comment or a docstring; one that does not end by then is none
_TRIPLE = ('"""', "'''")


def kinds_in_context(lines: Sequence[str]) -> list[LineKind]:
    """What each of these lines is, none of them blank. Prose is doubtful

    - where it opens a block in words and the next line is indented deeper;
    - before a line that is but an opening brace: the head of a function or a class;
    - deeper than a line of code that ends in an opening brace, up to the first line that is not deeper;
    - within a comment or a docstring;
    - where it is a fence, which belongs to the code next to it.
    """
    kinds = [classify(line) for line in lines]
    doubtful = _opening(lines, kinds) | _in_braces(lines, kinds) | _quoted(lines)
    return [LineKind.DOUBTFUL if kind is LineKind.PROSE and at in doubtful else kind for at, kind in enumerate(kinds)]


def _opening(lines: Sequence[str], kinds: list[LineKind]) -> set[int]:
    """Lines that open a block in words or without its brace, and fences."""
    found = {at for at, line in enumerate(lines) if is_fence(line)}
    for at, (line, following) in enumerate(pairwise(lines)):
        deeper = indentation(following) > indentation(line)
        if kinds[at] is LineKind.PROSE and ((deeper and announces_block(line)) or following.strip() == "{"):
            found.add(at)
    return found


def _in_braces(lines: Sequence[str], kinds: list[LineKind]) -> set[int]:
    """Lines within a block in braces, by their indentation."""
    found: set[int] = set()
    open_blocks: list[int] = []
    for at, line in enumerate(lines):
        depth = indentation(line)
        while open_blocks and depth <= open_blocks[-1]:
            open_blocks.pop()
        if open_blocks:
            found.add(at)
        if line.rstrip().endswith("{") and (kinds[at] is not LineKind.PROSE or at in found):
            open_blocks.append(depth)
    return found


def _quoted(lines: Sequence[str]) -> set[int]:
    """Lines of comments between /* and */ and of docstrings, of several lines each."""
    found: set[int] = set()
    end = 0
    for at, line in enumerate(lines):
        text = line.strip()
        mark = "*/" if text.startswith("/*") else text[:3] if text.startswith(_TRIPLE) else ""
        if at < end or not mark or mark in text[2 if mark == "*/" else 3 :]:
            continue
        last = next((one for one in range(at + 1, min(at + _LONGEST, len(lines))) if mark in lines[one]), None)
        if last is not None and all(indentation(one) >= indentation(line) for one in lines[at:last]):
            found.update(range(at, last + 1))
            end = last + 1
    return found
