"""Render a comparison as Markdown, for a model's card."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..reporting.markdown import Markdown, code, table, text
from . import tables
from .comparison import Comparison
from .paired import BenchmarkComparison
from .plots import Picture


def on_card(comparison: Comparison, pictures: Sequence[Picture]) -> str:
    """The same tables and notes, with links to the pictures; whatever comes from a run is escaped."""
    parts: list[str] = [_papers_layout(comparison)]
    parts += [text(note) for note in comparison.notes]
    parts += [f"![{text(one.title)}]({one.file})" for one in pictures]
    parts.append(_grouped(["", *tables.ESTIMATES], comparison, tables.estimates))
    if len(comparison.runs) > 1:
        baseline = comparison.baseline
        parts += [
            _grouped(tables.accuracy_header(comparison), comparison, lambda one: tables.accuracy_tests(one, baseline)),
            _grouped(tables.tokens_header(comparison), comparison, lambda one: tables.tokens_tests(one, baseline)),
        ]
    return "\n\n".join([*parts, *map(text, tables.LEGEND)]) + "\n"


def _papers_layout(comparison: Comparison) -> Markdown:
    """Markdown has no cells over several columns: Acc carries the benchmark's name."""
    header = [""]
    for one in comparison.benchmarks:
        acc, *others = tables.METRICS
        header += [f"{one.title}, {one.budget:,} tokens: {acc}", *others]
    named = [(code(run), results) for run, results in tables.papers_layout(comparison).items()]
    named += [(text(f"paper, {method}"), results) for method, results in tables.papers_own(comparison).items()]
    blank = ("",) * len(tables.METRICS)
    rows = [
        [name, *(cell for one in comparison.benchmarks for cell in results.get(one.benchmark, blank))]
        for name, results in named
    ]
    return table(header, rows, numbers=range(1, len(header)))


def _grouped(
    header: Sequence[str],
    comparison: Comparison,
    rows_of: Callable[[BenchmarkComparison], list[tables.Row]],
) -> Markdown:
    rows = [
        [f"{one.title}, {tables.sample_size(one)}" if place == 0 else "", code(row[0]), *row[1:]]
        for one in comparison.benchmarks
        for place, row in enumerate(rows_of(one))
    ]
    return table(["benchmark", *header], rows, numbers=range(2, len(header) + 1))
