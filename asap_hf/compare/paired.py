"""Compare several runs on the same problems: results with intervals, and paired tests between runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..benchmarks.registry import BENCHMARKS
from ..reporting.statistics import (
    Interval,
    McNemar,
    SignedRank,
    Values,
    bootstrap_means,
    holm,
    mcnemar,
    percentile_interval,
    wilcoxon_signed_rank,
)
from .alignment import pairs_of, select_benchmarks, select_budget, select_problems
from .runs import Condition, EvaluationRun


@dataclass(frozen=True)
class Estimate:
    """A value, and its 95 % confidence interval over problems; `None` where a bootstrap cannot tell one."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class RunRow:
    """One run on one benchmark under one budget, on the problems that all runs share."""

    run: str
    accuracy: Estimate
    """Pass@1, 0.0 to 1.0: the mean over problems of the share of its samples that passed."""
    tokens: Estimate
    """Generated tokens, the mean over problems."""
    latency: float | None
    """Seconds per sample, of the whole run; `None` where the budget was cut from a longer generation."""
    truncated: float
    """Share whose reasoning was never closed within the budget, 0.0 to 1.0."""
    ungraded: int = 0
    """Samples of the whole run that nothing graded; they are left out."""


@dataclass(frozen=True)
class Contrast:
    """One run against another, paired by problem."""

    run: str
    against: str
    accuracy: Estimate
    """Difference in Pass@1."""
    tokens: Estimate
    """Relative change of the mean: -0.2 is a fifth fewer tokens."""
    mcnemar: McNemar
    """On passes."""
    wilcoxon: SignedRank
    """On generated tokens."""
    mcnemar_holm: float = 1.0
    """`mcnemar.p` after Holm, over both tests of all contrasts on all benchmarks."""
    wilcoxon_holm: float = 1.0
    """`wilcoxon.p`, likewise."""


@dataclass(frozen=True)
class BenchmarkComparison:
    """All runs on one benchmark."""

    benchmark: str
    budget: int
    """The budget of the tables and tests."""
    problems: int
    """How many problems the tables and tests rest on."""
    by_budget: Mapping[int, tuple[RunRow, ...]]
    """For every budget the runs that have it."""
    contrasts: tuple[Contrast, ...]

    @property
    def title(self) -> str:
        """The benchmark's name in the paper."""
        return BENCHMARKS[self.benchmark].title

    @property
    def rows(self) -> tuple[RunRow, ...]:
        """All runs under the budget of the tables."""
        return self.by_budget[self.budget]


def compare_runs(
    runs: Sequence[EvaluationRun],
    baseline: str | None = None,
    budget: int | None = None,
    benchmarks: Collection[str] = (),
    common_problems: bool = False,
) -> list[BenchmarkComparison]:
    """Compare runs benchmark by benchmark, in the paper's order.

    Args:
        runs (`Sequence[EvaluationRun]`):
            One or more, of different names.
        baseline (`str`, *optional*):
            Name of the run against which the others are tested; by default the first is tested against the others.
        budget (`int`, *optional*):
            Budget of the tables and tests; by default the paper's where all runs have it, else the largest they share.
        benchmarks (`Collection[str]`, *optional*):
            Only these; by default all.
        common_problems (`bool`, *optional*, defaults to `False`):
            Where the runs were asked different problems, compare on those that all were asked.

    Raises:
        `UsageError`: if two runs have the same name, one lacks a benchmark or the budget, or the problems differ.
    """
    pairs = pairs_of(runs, baseline)
    found = []
    for benchmark in select_benchmarks(runs, benchmarks):
        chosen = select_budget(runs, benchmark, budget)
        by_budget = {}
        for one in sorted({one for run in runs for one in run.budgets(benchmark)}):
            having = [run for run in runs if (benchmark, one) in run.scores]
            by_budget[one] = _rows(
                having, (benchmark, one), select_problems(having, (benchmark, one), common_problems)
            )
        problems = select_problems(runs, (benchmark, chosen), common_problems)
        contrasts = _contrasts(runs, (benchmark, chosen), problems, pairs)
        found.append(BenchmarkComparison(benchmark, chosen, len(problems), by_budget, contrasts))
    return _with_holm(found)


def _rows(runs: Sequence[EvaluationRun], condition: Condition, problems: Sequence[str]) -> tuple[RunRow, ...]:
    rows = []
    for run in runs:
        values = run.scores[condition].of(problems)
        means, resampled = values.mean(axis=0), bootstrap_means(values)
        rows.append(
            RunRow(
                run=run.name,
                accuracy=_estimate(means[0], resampled[:, 0]),
                tokens=_estimate(means[1], resampled[:, 1]),
                latency=run.results[condition].latency,
                truncated=float(means[2]),
                ungraded=run.scores[condition].infra,
            )
        )
    return tuple(rows)


def _contrasts(
    runs: Sequence[EvaluationRun], condition: Condition, problems: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> tuple[Contrast, ...]:
    values = {run.name: run.scores[condition].of(problems) for run in runs}
    return tuple(_contrast(run, against, values[run], values[against]) for run, against in pairs)


def _contrast(run: str, against: str, ours: Values, theirs: Values) -> Contrast:
    means = ours.mean(axis=0), theirs.mean(axis=0)
    resampled = bootstrap_means(ours), bootstrap_means(theirs)
    return Contrast(
        run=run,
        against=against,
        accuracy=_estimate(means[0][0] - means[1][0], resampled[0][:, 0] - resampled[1][:, 0]),
        tokens=_estimate(means[0][1] / means[1][1] - 1, resampled[0][:, 1] / resampled[1][:, 1] - 1),
        mcnemar=mcnemar(ours[:, 0], theirs[:, 0]),
        wilcoxon=wilcoxon_signed_rank(ours[:, 1] - theirs[:, 1]),
    )


def _estimate(value: float, resampled: Values) -> Estimate:
    return Estimate(float(value), percentile_interval(resampled))


def _with_holm(found: Sequence[BenchmarkComparison]) -> list[BenchmarkComparison]:
    contrasts = [contrast for one in found for contrast in one.contrasts]
    adjusted = iter(holm([p for contrast in contrasts for p in (contrast.mcnemar.p, contrast.wilcoxon.p)]))
    corrected = iter([replace(one, mcnemar_holm=next(adjusted), wilcoxon_holm=next(adjusted)) for one in contrasts])
    return [replace(one, contrasts=tuple(next(corrected) for _ in one.contrasts)) for one in found]
