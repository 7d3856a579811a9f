"""When a job has had its time. A loaded machine does not make a right answer wrong: what counts is processor time, and
no time in which the host itself did not look counts at all."""

from __future__ import annotations

import select
import time

from .host_jail import Ending, Job

_SLACK = 0.5
_FARTHEST = 20.0, 60.0  # times the limit, and seconds
_FARTHEST_UNSEEN = 4.0, 5.0  # where the kernel does not say who waits for a processor


def watch(poll: select.poll, nap: float) -> tuple[list[tuple[int, int]], float]:
    """Wait for something to be ready.

    Args:
        poll (`select.poll`):
            What to look at.
        nap (`float`):
            Seconds to wait at most.

    Returns:
        `tuple`: what is ready, and the seconds that a job may answer for, at most `nap`: the rest of the time is what
            the host took to wake up.
    """
    before = time.monotonic()
    ready = poll.poll(nap * 1000)
    return ready, min(time.monotonic() - before, nap)


class Budget:
    """A limit on a job's processor time. The time in which the host watched the job counts against those that sleep,
    less the time that they waited for a processor or for a partner; and, twenty times as much of it and a minute,
    against all: threads that wait can be many.

    Args:
        job ([`Job`]):
            What runs.
        cpu_seconds (`float`):
            The limit, counted from now; for a job just started, from its beginning.
        partner ([`Job`], *optional*):
            A job that this one waits for while that works.
    """

    def __init__(self, job: Job, cpu_seconds: float, partner: Job | None = None):
        self._job = job
        self._partner = partner
        self.restart(cpu_seconds)

    def restart(self, cpu_seconds: float) -> None:
        """Count from now, with another limit."""
        self.cpu_seconds = cpu_seconds
        self._watched = self._own = 0.0
        self._cpu_before = self._job.cpu_seconds
        self._waited_before = self._job.waits.seconds
        self._partner_before = self._partner_seconds

    @property
    def used(self) -> float:
        """Processor time used so far."""
        return self._job.cpu_seconds - self._cpu_before

    @property
    def nap(self) -> float:
        """Seconds that may pass until the next look at the clock."""
        return max(0.01, min(0.25, (self.cpu_seconds - self.used) / 2))

    def charge(self, seconds: float, excused: bool = False) -> None:
        """Count time in which the job was watched, see [`watch`].

        Args:
            seconds (`float`):
                How much.
            excused (`bool`, *optional*, defaults to `False`):
                Whether the job may have waited for the host to take what it wrote, or to send something.
        """
        if self._job.has_begun:
            self._watched += seconds
            self._own += 0.0 if excused else seconds
            self._job.waits.pass_time(seconds)

    def exceeded(self) -> str | None:
        """In what respect the time is over, or `None`."""
        if self.used > self.cpu_seconds and not self._job.has_ended:  # else the clock may be another process's
            return self.too_much
        allowed = self.cpu_seconds + _SLACK
        if self._watched <= allowed:
            return None
        is_seen = self._job.waits.look() and (self._partner is None or self._partner.waits.look())
        for_partner = self._partner_seconds - self._partner_before
        excused = self._job.waits.seconds - self._waited_before + for_partner
        if is_seen and self._own - excused > allowed:
            return f"{self._watched:.1f} s, most of them asleep"
        factor, more = _FARTHEST if self._job.waits.is_known else _FARTHEST_UNSEEN
        if self._watched - for_partner > factor * self.cpu_seconds + more:
            return f"{self._watched:.1f} s"
        return None

    def overrun(self, ending: Ending) -> str | None:
        """The same for a job that has ended by itself."""
        return self.too_much if ending.cpu_seconds - self._cpu_before > self.cpu_seconds else None

    @property
    def too_much(self) -> str:
        """What is said when the processor time is over."""
        return f"more than {self.cpu_seconds:g} s of processor time"

    @property
    def _partner_seconds(self) -> float:
        return 0.0 if self._partner is None else self._partner.cpu_seconds + self._partner.waits.seconds


class Jointly:
    """Budgets of jobs that work together: what one of them exceeds is exceeded."""

    def __init__(self, *budgets: Budget):
        self._budgets = budgets

    @property
    def nap(self) -> float:
        """Seconds that may pass until the next look at the clocks."""
        return min(budget.nap for budget in self._budgets)

    def charge(self, seconds: float, excused: bool = False) -> None:
        """Count time in which the jobs were watched, see [`Budget.charge`]."""
        for budget in self._budgets:
            budget.charge(seconds, excused)

    def exceeded(self) -> str | None:
        """In what respect the time is over, or `None`."""
        return next((reason for budget in self._budgets if (reason := budget.exceeded())), None)
