"""`asap-hf prune`: call what its arguments ask for."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset.summary import failed_share, failure_warning, summary_table
from ..errors import RunError, UsageError
from .former_result import check_settled_flags, rewrite, rewrite_plan
from .methods import pruner_of, settings_of
from .prune_arguments import PruneArguments
from .pruner_flags import refuse_unused_of_prune
from .stages import filters_of, tokenizer_of

if TYPE_CHECKING:
    from ..dataset.run import PruningRun
    from ..dataset.shards import Staging
    from ..filters.filters import Filter
    from ..traces.rows import Columns
    from ..traces.sources import Source

logger = logging.getLogger(__name__)


def main(arguments: PruneArguments, staging: Staging | None = None) -> dict[str, Any]:
    """Prune, re-budget a former result, or say what it would take.

    Args:
        arguments (`PruneArguments`):
            What the user asked for.
        staging (`Staging`, *optional*):
            Where on the Hub finished shards are kept too.

    Returns:
        `dict`: the summary; empty after a dry run, and in every process but the first.

    Raises:
        `RunError`: if no row is left to train on; the result being written, if more rows failed than `fail_above`.
    """
    from ..dataset.result_folder import former_run

    arguments.check()
    former = former_run(Path(arguments.dataset_name))
    if former is None:
        refuse_unused_of_prune(arguments)
    else:
        check_settled_flags(arguments, former)
    quiet_libraries()
    if arguments.ledger_dir is not None:
        os.environ["ASAP_HF_LEDGER"] = arguments.ledger_dir
    if arguments.dry_run:
        _print_plan(arguments, former)
        return {}
    check_output_dir(arguments)
    summary = _prune(arguments, staging) if former is None else rewrite(arguments, former)
    if summary:
        print(summary_table(summary))
        print(f"\nwritten to {arguments.output_dir}")
        print(f'load_dataset("{arguments.output_dir}") is what to train on, with "steps" every decision')
        _report_failures(summary, arguments.fail_above)
    return summary


def check_output_dir(arguments: PruneArguments) -> None:
    """Check, before anything is opened or spent, that the result may be written where it is to be.

    Raises:
        `UsageError`: if something of the user's would be lost, or read and written would mix.
    """
    from ..dataset.result_folder import DATASET
    from ..runtime.ledger import ledger_folder
    from ..runtime.own_folders import real_folder, refuse_to_replace

    output_dir, source = Path(arguments.output_dir), Path(arguments.dataset_name)
    inputs = [*([source] if source.exists() else []), *filter(None, [ledger_folder()])]
    refuse_to_replace(output_dir, DATASET, arguments.overwrite or arguments.retry_failed, inputs)
    if source.is_dir() and real_folder(output_dir).is_relative_to(real_folder(source)):
        raise UsageError(
            f"{arguments.output_dir!r} lies in {arguments.dataset_name!r}, which is read whole: choose an --output_dir"
            " beside it, or the result would be among the traces next time"
        )


def _report_failures(summary: Mapping[str, Any], fail_above: float | None) -> None:
    """Warn of rows that failed.

    Raises:
        `RunError`: if they are a larger share than the operator takes.
    """
    warning = failure_warning(summary)
    if fail_above is not None and failed_share(summary) > fail_above:
        raise RunError(f"{warning} (the result is written; --fail_above {fail_above:g} makes this an error)")
    if warning:
        logger.warning("warning: %s", warning)


def _print_plan(arguments: PruneArguments, former: Mapping[str, Any] | None) -> None:
    if former is None:
        return _estimate(arguments)
    return print(rewrite_plan(arguments, former))


def _open(arguments: PruneArguments) -> tuple[Source, Columns]:
    from ..traces.rows import Columns
    from ..traces.sources import open_source

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
    read = " and ".join(map(repr, columns.names))
    for name in columns.unread(source.columns):
        logger.warning("note: the column %r is no part of any prompt: prompts and completions are %s", name, read)
    return source, columns


def quiet_libraries() -> None:
    """Turn off the progress bars of the libraries; one bar is enough."""
    from datasets import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _prune(arguments: PruneArguments, staging: Staging | None) -> dict[str, Any]:
    from ..runtime.processes import this_process

    output_dir, overwrite = Path(arguments.output_dir), arguments.overwrite or arguments.retry_failed
    with this_process() as process, filters_of(arguments) as filters:
        run = _pruning_run(arguments, filters)
        run.pruner.to_rank(process.local_rank)
        if arguments.num_shards == 1:
            return run.write(output_dir, settings_of(arguments), overwrite, process)
        from ..dataset.shards import write_in_shards

        return write_in_shards(
            run, output_dir, settings_of(arguments), arguments.num_shards, process, staging, overwrite
        )


def _pruning_run(arguments: PruneArguments, filters: tuple[Filter, ...]) -> PruningRun:
    """The run that these arguments ask for; the source is open, no model is loaded yet."""
    from ..dataset.run import PruningRun

    source, columns = _open(arguments)
    finished: Mapping[int, Any] = {}
    first_attempt = 0
    if arguments.retry_failed:
        from ..dataset.rebudget import finished_rows

        finished, first_attempt = finished_rows(Path(arguments.output_dir), settings_of(arguments))
    return PruningRun(
        source,
        columns,
        pruner_of(arguments, first_attempt),
        tokenizer_of(arguments),
        filters=filters,
        keep_columns=tuple(filter(None, arguments.keep_columns.split(","))),
        batch_size=arguments.batch_size,
        finished=finished,
    )


def _estimate(arguments: PruneArguments) -> None:
    from ..dataset.estimate import estimate, estimate_table

    with filters_of(arguments) as filters:
        run = _pruning_run(arguments, filters)
        found = estimate(run.source, run.columns, run.pruner, run.tokenizer, run.finished)
        print(estimate_table(*found, run.pruner))
        if filters:
            print(f"\nrows that {' and '.join(one.name for one in filters)} would leave out are counted")
    print("\ndry run: nothing was written, no model was loaded, nothing was spent")


ARGUMENTS = PruneArguments
