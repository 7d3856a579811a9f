"""From a source of rows to a pruned dataset on disk: the run behind `asap-hf prune`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import __version__
from .card import card_body
from .errors import RunError, UnusableTrace
from .output import DatasetWriter
from .progress import Progress
from .pruners.base import Pruning, Sequential
from .records import Row, id_columns, step_features, step_record, training_features, training_row, unusable_row
from .rows import Columns, trace_of
from .sft import render_prompt
from .sources import Source
from .summary import Summary
from .tokens import count_tokens, load_tokenizer
from .trace import Trace

logger = logging.getLogger(__name__)

_LIBRARIES = ("torch", "transformers", "datasets", "huggingface_hub", "tokenizers")


@dataclass
class Production:
    """One run: rows of a source go through a pruner into a dataset folder.

    Args:
        source (`Source`):
            Where the rows come from.
        columns (`Columns`):
            Where in a row prompt and completion are.
        pruner (`Sequential`):
            What happens to them.
        tokenizer (`str`):
            Whose tokens are counted and whose chat template renders the prompts.
        keep_columns (`tuple[str, ...]`):
            Columns that come along beside the ids.
        batch_size (`int`):
            Rows that go through the stages together.
        finished (`Mapping[int, tuple]`, *optional*):
            Training row and record of rows that need no work, by row number: those of a former result.
    """

    source: Source
    columns: Columns
    pruner: Sequential
    tokenizer: str
    keep_columns: tuple[str, ...] = ()
    batch_size: int = 256
    finished: Mapping[int, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.summary = Summary()
        names = id_columns(self.source.columns, self.keep_columns)
        self.ids = {name: self.source.dataset.features[name] for name in names if name not in self.columns.names}

    def write(self, output_dir: Path, settings: Mapping[str, Any], overwrite: bool = False) -> dict[str, Any]:
        """Do the work and put the dataset in place; returns the summary."""
        started = time.monotonic()
        with DatasetWriter(output_dir, overwrite) as writer:
            with Progress(len(self.source)) as progress:
                number = 0
                for rows in self.source.batches(self.batch_size):
                    failed = self._write_batch(writer, number, rows)
                    number += len(rows)
                    progress.advance(len(rows), failed)
            if not self.summary.before:
                raise RunError(f"no row of {self.source.label!r} is left to train on: {self._why_not()}")
            seconds = round(time.monotonic() - started, 3)
            summary = self.summary.as_dict(seconds=seconds, llm=self._llm_account())
            finish(writer, self.source.label, {**settings, **self._scorer_told()}, summary)
        return summary

    def work_through(self, rank: int, world_size: int) -> None:
        """Do this process's share of the batches for the ledger's sake; the process that writes finds it there."""
        for index, rows in enumerate(self.source.batches(self.batch_size)):
            if index % world_size == rank:
                self.pruner.prune([trace for _, trace in self._parse(rows) if isinstance(trace, Trace)])

    def _parse(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Trace | str]]:
        """For each row its rendered prompt, and its trace or the reason why there is none."""
        tokenizer = load_tokenizer(self.tokenizer)
        for row in rows:
            try:
                prompt = render_prompt(self.columns.prompt_messages(row), tokenizer)
            except UnusableTrace as error:
                yield "", error.reason
                continue
            try:
                yield prompt, trace_of(row, self.columns)
            except UnusableTrace as error:
                yield prompt, error.reason

    def _write_batch(self, writer: DatasetWriter, first: int, rows: Sequence[Mapping[str, Any]]) -> int:
        """Prune and write one batch, in the source's order; returns how many rows have a reason."""
        parsed = list(self._parse(rows))
        todo = [
            index
            for index, (_, trace) in enumerate(parsed)
            if isinstance(trace, Trace) and first + index not in self.finished
        ]
        prunings = dict(zip(todo, self.pruner.prune([parsed[index][1] for index in todo]), strict=True))  # type: ignore[misc]
        tokens = self._count(prunings)
        train, steps, unusable = [], [], []
        for index, (row, (prompt, trace)) in enumerate(zip(rows, parsed, strict=True)):
            out = Row(first + index, {name: row[name] for name in self.ids}, prompt)
            if isinstance(trace, str):
                unusable.append(unusable_row(out, self.columns.completion_text(row), trace))
                self.summary.add_unusable(trace)
            elif index in prunings:
                pruning, after = prunings[index], tokens[index]
                if pruning.dropped:
                    self.summary.add_dropped()
                    continue
                self._account(pruning, after)
                ends = (after["before"], list(after.values())[-1])
                train.append(training_row(out, pruning, ends))
                steps.append(step_record(out, trace.question, pruning, ends))
            else:
                done = self.finished[first + index]
                train.append(done[0])
                steps.append(done[1])
                self._account_finished(done[1])
        writer.table("default", "train", training_features(self.ids)).add(train)
        writer.table("steps", "train", step_features(self.ids)).add(steps)
        if unusable:
            writer.table("default", "unusable", training_features(self.ids)).add(unusable)
        return len(unusable) + sum(not row["ok"] for row in train)

    def _count(self, prunings: Mapping[int, Pruning]) -> dict[int, dict[str, int]]:
        """Tokens of each row's reasoning: `before`, then after each stage by name."""
        texts = {
            (index, name): text
            for index, pruning in prunings.items()
            for name, text in _texts_by_stage(pruning).items()
        }
        counts = count_tokens(self.tokenizer, list(texts.values()))
        tokens: dict[int, dict[str, int]] = {index: {} for index in prunings}
        for (index, name), count in zip(texts, counts, strict=True):
            tokens[index][name] = count
        return tokens

    def _account(self, pruning: Pruning, tokens: Mapping[str, int]) -> None:
        stages = {name: count for name, count in tokens.items() if name != "before"}
        steps = (len(pruning.trace.source.steps), len(pruning.trace.steps))
        windows = max((stage.get("windows", 0) for stage in pruning.record["stages"]), default=0)
        self.summary.add(tokens["before"], stages, steps, pruning.reason, windows)

    def _account_finished(self, record: Mapping[str, Any]) -> None:
        steps = (len(record["steps"]), len(record["kept"]))
        after = {self.pruner.stages[-1].name: record["tokens_after"]} if self.pruner.stages else {}
        self.summary.add(record["tokens_before"], after, steps, record["reason"], record["windows"])

    def _scorer_told(self) -> dict[str, Any]:
        """Which commit of which model scored, and in what numbers."""
        for stage in self.pruner.stages:
            told = getattr(getattr(stage, "scorer", None), "fingerprint", None)
            if told:
                return {"scorer_revision": told["revision"], "dtype": told["dtype"]}
        return {}

    def _why_not(self) -> str:
        reasons = [f"{count:,} {reason}" for reason, count in self.summary.unusable.most_common(3)]
        return ", ".join([*reasons, *([f"{self.summary.dropped:,} dropped"] if self.summary.dropped else [])])

    def _llm_account(self) -> dict[str, Any]:
        generators = [stage.generator for stage in self.pruner.stages if hasattr(stage, "generator")]
        return {name: getattr(one.usage, name) for one in generators for name in vars(one.usage)}


def _texts_by_stage(pruning: Pruning) -> dict[str, str]:
    """The reasoning `before`, and after each stage by the stage's name."""
    source, stages = pruning.trace.source, pruning.record["stages"]
    texts = {"before": source.reasoning}
    texts |= {stage["stage"]: source.select(stage["kept"]).reasoning for stage in stages[:-1]}
    return texts | {stage["stage"]: pruning.trace.reasoning for stage in stages[-1:]}


def finish(writer: DatasetWriter, source: str, settings: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Put a written dataset in place, with run.json and a README that tell how it came about."""
    run = {
        "asap_hf": __version__,
        "source": source,
        "settings": dict(settings),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "summary": dict(summary),
    }
    writer.finish(run, card_body(run))
