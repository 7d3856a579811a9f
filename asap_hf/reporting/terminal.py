"""Tables, labelled values and paragraphs as a terminal shows them, at most 100 characters wide."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

WIDTH = 100
_LABEL = 22


def table_line(cells: Sequence[str], widths: Sequence[int], gap: str = "") -> str:
    """One line of a table: the first cell to the left of its column, the others to the right of theirs."""
    first, *others = zip(cells, widths, strict=True)
    return gap.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])


def table_lines(rows: Sequence[Sequence[str]], gap: str = "   ") -> list[str]:
    """The lines of a table, each column as wide as its longest cell.

    Args:
        rows (`Sequence[Sequence[str]]`):
            The header first; each row has as many cells.
        gap (`str`, *optional*, defaults to three spaces):
            What stands between two columns.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [table_line(row, widths, gap).rstrip() for row in rows]


def labelled(label: str, value: str, remark: str = "", width: int = 14) -> str:
    """A label, a value at the right of `width` characters, and a remark: `rows    1,234   1,200 usable`."""
    return f"{label:<{_LABEL}}{value:>{width}}" + (f"   {remark}" if remark else "")


def wrapped(paragraph: str, indent: str = "") -> str:
    """A paragraph over as many lines as it needs; all but the first begin with `indent`."""
    return fill(paragraph, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def wrapped_note(note: str) -> str:
    """A note as a paragraph that says so."""
    return wrapped(f"note: {note}", "      ")
