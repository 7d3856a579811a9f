"""Rows per second and memory of everything around the model: the tool with a scorer that costs nothing.

    python bench/map.py [--rows 1000,10000,100000]

Each size runs in a process of its own. The floor is one tokenisation of every reasoning, in the same batches: without
it no budget can be kept. Memory is the process's own (anonymous) memory at its highest, over what it took before the
first row; pages of the source that the kernel maps in and drops again are not counted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[1] / "asap_hf" / "traces" / "samples" / "traces.jsonl"


@dataclass(frozen=True)
class FreeScorer:
    """A score per step that needs no model: its length."""

    def __call__(self, traces: Sequence[Any]) -> list[Mapping[str, Any]]:
        return [{"scores": {"length": [float(len(step)) for step in trace.steps]}} for trace in traces]

    def to_rank(self, rank: int | None) -> None:
        """There is no device to choose."""


class OwnMemory:
    """The process's anonymous memory, looked at ten times a second from now on (Linux)."""

    def __init__(self) -> None:
        self.before = self.highest = self.now()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def now() -> float:
        """MiB."""
        found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) / 1024 if found else float("nan")

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.highest = max(self.highest, self.now())

    def over(self) -> float:
        """How many MiB more than at the start it took at most; ends the watch."""
        self._over.set()
        self._thread.join()
        return self.highest - self.before


def produce(rows: int, folder: str, results: Any) -> None:
    """Write a source of so many rows, prune it, and report seconds and memory."""
    os.environ["ASAP_HF_LEDGER"] = "off"
    from datasets import Dataset, disable_progress_bars

    from asap_hf.pruners.answer_anchor import AnswerAnchorPruner
    from asap_hf.pruners.base import Sequential
    from asap_hf.pruners.iterative import IterativePruner

    disable_progress_bars()
    source = Path(folder) / f"{rows}.parquet"
    samples = [json.loads(line) for line in SAMPLES.open(encoding="utf-8")]
    kept = [{"id": row["id"], "prompt": row["prompt"], "completion": row["completion"]} for row in samples]
    Dataset.from_generator(lambda: (kept[i % len(kept)] for i in range(rows)), cache_dir=folder).to_parquet(
        str(source)
    )
    fine = IterativePruner(FreeScorer(), tokenizer="embedded", ratio=0.25, score="length")
    pruner = Sequential((AnswerAnchorPruner(), fine))
    floor = seconds_of_one_tokenisation(source)
    memory = OwnMemory()
    seconds = seconds_of_production(source, pruner, Path(folder) / f"out-{rows}")
    results.put((rows, seconds, floor, memory.over()))


def seconds_of_one_tokenisation(source: Path) -> float:
    """The floor: reading the rows and counting the tokens of each completion once."""
    from asap_hf.models.tokens import count_tokens
    from asap_hf.traces.sources import open_source

    opened = open_source(str(source))
    count_tokens("embedded", [""])
    started = time.perf_counter()
    for rows in opened.batches(256):
        count_tokens("embedded", [row["completion"] for row in rows])
    return time.perf_counter() - started


def seconds_of_production(source: Path, pruner: Any, output_dir: Path) -> float:
    """The tool: parse, split, prune, count, record, write."""
    from asap_hf.dataset.run import PruningRun
    from asap_hf.traces.rows import Columns
    from asap_hf.traces.sources import open_source

    opened = open_source(str(source))
    production = PruningRun(opened, Columns.recognise(opened.columns), pruner, "embedded")
    started = time.perf_counter()
    production.write(output_dir, {"pruner": "asap", "tokenizer": "embedded"})
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000,10000,100000", help="sizes, comma-separated")
    sizes = [int(size) for size in parser.parse_args().rows.split(",")]
    context = multiprocessing.get_context("spawn")
    print(f"{'rows':>9}{'rows/s':>10}{'× floor':>10}{'MiB more':>10}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            results: Any = context.Queue()
            process = context.Process(target=produce, args=(size, folder, results))
            process.start()
            rows, seconds, floor, more = results.get()
            process.join()
        print(f"{rows:>9,}{rows / seconds:>10,.0f}{seconds / floor:>10.1f}{more:>10,.0f}", flush=True)


if __name__ == "__main__":
    main()
