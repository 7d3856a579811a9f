"""Read results of `asap-hf prune` row by row in the source's order, several results in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..dataset.result_folder import RUN_FILE, former_run
from ..dataset.writer import table_files, table_rows
from ..errors import UnusableTrace, UsageError
from ..traces.splitting import DEFAULT_SPLITTER
from ..traces.trace import Trace


@dataclass(frozen=True)
class Result:
    """A folder that `asap-hf prune` wrote, or one of the configs that `asap_hf.dataset.merge` put into one folder."""

    folder: Path
    run: Mapping[str, Any]
    """What its run.json says."""
    name: str
    """Of the folder or the config."""
    config: str = ""
    """The config; empty for a result of `asap-hf prune`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """How it was pruned."""
        run = self.run["runs"][self.config] if self.config else self.run
        settings: Mapping[str, Any] = run["settings"]
        return settings

    def rows(self) -> Iterator[dict[str, Any]]:
        """The record of each row with the `completion` that is trained on, ascending by `row`. A row that no pruner
        could work on is one step, which stays."""
        if self.config:
            return map(self._as_record, table_rows(self.folder, self.config, "train"))
        records = table_rows(self.folder, "steps", "train")
        training = table_rows(self.folder, "default", "train", ["completion"])
        pruned = ({**record, **trained} for record, trained in zip(records, training, strict=True))
        unusable = map(_unusable, table_rows(self.folder, "default", "unusable"))
        return merge(pruned, unusable, key=itemgetter("row"))

    def _as_record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row to train on as if it had been pruned to what it holds: there is no record of the steps before."""
        try:
            trace = Trace.parse(row["prompt"], row["completion"], self.settings.get("splitter", DEFAULT_SPLITTER))
        except UnusableTrace:
            return _unusable(row)
        return {**_whole(row, trace.steps, trace.closing, trace.answer), "unrecorded": True}


def open_results(folder: Path, others: Sequence[Path] = ()) -> list[Result]:
    """Open the result to show, and those to compare it with.

    Args:
        folder (`Path`):
            A result of `asap-hf prune`, or a folder with a config for each of several pruners, whose first one is then
            shown and compared with the others.
        others (`Sequence[Path]`, *optional*):
            Results of the same source rows.

    Raises:
        [`UsageError`]: if a folder is no result, or is one of several pruners where it cannot be.
    """
    run = _run_of(folder)
    if "runs" not in run:
        return [Result(folder, run, folder.resolve().name), *_open_others(others)]
    if others:
        raise UsageError(f"{folder.name!r} holds the runs of several pruners already: leave --compare away")
    return [Result(folder, run, name, name) for name in run["runs"]]


def _open_others(folders: Sequence[Path]) -> Iterator[Result]:
    for folder in folders:
        run = _run_of(folder)
        if "runs" in run:
            raise UsageError(f"{folder.name!r} holds the runs of several pruners: give --compare one result each")
        yield Result(folder, run, folder.resolve().name)


def _run_of(folder: Path) -> dict[str, Any]:
    run = former_run(folder)
    if run is None:
        raise UsageError(f"{str(folder)!r} is no result of asap-hf prune: it holds no {RUN_FILE}")
    if "runs" not in run and not table_files(folder, "steps", "train"):
        raise UsageError(f"{str(folder)!r} lacks its steps config: prune the traces anew")
    return run


def side_by_side(results: Sequence[Result]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any] | None]]]:
    """The rows of the first result, each with what the others have under the same number, `None` where nothing."""
    first, *others = results
    readers = [_RowsByNumber(other.rows()) for other in others]
    for row in first.rows():
        yield row, [one.at(row["row"]) for one in readers]


class _RowsByNumber:
    """Reads rows in ascending order of their number."""

    def __init__(self, rows: Iterator[dict[str, Any]]):
        self._rows = rows
        self._next = next(rows, None)

    def at(self, number: int) -> dict[str, Any] | None:
        while self._next is not None and self._next["row"] < number:
            self._next = next(self._rows, None)
        return self._next if self._next is not None and self._next["row"] == number else None


def _unusable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**_whole(row, [row["completion"]], "", ""), "unusable": True}


def _whole(row: Mapping[str, Any], steps: Sequence[str], closing: str, answer: str) -> dict[str, Any]:
    """A record in which every step is kept and nothing else is known."""
    everything = list(range(len(steps)))
    decided = {"kept": everything, "coarse_kept": everything, "removal_order": [], "lengths": [], "record": "[]"}
    defaults = {"anchor": "", "attempts": 0, "windows": 0, "budget": 0}
    texts = {"question": row["prompt"], "steps": list(steps), "closing": closing, "answer": answer}
    return {**row, **texts, **decided, **defaults}
