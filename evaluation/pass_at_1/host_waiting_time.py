"""How long a job waited for a processor, as the kernel says it thread by thread."""

from __future__ import annotations

import os
from contextlib import suppress

_STEP = 0.2  # seconds between two looks


class Waits:
    """What a job waited so far.

    Args:
        jail (`int`):
            Process id of the jail, which the job's threads wait for when they begin and end.
    """

    def __init__(self, jail: int):
        self.job: int | None = None
        """Process id of the job, once that is known."""
        self._jail = jail
        self._by_thread: dict[str, float] = {}
        self._jail_before: float | None = None
        self._for_jail = 0.0
        self._unseen = 0.0

    @property
    def seconds(self) -> float:
        """Time that its threads, those that have ended too, were ready to run but had no processor, and that the jail
        took for them; as of the last [`look`]."""
        return sum(self._by_thread.values()) + self._for_jail

    @property
    def is_known(self) -> bool:
        """Whether the kernel says it."""
        return bool(self._by_thread)

    def look(self) -> bool:
        """Note what each thread has waited so far. Whether there was something to see: the job may have ended."""
        is_seen = False
        folder = f"/proc/{self.job}/task"
        with suppress(OSError):
            for thread in os.listdir(folder):
                with suppress(OSError):
                    _, waited = _schedule(f"{folder}/{thread}/schedstat")
                    self._by_thread[thread] = max(waited, self._by_thread.get(thread, 0.0))
                    is_seen = True
            for_jails = sum(_schedule(f"/proc/{self._jail}/schedstat"))
            if self._jail_before is None:
                self._jail_before = for_jails
            self._for_jail = for_jails - self._jail_before
        return is_seen

    def pass_time(self, seconds: float) -> None:
        """Look from time to time: what a thread waited is not known any more when it has ended.

        Args:
            seconds (`float`):
                How long the job ran since the last call.
        """
        self._unseen += seconds
        if self._unseen >= _STEP:
            self._unseen = 0.0
            self.look()


def _schedule(path: str) -> tuple[float, float]:
    """Seconds that something ran, and that it waited for a processor."""
    with open(path) as fields:
        ran, waited, _ = map(int, fields.read().split())
    return ran / 1e9, waited / 1e9
