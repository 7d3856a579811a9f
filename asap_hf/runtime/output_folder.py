"""Write an output folder whole or not at all: one process at a time writes beside it, then moves the result into
place."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from ..errors import UsageError
from .folder_lock import Lock, hold_file
from .own_folders import Kind, real_folder, refuse_to_replace

LOCK_FILE = "asap-hf.lock"
_NEW, _OLD = "new", "old"


class WorkingFolder:
    """The hidden folder next to an output folder, `.NAME.partial`, held by this process. To be used in a `with` block.

    A folder of that name is taken for one of ours if it is empty or holds `asap-hf.lock`, and for nothing else's if
    all that lies in it bears a name which is known here. Any other one is the user's, and stays.

    Args:
        output_dir (`Path`):
            The output folder; a link is followed.
        known (`Collection[str]`, *optional*):
            Names of files that the command keeps in it besides what it writes. The first one marks it as ours.
        lock (`Callable`, *optional*, defaults to `fcntl.flock`):
            How to lock, see [`asap_hf.runtime.folder_lock.Lock`].

    Raises:
        [`UsageError`]: if another process holds it, or something of that name is not ours.
        `OSError`: if it cannot be made.
    """

    def __init__(self, output_dir: Path, known: Collection[str] = (), lock: Lock = fcntl.flock):
        self.place = real_folder(output_dir)
        self.working = self.place.parent / f".{self.place.name}.partial"
        self._shown, self._known = repr(str(output_dir)), tuple(known)
        self.place.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._hold(lock)

    def close(self) -> None:
        """Let the next process in, and leave the folder only if something to go on with lies in it; a second time does
        nothing."""
        if self._lock.closed:
            return
        with suppress(OSError):  # the folder was deleted, or the next process holds it already
            if [path.name for path in self.working.iterdir()] == [LOCK_FILE]:
                (self.working / LOCK_FILE).unlink()
                self.working.rmdir()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _hold(self, lock: Lock) -> IO[str]:
        while True:
            if not os.path.lexists(self.working):
                with suppress(FileExistsError):
                    self.working.mkdir()
            with suppress(FileNotFoundError):  # deleted by the process that held it before: try again
                self._refuse_foreign()
                try:
                    held = hold_file(self.working / LOCK_FILE, lock)
                except BlockingIOError as error:
                    raise UsageError(
                        f"another process is writing {self._shown}; wait for it or choose another folder"
                    ) from error
                if held is not None:
                    return held

    def _refuse_foreign(self) -> None:
        if self.working.is_symlink() or not self.working.is_dir():
            if not os.path.lexists(self.working):
                raise FileNotFoundError(self.working)
            raise UsageError(self._in_the_way("is no folder of asap-hf"))
        there = {path.name for path in self.working.iterdir()}
        if there and LOCK_FILE not in there and (not self._known or self._known[0] not in there):
            raise UsageError(self._in_the_way(f"holds {min(there)!r}, which asap-hf did not write"))
        if others := there - {LOCK_FILE, _NEW, _OLD, *self._known}:
            raise UsageError(self._in_the_way(f"holds {min(others)!r}, which does not belong to this run"))

    def _in_the_way(self, why: str) -> str:
        return f"{str(self.working)!r} {why}, and is in the way: move it elsewhere, or choose another --output_dir"


class OutputFolder(WorkingFolder):
    """Write a folder into `new`, which `put_in_place` moves to `place`.

    Killed at any moment, the next one for the same place finds the former folder in `place` or puts it back there, and
    the new one in `place`, whole, or not at all.

    Args:
        output_dir (`Path`):
            Where the folder will stand.
        kind ([`Kind`]):
            What it will be.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace one of its kind. Until `put_in_place` it stays untouched.
        inputs (`Collection[Path]`, *optional*):
            What is read, and may not lie there.
        known, lock:
            As [`WorkingFolder`] has them.

    Raises:
        [`UsageError`]: as [`refuse_to_replace`] and [`WorkingFolder`].
        `OSError`: if it cannot be made.
    """

    def __init__(
        self,
        output_dir: Path,
        kind: Kind,
        overwrite: bool = False,
        inputs: Collection[Path] = (),
        known: Collection[str] = (),
        lock: Lock = fcntl.flock,
    ):
        self._replacing = output_dir, kind, overwrite, inputs
        refuse_to_replace(*self._replacing)
        super().__init__(output_dir, known, lock)
        self.new, self._old = self.working / _NEW, self.working / _OLD
        try:
            self._recover()
            refuse_to_replace(*self._replacing)
            if self.new.exists():  # left by a killed run
                shutil.rmtree(self.new)
        except BaseException:
            self.close()
            raise

    def begin(self) -> Path:
        """Create the empty folder to write into."""
        shutil.rmtree(self.new, ignore_errors=True)
        self.new.mkdir()
        return self.new

    def put_in_place(self) -> None:
        """Move the new folder to its place.

        Raises:
            [`UsageError`]: if something was put there meanwhile that may not be replaced.
            `OSError`: if it cannot be moved; the former folder is in its place then.
        """
        refuse_to_replace(*self._replacing)
        former = self.place.exists()
        if former:
            os.rename(self.place, self._old)
        try:
            os.rename(self.new, self.place)
        except BaseException:
            if former:
                os.rename(self._old, self.place)
            raise
        shutil.rmtree(self._old, ignore_errors=True)

    def close(self) -> None:
        if not self._lock.closed:
            shutil.rmtree(self.new, ignore_errors=True)
        super().close()

    def _recover(self) -> None:
        """Finish what a kill during `put_in_place` left."""
        if not self._old.exists():
            return
        if not self.new.exists():  # killed after the new one was in place
            shutil.rmtree(self._old)
            return
        if self.place.exists() and not (self.place.is_dir() and not any(self.place.iterdir())):
            raise UsageError(
                f"a run that was killed left the former {self._shown} in {str(self._old)!r}, and something else stands"
                " in its place now: move one of them elsewhere"
            )
        os.rename(self._old, self.place)  # onto an empty folder, too
