"""`asap-hf grade`: grade samples of another tool, or a finished evaluation again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..benchmarks.registry import BENCHMARK_NAMES
from ..errors import UsageError
from .prune_arguments import option
from .unused_flags import Rule, refuse_unused


@dataclass
class GradeArguments:
    """Arguments of `asap-hf grade`, which grades samples that were made elsewhere, or a finished evaluation again."""

    file: str = field(
        metadata={
            "help": "JSON lines with task_id and completion, solution or response; better with benchmark, too. Or a "
            "folder that `asap-hf evaluate` wrote: its answers are graded again, and none is generated"
        }
    )
    benchmark: str = option("", f"one of {', '.join(BENCHMARK_NAMES)}; a folder tells its own")
    path: str | None = option(None, "a local copy of the benchmark; for a folder with several: name=file, with commas")
    samples: int = option(1, "samples per problem; with several, Pass@k; a folder tells its own")
    allow_missing: bool = option(False, "grade what there is; problems without samples do not count; not for a folder")
    grader_workers: int | None = option(None, "programs graded at once; none: one per core")
    output_dir: str | None = option(None, "folder for the verdicts, samples.parquet")
    overwrite: bool = option(False, "replace what stands in output_dir")


def main(arguments: GradeArguments) -> None:
    """Grade, and print the result."""
    refuse_unused(arguments, [Rule(["overwrite"], lambda given: bool(given.output_dir), "with --output_dir")])
    print(_grade_evaluation(arguments) if Path(arguments.file).is_dir() else _grade_samples(arguments))
    if arguments.output_dir:
        print(f"\nwritten to {arguments.output_dir}")


def _grade_samples(arguments: GradeArguments) -> str:
    """Grade samples that another tool generated."""
    if not arguments.benchmark:
        raise UsageError("say whose problems the samples answer with --benchmark")
    if arguments.samples < 1:
        raise UsageError(f"--samples is 1 or more; got {arguments.samples}")
    from ..benchmarks import open_benchmark
    from ..evaluate.foreign_samples import grade_file
    from ..evaluate.tables import graded_table
    from ..evaluate.workspace import GRADED
    from ..runtime.own_folders import refuse_to_replace

    if arguments.output_dir:
        refuse_to_replace(Path(arguments.output_dir), GRADED, arguments.overwrite)
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
    return graded_table(graded, benchmark)


def _grade_evaluation(arguments: GradeArguments) -> str:
    """Grade a finished evaluation again."""
    given = {"--benchmark": arguments.benchmark, "--allow_missing": arguments.allow_missing}
    given["--samples"] = arguments.samples != 1
    if needless := [name for name, value in given.items() if value]:
        raise UsageError(f"{arguments.file!r} is a folder, which tells this itself: leave out {needless[0]}")
    from ..benchmarks import open_benchmark
    from ..evaluate.regrading import Finished, regrade
    from ..evaluate.tables import changes, report_table
    from ..evaluate.workspace import EVALUATION
    from ..runtime.own_folders import refuse_to_replace

    if arguments.output_dir:
        refuse_to_replace(Path(arguments.output_dir), EVALUATION, arguments.overwrite, [Path(arguments.file)])
    former = Finished.read(Path(arguments.file))
    paths = _paths(arguments.path, former.benchmarks)
    report = regrade(
        former,
        [open_benchmark(name, paths.get(name), limit) for name, limit in former.benchmarks.items()],
        Path(arguments.output_dir) if arguments.output_dir else None,
        overwrite=arguments.overwrite,
        workers=arguments.grader_workers,
    )
    return f"{report_table(report)}\n{changes(report)}"


def _paths(given: str | None, names: Iterable[str]) -> dict[str, str]:
    """Local copies by benchmark."""
    known = list(names)
    if given is None:
        return {}
    if len(known) == 1 and not given.startswith(f"{known[0]}="):
        return {known[0]: given}
    pairs = [pair.partition("=") for pair in given.split(",") if pair]
    if wrong := [name for name, _, path in pairs if name not in known or not path]:
        raise UsageError(f"--path is name=file, with a name of {', '.join(known)}; got {wrong[0]!r}")
    return {name: path for name, _, path in pairs}


ARGUMENTS = GradeArguments
