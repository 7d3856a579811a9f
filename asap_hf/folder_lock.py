"""One process at a time writes an output folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .errors import UsageError


def hold_folder(output_dir: Path, lock: Callable[[IO[str], int], None] = fcntl.flock) -> IO[str]:
    """Hold the output folder for this process; the lock goes with the process, however it ends.

    Args:
        output_dir (`Path`):
            The folder that will be written. The lock is a hidden file beside it.
        lock (`Callable`, *optional*, defaults to `fcntl.flock`):
            How to lock. `fcntl.lockf` where the process forks others, which would hold a `flock` after its death.

    Returns:
        The locked file, for [`release_folder`].

    Raises:
        [`UsageError`]: if another process holds it.
    """
    path = output_dir.parent / f".{output_dir.name}.lock"
    while True:
        held = path.open("w")
        try:
            lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            held.close()
            raise UsageError(
                f"another process is writing {str(output_dir)!r}; wait for it or choose another folder"
            ) from error
        if path.exists() and os.fstat(held.fileno()).st_ino == path.stat().st_ino:
            return held
        held.close()  # whoever held it has just removed the file: lock the one that is there now


def release_folder(held: IO[str]) -> None:
    """Let the next process in; a second time does nothing."""
    if not held.closed:
        Path(held.name).unlink(missing_ok=True)
        held.close()
