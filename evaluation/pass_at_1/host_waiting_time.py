"""Measures how long a job's threads waited for a processor, from the kernel's /proc/<pid>/task/<tid>/schedstat."""

from __future__ import annotations

import os
from contextlib import suppress

_STEP = 0.2  # seconds between two measurements


class WaitingTime:
    """The time for which a job could not run, through no fault of its own.

    Args:
        jail (`int`):
            Process id of the jail's fork server, which decides about the job's threads: they wait for it when they
            begin and end.
    """

    def __init__(self, jail: int):
        self.job: int | None = None
        """Process id of the job, once it has begun."""
        self._jail = jail
        self._by_thread: dict[str, float] = {}
        self._jail_before: float | None = None
        self._for_jail = 0.0
        self._not_measured = 0.0

    @property
    def seconds(self) -> float:
        """Seconds as of the last [`measure`]: all threads' time without a processor while they were ready to run,
        ended threads included, and the time that the fork server worked or waited."""
        return sum(self._by_thread.values()) + self._for_jail

    @property
    def is_known(self) -> bool:
        """Whether the kernel has reported any thread's time."""
        return bool(self._by_thread)

    def measure(self) -> bool:
        """Read the times of all threads. False if there are none to read: the job may have ended."""
        found = False
        folder = f"/proc/{self.job}/task"
        with suppress(OSError):
            for thread in os.listdir(folder):
                with suppress(OSError):
                    _, waited = _schedule(f"{folder}/{thread}/schedstat")
                    self._by_thread[thread] = max(waited, self._by_thread.get(thread, 0.0))
                    found = True
            for_jails = sum(_schedule(f"/proc/{self._jail}/schedstat"))
            if self._jail_before is None:
                self._jail_before = for_jails
            self._for_jail = for_jails - self._jail_before
        return found

    def pass_time(self, seconds: float) -> None:
        """Measure from time to time, as the time of a thread cannot be read any more once it has ended.

        Args:
            seconds (`float`):
                How long the job ran since the last call.
        """
        self._not_measured += seconds
        if self._not_measured >= _STEP:
            self._not_measured = 0.0
            self.measure()


def _schedule(path: str) -> tuple[float, float]:
    """Seconds for which a thread ran, and for which it waited for a processor."""
    with open(path) as fields:
        ran, waited, _ = map(int, fields.read().split())
    return ran / 1e9, waited / 1e9
