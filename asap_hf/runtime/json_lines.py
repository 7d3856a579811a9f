"""`Lines`: a file of JSON lines that survives a kill at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import RunError


class Lines:
    """Records that are appended one by one, each on disk when `add` returns. A line that a kill cut short is passed
    over. One process at a time.

    Args:
        path (`Path`):
            The file, made if need be.

    Raises:
        [`RunError`]: if it cannot be read or written, the disk being full, too.
    """

    def __init__(self, path: Path):
        with disk_errors():
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
        with disk_errors():
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        self._torn = False
        self.records.append(dict(record))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def disk_errors() -> Iterator[None]:
    """Trouble with the disk, as one sentence.

    Raises:
        [`RunError`]: for an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"the evaluation cannot be kept ({error.strerror or error}); make room, then run the same command again: "
            "what was finished is there"
        ) from error


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def told_apart(former: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The first settings that differ, as an operator reads them; empty where none does."""
    names = [name for name in {**former, **settings} if former.get(name) != settings.get(name)]
    return "; ".join(f"{name} {former.get(name)!r}, now {settings.get(name)!r}" for name in names[:3])
