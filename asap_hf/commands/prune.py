"""`asap-hf prune`: what it does with its arguments. No logic of the method."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..summary import summary_table
from .methods import budget_of, pruner_of, settings_of
from .prune_arguments import PruneArguments
from .stages import filters_of, tokenizer_of

if TYPE_CHECKING:
    from ..filtering.filters import Filter
    from ..production import Production
    from ..rebudget import Rebudget
    from ..rows import Columns
    from ..shards import Staging
    from ..sources import Source


def main(arguments: PruneArguments, staging: Staging | None = None) -> dict[str, Any]:
    """Prune, re-budget a former result, or say what it would take.

    Args:
        arguments (`PruneArguments`):
            What the user asked for.
        staging (`Staging`, *optional*):
            Where on the Hub finished shards are kept too.

    Returns:
        `dict`: the summary; empty after a dry run, and in every process but the first.
    """
    arguments.check()
    quiet_libraries()
    if arguments.ledger_dir is not None:
        os.environ["ASAP_HF_LEDGER"] = arguments.ledger_dir
    from ..rebudget import former_run

    former = former_run(Path(arguments.dataset_name))
    if former is not None and "settings" not in former:
        raise UsageError(f"{arguments.dataset_name!r} holds the runs of several pruners: prune the traces anew")
    if arguments.dry_run:
        _tell(arguments, former)
        return {}
    summary = _prune(arguments, staging) if former is None else _rebudget(arguments, former)
    if summary:
        print(summary_table(summary))
        print(f"\nwritten to {arguments.output_dir}")
        print(f'load_dataset("{arguments.output_dir}") is what to train on, with "steps" every decision')
    return summary


def _tell(arguments: PruneArguments, former: Mapping[str, Any] | None) -> None:
    if former is None:
        return _estimate(arguments)
    from ..rebudget import count_scored

    rebudget, _ = _rebudget_of(arguments, former)
    scored, unscored = count_scored(Path(arguments.dataset_name), former, rebudget)
    left = f"; {unscored:,} rows that were not scored stay as they are" if unscored else ""
    return print(f"{scored:,} rows with stored scores: a new budget needs no model and no LLM{left}")


def _open(arguments: PruneArguments) -> tuple[Source, Columns]:
    from ..rows import Columns
    from ..sources import open_source

    source = open_source(
        arguments.dataset_name,
        arguments.dataset_config,
        arguments.dataset_split,
        arguments.limit,
        arguments.streaming,
        arguments.dataset_revision,
    )
    columns = Columns.recognise(
        source.columns, arguments.prompt_column, arguments.completion_column, arguments.splitter
    )
    return source, columns


def quiet_libraries() -> None:
    """One bar is enough: the libraries draw their own for every model and every file that they load."""
    from datasets import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _prune(arguments: PruneArguments, staging: Staging | None) -> dict[str, Any]:
    from ..processes import this_process

    output_dir, overwrite = Path(arguments.output_dir), arguments.overwrite or arguments.retry_failed
    with this_process() as process, filters_of(arguments) as filters:
        production = _production(arguments, filters)
        production.pruner.to_rank(process.local_rank)
        if arguments.num_shards == 1:
            return production.write(output_dir, settings_of(arguments), overwrite, process)
        from ..shards import write_in_shards

        return write_in_shards(
            production, output_dir, settings_of(arguments), arguments.num_shards, process, staging, overwrite
        )


def _production(arguments: PruneArguments, filters: tuple[Filter, ...]) -> Production:
    """The run that these arguments ask for; the source is open, no model is loaded yet."""
    from ..production import Production

    source, columns = _open(arguments)
    finished: Mapping[int, Any] = {}
    first_attempt = 0
    if arguments.retry_failed:
        from ..rebudget import finished_rows

        finished, first_attempt = finished_rows(Path(arguments.output_dir), settings_of(arguments))
    return Production(
        source,
        columns,
        pruner_of(arguments, first_attempt),
        tokenizer_of(arguments),
        filters=filters,
        keep_columns=tuple(filter(None, arguments.keep_columns.split(","))),
        batch_size=arguments.batch_size,
        finished=finished,
    )


def _rebudget(arguments: PruneArguments, former: dict[str, Any]) -> dict[str, Any]:
    from ..rebudget import rewrite_result

    rebudget, settings = _rebudget_of(arguments, former)
    folders = Path(arguments.dataset_name), Path(arguments.output_dir)
    return rewrite_result(folders[0], former, folders[1], rebudget, settings, arguments.overwrite)


def _rebudget_of(arguments: PruneArguments, former: Mapping[str, Any]) -> tuple[Rebudget, dict[str, Any]]:
    """What is asked for of a former result, and the settings of the new one.

    Raises:
        `UsageError`: if that result cannot be re-budgeted so.
    """
    from ..rebudget import Rebudget

    settings = former["settings"]
    _refuse_what_is_settled(arguments)
    if settings.get("keep_llm_text"):
        raise UsageError("a result with keep_llm_text cannot be re-budgeted: its records hold the original steps")
    if "score" not in settings:
        raise UsageError(f"{arguments.dataset_name!r} holds no scores: stage 2 was left out when it was made")
    if selector := settings.get("selector"):
        raise UsageError(
            f"a result of --selector {selector} has no order of removal: prune the traces anew, the scores are stored"
        )
    budget = budget_of(arguments)
    score = arguments.score or settings["score"]
    rebudget = Rebudget(
        tokenizer=arguments.tokenizer or settings["tokenizer"],
        stored_score=settings["score"],
        score=score,
        **budget,
    )
    changed: dict[str, Any] = {}
    for name, value in settings.items():
        changed |= budget if name in ("max_tokens", "ratio") else {name: value}
    return rebudget, {**changed, "score": score}


def _refuse_what_is_settled(arguments: PruneArguments) -> None:
    """A former result settles everything but the budget, the score, and where the new one goes."""
    open_to_change = {
        "dataset_name",
        "output_dir",
        "overwrite",
        "max_tokens",
        "ratio",
        "score",
        "tokenizer",
        "ledger_dir",
        "dry_run",
    }
    for one in fields(arguments):
        if one.name not in open_to_change and getattr(arguments, one.name) != one.default:
            made = f"was settled when {arguments.dataset_name!r} was made"
            raise UsageError(f"--{one.name} {made}: prune the traces anew to change it")


def _estimate(arguments: PruneArguments) -> None:
    from ..estimate import estimate, estimate_table

    with filters_of(arguments) as filters:
        production = _production(arguments, filters)
        found = estimate(
            production.source, production.columns, production.pruner, production.tokenizer, production.finished
        )
        print(estimate_table(*found, production.pruner))
        if filters:
            print(f"\nrows that {' and '.join(one.name for one in filters)} would leave out are counted")
    print("\ndry run: nothing was written, no model was loaded, nothing was spent")


ARGUMENTS = PruneArguments
