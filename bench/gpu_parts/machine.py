"""The device that is measured: what it is, how long work takes on it, how much memory that needs."""

from __future__ import annotations

import gc
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from asap_hf.models.devices import processor

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "flash-attn", "triton")


@dataclass(frozen=True)
class Machine:
    """A device and the size of what is run on it.

    Args:
        device (`str`):
            `"cuda"` or `"cpu"`, as torch names it.
        smallest (`bool`):
            Take shapes that a CPU runs in seconds: every line of code is tried, no figure means anything.
    """

    device: str
    smallest: bool

    @property
    def on_gpu(self) -> bool:
        """Whether times come from device events and memory from the device's allocator."""
        return self.device == "cuda"

    @property
    def name(self) -> str:
        """What the figures are figures of."""
        return torch.cuda.get_device_name() if self.on_gpu else processor()

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def described(self) -> dict[str, Any]:
        """Everything that the figures depend on beside this code."""
        told: dict[str, Any] = {"device": self.name, "cpu": processor(), "python": platform.python_version()}
        if self.on_gpu:
            facts = torch.cuda.get_device_properties(0)
            told |= {
                "memory_gib": round(facts.total_memory / 2**30, 1),
                "capability": f"{facts.major}.{facts.minor}",
                "cuda": torch.version.cuda,
            }
        return told | {"libraries": {name: found for name in LIBRARIES if (found := _version(name))}}

    def synchronize(self) -> None:
        """Wait until the device has done what it was told."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def forget(self) -> None:
        """Give back what no name holds any more."""
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()

    def time(self, work: Callable[[], Any], repeats: int = 3, warmup: int = 1) -> Times:
        """Run `work` `warmup` times unmeasured, then `repeats` times measured, each waited for."""
        for _ in range(warmup):
            work()
        self.synchronize()
        return Times(tuple(self._once(work) for _ in range(repeats)), warmup)

    def _once(self, work: Callable[[], Any]) -> float:
        if not self.on_gpu:
            started = time.perf_counter()
            work()
            return time.perf_counter() - started
        event: Any = torch.cuda.Event
        begin, end = event(enable_timing=True), event(enable_timing=True)
        begin.record()
        work()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000

    def peak_gib(self, work: Callable[[], Any]) -> float | None:
        """GiB that `work` takes at most above what stands in memory before it; `None` on a CPU, where
        `bench/score_memory.py` measures it."""
        self.forget()
        if not self.on_gpu:
            work()
            return None
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        self.synchronize()
        return float(torch.cuda.max_memory_allocated() - before) / 2**30


@dataclass(frozen=True)
class Times:
    """Measured runs of the same work.

    Args:
        seconds (`tuple[float, ...]`):
            Of each measured run.
        warmup (`int`):
            Runs before them that were not measured.
    """

    seconds: tuple[float, ...]
    warmup: int

    @property
    def median(self) -> float:
        """Seconds of the run in the middle."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The slowest run over the fastest: differences below it are noise."""
        return max(self.seconds) / min(self.seconds)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
