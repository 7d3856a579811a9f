"""`SharedAccountStore`: an account in a folder that several processes share."""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import RLock
from typing import Any

from ..errors import RunError, UsageError
from .account_store import AccountStore, State, Usage


class SharedAccountStore(AccountStore):
    """An account in a folder, `state.json`, that any number of processes and threads read and write at once. A process
    that is killed leaves what it had set aside; the next one that needs the money, or begins, books it as spent.

    Args:
        folder (`Path`):
            Made with mode 0700 when something is booked first.

    Raises:
        [`RunError`]: from every method, if the folder cannot be read or written, or was removed on the way.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self._start_over()

    def _start_over(self) -> None:
        self.process = uuid.uuid4().hex
        self._alive: int | None = None  # a lock on a file of our own, which goes with the process however it ends

    def after_fork(self) -> None:
        """Begin anew in a forked child: the parent's requests in flight stay the parent's, and its lock must not stay
        open here."""
        self._lock = RLock()
        self.leave()

    @contextmanager
    def open(self) -> Iterator[State]:
        with self._lock:
            with self._explained():
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                with self._explained():
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    state = self._read()
                    if self._alive is None:
                        self._join(state)
                before = asdict(state)
                yield state
                if asdict(state) != before:
                    with self._explained():
                        self._write(state)
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # closing alone would not: a child that was forked now has it, too
                os.close(lock)

    def look(self) -> State:
        with self._explained():
            return self._read()

    def forfeit_of_the_dead(self, state: State) -> None:
        for path in self.folder.glob("*.process"):
            if path.stem != self.process and _is_over(path):
                worst = state.reserved.pop(path.stem, 0.0)
                state.usage.cost += worst
                state.usage.assumed += worst
                path.unlink()

    def remove(self) -> None:
        """Remove the account: the run is over. What else lies in the folder stays."""
        with self._lock, suppress(OSError):
            for path in self.folder.iterdir():
                if _is_ours(path):
                    path.unlink()
            self.folder.rmdir()
        self.leave()

    def refuse_foreign(self) -> None:
        """See that the folder, if it is there, is an account's.

        Raises:
            [`UsageError`]: if something else bears its name.
        """
        if not self.folder.exists() and not self.folder.is_symlink():
            return
        inside = (
            list(self.folder.iterdir()) if self.folder.is_dir() and not self.folder.is_symlink() else [self.folder]
        )
        if foreign := sorted(path.name for path in inside if not _is_ours(path)):
            raise UsageError(
                f"{str(self.folder)!r}, where the account of this run would be kept, is somebody's ({foreign[0]!r}): "
                "move it elsewhere, or choose another --output_dir"
            )

    def leave(self) -> None:
        """Release this process's lock, as if it had ended; the next booking takes a new one."""
        with self._lock:
            self.bought = self.from_ledger = 0
            self.in_flight.clear()
            if self._alive is not None:
                os.close(self._alive)
            self._start_over()

    def _join(self, state: State) -> None:
        """Register this process as alive. The first one of a start tries a server again that billed more than it was
        asked for."""
        self.forfeit_of_the_dead(state)
        if not any(self.folder.glob("*.process")):
            state.stopped = ""
        self._write(state)
        path = self.folder / f"{self.process}.process"
        self._alive = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._alive, fcntl.LOCK_EX)

    def _read(self) -> State:
        try:
            record: dict[str, Any] = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            if self._alive is not None:
                raise RunError(f"the account of this run was removed from {self.folder} while it went on") from None
            return State()
        return State(Usage(**record["usage"]), record["reserved"], record["stopped"])

    def _write(self, state: State) -> None:
        """Whole or not at all, however the process ends."""
        partial = self.folder / "state.partial"
        partial.write_text(json.dumps(asdict(state)), encoding="utf-8")
        partial.replace(self.folder / "state.json")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, TypeError, KeyError) as error:
            what = getattr(error, "strerror", None) or f"it is damaged ({error})"
            raise RunError(
                f"cannot keep the account of what this run spends in {self.folder}: {what}. Mend that, or remove the"
                " folder to begin a new account"
            ) from error


def _is_ours(path: Path) -> bool:
    return path.name in ("lock", "state.json", "state.partial") or path.suffix == ".process"


def _is_over(path: Path) -> bool:
    """Whether the process with this file is gone: it held a lock on it for as long as it lived."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


_stores: dict[Path, SharedAccountStore] = {}


def shared_store(folder: Path) -> SharedAccountStore:
    """The one object of this process for the account in `folder`."""
    return _stores.setdefault(folder, SharedAccountStore(folder))


def _after_fork() -> None:
    for store in _stores.values():
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork)
