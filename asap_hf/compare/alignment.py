"""Choose the benchmarks, budget and problems that several runs have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..benchmarks.registry import BENCHMARKS
from ..errors import UsageError
from .runs import Condition, EvaluationRun


def pairs_of(runs: Sequence[EvaluationRun], baseline: str | None) -> list[tuple[str, str]]:
    """The pairs of runs that are tested: every other run against the baseline; without one, the first against every
    other.

    Raises:
        `UsageError`: if two runs have the same name, or none has the baseline's.
    """
    names = [run.name for run in runs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"two runs are called {twice[0]!r}, after their folders: rename one folder")
    if baseline is None:
        return [(names[0], other) for other in names[1:]]
    if baseline not in names:
        raise UsageError(f"no run is called {baseline!r}: --baseline is one of {', '.join(names)}")
    return [(name, baseline) for name in names if name != baseline]


def select_benchmarks(runs: Sequence[EvaluationRun], asked: Collection[str]) -> list[str]:
    """The benchmarks to compare on, in the paper's order: those asked for, or all.

    Raises:
        `UsageError`: if one is unknown, or a run has no results on it.
    """
    if unknown := [name for name in asked if name not in BENCHMARKS]:
        raise UsageError(f"there is no benchmark {unknown[0]!r}; there is: {', '.join(BENCHMARKS)}")
    wanted = set(asked) or {benchmark for run in runs for benchmark in run.benchmarks}
    for run in runs:
        if missing := [name for name in BENCHMARKS if name in wanted and name not in run.benchmarks]:
            raise UsageError(
                f"the run {run.name!r} has no results on {missing[0]}, only on {', '.join(run.benchmarks)}: evaluate"
                " it there, or name with --benchmark those to compare"
            )
    return [name for name in BENCHMARKS if name in wanted]


def select_budget(runs: Sequence[EvaluationRun], benchmark: str, asked: int | None) -> int:
    """The budget of the tables: the one asked for; else the paper's where all runs have it, else the largest that all
    have.

    Raises:
        `UsageError`: if a run lacks the one asked for, or the runs share none.
    """
    has = {run.name: run.budgets(benchmark) for run in runs}
    shared = set.intersection(*map(set, has.values()))
    if asked is not None:
        for name, budgets in has.items():
            if asked not in budgets:
                raise UsageError(
                    f"the run {name!r} has no results on {benchmark} with {asked:,} tokens: for it --budget is one of"
                    f" {_listed(budgets)}"
                )
        return asked
    if not shared:
        listed = "; ".join(f"{name!r} has {_listed(budgets)}" for name, budgets in has.items())
        raise UsageError(
            f"the runs share no token budget on {benchmark}: {listed}; evaluate one with a budget of another"
        )
    usual = BENCHMARKS[benchmark].budget
    return usual if usual in shared else max(shared)


def _listed(budgets: Sequence[int]) -> str:
    return ", ".join(f"{budget:,}" for budget in budgets)


def select_problems(runs: Sequence[EvaluationRun], condition: Condition, common_problems: bool) -> list[str]:
    """The problems that all runs were asked and that each has a verdict on, sorted.

    Args:
        runs (`Sequence[EvaluationRun]`):
            Runs with results under the condition.
        condition (`tuple[str, int]`):
            Benchmark and budget.
        common_problems (`bool`):
            Whether runs that were asked different problems are compared on those that they share.

    Raises:
        `UsageError`: if they were asked different problems and that is not wanted, or none is left.
    """
    scores = [run.scores[condition] for run in runs]
    asked = [set(one.problems) for one in scores]
    for run, problems in zip(runs, asked, strict=True):
        if problems != asked[0] and not common_problems:
            raise UsageError(
                f"the runs {runs[0].name!r} and {run.name!r} were asked different problems of {condition[0]}:"
                f" {len(asked[0])} and {len(problems)}, {len(asked[0] & problems)} of them the same;"
                " --common_problems compares on those"
            )
    judged = set.intersection(*asked, *(one.judged for one in scores))
    if not judged:
        raise UsageError(f"no problem of {condition[0]} has a verdict in every run: there is nothing to compare")
    return sorted(judged)
