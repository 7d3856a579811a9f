"""`asap-hf compare`: compare evaluations or trainings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .prune_arguments import option
from .unused_flags import Rule, refuse_unused

if TYPE_CHECKING:
    from ..compare.comparison import Comparison


@dataclass
class CompareArguments:
    """Arguments of `asap-hf compare`; every one can stand in the YAML file that `--config` names."""

    runs: list[str] = field(
        metadata={"help": "folders that `asap-hf evaluate` or a training wrote; a run goes by its folder's name"}
    )
    output_dir: str = option("", "folder for the report, the pictures, and the same as Markdown and JSON")
    overwrite: bool = option(False, "replace an earlier comparison in output_dir, once the new one is whole")
    baseline: str | None = option(
        None, "test every other run against this one; none: the first run against every other"
    )
    budget: int | None = option(
        None, "token budget of the tables and tests; none: the paper's, else the largest that all runs have"
    )
    benchmark: str = option("", "only these, comma-separated; by default all that the runs have")
    common_problems: bool = option(False, "where runs were asked different problems, compare on those they share")
    paper: bool = option(False, "add the paper's own numbers, named as such")
    original: str | None = option(
        None, "the training to which the others' tokens and time are compared; none: the first of them"
    )
    base_model: str | None = option(
        None, "base model of those; none: the one among the runs, else deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
    )


ARGUMENTS = CompareArguments
_OF_EVALUATIONS = ("baseline", "budget", "benchmark", "common_problems", "base_model")


def main(arguments: CompareArguments) -> None:
    """Print the tables and tests; with `output_dir`, write the report and its files. Trainings are compared with
    trainings, evaluations with evaluations."""
    from ..compare import efficiency, files, terminal
    from ..runtime.own_folders import refuse_to_replace
    from ..train.efficiency import holds_training, read_efficiency

    output_dir, folders = Path(arguments.output_dir), [Path(folder) for folder in arguments.runs]
    if arguments.output_dir:
        refuse_to_replace(output_dir, files.COMPARISON, arguments.overwrite, folders)
    trainings = [folder for folder in folders if holds_training(folder)]
    evaluations = [folder for folder in folders if folder not in trainings]
    refuse_unused(
        arguments,
        [
            Rule(["overwrite"], lambda given: bool(given.output_dir), "with --output_dir"),
            Rule(["original"], lambda _: bool(trainings), "where trainings are compared"),
            Rule(_OF_EVALUATIONS, lambda _: bool(evaluations), "where evaluations are compared"),
            Rule(["base_model"], lambda given: given.paper, "with --paper"),
        ],
    )
    costs = [read_efficiency(folder) for folder in trainings]
    table = efficiency.efficiency_table(costs, arguments.original, arguments.paper) if costs else None
    comparison = _comparison(arguments, evaluations) if evaluations else None
    if comparison:
        print(terminal.on_terminal(comparison))
    if table:
        print("\n" * bool(comparison) + efficiency.on_terminal(table))
    if arguments.output_dir:
        written = files.comparison_files(comparison) if comparison else {}
        written |= efficiency.efficiency_files(table) if table else {}
        files.write_files(written, output_dir, arguments.overwrite, folders)
        print()
        for name in (one for one in ("report.html", "training.html") if one in written):
            print(f"written to {arguments.output_dir}: open {output_dir / name}")


def _comparison(arguments: CompareArguments, folders: list[Path]) -> Comparison:
    from ..compare.comparison import comparison_of
    from ..compare.runs import EvaluationRun

    return comparison_of(
        [EvaluationRun.read(folder) for folder in folders],
        baseline=arguments.baseline,
        budget=arguments.budget,
        benchmarks=[name.strip() for name in arguments.benchmark.split(",") if name.strip()],
        common_problems=arguments.common_problems,
        paper=arguments.paper,
        base_model=arguments.base_model,
    )
