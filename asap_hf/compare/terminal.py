"""Print a comparison on a terminal: aligned columns, at most 100 characters wide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..reporting.formatting import shortened
from ..reporting.terminal import WIDTH, table_lines, wrapped, wrapped_note
from .comparison import Comparison
from .paired import BenchmarkComparison
from .tables import (
    ESTIMATES,
    LEGEND,
    METRICS,
    NAME,
    Row,
    accuracy_header,
    accuracy_tests,
    estimates,
    papers_layout,
    papers_own,
    sample_size,
    tokens_header,
    tokens_tests,
)

_METRIC = 8  # width of a column in the paper's layout


def on_terminal(comparison: Comparison) -> str:
    """The results in the paper's layout, their intervals, the tests, the notes, and how to read them."""
    parts = _papers_layout(comparison)
    parts.append(_grouped(["", *ESTIMATES], comparison, estimates))
    if len(comparison.runs) > 1:
        baseline = comparison.baseline
        parts += [
            _grouped(accuracy_header(comparison), comparison, lambda one: accuracy_tests(one, baseline)),
            _grouped(tokens_header(comparison), comparison, lambda one: tokens_tests(one, baseline)),
        ]
    return "\n\n".join([*parts, *map(wrapped_note, comparison.notes), *map(wrapped, LEGEND)])


def _papers_layout(comparison: Comparison) -> list[str]:
    """As many benchmarks side by side as fit; the others below. The paper's own rows have its name above them."""
    ours = [(shortened(run, NAME), results) for run, results in papers_layout(comparison).items()]
    papers = [(f"  {method}", results) for method, results in papers_own(comparison).items()]
    name = max(len(one) for one, _ in [*ours, *papers])
    group = _METRIC * len(METRICS) + 2
    per_block = (WIDTH - name) // group
    found = []
    for start in range(0, len(comparison.benchmarks), per_block):
        block = comparison.benchmarks[start : start + per_block]
        lines = [
            " " * name + "".join(f"    {one.title}".ljust(group) for one in block),
            " " * name + "".join(f"    {one.budget:,} tokens".ljust(group) for one in block),
            " " * name + ("  " + "".join(metric.rjust(_METRIC) for metric in METRICS)) * len(block),
            *_rows(ours, block, name),
        ]
        if theirs := _rows(papers, block, name):
            lines += [f"paper, {comparison.paper.base_model}", *theirs]
        found.append("\n".join(line.rstrip() for line in lines))
    return found


def _rows(
    rows: Sequence[tuple[str, Mapping[str, Row]]], benchmarks: Sequence[BenchmarkComparison], width: int
) -> list[str]:
    """The rows that have anything on these benchmarks."""
    lines = []
    for name, results in rows:
        cells = [results.get(one.benchmark, ("",) * len(METRICS)) for one in benchmarks]
        line = "".join("  " + "".join(cell.rjust(_METRIC) for cell in three) for three in cells)
        if line.strip():
            lines.append(name.ljust(width) + line)
    return lines


def _grouped(
    header: Sequence[str], comparison: Comparison, rows_of: Callable[[BenchmarkComparison], list[Row]]
) -> str:
    """One table over all benchmarks, each under a line of its own; columns as wide as they need be."""
    groups = {f"{one.title}, {sample_size(one)}": rows_of(one) for one in comparison.benchmarks}
    named = [[f"  {shortened(row[0], NAME)}", *row[1:]] for rows in groups.values() for row in rows]
    first, *others = table_lines([header, *named])
    lines, waiting = [first], iter(others)
    for title, rows in groups.items():
        lines += [title, *(next(waiting) for _ in rows)]
    return "\n".join(lines)
