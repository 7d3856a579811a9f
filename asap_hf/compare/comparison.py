"""Compare evaluation runs into one object, from which tables, pictures, report and JSON are made."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .. import __version__
from ..reporting.statistics import CONFIDENCE, RESAMPLES, SEED
from .caveats import caveats_of
from .paired import BenchmarkComparison, compare_runs
from .paper_numbers import PaperNumbers, paper_as_json, paper_caveats, paper_numbers_for
from .runs import EvaluationRun


@dataclass(frozen=True)
class Comparison:
    """Several runs, their results on each benchmark, and the caveats."""

    runs: tuple[EvaluationRun, ...]
    baseline: str | None
    """The run that the others are tested against; `None` where the first is tested against the others."""
    benchmarks: tuple[BenchmarkComparison, ...]
    paper: PaperNumbers
    """The paper's own numbers, as far as they can be compared."""
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The runs' names, in the order given."""
        return [run.name for run in self.runs]


def comparison_of(
    runs: Sequence[EvaluationRun],
    baseline: str | None = None,
    budget: int | None = None,
    benchmarks: Collection[str] = (),
    common_problems: bool = False,
    paper: bool = False,
    base_model: str | None = None,
) -> Comparison:
    """Compare runs and list the caveats.

    Args:
        runs, baseline, budget, benchmarks, common_problems:
            As in [`compare_runs`].
        paper (`bool`, *optional*, defaults to `False`):
            Whether to add the paper's own numbers.
        base_model (`str`, *optional*):
            The base model of those; by default the one that is among the runs, else DeepSeek-R1-Distill-Qwen-7B, which
            is the paper's default (§4.1).

    Raises:
        `UsageError`: as [`compare_runs`], and if the paper has no results for `base_model`.
    """
    found = compare_runs(runs, baseline, budget, benchmarks, common_problems)
    published = paper_numbers_for(runs, found, base_model) if paper else PaperNumbers()
    notes = [*caveats_of(runs, found), *(paper_caveats(published, found) if paper else [])]
    return Comparison(tuple(runs), baseline, tuple(found), published, tuple(notes))


def as_json(comparison: Comparison) -> str:
    """The same numbers for a program, without rounding."""
    content: dict[str, Any] = {
        "asap_hf": __version__,
        "bootstrap": {"resamples": RESAMPLES, "confidence": CONFIDENCE, "seed": SEED, "over": "problems"},
        "runs": [
            {"name": run.name, "results": [asdict(one) for one in run.results.values()], "run": run.about}
            for run in comparison.runs
        ],
        "baseline": comparison.baseline,
        "benchmarks": [asdict(one) for one in comparison.benchmarks],
        "paper": paper_as_json(comparison.paper),
        "notes": comparison.notes,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
