"""The cells of a comparison's tables; terminal, Markdown and report lay them out."""

from __future__ import annotations

from collections.abc import Callable

from ..reporting.formatting import (
    INTERVAL,
    between,
    change,
    correlation,
    p_value,
    percent,
    points,
    seconds,
    share,
    shortened,
    tokens,
)
from .comparison import Comparison
from .paired import BenchmarkComparison, Estimate

Row = tuple[str, ...]
NAME = 22  # longest name of a run that is shown whole where room is short
METRICS = ("Acc", "Tok", "Lat")
ESTIMATES = ("Acc", INTERVAL, "Tok", INTERVAL, "truncated")
LEGEND = (
    "Acc is Pass@1 in per cent, Tok the mean number of generated tokens, Lat seconds per sample (batch wall time /"
    " samples). Truncated: the reasoning was never closed within the budget; never counted as solved.",
    "Intervals are bootstrap percentiles over problems. Tests are two-sided and paired by problem: McNemar's exact"
    " test on the problems that only one run solves (won : lost), Wilcoxon's signed-rank test on generated tokens"
    " (rank r below 0: fewer). Holm p is adjusted for all tests of these tables.",
)


def papers_layout(comparison: Comparison) -> dict[str, dict[str, Row]]:
    """Table 1 of the paper: run → benchmark → Acc, Tok, Lat."""
    found: dict[str, dict[str, Row]] = {name: {} for name in comparison.names}
    for one in comparison.benchmarks:
        for row in one.rows:
            found[row.run][one.benchmark] = percent(row.accuracy.value), tokens(row.tokens.value), seconds(row.latency)
    return found


def papers_own(comparison: Comparison) -> dict[str, dict[str, Row]]:
    """The paper's own rows, likewise: its methods, then ASAP without one of its stages."""
    found: dict[str, dict[str, Row]] = {}
    for by_benchmark in (comparison.paper.methods, comparison.paper.ablations):
        for benchmark, rows in by_benchmark.items():
            for method, (acc, tok, lat) in rows.items():
                found.setdefault(method, {})[benchmark] = percent(acc / 100), tokens(tok), seconds(lat)
    return found


def estimates(one: BenchmarkComparison) -> list[Row]:
    """Each run with its intervals; under `ESTIMATES`, the run's name first."""
    return [
        (
            row.run,
            percent(row.accuracy.value) + (f" ({row.ungraded:,} not graded)" if row.ungraded else ""),
            between(row.accuracy.interval, percent),
            tokens(row.tokens.value),
            between(row.tokens.interval, tokens),
            share(row.truncated),
        )
        for row in one.rows
    ]


def accuracy_header(comparison: Comparison) -> Row:
    """The header of `accuracy_tests`."""
    return f"Acc {_against(comparison)}", "points", INTERVAL, "won : lost", "McNemar p", "Holm p"


def accuracy_tests(one: BenchmarkComparison, baseline: str | None) -> list[Row]:
    """Each contrast's passes; first the name that changes from row to row."""
    return [
        _tested(
            contrast.run if baseline else contrast.against,
            contrast.accuracy,
            points,
            f"{contrast.mcnemar.first} : {contrast.mcnemar.second}",
            (contrast.mcnemar.p, contrast.mcnemar_holm),
        )
        for contrast in one.contrasts
    ]


def tokens_header(comparison: Comparison) -> Row:
    """The header of `tokens_tests`."""
    return f"Tok {_against(comparison)}", "change", INTERVAL, "rank r", "Wilcoxon p", "Holm p"


def tokens_tests(one: BenchmarkComparison, baseline: str | None) -> list[Row]:
    """Each contrast's generated tokens; first the name that changes from row to row."""
    return [
        _tested(
            contrast.run if baseline else contrast.against,
            contrast.tokens,
            change,
            correlation(contrast.wilcoxon.effect),
            (contrast.wilcoxon.p, contrast.wilcoxon_holm),
        )
        for contrast in one.contrasts
    ]


def _tested(
    name: str, estimate: Estimate, cell: Callable[[float], str], counted: str, p_values: tuple[float, float]
) -> Row:
    return name, cell(estimate.value), between(estimate.interval, cell), counted, *map(p_value, p_values)


def _against(comparison: Comparison) -> str:
    if comparison.baseline:
        return f"against {shortened(comparison.baseline, NAME)}"
    return f"of {shortened(comparison.names[0], NAME)} against"


def sample_size(one: BenchmarkComparison) -> str:
    """Number of problems and budget of a benchmark's numbers."""
    return f"{one.problems:,} problems, {one.budget:,} tokens"
