"""Lay out the tables for a terminal and as Markdown, with their notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..reporting.formatting import INTERVAL, NOTHING, between, p_value, seconds, signed, tokens, whole_share
from ..reporting.markdown import Markdown, code, text
from ..reporting.markdown import table as markdown_table
from ..reporting.terminal import table_lines, wrapped, wrapped_note
from .conditions import CONTROL
from .table import PrunerRow, Table

_HEADER = ("", "nats", f"− {CONTROL}", INTERVAL, "Holm p", "tokens", "used", "s", "CPU s", "torn", "code")
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
    """The line above a table."""
    traces = max(row.traces for row in one.rows)
    return f"{one.ratio:g} of the original's tokens, {traces:,} traces"


def on_terminal(tables: Sequence[Table]) -> str:
    """One table per budget, the best row marked, then notes and legend."""
    parts = []
    for one in tables:
        rows = [_HEADER, *((f"{'*' if row.best else ' '} {row.pruner}", *_cells(row)) for row in one.rows)]
        parts.append("\n".join([title(one), *table_lines(rows, gap="  ")]))
    parts.append("* the best at its budget")
    return "\n\n".join([*parts, *map(wrapped_note, notes(tables)), *map(wrapped, LEGEND)])


def as_markdown(tables: Sequence[Table]) -> str:
    """The same for a README or a card."""
    parts = []
    for one in tables:
        rows = [[code(row.pruner), *_cells(row, _bold if row.best else text)] for row in one.rows]
        parts += [Markdown(f"**{text(title(one))}**"), markdown_table(_HEADER, rows, numbers=range(1, len(_HEADER)))]
    return "\n\n".join([*parts, *map(text, [*notes(tables), *LEGEND])]) + "\n"


def notes(tables: Sequence[Table]) -> list[str]:
    """Rows that were measured on fewer traces, are over the budget, or failed."""
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


def _cells(row: PrunerRow, mark: Callable[[str], str] = str) -> list[str]:
    contrast = row.contrast
    return [
        mark(f"{row.nats.value:.3f}"),
        signed(contrast.nats.value, 3) if contrast else NOTHING,
        between(contrast.nats.interval, lambda value: signed(value, 2)) if contrast else NOTHING,
        p_value(contrast.holm) if contrast else NOTHING,
        tokens(row.tokens),
        whole_share(row.used),
        _seconds(row.seconds),
        _seconds(row.cpu_seconds),
        str(row.fences_opened),
        whole_share(row.code),
    ]


def _bold(cell: str) -> Markdown:
    return Markdown(f"**{text(cell)}**")


def _seconds(value: float | None) -> str:
    """Two digits under ten seconds, none over."""
    return seconds(value) if value is None or value < 10 else f"{value:,.0f}"
