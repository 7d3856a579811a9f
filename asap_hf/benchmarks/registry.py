"""The benchmarks by name: what a command, a card and a comparison know of them stands in their classes."""

from __future__ import annotations

from collections.abc import Mapping

from .files import HubFiles
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
FAMILIES: Mapping[str, HubFiles] = {benchmark.family: benchmark.family_files() for benchmark in _CLASSES}
"""What `--decontaminate` compares with, by name: the problems of all releases, where benchmarks are some of them."""
