"""Decides when a job has used up its time.

The limit is on processor time, so that a loaded machine does not fail a right program. A program that sleeps uses
none, so wall time is limited as well; of that, only the time counts during which the host watched the job."""

from __future__ import annotations

import select
import time

from .host_jail import Ending, Job

_SLACK = 0.5  # seconds that a job may sleep besides its limit
# The most wall time, whatever it was spent on: a factor of the limit, and seconds.
_MOST_WATCHED = 20.0, 60.0
_MOST_WATCHED_UNKNOWN = 4.0, 5.0  # where the kernel does not report the time spent waiting for a processor


def watch(poll: select.poll, timeout: float) -> tuple[list[tuple[int, int]], float]:
    """Wait until something is ready.

    Args:
        poll (`select.poll`):
            The descriptors to wait for.
        timeout (`float`):
            Seconds to wait at most.

    Returns:
        `tuple`: what is ready, and the seconds to charge the job with, at most `timeout`: if more passed, the host was
            late to wake up.
    """
    before = time.monotonic()
    ready = poll.poll(timeout * 1000)
    return ready, min(time.monotonic() - before, timeout)


class Budget:
    """A limit on a job's processor time, and one on its sleep.

    Sleep is the time during which the host watched the job, less the time that the job waited for a processor or for
    its partner. Since many threads may wait at once, there is also a limit on the watched time itself: twenty times
    the limit and a minute.

    Args:
        job ([`Job`]):
            The job that is limited.
        cpu_seconds (`float`):
            The limit, counted from now; for a job just started, from its beginning.
        partner ([`Job`], *optional*):
            Another job for which this one waits while that works.
    """

    def __init__(self, job: Job, cpu_seconds: float, partner: Job | None = None):
        self._job = job
        self._partner = partner
        self.restart(cpu_seconds)

    def restart(self, cpu_seconds: float) -> None:
        """Count from now, with another limit."""
        self.cpu_seconds = cpu_seconds
        self._watched = self._unexcused = 0.0
        self._cpu_before = self._job.cpu_seconds
        self._waited_before = self._job.waits.seconds
        self._partner_before = self._partner_seconds

    @property
    def used(self) -> float:
        """Processor time used so far, in seconds."""
        return self._job.cpu_seconds - self._cpu_before

    @property
    def poll_seconds(self) -> float:
        """Seconds that may pass until the limit has to be checked again."""
        return max(0.01, min(0.25, (self.cpu_seconds - self.used) / 2))

    def charge(self, seconds: float, excused: bool = False) -> None:
        """Add time during which the job was watched, see [`watch`].

        Args:
            seconds (`float`):
                How much.
            excused (`bool`, *optional*, defaults to `False`):
                Whether the job may have waited for the host to read or to send something.
        """
        if self._job.has_begun:
            self._watched += seconds
            self._unexcused += 0.0 if excused else seconds
            self._job.waits.pass_time(seconds)

    def exceeded(self) -> str | None:
        """Which limit is exceeded, as text, or `None`."""
        if self.used > self.cpu_seconds and not self._job.has_ended:  # the clock of an ended job may be another's now
            return self.too_much
        allowed = self.cpu_seconds + _SLACK
        if self._watched <= allowed:
            return None
        is_measured = self._job.waits.measure() and (self._partner is None or self._partner.waits.measure())
        for_partner = self._partner_seconds - self._partner_before
        waited = self._job.waits.seconds - self._waited_before + for_partner
        if is_measured and self._unexcused - waited > allowed:
            return f"{self._watched:.1f} s, most of them asleep"
        factor, more = _MOST_WATCHED if self._job.waits.is_known else _MOST_WATCHED_UNKNOWN
        if self._watched - for_partner > factor * self.cpu_seconds + more:
            return f"{self._watched:.1f} s"
        return None

    def overrun(self, ending: Ending) -> str | None:
        """Which limit a job exceeded that has ended by itself, as text, or `None`."""
        return self.too_much if ending.cpu_seconds - self._cpu_before > self.cpu_seconds else None

    @property
    def too_much(self) -> str:
        """The text for exceeded processor time."""
        return f"more than {self.cpu_seconds:g} s of processor time"

    @property
    def _partner_seconds(self) -> float:
        return 0.0 if self._partner is None else self._partner.cpu_seconds + self._partner.waits.seconds


class JointBudget:
    """The budgets of jobs that work together, of which none may be exceeded."""

    def __init__(self, *budgets: Budget):
        self._budgets = budgets

    @property
    def poll_seconds(self) -> float:
        """Seconds that may pass until the limits have to be checked again."""
        return min(budget.poll_seconds for budget in self._budgets)

    def charge(self, seconds: float, excused: bool = False) -> None:
        """Add time during which the jobs were watched, see [`Budget.charge`]."""
        for budget in self._budgets:
            budget.charge(seconds, excused)

    def exceeded(self) -> str | None:
        """Which limit is exceeded, as text, or `None`."""
        return next((reason for budget in self._budgets if (reason := budget.exceeded())), None)
