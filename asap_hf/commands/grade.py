"""`asap-hf grade`: its arguments, and what it does with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from .prune_arguments import option


@dataclass
class GradeArguments:
    """Arguments of `asap-hf grade`, which grades samples that were made elsewhere."""

    file: str = field(
        metadata={"help": "JSON lines with task_id and completion, solution or response; better with benchmark, too"}
    )
    benchmark: str = option("", "humaneval, humaneval_plus, lcb_v1_v3, lcb_v4_v5 or leetcode")
    path: str | None = option(None, "a local copy of the benchmark")
    samples: int = option(1, "samples per problem; with several, Pass@k")
    allow_missing: bool = option(False, "grade what there is; problems without samples do not count")
    grader_workers: int | None = option(None, "programs graded at once; none: one per core")
    output_dir: str | None = option(None, "folder for the verdicts, samples.parquet")
    overwrite: bool = option(False, "replace what stands in output_dir")


def main(arguments: GradeArguments) -> None:
    """Grade, and say what came of it."""
    if not arguments.benchmark:
        raise UsageError("say whose problems the samples answer with --benchmark")
    if arguments.samples < 1:
        raise UsageError(f"--samples is 1 or more; got {arguments.samples}")
    from ..benchmarks import open_benchmark
    from ..evaluations.elsewhere import grade_file
    from ..evaluations.tables import graded_table

    benchmark = open_benchmark(arguments.benchmark, arguments.path)
    graded = grade_file(
        Path(arguments.file),
        benchmark,
        Path(arguments.output_dir) if arguments.output_dir else None,
        per_problem=arguments.samples,
        allow_missing=arguments.allow_missing,
        overwrite=arguments.overwrite,
        workers=arguments.grader_workers,
    )
    print(graded_table(graded, benchmark))
    if arguments.output_dir:
        print(f"\nwritten to {arguments.output_dir}")


ARGUMENTS = GradeArguments
