"""Grade a finished evaluation again, without generating anything."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..benchmarks import Benchmark
from ..benchmarks.results import RESULTS_FILE, BenchmarkResult, older_verdicts, read_results_file
from ..errors import UsageError
from ..runtime.json_lines import Lines
from .answers import graded, graded_later
from .grading import grading_tier
from .report import Report, graded_how, scored
from .samples import GENERATIONS_FILE, SAMPLES_FILE, Sample, check_graded, read_samples_table, samples_table
from .workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Finished:
    """The folder of a finished evaluation.

    Args:
        folder (`Path`):
            The folder.
        results (`Sequence[BenchmarkResult]`):
            One per benchmark and budget.
        run (`Mapping[str, Any]`):
            How it was run.
    """

    folder: Path
    results: Sequence[BenchmarkResult]
    run: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Finished:
        """Read a folder.

        Raises:
            [`UsageError`]: if it does not hold what `asap-hf evaluate` writes.
        """
        for name in (RESULTS_FILE, SAMPLES_FILE):
            if not (folder / name).is_file():
                raise UsageError(
                    f"{str(folder)!r} is no finished evaluation, it has no {name}: name a folder that is one"
                )
        results = read_results_file(folder / RESULTS_FILE)
        run = json.loads((folder / RESULTS_FILE).read_text(encoding="utf-8")).get("run")
        if not results:
            raise UsageError(
                f"{str(folder)!r} is not what `asap-hf evaluate` wrote: grade the file of samples again that it was "
                "made from"
            )
        if not isinstance(run, dict):
            raise UsageError(f"{str(folder / RESULTS_FILE)!r} does not tell how the run was made: evaluate again")
        return cls(folder, results, run)

    @property
    def benchmarks(self) -> Mapping[str, int]:
        """The benchmarks by name, and how many problems of each were taken."""
        unreadable = self.run.get("unreadable", {})
        return {one.benchmark: one.problems + len(unreadable.get(one.benchmark, ())) for one in self.results}

    def check(self, benchmark: Benchmark) -> None:
        """Check that these are the problems that were answered.

        Raises:
            [`UsageError`]: if they are of another revision.
        """
        former = next(one.dataset_revision for one in self.results if one.benchmark == benchmark.name)
        if former != benchmark.revision:
            raise UsageError(
                f"{str(self.folder)!r} answers revision {former[:12]!r} of {benchmark.name}, this is "
                f"{benchmark.revision[:12]!r}: name a copy of that one with --path"
            )


def regrade(
    former: Finished,
    benchmarks: Sequence[Benchmark],
    output_dir: Path | None = None,
    overwrite: bool = False,
    workers: int | None = None,
) -> Report:
    """Extract the programs from the answers of a finished evaluation and grade them, as `asap-hf evaluate` does after
    generating.

    Args:
        former ([`Finished`]):
            The evaluation; it stays as it is.
        benchmarks (`Sequence[Benchmark]`):
            All of its benchmarks.
        output_dir (`Path`, *optional*):
            Folder for the evaluation with the new verdicts, written whole or not at all; a run that was stopped
            continues with its verdicts. Without it nothing is written.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace what stands there.
        workers (`int`, *optional*):
            Programs graded at once; `None`: one per processor core.

    Returns:
        [`Report`]: whose `run` tells in `graded_again` how many verdicts are others than before.

    Raises:
        [`UsageError`]: if something stands in `output_dir` or it is the evaluation's own folder, a benchmark has
            another revision, or the evaluation's files are damaged.
        [`RunError`]: if the machine has no jail for programs, not one program was graded, or the disk is full.
    """
    for benchmark in benchmarks:
        former.check(benchmark)
    rows = read_samples_table(former.folder / SAMPLES_FILE)
    tier = grading_tier()
    if output_dir and output_dir.resolve() == former.folder.resolve():
        raise UsageError("the former verdicts stay where they are: name another folder with --output_dir")
    settings = {
        "evaluation": former.folder.resolve().name,
        "sha256": hashlib.sha256((former.folder / SAMPLES_FILE).read_bytes()).hexdigest(),
    }
    with Workspace(output_dir, settings, overwrite) if output_dir else nullcontext() as space:
        samples = _graded_again(benchmarks, rows, space.verdicts if space else None, workers)
        report = _report(former, benchmarks, rows, samples, tier)
        if space:
            tables = {SAMPLES_FILE: samples_table(samples)} | _generations(former.folder)
            space.finish(tables, {RESULTS_FILE: report.summary()})
    return report


def refuse_older(output_dir: Path) -> None:
    """Refuse to replace a finished evaluation that only needs new verdicts, and say how to get them.

    Raises:
        [`UsageError`]: if `output_dir` holds one whose verdicts are of another version of the grader, or lack.
    """
    try:
        results = read_results_file(output_dir / RESULTS_FILE)
    except (OSError, UsageError):
        return
    lost = sum(one.ungraded for one in results)
    why = older_verdicts(results) or (f"{lost:,} of whose answers were not graded" if lost else "")
    if why:
        raise UsageError(
            f"{str(output_dir)!r} holds a finished evaluation, {why}: `asap-hf grade {shlex.quote(str(output_dir))} "
            "--output_dir …` grades its answers again without generating any; --overwrite generates them anew"
        )


def _graded_again(
    benchmarks: Sequence[Benchmark], rows: Sequence[Sample], stored: Lines | None, workers: int | None
) -> list[Sample]:
    samples: list[Sample] = []
    for one in benchmarks:
        programs = list(_programs(one, [row for row in rows if row.benchmark == one.name]))
        found = graded(one, programs, stored, workers)
        check_graded(found, one.name)
        samples += found
    return samples


def _report(
    former: Finished, benchmarks: Sequence[Benchmark], rows: Sequence[Sample], samples: Sequence[Sample], tier: str
) -> Report:
    results = [
        replace(one, **scored([row for row in samples if (row.benchmark, row.budget) == (one.benchmark, one.budget)]))
        for one in former.results
    ]
    again = {
        "asap_hf": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "former_version": former.run.get("grader_version"),
        "changed": _changed(rows, samples),
    }
    return Report(results, {**former.run, **graded_how(benchmarks, tier), "graded_again": again}, samples)


def _programs(benchmark: Benchmark, rows: Sequence[Sample]) -> Iterator[Sample]:
    """The rows with the programs that their answers give, not graded yet."""
    problems = {problem.task_id: problem for problem in benchmark.problems}
    for row in rows:
        if not row.answer:  # the reasoning never ended, or nothing came after it
            yield row
            continue
        program: str | None = row.program or row.answer
        if row.task_id in problems:
            program = benchmark.program(problems[row.task_id], row.answer)
        elif row.task_id not in benchmark.unreadable:
            raise UsageError(f"{benchmark.name} has no problem {row.task_id!r}: name the copy that was answered")
        status, detail = graded_later(program, row.answer, row.finish_reason)
        passed = None if program is not None else False
        yield replace(row, status=status, detail=detail, passed=passed, program=program or "", grader_version=None)


def _changed(before: Sequence[Sample], after: Sequence[Sample]) -> dict[str, int]:
    """How many verdicts changed: `{"fail → pass": 3}`."""
    former = {(one.benchmark, one.task_id, one.sample, one.budget): one.status for one in before}
    now = {(one.benchmark, one.task_id, one.sample, one.budget): one.status for one in after}
    pairs = Counter((former[row], status) for row, status in now.items() if former[row] != status)
    return {f"{one} → {other}": count for (one, other), count in sorted(pairs.items())}


def _generations(folder: Path) -> dict[str, pa.Table]:
    """The table of generations, unchanged."""
    import pyarrow.parquet as pq

    path = folder / GENERATIONS_FILE
    return {GENERATIONS_FILE: pq.read_table(path)} if path.is_file() else {}
