"""`asap-hf compare-pruners`: its arguments, and what it does with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..pruners.method import Method
from ..pruners.registry import method_named, method_names
from .methods import pruner_of, settings_of
from .prune_arguments import PruneArguments, option
from .pruner_flags import refuse_unused_of_prune
from .stages import tokenizer_of
from .unused_flags import Rule, refuse_unused

if TYPE_CHECKING:
    from ..compare_pruners.comparing import PrunerComparison
    from ..compare_pruners.conditions import Condition

# Flags of `asap-hf prune` that mean nothing where many pruners meet many budgets and no dataset comes out.
_NOT_HERE = (
    *("pruner", "max_tokens", "ratio", "keep_columns", "sample_tests", "decontaminate", "decontaminate_n"),
    *("num_shards", "retry_failed", "dry_run", "fail_above"),
)
_RULES = (
    Rule(["overwrite"], lambda given: bool(given.output_dir), "with --output_dir"),
    Rule(["ledger_dir"], lambda given: given.anchor_model is not None, "with an LLM: what is scored is timed"),
)


@dataclass
class ComparePrunersArguments(PruneArguments):
    """Arguments of `asap-hf compare-pruners`, with those of `asap-hf prune` that say how each pruner works; every one
    can stand in the YAML file that `--config` names."""

    output_dir: str = option(
        "", "folder for results.jsonl, table.md and run.json; the same command goes on from there"
    )
    overwrite: bool = option(False, "begin anew where output_dir holds results of other settings; those are kept")
    ratios: str = option("0.5,0.25,0.125", "budgets as shares of the original's tokens, comma-separated")
    pruners: str = option(
        "", "only these, comma-separated, original and nothing among them; none: all that can be run"
    )
    traces: int | None = option(None, "draw this many traces at random; none: all of them")
    seed: int = option(42, "of that draw, a larger one of which holds every smaller one; of random and tokenskip")
    max_tokens_trace: int | None = option(4000, "leave out traces with a longer reasoning")
    judge: str = option("embedded", "model that tells how likely the answer is after a pruned reasoning")
    judge_revision: str | None = option(None, "branch, tag or commit of the judge")
    processes: int = option(1, "measure in this many processes side by side")

    def check(self) -> None:
        """As `asap-hf prune` checks its arguments, and what is asked here."""
        PruneArguments.check(replace(self, output_dir=self.output_dir or "."))  # which is no must here
        for one in fields(self):
            if one.name in _NOT_HERE and getattr(self, one.name) != one.default:
                raise UsageError(f"--{one.name} is not for compare-pruners: see --pruners, --ratios and --traces")
        refuse_unused_of_prune(replace(self, device=None, dtype="auto"))  # which the judge uses in any case
        refuse_unused(self, _RULES)
        for name in ("traces", "max_tokens_trace", "processes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} is 1 or more; got {value}")

    @property
    def shares(self) -> list[float]:
        """The ratios as numbers.

        Raises:
            `UsageError`: if one is none, or no share.
        """
        try:
            shares = [float(one) for one in self.ratios.split(",")]
        except ValueError as error:
            raise UsageError(f"--ratios are numbers with commas between them, got {self.ratios!r}") from error
        if wrong := [one for one in shares if not 0 < one <= 1]:
            raise UsageError(f"--ratios are shares of the tokens, over 0 and at most 1; got {wrong[0]:g}")
        return shares


ARGUMENTS = ComparePrunersArguments


def main(arguments: ComparePrunersArguments) -> None:
    """Measure what was not measured yet, and print the tables."""
    from ..compare_pruners.comparing import write_tables
    from ..compare_pruners.layout import on_terminal
    from ..compare_pruners.results import refuse_foreign
    from ..compare_pruners.table import tables_of
    from ..llm.run_account import account_folder, run_account
    from .prune import quiet_libraries

    arguments.check()
    quiet_libraries()
    if arguments.ledger_dir is not None:
        os.environ["ASAP_HF_LEDGER"] = arguments.ledger_dir
    if arguments.output_dir:
        refuse_foreign(Path(arguments.output_dir))
    comparison, metadata = _comparison(arguments, _conditions(arguments))
    with TemporaryDirectory() as scratch:
        folder = Path(arguments.output_dir or scratch)
        with run_account(account_folder(folder) if arguments.output_dir else Path(scratch, "account")):
            tables = tables_of(comparison.run(folder, arguments.processes, arguments.overwrite))
        write_tables(folder, tables, metadata)
    print(f"\n{on_terminal(tables)}")
    if arguments.output_dir:
        print(f"\nwritten to {arguments.output_dir}")


def _conditions(arguments: ComparePrunersArguments) -> list[Condition]:
    """What is asked for; by default everything that can be run, and a line for everything that cannot.

    Raises:
        `UsageError`: if there is no such pruner, or none of them meets a budget.
    """
    from ..compare_pruners.conditions import UNBUDGETED, conditions_of

    names = [name.strip() for name in arguments.pruners.split(",") if name.strip()]
    budgeted, lacking = _methods(arguments)
    if not names:
        for name, why in lacking.items():
            print(f"left out: {name}, {why}")
        names = [*(name for name in budgeted if name not in lacking), *(one.name for one in UNBUDGETED)]
    found = conditions_of(names, arguments.shares, lambda name, ratio: pruner_of(_as_prune(arguments, name, ratio)))
    if all(one.ratio is None for one in found):
        raise UsageError(f"there is nothing to compare: --pruners names none of {', '.join(budgeted)}")
    return found


def _methods(arguments: ComparePrunersArguments) -> tuple[list[str], dict[str, str]]:
    """The methods that can meet a budget, and why some are not run where none is asked for."""
    budgeted: list[str] = []
    lacking: dict[str, str] = {}
    for name in method_names():
        try:
            method = method_named(name)
        except UsageError as error:
            lacking[name] = str(error)
            continue
        if method.budget is not None or method.has_anchor:
            budgeted.append(name)
            lacking |= {name: why} if (why := _what_it_lacks(arguments, method)) else {}
    return budgeted, lacking


def _what_it_lacks(arguments: ComparePrunersArguments, method: Method) -> str:
    """Why a method that was not asked for is not run; empty if it is."""
    if "compressor" in method.settings and arguments.compressor is None:
        return "which needs a token classifier: name one with --compressor"
    if method.budget is None and arguments.anchor_model is not None:
        return "since an LLM is told no budget: nothing would meet it"
    return ""


def _as_prune(arguments: ComparePrunersArguments, name: str, ratio: float) -> PruneArguments:
    return replace(arguments, pruner=name, ratio=ratio)


def _comparison(
    arguments: ComparePrunersArguments, conditions: list[Condition]
) -> tuple[PrunerComparison, dict[str, Any]]:
    """The comparison on the traces that are asked for, and how it comes about, for `run.json`."""
    from ..compare_pruners.comparing import PrunerComparison
    from ..compare_pruners.retention import Judge
    from ..compare_pruners.trace_sample import TraceSample
    from ..traces.rows import Columns
    from ..traces.sources import open_source

    given = arguments
    which = (given.dataset_name, given.dataset_config, given.dataset_split, given.limit)
    source = open_source(*which, given.streaming, given.dataset_revision)
    columns = Columns.recognise(source.columns, given.prompt_column, given.completion_column, given.splitter)
    judge = Judge(given.judge, given.judge_revision, given.dtype, given.device)
    draw = TraceSample(columns, judge, tokenizer_of(given), given.max_tokens_trace, given.seed)
    traces = draw.draw(chain.from_iterable(source.batches(given.batch_size)), given.traces)
    print(f"{len(traces):,} traces; {draw.summary}")
    comparison = PrunerComparison(traces, conditions, judge, tokenizer_of(given), given.splitter)
    drawn = {"traces": len(traces), "seed": given.seed, "max_tokens_trace": given.max_tokens_trace}
    pruners = [settings_of(_as_prune(given, one.name, one.ratio)) for one in conditions if one.ratio is not None]
    libraries = {name: version(name) for name in ("torch", "transformers")}
    return comparison, {
        **source.metadata,
        **drawn,
        "left_out": dict(draw.left_out),
        "settings": comparison.settings,
        "pruners": pruners,
        "libraries": libraries,
    }
