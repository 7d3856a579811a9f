"""`PruningRun`: prune the rows of a source into a dataset folder, as `asap-hf prune` does."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..cards.rendering import dataset_card_body
from ..errors import UnusableTrace
from ..llm.run_account import RunAccount, account_folder, run_account
from ..models.tokens import count_tokens, load_tokenizer
from ..pruners.base import Pruning, Sequential
from ..pruners.registry import package_of
from ..runtime.ledger import ledger_is_kept
from ..runtime.processes import Process
from ..runtime.progress import Progress
from ..traces.rows import Columns, question_of, trace_of
from ..traces.sft import conditioned_prompt, render_end, render_prompt
from ..traces.sources import Source
from ..traces.trace import Trace
from .carried_columns import CarriedColumns
from .no_rows import require_rows
from .records import Row, Tokens, id_columns
from .tables import ResultWriter
from .writer import DatasetWriter

if TYPE_CHECKING:
    from ..filters.filters import Filter, Finding

logger = logging.getLogger(__name__)

_LIBRARIES = ("torch", "transformers", "datasets", "huggingface_hub", "tokenizers")
_ALONE = Process()
# Training row, conversation and record of a row that a former run finished.
Finished = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


@dataclass
class PruningRun:
    """One run: rows of a source are pruned and written to a dataset folder.

    Args:
        source (`Source`):
            The source of the rows.
        columns (`Columns`):
            The columns of prompt and completion.
        pruner (`Sequential`):
            The stages that prune them.
        tokenizer (`str`):
            The model whose tokens are counted and whose chat template renders the prompts.
        filters (`tuple[Filter, ...]`, *optional*):
            The filters that leave out usable rows before anything is spent on them.
        keep_columns (`tuple[str, ...]`, *optional*):
            Columns to copy besides the ids.
        batch_size (`int`, *optional*, defaults to 256):
            Rows that go through the stages together.
        finished (`Mapping[int, Finished]`, *optional*):
            Rows that need no work, by row number: those of a former result.
    """

    source: Source
    columns: Columns
    pruner: Sequential
    tokenizer: str
    filters: tuple[Filter, ...] = ()
    keep_columns: tuple[str, ...] = ()
    batch_size: int = 256
    finished: Mapping[int, Finished] = field(default_factory=dict)

    def __post_init__(self) -> None:
        features = self.source.features
        names = [name for name in id_columns(list(features), self.keep_columns) if name not in self.columns.names]
        self.carried = CarriedColumns.of(features, names, certain=self.source.dataset.features is not None)

    def write(
        self, output_dir: Path, settings: Mapping[str, Any], overwrite: bool = False, process: Process = _ALONE
    ) -> dict[str, Any]:
        """Prune, write, and move the dataset into place.

        Returns:
            `dict`: the summary; empty in every process but the first, which alone writes.

        Raises:
            `RunError`: if no row is left to train on.
        """
        with run_account(account_folder(output_dir), removes=process.rank == 0) as account:
            if process.rank != 0:
                self.prune_into_ledger(process)
                return {}
            with DatasetWriter(output_dir, overwrite) as writer:
                summary = self.fill(writer, account, process)
                require_rows(summary, self.source, self.columns)
                finish(writer, self.source.metadata, {**settings, **self._scorer_settings()}, summary)
        return summary

    def write_shard(
        self, folder: Path, settings: Mapping[str, Any], account: RunAccount, process: Process = _ALONE
    ) -> None:
        """Prune one shard of a source and write its result, which may have no training row."""
        with DatasetWriter(folder) as writer:
            summary = self.fill(writer, account, process)
            finish(writer, self.source.metadata, {**settings, **self._scorer_settings()}, summary)

    def fill(self, writer: DatasetWriter, account: RunAccount, process: Process = _ALONE) -> dict[str, Any]:
        """Prune and write the tables; returns the summary. Its `llm` is what `account` has not reported yet."""
        started, unjudged = time.monotonic(), self._unjudged()
        self.prune_into_ledger(process)
        account.begin_reading()
        result = ResultWriter(writer, self.carried.features)
        with Progress(self.source.rows) as progress:
            number = self.source.first
            for rows in self.source.batches(self.batch_size):
                failed = self._write_batch(result, number, rows)
                number += len(rows)
                progress.advance(len(rows), failed)
        result.summary.unjudged.update(self._unjudged() - unjudged)
        asks = any(hasattr(stage, "generator") for stage in self.pruner.stages)
        llm = account.take() if asks else {}
        return result.summary.as_dict(seconds=round(time.monotonic() - started, 3), llm=llm)

    def prune_into_ledger(self, process: Process) -> None:
        """Prune this rank's batches into the ledger, then wait for the other ranks; rank 0 writes. With one process
        there is nothing to do. Without a ledger rank 0 prunes every row itself, or what the others paid for would be
        paid for again."""
        if process.world_size == 1:
            return
        number = self.source.first
        for index, rows in enumerate(self.source.batches(self.batch_size) if ledger_is_kept() else ()):
            if index % process.world_size == process.rank:
                parsed = self._parsed(number, rows)
                self.pruner.prune(list(self._todo(parsed, self._findings(rows, parsed)).values()))
            number += len(rows)
        process.wait_for_everyone()

    def _todo(
        self, parsed: Sequence[tuple[Row, Trace | str]], findings: Mapping[int, tuple[str, Finding]]
    ) -> dict[int, Trace]:
        """Traces that go through the stages, by their places."""
        return {
            place: trace
            for place, (row, trace) in enumerate(parsed)
            if isinstance(trace, Trace) and place not in findings and row.number not in self.finished
        }

    def _parsed(self, first: int, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Row, Trace | str]]:
        """The parsed rows of a batch, once nothing in them can stop the run after it is paid for.

        Raises:
            `UsageError`: if a column cannot be carried along, or a prompt cannot say what the pruner wants said.
        """
        parsed = list(self._parse(first, rows))
        self.carried.check([row.ids for row, _ in parsed])
        if self.pruner.conditions:
            for row, (_, trace) in zip(rows, parsed, strict=True):
                if isinstance(trace, Trace):
                    conditioned_prompt(self.columns.prompt_messages(row), "", "")
        return parsed

    def _parse(self, first: int, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Row, Trace | str]]:
        """For each row its id columns and prompt, and its trace or the reason why there is none."""
        tokenizer = load_tokenizer(self.tokenizer)
        for number, row in enumerate(rows, first):
            out = Row(number, self.carried.of_row(row))
            try:
                self.columns.refuse_losses(row)
                prompt = self.columns.prompt_messages(row)
                question = question_of(prompt)
                turns = [{"role": "user", "content": question}] if isinstance(prompt, str) else prompt
                out = replace(out, question=question, turns=turns)
                out = replace(out, prompt=render_prompt(prompt, tokenizer))
                yield out, trace_of(row, self.columns)
            except UnusableTrace as error:
                yield out, error.reason

    def _findings(
        self, rows: Sequence[Mapping[str, Any]], parsed: Sequence[tuple[Row, Trace | str]]
    ) -> dict[int, tuple[str, Finding]]:
        """The rows that a filter leaves out, by position, with the filter's name and its evidence. Each filter judges
        what the ones before it kept."""
        findings: dict[int, tuple[str, Finding]] = {}
        for one in self.filters:
            left = {
                place: trace
                for place, (_, trace) in enumerate(parsed)
                if isinstance(trace, Trace) and place not in findings
            }
            judged = one.judge([rows[place] for place in left], list(left.values()))
            findings |= {place: (one.name, seen) for place, seen in zip(left, judged, strict=True) if seen is not None}
        return findings

    def _write_batch(self, result: ResultWriter, first: int, rows: Sequence[Mapping[str, Any]]) -> int:
        """Prune and write one batch, in the source's order; returns how many rows have a reason."""
        parsed = self._parsed(first, rows)
        findings = self._findings(rows, parsed)
        todo = self._todo(parsed, findings)
        prunings = dict(zip(todo, self.pruner.prune(list(todo.values())), strict=True))
        for place, pruning in prunings.items():
            if any(pruning.conditioned):
                parsed[place] = (self._conditioned(parsed[place][0], rows[place], pruning), parsed[place][1])
        tokens = self._count({place: row for place, (row, _) in enumerate(parsed)}, prunings)
        failed = 0
        for place, (row, trace) in enumerate(parsed):
            if isinstance(trace, str):
                result.add_unusable(*self._as_it_came(row, rows[place]), trace)
            elif place in findings:
                name, seen = findings[place]
                result.add_filtered(row, name, seen.reason, seen.evidence)
            elif place not in prunings:
                result.add_finished(*self.finished[row.number])
            elif prunings[place].dropped:
                stages = prunings[place].record["stages"]
                result.summary.add_dropped(prunings[place].reason, int(stages[0].get("attempts", 0)))
            else:
                result.add(row, prunings[place], tokens[place])
            failed += isinstance(trace, str) or (place in prunings and bool(prunings[place].reason))
        return failed

    def _as_it_came(self, out: Row, row: Mapping[str, Any]) -> tuple[Row, str]:
        """What is kept of an unusable row: its prompt as the model would see it and its completion as text, or both as
        they are in the row where there is no such prompt."""
        if out.prompt:
            return out, self.columns.completion_text(row)
        prompt, completion = self.columns.as_it_came(row)
        return replace(out, prompt=prompt), completion

    def _conditioned(self, out: Row, row: Mapping[str, Any], pruning: Pruning) -> Row:
        """The row with the text that a pruner puts around the user's last message."""
        turns = conditioned_prompt(self.columns.prompt_messages(row), *pruning.conditioned)
        return replace(out, turns=turns, prompt=render_prompt(turns, load_tokenizer(self.tokenizer)))

    def _count(self, rows: Mapping[int, Row], prunings: Mapping[int, Pruning]) -> dict[int, Tokens]:
        """Lengths of each row that went through the stages."""
        texts: list[str] = []
        for place, pruning in prunings.items():
            whole, left = pruning.trace.source.reasoning, pruning.trace
            texts += [whole, left.reasoning, rows[place].prompt, render_end(left)]
        counts = iter(count_tokens(self.tokenizer, texts))
        quadruples = zip(prunings, counts, counts, counts, counts, strict=True)
        return {place: Tokens.of(*four) for place, *four in quadruples}

    def _scorer_settings(self) -> dict[str, Any]:
        """Commit and dtype of the model that scored."""
        for stage in self.pruner.stages:
            fingerprint = getattr(getattr(stage, "scorer", stage), "fingerprint", None)
            if fingerprint:
                return {"scorer_revision": fingerprint["revision"], "dtype": fingerprint["dtype"]}
        return {}

    def _unjudged(self) -> Counter[str]:
        return Counter({f"{one.name}: {why}": count for one in self.filters for why, count in one.unjudged.items()})


def finish(
    writer: DatasetWriter, source: Mapping[str, str], settings: Mapping[str, Any], summary: Mapping[str, Any]
) -> None:
    """Write run.json and README, and move a written dataset into place."""
    finish_with(writer, {**source, "settings": dict(settings), "summary": dict(summary)})


def finish_with(writer: DatasetWriter, metadata: Mapping[str, Any]) -> None:
    """The same for metadata that is complete: source, settings and summary, or those of several `runs`."""
    libraries = {name: version(name) for name in _LIBRARIES}
    for one in metadata.get("runs", {"": metadata}).values():
        libraries |= package_of(one["settings"].get("pruner", ""))
    run = {"asap_hf": __version__, **metadata, "libraries": libraries}
    writer.finish(run, dataset_card_body(run, "."))
