"""Read a finished evaluation as scores per problem."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmarks.results import RESULTS_FILE, BenchmarkResult, read_results
from ..errors import UsageError
from ..evaluate.samples import SAMPLES_FILE
from ..reporting.markdown import one_line
from ..reporting.statistics import Values

if TYPE_CHECKING:
    import pyarrow as pa

STATUSES = ("pass", "fail", "error", "timeout", "truncated", "no_program", "infra")
_COLUMNS = ("benchmark", "task_id", "sample", "budget", "status", "generated_tokens")
_KEY = ["benchmark", "task_id", "sample", "budget"]

Condition = tuple[str, int]
"""Benchmark and budget."""


@dataclass(frozen=True)
class Scores:
    """One run on one benchmark under one budget; arrays have one value per problem, NaN where none was judged."""

    problems: tuple[str, ...]
    """Every problem that was asked, sorted."""
    solved: Values
    """Share of the problem's samples that passed. Truncated ones did not."""
    tokens: Values
    """Generated tokens, the mean over samples."""
    truncated: Values
    """Share of the samples whose reasoning was never closed within the budget."""
    samples: int
    """Most samples of a problem."""
    infra: int
    """Samples left out because the grader, not the program, failed."""

    def of(self, problems: Sequence[str]) -> Values:
        """Columns solved, tokens, truncated; rows in the order of `problems`."""
        place = {problem: number for number, problem in enumerate(self.problems)}
        chosen = [place[problem] for problem in problems]
        return np.column_stack([self.solved, self.tokens, self.truncated])[chosen]

    @property
    def judged(self) -> set[str]:
        """The problems with at least one verdict."""
        return {problem for problem, value in zip(self.problems, self.solved, strict=True) if not np.isnan(value)}


@dataclass(frozen=True)
class EvaluationRun:
    """One finished evaluation."""

    name: str
    """Its folder's name, on one line."""
    results: Mapping[Condition, BenchmarkResult]
    scores: Mapping[Condition, Scores]
    about: Mapping[str, Any]
    """How it was run: `run` in `summary.json`."""

    @classmethod
    def read(cls, folder: Path) -> EvaluationRun:
        """Read a folder that `asap-hf evaluate` finished.

        Raises:
            `UsageError`: if there is none, or it does not hold what an evaluation writes.
        """
        if not folder.is_dir():
            raise UsageError(f"there is no folder {str(folder)!r}: name what `asap-hf evaluate --output_dir` wrote")
        for name in (RESULTS_FILE, SAMPLES_FILE):
            if not (folder / name).is_file():
                raise UsageError(
                    f"{str(folder)!r} is not a finished evaluation, it has no {name}: name a folder that"
                    " `asap-hf evaluate` finished"
                )
        about = _read_summary(folder / RESULTS_FILE)
        results = {(one.benchmark, one.budget): one for one in read_results(folder)}
        scores = _read_scores(folder / SAMPLES_FILE)
        if odd := sorted(results.keys() ^ scores.keys()):
            benchmark, budget = odd[0]
            there, missing = (RESULTS_FILE, SAMPLES_FILE) if odd[0] in results else (SAMPLES_FILE, RESULTS_FILE)
            raise UsageError(
                f"{str(folder)!r} is not whole: {there} tells of {benchmark} with {budget:,} tokens, {missing} does"
                " not; evaluate again"
            )
        return cls(one_line(folder.resolve().name), results, scores, about)

    def budgets(self, benchmark: str) -> list[int]:
        """The budgets of its results on a benchmark, ascending."""
        return sorted(budget for name, budget in self.results if name == benchmark)

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks of its results, in the paper's order."""
        return list(dict.fromkeys(benchmark for benchmark, _ in self.results))

    @property
    def model(self) -> str:
        """What was evaluated."""
        return next(iter(self.results.values())).model


def _read_summary(path: Path) -> dict[str, Any]:
    """The settings of the run."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is not JSON ({error}): evaluate again") from error
    if not isinstance(summary, dict) or not isinstance(summary.get("run"), dict):
        raise UsageError(f"{str(path)!r} does not tell how the run was made ('run'): evaluate again")
    if summary.get("results") == []:
        raise UsageError(
            f"{str(path)!r} holds no results, as `asap-hf grade` leaves it for samples without tokens or a budget:"
            " compare what `asap-hf evaluate` wrote"
        )
    return dict(summary["run"])


def _read_scores(path: Path) -> dict[Condition, Scores]:
    table = _read_table(path)
    groups = table.group_by(["benchmark", "budget"]).aggregate([]).to_pylist()
    return {(one["benchmark"], one["budget"]): _scores(table, one["benchmark"], one["budget"]) for one in groups}


def _read_table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        columns = pq.read_schema(path).names
        if missing := [name for name in _COLUMNS if name not in columns]:
            raise UsageError(f"{str(path)!r} has no column {missing[0]!r}: it is not what `asap-hf evaluate` writes")
        table = pq.read_table(path, columns=list(_COLUMNS))
    except pa.ArrowInvalid as error:
        raise UsageError(f"{str(path)!r} is not Parquet, or damaged ({one_line(error)}): evaluate again") from error
    if empty := [name for name in _COLUMNS if table[name].null_count]:
        raise UsageError(f"{str(path)!r} has rows without {empty[0]!r}: evaluate again")
    if unknown := [value for value in pc.unique(table["status"]).to_pylist() if value not in STATUSES]:
        raise UsageError(f"{str(path)!r} holds the status {unknown[0]!r}; known are {', '.join(STATUSES)}")
    counts = table.group_by(_KEY).aggregate([([], "count_all")])
    if twice := counts.filter(pc.greater(counts["count_all"], 1)).slice(0, 1).to_pylist():
        where = f"sample {twice[0]['sample']} of {twice[0]['task_id']!r} with {twice[0]['budget']:,} tokens"
        raise UsageError(f"{str(path)!r} holds {where} more than once: evaluate again")
    return table


def _scores(table: pa.Table, benchmark: str, budget: int) -> Scores:
    import pyarrow.compute as pc

    rows = table.filter(pc.and_(pc.equal(table["benchmark"], benchmark), pc.equal(table["budget"], budget)))
    tasks, status = np.array(rows["task_id"].to_pylist()), np.array(rows["status"].to_pylist())
    problems, place = np.unique(tasks, return_inverse=True)
    judged = status != "infra"
    samples = np.bincount(place[judged], minlength=len(problems))

    def mean(values: Values) -> Values:
        total = np.bincount(place[judged], weights=values[judged], minlength=len(problems))
        return np.where(samples > 0, total / np.maximum(samples, 1), np.nan)

    return Scores(
        problems=tuple(problems.tolist()),
        solved=mean(status == "pass"),
        tokens=mean(rows["generated_tokens"].to_numpy()),
        truncated=mean(status == "truncated"),
        samples=int(np.bincount(place).max()),
        infra=int(np.sum(~judged)),
    )
