"""`Lines`: append records to a file of JSON lines; a kill at any moment loses no finished line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import disk_errors


class Lines:
    """Records that are appended one by one, each on disk when `add` returns. A line that a kill cut short is skipped.
    One process at a time.

    Args:
        path (`Path`):
            The file, made if need be.

    Raises:
        [`RunError`]: if it cannot be read or written, the disk being full, too.
    """

    def __init__(self, path: Path):
        self._name = repr(str(path))
        with disk_errors(self._name):
            self._file = path.open("a+b", buffering=0)
            self._file.seek(0)
            content = self._file.read()
        self.records = [record for line in content.split(b"\n") if (record := _record(line)) is not None]
        self._torn = bool(content) and not content.endswith(b"\n")

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record."""
        line = json.dumps(record).encode() + b"\n"
        rest = memoryview(b"\n" + line if self._torn else line)
        self._torn = True  # until all of it is there
        with disk_errors(self._name):
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        self._torn = False
        self.records.append(dict(record))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def first_differences(former: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The first three settings that differ, with both values; empty where none does."""
    names = [name for name in {**former, **settings} if former.get(name) != settings.get(name)]
    return "; ".join(f"{name} {former.get(name)!r}, now {settings.get(name)!r}" for name in names[:3])
