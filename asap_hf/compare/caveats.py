"""List what limits a comparison: settings in which the runs differ, and samples that were left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..benchmarks.results import older_verdicts
from ..reporting.markdown import one_line
from .paired import BenchmarkComparison
from .runs import EvaluationRun


def caveats_of(runs: Sequence[EvaluationRun], benchmarks: Sequence[BenchmarkComparison]) -> list[str]:
    """One or two sentences per caveat, the most important first; plain text on one line."""
    found: list[str] = []
    for one in benchmarks:
        found += _differences(runs, one)
        found += _left_out(runs, one)
    found += _graders(runs)
    found += _settings(runs)
    found += _several_samples(runs)
    return [one_line(note) for note in found]


def _differences(runs: Sequence[EvaluationRun], one: BenchmarkComparison) -> Iterator[str]:
    """Where the runs were not asked the same thing."""
    condition = (one.benchmark, one.budget)
    revisions = {run.name: run.results[condition].dataset_revision for run in runs}
    if listed := _differing(revisions):
        yield f"{one.title}: the runs read different revisions of the benchmark ({listed})."
    asked = {run.name: run.scores[condition].problems for run in runs}
    if len(set(asked.values())) > 1:
        listed = ", ".join(f"{name}: {len(problems):,}" for name, problems in asked.items())
        yield (
            f"{one.title}: compared on the {one.problems:,} problems that all runs were asked (asked in all:"
            f" {listed}); whether their prompts were the same is not known."
        )
    elif listed := _differing({run.name: _of_benchmark(run, "prompts_hash", one.benchmark) for run in runs}):
        yield f"{one.title}: the runs were given different prompts ({listed}, by hash)."


def _left_out(runs: Sequence[EvaluationRun], one: BenchmarkComparison) -> Iterator[str]:
    for run in runs:
        for budget in run.budgets(one.benchmark):
            scores = run.scores[one.benchmark, budget]
            lost = len(scores.problems) - len(scores.judged)
            if scores.infra:
                sentence = (
                    f"{run.name} has {_count(scores.infra, 'sample')} that nothing graded (infra), left out of Pass@1"
                )
                sentence += f"; so is, in every run, {_count(lost, 'problem')} with no other sample" if lost else ""
                yield f"{one.title}, {budget:,} tokens: {sentence}."


def _graders(runs: Sequence[EvaluationRun]) -> Iterator[str]:
    """Runs whose verdicts another version of the grader gave."""
    for run in runs:
        if versions := older_verdicts(run.results.values()):
            yield (
                f"{run.name} was {versions}: its verdicts may be others now. `asap-hf grade FOLDER --output_dir NEW`"
                " grades its answers again, without generating any."
            )


def _settings(runs: Sequence[EvaluationRun]) -> Iterator[str]:
    """Settings that may explain a difference instead of the models."""
    if listed := _differing({run.name: run.about.get("temperature", "") for run in runs}):
        yield f"The runs sampled at different temperatures ({listed})."
    engines = {run.name: ", ".join(dict.fromkeys(one.engine for one in run.results.values())) for run in runs}
    hardware = {run.name: run.about.get("hardware", "") for run in runs}
    if listed := _differing(engines):
        yield f"Latencies cannot be compared, as the engines differ ({listed})."
    if listed := _differing(hardware):
        yield f"Latencies cannot be compared, as the hardware differs ({listed})."


def _several_samples(runs: Sequence[EvaluationRun]) -> Iterator[str]:
    counts = {run.name: max(scores.samples for scores in run.scores.values()) for run in runs}
    if max(counts.values()) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield (
            f"Samples per problem: {listed}. Every number is a mean over problems of means over samples; McNemar's"
            " test becomes the sign test of which run solves a problem more often."
        )


def _differing(values: Mapping[str, Any]) -> str:
    """The values by run, where not all are the same; a long one cut short."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True) for name, value in values.items()
    }
    if len(set(texts.values())) == 1:
        return ""
    return ", ".join(f"{name}: {_short(value)}" for name, value in texts.items())


def _short(value: str) -> str:
    """A hash is cut to 12 characters, any other text to 60."""
    if not value:
        return "unknown"
    limit = 12 if len(value) >= 40 and value.isalnum() else 60
    return value if len(value) <= limit else f"{value[:limit]}…"


def _of_benchmark(run: EvaluationRun, fact: str, benchmark: str) -> str:
    """A value that a run records for each benchmark; empty where it is not recorded."""
    values = run.about.get(fact)
    return str(values.get(benchmark, "")) if isinstance(values, dict) else ""


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")
