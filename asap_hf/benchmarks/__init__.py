"""The benchmarks of the paper (§4.1)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..errors import UsageError
from .problems import Benchmark, Problem, UnreadableProblem
from .registry import BENCHMARK_NAMES, BENCHMARKS

__all__ = ["BENCHMARK_NAMES", "Benchmark", "Problem", "UnreadableProblem", "open_benchmark"]


def open_benchmark(name: str, path: str | PathLike[str] | None = None, limit: int | None = None) -> Benchmark:
    """Read a benchmark's problems. Tests that are large or packed are left where they are until they are needed.

    Args:
        name (`str`):
            A name from `BENCHMARK_NAMES`.
        path (`str`, *optional*, defaults to the Hub):
            A local copy: a file (`.jsonl`, `.jsonl.gz`, `.parquet`) with the fields that the dataset on the Hub has,
            or a folder with that dataset's files. HumanEval+ may also be in EvalPlus's own form. A single file with
            more than the wanted releases of LiveCodeBench needs a field `release`, `v1` to `v6`.
        limit (`int`, *optional*, defaults to all problems):
            Take only this many, the first ones. How many there are is not checked then.

    Problems whose rows cannot be read are left out with a warning, and stand in the benchmark's `unreadable`.

    Raises:
        [`UsageError`]: if there is no such benchmark, or what was found is not that benchmark, or another version, or
            not one of its rows can be read.
        [`RunError`]: if the Hub cannot be reached.
    """
    if name not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {name!r}: give one of {', '.join(BENCHMARK_NAMES)}")
    if limit is not None and limit < 1:
        raise UsageError(f"a limit is a whole number over 0, not {limit}")
    return BENCHMARKS[name].open(None if path is None else Path(path).expanduser(), limit)
