"""The tables as a terminal and as Markdown show them, with what to know about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import fill

from ..reporting.formatting import NOTHING, between, p_value, tokens
from ..reporting.markdown import Markdown, code, text
from ..reporting.markdown import table as markdown_table
from ..reporting.statistics import CONFIDENCE
from .conditions import CONTROL
from .table import Row, Table

_WIDTH = 100
_INTERVAL = f"{CONFIDENCE:.0%} interval"
_HEADER = ("", "nats", f"− {CONTROL}", _INTERVAL, "Holm p", "tokens", "used", "s", "CPU s", "torn", "code")
LEGEND = (
    "nats: mean negative log-likelihood per token of the answer (of its code, where it has any) given the question and"
    " the pruned reasoning; lower is better. The measure favours steps that contain the code.",
    f"− {CONTROL}: difference to random removal, paired by trace, with its bootstrap interval over traces; Holm p:"
    " Wilcoxon's signed-rank test, two-sided, adjusted for all tests of these tables.",
    "tokens: kept, the mean; used: share of the budget. s, CPU s: median seconds for a trace alone, scoring included"
    " but not the loading of a model; methods that need the same scores are each told the whole time. torn: traces in"
    " which a code fence was torn. code: share of the original's lines of code that are left in whole programs.",
    "All methods have the same budget here. The paper's Table 3 puts its own method with 24 % of the tokens beside"
    " others with 47 % to 75 %.",
)


def title(one: Table) -> str:
    """What stands above a table."""
    traces = max(row.traces for row in one.rows)
    return f"{one.ratio:g} of the original's tokens, {traces:,} traces"


def on_terminal(tables: Sequence[Table]) -> str:
    """One table per budget, the best row marked, then notes and legend."""
    parts = []
    for one in tables:
        rows = [_HEADER, *((f"{'*' if row.best else ' '} {row.pruner}", *_cells(row)) for row in one.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        parts.append("\n".join([title(one), *(_line(row, widths) for row in rows)]))
    parts.append("* the best at its budget")
    parts += [_filled(f"note: {note}") for note in notes(tables)]
    return "\n\n".join([*parts, *map(_filled, LEGEND)])


def as_markdown(tables: Sequence[Table]) -> str:
    """The same for a README or a card."""
    parts = []
    for one in tables:
        rows = [[code(row.pruner), *_cells(row, _bold if row.best else text)] for row in one.rows]
        parts += [Markdown(f"**{text(title(one))}**"), markdown_table(_HEADER, rows, numbers=range(1, len(_HEADER)))]
    return "\n\n".join([*parts, *map(text, [*notes(tables), *LEGEND])]) + "\n"


def notes(tables: Sequence[Table]) -> list[str]:
    """Where a number does not rest on what its neighbours rest on."""
    return [note for one in tables for note in _notes(one)]


def _notes(one: Table) -> Iterator[str]:
    traces = max(row.traces for row in one.rows)
    for row in one.rows:
        where = f"{row.pruner} at {one.ratio:g}"
        if row.traces < traces:
            yield f"{where} was measured on {row.traces:,} of {traces:,} traces."
        if row.over:
            yield f"{where} is over the budget on {row.over:,} of {row.traces:,} traces."
        if row.failed > row.over:
            yield f"{where} failed on {row.failed - row.over:,} of {row.traces:,} traces, and left them as they were."


def _cells(row: Row, mark: Callable[[str], str] = str) -> list[str]:
    contrast = row.contrast
    return [
        mark(f"{row.nats.value:.3f}"),
        _signed(contrast.nats.value, 3) if contrast else NOTHING,
        between(contrast.nats.interval, lambda value: _signed(value, 2)) if contrast else NOTHING,
        p_value(contrast.holm) if contrast else NOTHING,
        tokens(row.tokens),
        _percent(row.used),
        _seconds(row.seconds),
        _seconds(row.cpu_seconds),
        str(row.fences_opened),
        _percent(row.code),
    ]


def _bold(cell: str) -> Markdown:
    return Markdown(f"**{text(cell)}**")


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.0%}"


def _seconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _filled(line: str) -> str:
    return fill(line, _WIDTH, subsequent_indent="      " if line.startswith("note:") else "", break_on_hyphens=False)
