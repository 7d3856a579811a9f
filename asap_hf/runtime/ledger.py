"""Store finished work on disk by key, so that nothing is computed or paid for twice, also after a kill."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import RunError
from .files import SharedFile, cache_folder, is_read_only
from .ledger_lines import decode_line, encode_line

logger = logging.getLogger(__name__)


def ledger_key(*parts: Any) -> str:
    """The key of a piece of work: a hash of everything that its result depends on.

    Args:
        parts (JSON values):
            Lists and tuples are the same, the order of a dict's keys does not matter, `1` and `1.0` differ.

    Returns:
        `str`: sha256 of the parts' canonical JSON, 64 hex digits, the same in every process and on every machine.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def open_ledger(kind: str) -> Ledger:
    """Open the ledger of one kind of work. It is in the folder that `ASAP_HF_LEDGER` names, else in `asap_hf/ledger`
    under `HF_HOME`, which is by default `~/.cache/huggingface`; with `ASAP_HF_LEDGER=off` nothing is stored or found.

    The variable is read at each call. Within a process every call for one file gives the same object.

    Args:
        kind (`str`):
            `llm` for completions, `scores` for the scores of steps.
    """
    folder = ledger_folder()
    if folder is None:
        return _OFF
    return _ledger_at(os.path.abspath(folder / f"{kind}.jsonl"))


def ledger_is_kept() -> bool:
    """Whether anything is stored and found; false with `ASAP_HF_LEDGER=off`."""
    return ledger_folder() is not None


def ledger_folder() -> Path | None:
    """The folder of the ledgers; `None` where nothing is to be stored."""
    named = os.environ.get("ASAP_HF_LEDGER", "")
    if named.lower() == "off":
        return None
    if named:
        return Path(named).expanduser()
    return cache_folder() / "ledger"


class Ledger(SharedFile):
    """An append-only file of entries, `crc32 {"key": …, "value": …}` one a line, that any number of processes and
    threads may read and write at once. The first value under a key stays: later work may rest on it.

    Only the places of the entries are held in memory. Lines that were damaged or cut short are passed over, counted
    and reported once. [`open_ledger`] gives the one object of a process for a file; it survives forks and is pickled
    by its path.

    A file that may only be read (a read-only file system, another user's folder) is read; where it is not there
    either, nothing is stored yet. What then becomes of new work is said by `keep`, `put` and `check_writable`.

    Args:
        path (`str`):
            The file, made with mode 0600 when it is first needed. Its folder is made too.

    Raises:
        [`RunError`]: from `get` and `put`, if the file cannot be opened, read or written; the disk being full, too.
            What was stored is still there, and the ledger works again as soon as the cause is gone.
    """

    def __init__(self, path: str):
        self._reported = self._reported_unkept = False
        self._lock = Lock()
        super().__init__(path)

    def get(self, key: str) -> Any | None:
        """The value stored under `key` by this or any other process, or `None`."""
        with self._lock, self._explained("read"):
            if key not in self._places:
                self._catch_up()
            value = self._read(key)
            if value is None and key in self._places:  # overwritten in place: what we know of the file is void
                self._start_over()
                self._catch_up()
                value = self._read(key)
            return value

    def put(self, key: str, value: Any) -> None:
        """Store `value` (anything JSON holds, but not `None`) under `key` unless there is a value already. When this
        returns the entry is on disk.

        Raises:
            `ValueError`: if the key is not plain, as [`ledger_key`]'s are, but holds quotes or backslashes.
        """
        self.put_all({key: value})

    def put_all(self, values: Mapping[str, Any]) -> None:
        """Store values by their keys, as `put` does, with one write.

        Raises:
            `ValueError`: as `put`.
        """
        lines = {key: encode_line(key, value) for key, value in values.items()}
        with self._lock, self._explained("write"):
            with self._locked(fcntl.LOCK_EX) as fd:
                self._index(fd)
                new = b"".join(line for key, line in lines.items() if key not in self._places)
                if not new:
                    return
                self._append(fd, new)
                self._index(fd)
            os.fsync(fd)

    def keep(self, values: Mapping[str, Any]) -> None:
        """Store values that can be computed again, as `put_all` does. Where the ledger can only be read they are not
        stored, and one warning per process says so.

        Raises:
            `ValueError`: as `put`.
        """
        try:
            self.put_all(values)
        except RunError as error:
            if not is_read_only(error.__cause__):
                raise
            if not self._reported_unkept:
                self._reported_unkept = True
                logger.warning(
                    "the ledger %s can only be read: what is computed now is not kept, but computed again next time",
                    self.path,
                )

    def check_writable(self) -> None:
        """Check that the results of what is about to be paid for can be stored.

        Raises:
            [`RunError`]: if the ledger can only be read, or not be opened at all.
        """
        with self._lock, self._explained("write"):
            try:
                self._descriptor(to_write=True)
            except OSError as error:
                if not is_read_only(error):
                    raise
                raise RunError(
                    f"the ledger {self.path} can only be read, and an LLM's answers, which may be paid for, would be "
                    "lost: name a folder that can be written in ASAP_HF_LEDGER (off stores nothing)"
                ) from error

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        with self._lock, self._explained("read"):
            self._catch_up()
            return len(self._places)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _ledger_at, (self.path,)

    def after_fork(self) -> None:
        """Open the file and the lock anew in a forked child. A `flock` belongs to the descriptor, which a child
        inherits, and a thread that held the lock does not exist in the child to release it."""
        self._lock = Lock()
        self._start_over()

    def _start_over(self) -> None:
        super()._start_over()
        self._places: dict[str, tuple[int, int]] = {}
        self.damaged = 0

    def _catch_up(self) -> None:
        """Index what other processes appended, if anything. The lock is taken even to read, as otherwise a line that
        is being written looks like one whose writer was killed."""
        if self._fd is None or self._stale(self._fd) or os.fstat(self._fd).st_size > self._end:
            try:
                with self._locked(fcntl.LOCK_SH) as fd:
                    self._index(fd)
            except FileNotFoundError:  # nor can it be made: nothing is stored
                self._start_over()

    def _index(self, fd: int) -> None:
        """Record the offsets of the entries after `_end`. A last line without its newline counts if its checksum is
        right."""
        with open(fd, "rb", closefd=False) as lines:
            lines.seek(self._end)
            for line in lines:
                entry = decode_line(line)
                if entry is not None:
                    self._places.setdefault(json.loads(entry[0]), (self._end, len(line)))
                elif line.strip():
                    self.damaged += 1
                self._end += len(line)
        if self.damaged and not self._reported:
            self._reported = True
            logger.warning("%s: passed over %d damaged lines; the rest is used", self.path, self.damaged)

    def _read(self, key: str) -> Any | None:
        if self._fd is None or key not in self._places:
            return None
        offset, length = self._places[key]
        entry = decode_line(os.pread(self._fd, length, offset))
        return json.loads(entry[1]) if entry is not None and json.loads(entry[0]) == key else None

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"cannot {verb} the ledger {self.path}: {error.strerror}; what it holds is kept. Make room, or name"
                " another folder in ASAP_HF_LEDGER (off stores nothing)"
            ) from error


class _Off(Ledger):
    """Stores nothing, finds nothing."""

    def get(self, key: str) -> None:
        return None

    def put_all(self, values: Mapping[str, Any]) -> None:
        return None

    def check_writable(self) -> None:
        return None

    def __len__(self) -> int:
        return 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _Off, (self.path,)


_OFF = _Off("off")
_ledgers: dict[str, Ledger] = {}


def _ledger_at(path: str) -> Ledger:
    return _ledgers.setdefault(path, Ledger(path))


def _after_fork() -> None:
    for ledger in _ledgers.values():
        ledger.after_fork()


os.register_at_fork(after_in_child=_after_fork)
