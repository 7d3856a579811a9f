"""Lock a file so that one process at a time holds it; the lock ends with the process, also when it is killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

Lock = Callable[[IO[str], int], None]
"""How to lock: `fcntl.flock`, or `fcntl.lockf` where the process forks others, which would hold a `flock` after its
death."""


def hold_file(path: Path, lock: Lock = fcntl.flock) -> IO[str] | None:
    """Create a file and lock it; nothing is written to it.

    Returns:
        The locked file; `None` if it, or its folder, was deleted meanwhile: the process that held it has just ended.

    Raises:
        `BlockingIOError`: if another process holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        return None
    held = os.fdopen(descriptor, "r+")
    try:
        lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:  # systems differ in which one they raise
        held.close()
        raise BlockingIOError(*error.args) from error
    if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
        return held
    held.close()
    return None
