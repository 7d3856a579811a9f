"""`ChildGuard`: end child processes when this process ends, also when it is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable


class ChildGuard:
    """Kills processes once this one is gone, also after SIGKILL. Without it vLLM 0.32's engine keeps running and holds
    all of the GPU's memory, and the next run cannot start.

    Args:
        pids (`Iterable[int]`):
            The processes to kill.
    """

    def __init__(self, pids: Iterable[int]):
        # `read` ends when the other end of the pipe, which only this process has, is closed.
        command = ["sh", "-c", 'read _; kill -9 "$@"', "sh", *map(str, pids)]
        self._holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def release(self) -> None:
        """Stop guarding; the processes keep running."""
        self._holder.kill()
        self._holder.communicate()
