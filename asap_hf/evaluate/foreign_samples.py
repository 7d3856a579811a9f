"""Grade samples that another tool generated."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .. import __version__
from ..benchmarks import Benchmark, Problem
from ..benchmarks.code_forms import parse
from ..benchmarks.results import RESULTS_FILE
from ..evaluation.pass_at_1.host_grader import GRADER_VERSION
from ..traces.think_tags import answer_in
from .answers import graded
from .samples import SAMPLES_FILE, Sample, Status, check_graded, pass_at_k, samples_table, ungraded
from .samples_file import ForeignSample, read_samples
from .workspace import GRADED, Workspace

_UNKNOWN = (
    "budget",
    "finish_reason",
    "reasoning_tokens",
    "answer_tokens",
    "generated_tokens",
    "latency_seconds",
    "first_token_seconds",
    "queue_seconds",
)


def grade_file(
    path: Path,
    benchmark: Benchmark,
    output_dir: Path | None = None,
    per_problem: int = 1,
    allow_missing: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
) -> list[Sample]:
    """Grade the samples in a file.

    Args:
        path, benchmark, per_problem, allow_missing:
            As of [`read_samples`].
        output_dir (`Path`, *optional*):
            Folder for `samples.parquet` and `summary.json`, written whole or not at all; a run that was stopped
            continues with its verdicts. Without it nothing is written.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace what stands there.
        workers (`int`, *optional*):
            Programs graded at once; `None`: one per processor core.

    Raises:
        [`UsageError`]: as of [`read_samples`], or if something stands in `output_dir`.
        [`RunError`]: if the machine has no jail for programs, not one program was graded, or the disk is full.
    """
    rows = _rows(read_samples(path, benchmark, per_problem, allow_missing), benchmark)
    settings = {
        "samples": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "benchmark": benchmark.name,
        "benchmark_revision": benchmark.revision,
    }
    with Workspace(output_dir, settings, overwrite, GRADED) if output_dir else nullcontext() as space:
        samples = graded(benchmark, rows, space.verdicts if space else None, workers)
        check_graded(samples, benchmark.name)
        if space:
            summary = {"asap_hf": __version__, "results": [], "run": settings | _outcome(samples, benchmark)}
            space.finish({SAMPLES_FILE: samples_table(samples)}, {RESULTS_FILE: json.dumps(summary, indent=2) + "\n"})
    return samples


def _outcome(samples: Sequence[Sample], benchmark: Benchmark) -> dict[str, Any]:
    return {
        "pass_at_1": pass_at_k(samples, 1),
        "ungraded": len(ungraded(samples)),
        "unreadable": benchmark.unreadable,
        "grader_version": GRADER_VERSION,
    }


def _rows(samples: Sequence[ForeignSample], benchmark: Benchmark) -> list[Sample]:
    """A row per sample; those with a program are not graded yet."""
    problems = {problem.task_id: problem for problem in benchmark.problems}
    seen: Counter[str] = Counter()
    rows = []
    for one in samples:
        rows.append(_row(one, benchmark, problems.get(one.task_id), seen[one.task_id]))
        seen[one.task_id] += 1
    return rows


def _row(sample: ForeignSample, benchmark: Benchmark, problem: Problem | None, number: int) -> Sample:
    """The row of a sample; where the problem cannot be read, the answer stands for its program."""
    answer = _answer(sample)
    if problem is None:
        program = answer if answer and answer.strip() else None
    elif sample.kind == "solution":
        program = _solution(sample.text, benchmark, problem)
    else:
        program = None if answer is None else benchmark.program(problem, answer)
    status: Status = "infra"
    detail = "not graded yet"
    if answer is None:
        status, detail = "truncated", "the reasoning never ends"
    elif program is None:
        status, detail = "no_program", "no whole Python program in the answer"
    return Sample(
        benchmark=benchmark.name,
        task_id=sample.task_id,
        sample=number,
        status=status,
        passed=None if program is not None else False,
        detail=detail,
        answer=answer or "",
        program=program or "",
        **dict.fromkeys(_UNKNOWN),
    )


def _solution(text: str, benchmark: Benchmark, problem: Problem) -> str | None:
    """A whole program, unchanged; where the text is no Python, the program in its fence."""
    if not text.strip():
        return None
    return text if parse(text) is not None else benchmark.program(problem, text) or text


def _answer(sample: ForeignSample) -> str | None:
    """The text after the reasoning; `None` where the reasoning never ends."""
    return sample.text if sample.kind == "solution" else answer_in(sample.text)
