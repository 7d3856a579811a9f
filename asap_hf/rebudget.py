"""Another budget, or another score, for a result that is already there: from stored scores, with no model loaded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .output import RUN_FILE, DatasetWriter
from .production import finish
from .pruners.base import Pruning
from .pruners.iterative import overshoot, selection_record
from .records import RESERVED, Row, recorded_stages, source_trace, step_record, training_row
from .selection import Selection, removals_within, select_by_budget
from .summary import Summary
from .tokens import count_tokens

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Rebudget:
    """Stage 2 again, on what a former run recorded.

    Args:
        tokenizer (`str`):
            Whose tokens the budget counts, as in the former run.
        max_tokens (`int`, *optional*):
            The new budget in tokens; either this or `ratio`.
        ratio (`float`, *optional*):
            The new budget as a share of the original reasoning's tokens.
        score (`str`, *optional*):
            The score that decides; the former run's where `stored_score` is the same.
        stored_score (`str`):
            The score that the stored order of removal came from.
    """

    tokenizer: str
    stored_score: str
    score: str
    max_tokens: int | None = None
    ratio: float | None = None

    def prune(self, record: Mapping[str, Any]) -> Pruning:
        """The new decision about one row.

        Raises:
            `UsageError`: if the record does not hold the score that is asked for.
        """
        source = source_trace(record)
        stages = recorded_stages(record)
        trace = source.select(record["coarse_kept"])
        fine = stages[-1]
        budget = self.max_tokens or max(1, int((self.ratio or 1.0) * record["tokens_before"]))
        failed = [stage["reason"] for stage in stages[:-1] if stage.get("reason")]
        if not fine.get("scores"):
            reason = fine["reason"] or "scoring: not scored in the former run"
            stages[-1] = {**fine, "kept": list(trace.kept), "reason": reason}
            return Pruning(trace, "; ".join([*failed, reason]), {"stages": stages})
        selection = self._select(trace.steps, fine, budget)
        pruned = trace.select(selection.kept)
        reason = overshoot(selection, budget)
        stages[-1] = {
            **fine,
            **selection_record(selection),
            "kept": list(pruned.kept),
            "budget": budget,
            "reason": reason,
        }
        return Pruning(pruned, "; ".join(filter(None, [*failed, reason])), {"stages": stages})

    def _select(self, steps: tuple[str, ...], fine: Mapping[str, Any], budget: int) -> Selection:
        if self.score == self.stored_score:
            order, lengths = tuple(fine["order"]), tuple(fine["lengths"])
            count = removals_within(lengths, budget)
            return Selection(tuple(sorted(order[count:])), order, lengths, lengths[count])
        if self.score not in fine["scores"]:
            raise UsageError(f"the result holds no score {self.score!r}; it holds: {', '.join(fine['scores'])}")
        return select_by_budget(steps, fine["scores"][self.score], budget, partial(count_tokens, self.tokenizer))


def open_result(folder: Path) -> tuple[Dataset, Dataset, Dataset | None]:
    """The training rows, the records and (if there are any) the unusable rows of a former result.

    Raises:
        `UsageError`: if the folder is no whole result.
    """
    tables = [_table(folder, config, split) for config, split in _TABLES]
    if tables[0] is None or tables[1] is None:
        raise UsageError(f"{folder.name!r} is no result of asap-hf prune: it lacks its default or its steps config")
    return tables[0], tables[1], tables[2]


_TABLES = (("default", "train"), ("steps", "train"), ("default", "unusable"))


def _table(folder: Path, config: str, split: str) -> Dataset | None:
    from datasets import Dataset

    # Read as plain Parquet files: by name, a folder rewritten in place could come from a cache.
    files = sorted(str(path) for path in (folder / config).glob(f"{split}-*.parquet"))
    return Dataset.from_parquet(files) if files else None


def former_run(folder: Path) -> dict[str, Any] | None:
    """What `run.json` of a result says; `None` where the folder is no result of this tool."""
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    run = json.loads(path.read_text(encoding="utf-8"))
    return run if isinstance(run, dict) and "asap_hf" in run else None


def rewrite_result(
    folder: Path, output_dir: Path, rebudget: Rebudget, settings: Mapping[str, Any], overwrite: bool = False
) -> dict[str, Any]:
    """Write a former result anew under another budget; returns the summary."""
    started = time.monotonic()
    train, records, unusable = open_result(folder)
    summary = Summary()
    with DatasetWriter(output_dir, overwrite) as writer:
        for row, record in zip(train, records, strict=True):
            pruning = rebudget.prune(record)
            ids = {name: row[name] for name in train.column_names if name not in RESERVED}
            out = Row(row["row"], ids, row["prompt"])
            last = pruning.record["stages"][-1]
            tokens = (record["tokens_before"], last["tokens"])
            writer.table("default", "train", train.features).add([training_row(out, pruning, tokens)])
            writer.table("steps", "train", records.features).add(
                [step_record(out, record["question"], pruning, tokens)]
            )
            steps = (len(record["steps"]), len(pruning.trace.kept))
            summary.add(tokens[0], _tokens_after(pruning), steps, pruning.reason, record["windows"])
        for row in unusable or ():
            writer.table("default", "unusable", train.features).add([row])
            summary.add_unusable(row["reason"])
        account = summary.as_dict(seconds=round(time.monotonic() - started, 3))
        finish(writer, str((former_run(folder) or {}).get("source", "")), settings, account)
    return account


def _tokens_after(pruning: Pruning) -> dict[str, int]:
    """Tokens after each stage: the last stage's own record says what it was given and what it left."""
    stages = pruning.record["stages"]
    last = stages[-1]
    before_last = {stages[-2]["stage"]: last["tokens_before"]} if len(stages) > 1 else {}
    return {**before_last, last["stage"]: last["tokens"]}


class FinishedRows(Mapping[int, tuple[dict[str, Any], dict[str, Any]]]):
    """Training row and record of a former result's rows that need no work, by row number, read when asked for.

    Args:
        train, records (`Dataset`):
            The two tables of the result, row by row about the same rows.
    """

    def __init__(self, train: Dataset, records: Dataset):
        self._tables = train, records
        numbers, states = train["row"], train["ok"]
        self._places = {number: place for place, (number, ok) in enumerate(zip(numbers, states, strict=True)) if ok}

    def __getitem__(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        train, records = self._tables
        return train[self._places[number]], records[self._places[number]]

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def finished_rows(folder: Path, settings: Mapping[str, Any]) -> tuple[FinishedRows, int]:
    """For `--retry_failed`: the rows of a former result that need no work, by number, and the first attempt number
    that was not tried yet for the others.

    Raises:
        `UsageError`: if there is no result, or it was made with other settings: its rows would not belong together.
    """
    run = former_run(folder)
    if run is None:
        raise UsageError(f"there is no result in {folder.name!r} whose failed rows could be redone")
    changed = {name for name in {*run["settings"], *settings} if run["settings"].get(name) != settings.get(name)}
    if changed - _MAY_CHANGE:
        names = ", ".join(sorted(changed - _MAY_CHANGE))
        raise UsageError(f"--retry_failed needs the settings of the former run; these differ: {names}")
    train, records, _ = open_result(folder)
    attempts = [count for count, ok in zip(records["attempts"], train["ok"], strict=True) if not ok]
    return FinishedRows(train, records), max(attempts, default=0)


# Settings that say how hard to try, not what to make.
_MAY_CHANGE = {"max_attempts", "anchor_backend", "on_failure", "scorer_revision", "dtype"}
