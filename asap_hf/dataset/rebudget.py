"""Give an existing result another budget or score, from stored scores, without loading a model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnusableTrace, UsageError
from ..models.tokens import count_tokens
from ..pruners.base import Pruning
from ..pruners.budget import budget_in_tokens
from ..pruners.iterative import overshoot, selection_record
from ..pruners.selection import Selection, removals_within, select_by_budget
from .records import RESERVED, Row, Tokens, recorded_stages, source_trace
from .result_folder import former_run
from .retokenizing import Retokenizing
from .run import Finished, finish
from .tables import FILTERED_FILE, ResultWriter
from .writer import DatasetWriter, table_files

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Rebudget:
    """Run stage 2 again on what a former run recorded.

    Args:
        tokenizer (`str`):
            The model whose tokens the budget counts.
        max_tokens (`int`, *optional*):
            The new budget in tokens; either this or `ratio`.
        ratio (`float`, *optional*):
            The new budget as a share of the original reasoning's tokens.
        score (`str`, *optional*):
            The score that decides; the former run's where `stored_score` is the same.
        stored_score (`str`):
            The score that the stored order of removal came from.
        recount (`bool`, *optional*, defaults to `False`):
            Whether the stored lengths are another tokenizer's.
    """

    tokenizer: str
    stored_score: str
    score: str
    max_tokens: int | None = None
    ratio: float | None = None
    recount: bool = False

    def prune(self, record: Mapping[str, Any]) -> Pruning:
        """Prune one row with the new budget.

        Raises:
            `UsageError`: if the record does not hold the score that is asked for.
        """
        source = source_trace(record)
        stages = recorded_stages(record)
        trace = source.select(record["coarse_kept"])
        fine = stages[-1]
        before = record["tokens_before"]
        if self.recount:
            before, given = count_tokens(self.tokenizer, [source.reasoning, trace.reasoning])
            fine |= {"tokens_before": given, "tokens": given}
        budget = budget_in_tokens(self.max_tokens, self.ratio, before)
        failed = [stage["reason"] for stage in stages[:-1] if stage.get("reason")]
        fine.pop("remark", None)
        if not fine.get("scores"):
            reason = fine["reason"] or "scoring: not scored in the former run"
            stages[-1] = {**fine, "kept": list(trace.kept), "budget": budget, "reason": reason}
            return Pruning(trace, "; ".join([*failed, reason]), {"stages": stages})
        selection = self._select(trace.steps, fine, budget)
        pruned = trace.select(selection.kept)
        remark = overshoot(selection, budget)
        decided = {"kept": list(pruned.kept), "reason": "", **({"remark": remark} if remark else {})}
        of_stage = {name: value for name, value in fine.items() if name not in ("stage", *decided)}
        chosen = {**of_stage, **selection_record(selection), "budget": budget}
        stages[-1] = {"stage": fine["stage"], **decided, **chosen}
        return Pruning(pruned, "; ".join(failed), {"stages": stages}, remark=remark)

    def _select(self, steps: tuple[str, ...], fine: Mapping[str, Any], budget: int) -> Selection:
        if self.score == self.stored_score and not self.recount:
            order, lengths = tuple(fine["order"]), tuple(fine["lengths"])
            count = removals_within(lengths, budget)
            return Selection(tuple(sorted(order[count:])), order, lengths, lengths[count])
        self.refuse_missing(fine["scores"])
        return select_by_budget(steps, fine["scores"][self.score], budget, partial(count_tokens, self.tokenizer))

    def refuse_missing(self, scores: Mapping[str, Any]) -> None:
        """Check that a row's scores hold the one that is asked for."""
        if self.score != self.stored_score and self.score not in scores:
            raise UsageError(f"the result holds no score {self.score!r}; it holds: {', '.join(scores)}")


@dataclass(frozen=True)
class FormerResult:
    """The tables of a result, row by row about the same rows, and its run.json."""

    run: Mapping[str, Any]
    train: Dataset
    messages: Dataset
    records: Dataset
    unusable: Dataset | None

    @classmethod
    def open(cls, folder: Path, run: Mapping[str, Any]) -> FormerResult:
        """Open the result whose run.json is `run`.

        Raises:
            `UsageError`: if the folder is no whole result.
        """
        tables = [_table(folder, config, "train") for config in ("default", "messages", "steps")]
        train, messages, records = tables
        if train is None or messages is None or records is None:
            raise UsageError(f"{folder.name!r} lacks its default, messages or steps config: prune the traces anew")
        return cls(run, train, messages, records, _table(folder, "default", "unusable"))

    @property
    def ids(self) -> dict[str, Any]:
        """Features of the columns that name a row."""
        return {name: feature for name, feature in self.train.features.items() if name not in RESERVED}


def _table(folder: Path, config: str, split: str) -> Dataset | None:
    from datasets import Dataset

    # Read as plain Parquet files: by name, a folder rewritten in place could come from a cache.
    files = [str(path) for path in table_files(folder, config, split)]
    return Dataset.from_parquet(files) if files else None


def count_scored(folder: Path, run: Mapping[str, Any], rebudget: Rebudget) -> tuple[int, int]:
    """How many rows of a former result, whose run.json is `run`, hold scores, and how many usable ones hold none.

    Raises:
        `UsageError`: if they do not hold the score that is asked for.
    """
    records = FormerResult.open(folder, run).records
    scores = [recorded_stages(record)[-1].get("scores") for record in records]
    for one in filter(None, scores):
        rebudget.refuse_missing(one)
    scored = sum(map(bool, scores))
    return scored, len(scores) - scored


def largest_ratio(settings: Mapping[str, Any]) -> float:
    """The largest share of the tokens that a new budget can ask for: what stage 1 left, where the answer was its
    anchor and a share was its measure; 1.0 where no share decided. What it cut was never scored.

    Args:
        settings (`Mapping`):
            Those in `run.json`.
    """
    return float(settings.get("answer_keep", 1.0))


def rewrite_result(
    folder: Path,
    run: Mapping[str, Any],
    output_dir: Path,
    rebudget: Rebudget | None,
    settings: Mapping[str, Any],
    overwrite: bool = False,
    retokenizing: Retokenizing | None = None,
) -> dict[str, Any]:
    """Write a former result, whose run.json is `run`, anew; returns the summary.

    Args:
        folder (`Path`), run (`Mapping`):
            The former result, and what its run.json says.
        output_dir (`Path`), overwrite (`bool`, *optional*, defaults to `False`):
            Where the new one goes, and whether it replaces one.
        rebudget ([`Rebudget`], *optional*):
            The new decision; `None`: the same as in the former run.
        settings (`Mapping`):
            What the new run.json tells.
        retokenizing ([`Retokenizing`], *optional*):
            Another tokenizer. The rows that no pruner could work on stay as they are.
    """
    started = time.monotonic()
    former = FormerResult.open(folder, run)
    with DatasetWriter(output_dir, overwrite, [folder]) as writer:
        result = ResultWriter(writer, former.ids)
        for training, messages, record in zip(former.train, former.messages, former.records, strict=True):
            ids = {name: training[name] for name in former.ids}
            row = Row(training["row"], ids, training["prompt"], record["question"], messages["messages"][:-1])
            _write_anew(result, row, record, rebudget, retokenizing)
        for row in former.unusable or ():
            ids = {name: row[name] for name in former.ids}
            result.add_unusable(Row(row["row"], ids, row["prompt"]), row["completion"], row["reason"])
        result.add_left_out_before(folder / FILTERED_FILE, run["summary"])
        account = result.summary.as_dict(seconds=round(time.monotonic() - started, 3))
        source = {name: run[name] for name in ("source", "source_revision", "source_license")}
        finish(writer, source, settings, account)
    return account


def _write_anew(
    result: ResultWriter,
    row: Row,
    record: Mapping[str, Any],
    rebudget: Rebudget | None,
    retokenizing: Retokenizing | None,
) -> None:
    if retokenizing is not None:
        try:
            row = retokenizing.row(row)
        except UnusableTrace as error:
            return result.add_unusable(replace(row, prompt=""), source_trace(record).completion, error.reason)
    pruning = rebudget.prune(record) if rebudget is not None else _as_before(record)
    if retokenizing is not None:
        tokens = retokenizing.tokens(row, pruning.trace)
    else:
        around = record["tokens_in_all"] - record["tokens_after"]
        tokens = Tokens(record["tokens_before"], pruning.record["stages"][-1]["tokens"], around)
    return result.add(row, pruning, tokens)


def _as_before(record: Mapping[str, Any]) -> Pruning:
    trace = source_trace(record).select(record["kept"])
    return Pruning(trace, record["reason"], {"stages": recorded_stages(record)})


class FinishedRows(Mapping[int, Finished]):
    """Training row, conversation and record of a former result's rows that need no work, by row number, read when
    asked for.

    Args:
        former (`FormerResult`):
            The result.
    """

    def __init__(self, former: FormerResult):
        self._former = former
        numbers, states = former.train["row"], former.train["ok"]
        self._places = {number: place for place, (number, ok) in enumerate(zip(numbers, states, strict=True)) if ok}

    def __getitem__(self, number: int) -> Finished:
        place = self._places[number]
        no_remark = {"remark": ""}  # a former version's rows have none
        rows = self._former.train[place], self._former.messages[place], self._former.records[place]
        return {**no_remark, **rows[0]}, rows[1], {**no_remark, **rows[2]}

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
    if changed := changed_settings(run["settings"], settings) - {"limit"}:
        names = ", ".join(sorted(changed))
        raise UsageError(f"--retry_failed needs the settings of the former run; these differ: {names}")
    former = FormerResult.open(folder, run)
    attempts = [count for count, ok in zip(former.records["attempts"], former.train["ok"], strict=True) if not ok]
    dropped = run["summary"].get("dropped_attempts", 0)
    return FinishedRows(former), max([*attempts, dropped], default=0)


def changed_settings(former: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    """Names of the settings that differ, without those that decide only how often something is tried."""
    changed = {name for name in {*former, *settings} if former.get(name) != settings.get(name)}
    return changed - {"max_attempts", "anchor_backend", "on_failure", "scorer_revision", "dtype"}
