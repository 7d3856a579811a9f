"""`Results`: store measurements as JSON lines, so that a comparison continues where it was stopped."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..dataset.result_folder import RUN_FILE
from ..errors import UsageError
from ..runtime.files import disk_errors
from ..runtime.json_lines import Lines, first_differences

logger = logging.getLogger(__name__)

RESULT_LINES_FILE, TABLE_FILE = "results.jsonl", "table.md"

Measurement = dict[str, Any]
Key = tuple[str, str, float | None]


def key_of(result: Mapping[str, Any]) -> Key:
    """Trace, pruner, ratio."""
    return result["trace"], result["pruner"], result["ratio"]


def refuse_foreign(folder: Path) -> None:
    """Check that a comparison replaces nothing but an earlier comparison's files.

    Raises:
        [`UsageError`]: if a file of one of those names was not written by a comparison.
    """
    path = folder / RESULT_LINES_FILE
    if path.exists() and not _is_ours(path):
        raise UsageError(f"{str(path)!r} was not written by compare-pruners: choose another --output_dir")
    if not path.exists() and (foreign := [name for name in (TABLE_FILE, RUN_FILE) if (folder / name).exists()]):
        raise UsageError(f"{str(folder)!r} holds a {foreign[0]} of something else: choose another --output_dir")


def _is_ours(path: Path) -> bool:
    """Whether the file is empty, as a kill leaves it, or its first line holds settings."""
    if not path.is_file():
        return False
    with disk_errors("the comparison"), path.open("rb") as file:
        first = file.readline()
    try:
        record = json.loads(first or b'{"settings": {}}')
    except ValueError:
        return False
    return isinstance(record, dict) and "settings" in record


class Results:
    """Results on disk. The first line of the file holds the settings that all of them share; a result names the pruner
    that made it by its identity. Of two results with one key the later counts.

    Args:
        folder (`Path`):
            Where `results.jsonl` is, or will be.
        settings (`Mapping[str, Any]`):
            What every result depends on, as JSON has it.
        overwrite (`bool`, *optional*, defaults to `False`):
            Begin a new file where results were measured with other settings; the former file is kept.

    Raises:
        [`UsageError`]: if the file holds results of other settings.
        [`RunError`]: if the disk does not take it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], overwrite: bool = False):
        self.path, self._overwrite = folder / RESULT_LINES_FILE, overwrite
        with disk_errors("the comparison"):
            folder.mkdir(parents=True, exist_ok=True)
        self._lines = Lines(self.path)
        former = self._lines.records[0].get("settings", {}) if self._lines.records else dict(settings)
        if former != settings and overwrite:
            self._start_over()
        elif former != settings:
            raise UsageError(
                f"{str(self.path)!r} holds results of other settings ({first_differences(former, settings)}): take "
                "those, choose another --output_dir, or pass --overwrite to begin anew beside them"
            )
        if not self._lines.records:
            self._lines.add({"settings": dict(settings)})
        self._of: dict[Key, Measurement] = {key_of(result): result for result in self._lines.records[1:]}

    def refuse_others(self, identities: Mapping[tuple[str, float | None], str], traces: Collection[str]) -> None:
        """Check that the results about these traces come from the pruners that are asked for; with `overwrite`, drop
        the others.

        Args:
            identities (`Mapping[tuple[str, float | None], str]`):
                By name and ratio.
            traces (`Collection[str]`):
                Keys.

        Raises:
            [`UsageError`]: if one is another.
        """
        for result in self.about(traces):
            name, ratio = result["pruner"], result["ratio"]
            if result["identity"] == identities.get((name, ratio), result["identity"]):
                continue
            if not self._overwrite:
                raise UsageError(
                    f"{str(self.path)!r} holds results of {name!r} at ratio {ratio} with other settings or of another "
                    "version: take those, choose another --output_dir, or pass --overwrite to measure anew"
                )
            del self._of[key_of(result)]

    def add(self, result: Measurement) -> None:
        """Store a result; it is on disk when this returns."""
        self._lines.add(result)
        self._of[key_of(result)] = result

    def about(self, traces: Iterable[str]) -> list[Measurement]:
        """The results about these traces, whichever pruners made them."""
        wanted = set(traces)
        return [result for result in self._of.values() if result["trace"] in wanted]

    def __contains__(self, key: Key) -> bool:
        return key in self._of

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _start_over(self) -> None:
        """Begin a new file, and keep the former one under another name: its results took hours."""
        self._lines.close()
        number = 1
        while (aside := self.path.with_name(f"results-{number}.jsonl")).exists():
            number += 1
        with disk_errors("the comparison"):
            self.path.rename(aside)
        logger.warning("the results of other settings are kept in %s", aside)
        self._lines = Lines(self.path)
