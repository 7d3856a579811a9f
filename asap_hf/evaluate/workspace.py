"""`Workspace`: the files of an unfinished evaluation, and how they become a folder, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..benchmarks.results import RESULTS_FILE
from ..errors import UsageError
from ..runtime.files import disk_errors
from ..runtime.json_lines import Lines, first_differences
from ..runtime.output_folder import OutputFolder
from ..runtime.own_folders import Kind, read_metadata
from .samples import GENERATIONS_FILE, SAMPLES_FILE

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

_SETTINGS = "settings.json"
_LINES = ("generations.jsonl", "sessions.jsonl", "verdicts.jsonl")


def _known(folder: Path) -> Collection[str] | None:
    summary = read_metadata(folder / RESULTS_FILE)
    return (RESULTS_FILE, SAMPLES_FILE, GENERATIONS_FILE) if summary and "run" in summary else None


def _known_if_graded(folder: Path) -> Collection[str] | None:
    # What was generated here was paid for: a grading of samples from elsewhere is no reason to give it up.
    return None if (folder / GENERATIONS_FILE).exists() else _known(folder)


EVALUATION = Kind("an evaluation", _known)
GRADED = Kind("graded samples", _known_if_graded)


class Workspace:
    """The unfinished evaluation next to `output_dir`, new or continued. To be used in a `with` block.

    Args:
        output_dir (`Path`):
            Where the finished one will stand.
        settings (`Mapping[str, Any]`):
            What decides about the generations, as JSON has it.
        overwrite (`bool`):
            Replace what stands in `output_dir`, at the end; and move an unfinished evaluation with other settings
            aside, now.
        kind ([`Kind`], *optional*, defaults to `EVALUATION`):
            The kind of result, or `GRADED`.

    Raises:
        [`UsageError`]: if an unfinished evaluation has other settings; and as [`OutputFolder`].
        [`RunError`]: if the disk does not take it.
    """

    def __init__(
        self, output_dir: Path, settings: Mapping[str, Any], overwrite: bool = False, kind: Kind = EVALUATION
    ):
        self.output_dir = output_dir
        with disk_errors("the evaluation"):
            # Not `flock`, which an engine's forked processes would hold on to after this one was killed.
            known = (_SETTINGS, f"{_SETTINGS}.new", *_LINES)
            self._space = OutputFolder(output_dir, kind, overwrite, known=known, lock=fcntl.lockf)
        self.folder = self._space.working
        try:
            with disk_errors("the evaluation"):
                self._settle(json.loads(json.dumps(settings)), overwrite)
        except BaseException:
            self._space.close()
            raise
        self.generations = Lines(self.folder / "generations.jsonl")
        self.sessions = Lines(self.folder / "sessions.jsonl")
        self.verdicts = Lines(self.folder / "verdicts.jsonl")

    def of(self, benchmark: str) -> list[dict[str, Any]]:
        """The generations for a benchmark so far."""
        return [one for one in self.generations.records if one["benchmark"] == benchmark]

    def finish(self, tables: Mapping[str, pa.Table], texts: Mapping[str, str]) -> None:
        """Write the files of the finished evaluation and put its folder in place.

        Args:
            tables (`Mapping[str, pa.Table]`):
                Parquet files by name.
            texts (`Mapping[str, str]`):
                Other files by name.
        """
        import pyarrow.parquet as pq

        with disk_errors("the evaluation"):
            result = self._space.begin()
            for name, table in tables.items():
                pq.write_table(table, result / name)
            for name, text in texts.items():
                (result / name).write_text(text, encoding="utf-8")
            self._space.put_in_place()
            self._forget()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *exception: object) -> None:
        for lines in (self.generations, self.sessions, self.verdicts):
            lines.close()
        if not self.generations.records and not self.verdicts.records:  # nothing to go on with, only to be in the way
            self._forget()
        self._space.close()

    def _settle(self, settings: dict[str, Any], overwrite: bool) -> None:
        """Create the folder, or check that what it holds was made with the same settings."""
        path = self.folder / _SETTINGS
        if path.exists():
            former = json.loads(path.read_text(encoding="utf-8"))
            if former == settings:
                return
            if not overwrite:
                raise UsageError(
                    f"an unfinished evaluation for {str(self.output_dir)!r} was begun with other settings "
                    f"({first_differences(former, settings)}): take those to go on with it, choose another folder, or "
                    "pass --overwrite to begin anew; what is there is moved aside"
                )
            self._move_aside()
        self._forget()
        written = self.folder / f"{_SETTINGS}.new"
        written.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        written.rename(path)

    def _move_aside(self) -> None:
        """Keep what was generated under other settings: it was paid for."""
        place, number = self._space.place, 1
        while (aside := place.with_name(f"{place.name}.unfinished-{number}")).exists():
            number += 1
        aside.mkdir()
        for name in (*_LINES, _SETTINGS):
            if (self.folder / name).exists():
                (self.folder / name).rename(aside / name)
        logger.warning(
            "the unfinished evaluation with other settings is kept in %s; to go on with it, move it to %s",
            aside,
            self.folder,
        )

    def _forget(self) -> None:
        """Delete the files of the unfinished evaluation: the settings first, without which the others are not used."""
        for name in (_SETTINGS, f"{_SETTINGS}.new", *_LINES):
            (self.folder / name).unlink(missing_ok=True)
