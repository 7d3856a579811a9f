"""The paper's own numbers on the same problems, to be shown with a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..paper import BUDGETS, LLAMA_8B, PROBLEMS, QWEN_7B, Numbers, ablations_of, budget_curves_of, results_of
from .paired import BenchmarkComparison
from .runs import EvaluationRun


@dataclass(frozen=True)
class PaperNumbers:
    """The paper's numbers by benchmark; nothing of it was measured here. Without arguments, nothing."""

    base_model: str = ""
    """Of the models that they are of; empty if they were not asked for."""
    methods: Mapping[str, Mapping[str, Numbers]] = field(default_factory=dict)
    """Method → what it reached under the budget of the tables."""
    ablations: Mapping[str, Mapping[str, Numbers]] = field(default_factory=dict)
    """ASAP without one of its stages → the same."""
    curves: Mapping[str, Mapping[str, Mapping[int, Numbers]]] = field(default_factory=dict)
    """Method → budget → the same."""


def paper_numbers_for(
    runs: Sequence[EvaluationRun], found: Sequence[BenchmarkComparison], base_model: str | None = None
) -> PaperNumbers:
    """The paper's numbers for each benchmark on which all of its problems were compared.

    Args:
        runs (`Sequence[EvaluationRun]`):
            What is compared.
        found (`Sequence[BenchmarkComparison]`):
            What came of it.
        base_model (`str`, *optional*):
            As of [`comparison_of`].

    Raises:
        `UsageError`: if the paper has no results for `base_model`.
    """
    base = _base(runs, base_model)
    same = [one for one in found if one.problems == PROBLEMS.get(one.benchmark)]
    return PaperNumbers(
        base_model=base,
        methods={one.benchmark: results_of(base, one.benchmark, one.budget) for one in same},
        ablations={
            one.benchmark: ablations_of(base, one.benchmark) for one in same if one.budget == BUDGETS[one.benchmark]
        },
        curves={one.benchmark: budget_curves_of(base, one.benchmark) for one in same},
    )


def _base(runs: Sequence[EvaluationRun], asked: str | None) -> str:
    if asked not in (None, QWEN_7B, LLAMA_8B):
        raise UsageError(f"the paper has no results for {asked!r}: --base_model is {QWEN_7B} or {LLAMA_8B}")
    among = {run.model for run in runs} & {QWEN_7B, LLAMA_8B}
    return asked or (among.pop() if len(among) == 1 else QWEN_7B)


def paper_caveats(paper: PaperNumbers, found: Sequence[BenchmarkComparison]) -> list[str]:
    """Whose numbers they are, and for which benchmark they cannot be compared."""
    notes = []
    if any(paper.methods.values()) or any(paper.curves.values()):
        notes.append(
            f'What is called "paper", and hollow in pictures, is the paper\'s own, for {paper.base_model} (arXiv'
            " 2508.05988v1, Tables 1 to 12). It was not measured here; its latencies are those of NVIDIA H20 GPUs and"
            " vLLM 0.8.4."
        )
    for one in found:
        if one.benchmark not in PROBLEMS:
            notes.append(f"{one.title}: the paper has no numbers for it.")
        elif not paper.methods.get(one.benchmark):
            budgets = {BUDGETS[one.benchmark], *_budgets(budget_curves_of(paper.base_model, one.benchmark))}
            listed = ", ".join(f"{budget:,}" for budget in sorted(budgets))
            notes.append(
                f"{one.title}: the paper has numbers for {PROBLEMS[one.benchmark]} problems and budgets of {listed}"
                f" tokens; they do not stand beside {one.problems:,} problems and {one.budget:,} tokens."
            )
    return notes


def _budgets(curves: Mapping[str, Mapping[int, Numbers]]) -> set[int]:
    return {budget for points in curves.values() for budget in points}


def paper_as_json(paper: PaperNumbers) -> dict[str, Any]:
    """The same for a program."""
    return {
        "base_model": paper.base_model,
        "results": {benchmark: _named(rows) for benchmark, rows in paper.methods.items()},
        "ablations": {benchmark: _named(rows) for benchmark, rows in paper.ablations.items()},
        "budgets": {
            benchmark: {method: _named(points) for method, points in curves.items()}
            for benchmark, curves in paper.curves.items()
        },
    }


def _named(rows: Mapping[Any, Numbers]) -> dict[str, dict[str, float]]:
    names = ("acc_percent", "tokens", "latency_seconds")
    return {str(name): dict(zip(names, numbers, strict=True)) for name, numbers in rows.items()}
