"""The benchmarks by name: what a command, a card and a comparison know of them stands in their classes."""

from __future__ import annotations

from collections.abc import Mapping

from .humaneval import HumanEval
from .humaneval_plus import HumanEvalPlus
from .leetcode import LeetCode
from .livecodebench import LiveCodeBenchV1V3, LiveCodeBenchV4V5
from .problems import Benchmark

# In the order of the paper's tables (§4.1).
_CLASSES: tuple[type[Benchmark], ...] = (
    HumanEval,
    HumanEvalPlus,
    LiveCodeBenchV1V3,
    LiveCodeBenchV4V5,
    LeetCode,
)
BENCHMARKS: Mapping[str, type[Benchmark]] = {benchmark.name: benchmark for benchmark in _CLASSES}
BENCHMARK_NAMES = tuple(BENCHMARKS)
FAMILIES: Mapping[str, type[Benchmark]] = {benchmark.family: benchmark for benchmark in _CLASSES}
"""One benchmark for each name that `--decontaminate` takes: all of one family are in the same files."""
