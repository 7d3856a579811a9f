"""`Workspace`: where an evaluation lies while it is unfinished, and how it becomes a folder, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..folder_lock import hold_folder, release_folder
from ..output import refuse_to_replace
from .lines import Lines, disk_errors, told_apart

if TYPE_CHECKING:
    import pyarrow as pa

_SETTINGS = "settings.json"


class Workspace:
    """The unfinished evaluation beside `output_dir`, made or gone on with. To be used in a `with` block.

    Args:
        output_dir (`Path`):
            Where the finished one will stand.
        settings (`Mapping[str, Any]`):
            What decides about the generations, as JSON has it.
        overwrite (`bool`):
            Replace what stands in `output_dir`, at the end; and an unfinished evaluation with other settings, now.

    Raises:
        [`UsageError`]: if `output_dir` holds something and `overwrite` is false, if an unfinished evaluation has other
            settings, or if another process is writing it.
        [`RunError`]: if the disk does not take it.
    """

    def __init__(self, output_dir: Path, settings: Mapping[str, Any], overwrite: bool = False):
        self.output_dir = output_dir
        parent, name = output_dir.parent, output_dir.name
        self.folder = parent / f".{name}.partial"
        self._old = parent / f".{name}.old"
        with disk_errors():
            parent.mkdir(parents=True, exist_ok=True)
            # Not `flock`, which an engine's forked processes would hold on to after this one was killed.
            self._lock = hold_folder(output_dir, fcntl.lockf)
        try:
            with disk_errors():
                if self._old.exists() and not output_dir.exists():  # killed between the two renames of `finish`
                    self._old.rename(output_dir)
            refuse_to_replace(output_dir, overwrite)
            with disk_errors():
                self._settle(json.loads(json.dumps(settings)), overwrite)
        except BaseException:
            release_folder(self._lock)
            raise
        self.generations = Lines(self.folder / "generations.jsonl")
        self.sessions = Lines(self.folder / "sessions.jsonl")
        self.verdicts = Lines(self.folder / "verdicts.jsonl")

    def of(self, benchmark: str) -> list[dict[str, Any]]:
        """The generations for a benchmark that are there."""
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

        result = self.folder / "result"
        with disk_errors():
            shutil.rmtree(result, ignore_errors=True)
            result.mkdir()
            for name, table in tables.items():
                pq.write_table(table, result / name)
            for name, text in texts.items():
                (result / name).write_text(text, encoding="utf-8")
            shutil.rmtree(self._old, ignore_errors=True)
            if self.output_dir.exists():
                self.output_dir.rename(self._old)
            result.rename(self.output_dir)
        shutil.rmtree(self._old, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *exception: object) -> None:
        for lines in (self.generations, self.sessions, self.verdicts):
            lines.close()
        if not self.generations.records and not self.verdicts.records:  # nothing to go on with, only to be in the way
            shutil.rmtree(self.folder, ignore_errors=True)
        release_folder(self._lock)

    def _settle(self, settings: dict[str, Any], overwrite: bool) -> None:
        """Make the folder, or see that what it holds was made in the same way."""
        path = self.folder / _SETTINGS
        if path.exists():
            former = json.loads(path.read_text(encoding="utf-8"))
            if former == settings:
                return
            if not overwrite:
                raise UsageError(
                    f"an unfinished evaluation for {str(self.output_dir)!r} was begun with other settings "
                    f"({told_apart(former, settings)}): take those to go on with it, choose another folder, or pass "
                    "--overwrite to begin anew"
                )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        written = self.folder / f"{_SETTINGS}.new"
        written.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        written.rename(path)
