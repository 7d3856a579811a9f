"""`Leash`: processes that a library started end with this one, however it ends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable


class Leash:
    """Kills processes once this one is gone, be it by SIGKILL: vLLM 0.32's engine would live on, with all of the GPU's
    memory, and the next run could not start.

    Args:
        pids (`Iterable[int]`):
            The processes.
    """

    def __init__(self, pids: Iterable[int]):
        # `read` ends when the other end of the pipe, which only this process has, is closed.
        command = ["sh", "-c", 'read _; kill -9 "$@"', "sh", *map(str, pids)]
        self._holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def release(self) -> None:
        """Let them be."""
        self._holder.kill()
        self._holder.communicate()
