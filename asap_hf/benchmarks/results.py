"""Benchmark results: one record per benchmark and model, and the file that an evaluation leaves them in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..reporting.markdown import is_hub_id
from .registry import BENCHMARKS

RESULTS_FILE = "summary.json"


@dataclass(frozen=True)
class BenchmarkResult:
    """One model on one benchmark (Table 1 of the paper: Acc, Tok, Lat).

    Raises:
        `ValueError`: if a field cannot be right; the message begins with its name.
    """

    benchmark: str
    """A name from `BENCHMARKS`."""
    dataset: str
    """Where the problems come from, as an id on the Hub."""
    dataset_revision: str
    """Commit of that dataset, or the SHA-256 of a file; empty if not known."""
    split: str
    """Split of that dataset."""
    problems: int
    """How many problems were asked."""
    pass_at_1: float
    """Share of the problems solved, 0.0 to 1.0; without the answers that nothing graded."""
    tokens: float
    """Mean number of generated tokens per problem."""
    latency: float | None
    """Seconds per sample; `None` if not measured."""
    budget: int
    """Most tokens that could be generated per problem."""
    model: str
    """Hub id or name of the model."""
    model_revision: str
    """Commit of the model; empty if not known."""
    engine: str
    """What generated, with its version: `vllm 0.32.0`."""
    date: str
    """When, as an ISO 8601 date or time."""
    ungraded: int = 0
    """Answers with a program that nothing graded: the machine failed, or the problem's tests cannot be read."""
    grader_version: int | None = None
    """Of the grader that gave the verdicts; `None` if not known: before version 2 it had none."""

    def __post_init__(self) -> None:
        for name, (is_right, meaning) in _FIELDS.items():
            value = getattr(self, name)
            if not is_right(value):
                raise ValueError(f"{name} is {meaning}; got {value!r}")
        if self.tokens > self.budget:
            raise ValueError(f"tokens is at most the budget, {self.budget}; got {self.tokens!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "benchmark": (list(BENCHMARKS).__contains__, f"one of {', '.join(BENCHMARKS)}"),
    "dataset": (is_hub_id, "a dataset's id on the Hub"),
    "dataset_revision": (lambda value: isinstance(value, str), "a commit, or empty"),
    "split": (_is_text, "the name of a split"),
    "problems": (_is_count, "a whole number over 0"),
    "pass_at_1": (lambda value: _is_number(value) and 0 <= value <= 1, "a share from 0 to 1"),
    "tokens": (lambda value: _is_number(value) and value > 0, "a number over 0"),
    "latency": (lambda value: value is None or (_is_number(value) and value > 0), "seconds over 0, or null"),
    "budget": (_is_count, "a whole number over 0"),
    "model": (_is_text, "the name of a model"),
    "model_revision": (lambda value: isinstance(value, str), "a commit, or empty"),
    "engine": (_is_text, "the name of an engine"),
    "date": (_is_date, "an ISO 8601 date"),
    "ungraded": (lambda value: value == 0 or _is_count(value), "a whole number from 0"),
    "grader_version": (lambda value: value is None or _is_count(value), "a whole number over 0, or null"),
}


def older_verdicts(results: Iterable[BenchmarkResult]) -> str:
    """Which version of the grader gave the verdicts, where it is not this one: `graded with version 2 of the grader,
    which is at version 3 here`. Empty where all are its own."""
    from ..evaluation.pass_at_1.host_grader import GRADER_VERSION

    others = {one.grader_version or 1 for one in results} - {GRADER_VERSION}
    if not others:
        return ""
    versions = [f"version {one}" if one > 1 else "a version before 2" for one in sorted(others)]
    return f"graded with {' and '.join(versions)} of the grader, which is at version {GRADER_VERSION} here"


def read_results(folder: Path) -> list[BenchmarkResult]:
    """The records of every `summary.json` in a folder and below it, in the order of `BENCHMARKS`, then by budget.

    Raises:
        `UsageError`: if there is none, if one is not what an evaluation writes, or if two tell of the same model on
            the same benchmark under the same budget. The message names the file and the field.
    """
    found: dict[tuple[Any, ...], tuple[Path, BenchmarkResult]] = {}
    for path in sorted(folder.rglob(RESULTS_FILE)):
        for result in read_results_file(path):
            same = (list(BENCHMARKS).index(result.benchmark), result.budget, result.model, result.model_revision)
            if same in found:
                raise UsageError(
                    f"{str(found[same][0])!r} and {str(path)!r} both tell of {result.model!r} on {result.benchmark} "
                    f"with {result.budget:,} tokens: remove one"
                )
            found[same] = (path, result)
    if not found:
        raise UsageError(f"there are no results in {str(folder)!r}: an evaluation writes them to {RESULTS_FILE}")
    return [found[same][1] for same in sorted(found)]


def read_results_file(path: Path) -> list[BenchmarkResult]:
    """The records of one `summary.json`, in their order.

    Raises:
        `UsageError`: if it is not what an evaluation writes.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is not JSON ({error}): remove it, or evaluate again") from error
    records = content.get("results") if isinstance(content, dict) else None
    if not isinstance(records, list):
        raise UsageError(f"{str(path)!r} holds no list 'results': remove it, or evaluate again")
    return [_result(record, f"{str(path)!r}, result {number}") for number, record in enumerate(records, 1)]


def _result(record: Any, where: str) -> BenchmarkResult:
    if not isinstance(record, dict):
        raise UsageError(f"{where}: a result is an object with fields; got {record!r}")
    names = [one.name for one in fields(BenchmarkResult)]
    needed = [one.name for one in fields(BenchmarkResult) if one.default is MISSING]
    if missing := [name for name in needed if name not in record]:
        raise UsageError(f"{where}: the field {missing[0]!r} is missing")
    if unknown := [name for name in record if name not in names]:
        raise UsageError(f"{where}: there is no field {unknown[0]!r}; the fields are {', '.join(names)}")
    try:
        return BenchmarkResult(**record)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
