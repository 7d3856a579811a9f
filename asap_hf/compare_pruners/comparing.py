"""Run a comparison of pruners, or continue one that was stopped, and write its files."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .. import __version__
from ..dataset.result_folder import RUN_FILE
from ..reporting.statistics import CONFIDENCE, RESAMPLES, SEED
from ..runtime.files import disk_errors, write_whole
from ..runtime.output_folder import WorkingFolder
from ..runtime.progress import Progress, tick
from ..traces.splitting import SPLITTING_VERSION
from ..traces.trace import Trace
from .conditions import Condition
from .layout import as_markdown
from .measuring import Meter
from .results import TABLE_FILE, Measurement, Results, refuse_foreign
from .retention import Judge
from .table import Table
from .workers import Job, measure_all


@dataclass(frozen=True)
class PrunerComparison:
    """Traces, conditions and judge of a comparison.

    Args:
        traces (`Mapping[str, Trace]`):
            By key, as [`asap_hf.compare_pruners.trace_sample.TraceSample`] has them.
        conditions (`Sequence[Condition]`):
            Those of one method one after the other.
        judge ([`Judge`]):
            Measures how likely the answer still is.
        tokenizer (`str`):
            The model whose tokens are counted.
        splitter (`str`):
            How the traces were cut into steps.
    """

    traces: Mapping[str, Trace]
    conditions: Sequence[Condition]
    judge: Judge
    tokenizer: str
    splitter: str

    @property
    def settings(self) -> dict[str, Any]:
        """What every result depends on, whichever pruner made it."""
        tokenizer = Path(self.tokenizer).name if Path(self.tokenizer).exists() else self.tokenizer
        splitting = {"splitter": self.splitter, "splitting_version": SPLITTING_VERSION}
        return {**self.judge.settings, "tokenizer": tokenizer, **splitting}

    def run(self, folder: Path, processes: int = 1, overwrite: bool = False) -> list[Measurement]:
        """Measure what `folder` does not hold yet.

        Returns:
            `list[Measurement]`: all that is there about these traces, also of pruners that an earlier run measured.

        Raises:
            [`UsageError`]: if the folder holds results of other settings, or another process writes it.
        """
        with disk_errors("the comparison"):
            working = WorkingFolder(folder)
        with working:
            refuse_foreign(folder)
            results = Results(folder, self.settings, overwrite)
            results.refuse_others({(one.name, one.ratio): one.identity for one in self.conditions}, self.traces)
            self._measure(results, processes)
            results.close()
            return results.about(self.traces)

    def _measure(self, results: Results, processes: int) -> None:
        missing: list[Job] = []
        for key, trace in self.traces.items():
            if todo := [one for one in self.conditions if (key, one.name, one.ratio) not in results]:
                missing.append((trace, todo))
        count = sum(len(conditions) for _, conditions in missing)
        with TemporaryDirectory() as scratch:
            meter = Meter(self.judge, self.tokenizer, Path(scratch))
            floor = sum(meter.expected_tokens(*job) for job in missing)
            there = len(self.traces) * len(self.conditions) - count
            print(f"{count:,} results to measure, {there:,} are there; the judge reads at most {floor:,} tokens")
            started, read = time.monotonic(), 0
            with Progress(count, "results") as progress:
                for result in measure_all(meter, missing, processes):
                    results.add(result)
                    read += result["read"]
                    tick("scored tokens", result["read"])
                    progress.advance(1, bool(result["reason"]))
        if count:
            seconds = time.monotonic() - started
            print(f"the judge read {read:,} tokens; with the pruning, {read / seconds:,.0f} a second")


def write_tables(folder: Path, tables: Sequence[Table], metadata: Mapping[str, Any]) -> None:
    """Write `table.md` and `run.json` next to the results, each whole or not at all.

    Args:
        folder (`Path`):
            Where the results are.
        tables (`Sequence[Table]`):
            What they come to.
        metadata (`Mapping[str, Any]`):
            How they came about, for `run.json`.
    """
    bootstrap = {"resamples": RESAMPLES, "confidence": CONFIDENCE, "seed": SEED, "over": "traces"}
    run = {"asap_hf": __version__, **metadata, "bootstrap": bootstrap, "tables": [asdict(one) for one in tables]}
    texts = {
        TABLE_FILE: as_markdown(tables),
        RUN_FILE: json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    with disk_errors("the comparison"):
        for name, content in texts.items():
            write_whole(folder / name, content)
