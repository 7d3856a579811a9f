"""Grades what test code checks: the test runs in one jail, the candidate in another, and only data passes between."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import ExitStack
from typing import Any, Literal

from .host_jail import GRACE, Jail, sealed_source
from .host_messages import OverdueError, Wire
from .host_tasks import CheckTask, Status
from .host_time_limits import Budget, Jointly
from .messages import FrameError, text_of

_LONGEST_REPORT = 1 << 16
# For what a test does itself, such as computing what to expect.
_TEST_FACTOR, _TEST_SECONDS = 2.0, 10.0
_JUDGE_MEMORY, _JUDGE_SECONDS = 4 << 30, 3600.0
_TESTS = 8  # what comes from candidates is data, but a process should not see too much of it


class Judge:
    """A process that runs tests, a few of them one after the other, in a jail of its own.

    Args:
        jail ([`Jail`]):
            Where it runs, and nothing else at that time.
    """

    def __init__(self, jail: Jail):
        self._open = ExitStack()
        with ExitStack() as open_there:
            pairs = [socket.socketpair() for _ in range(1 + _TESTS)]
            self._desk, *channels = [self._open.enter_context(here) for here, _ in pairs]
            ends = [open_there.enter_context(there).fileno() for _, there in pairs]
            self.job = jail.start("tests", ends, _JUDGE_SECONDS, _JUDGE_MEMORY)
        self._channels = deque(channels)
        self.is_usable = True

    def channel(self) -> socket.socket:
        """The end of a channel to the next test, for a candidate. Until that is reported on nothing else can be."""
        self.is_usable = False
        return self._channels.popleft()

    def report(self, task: CheckTask, budget: Jointly) -> tuple[Any, str]:
        """Status and detail of the test, now that the candidate has its channel.

        Raises:
            [`OverdueError`]: if it takes too long.
            `EOFError`, [`FrameError`], `OSError`: if the process ends.
        """
        wire = Wire(self._desk, budget)
        test = {"prompt": task.prompt, "test": task.test, "entry_point": task.entry_point}
        wire.send(text_of({**test, "shared_classes": task.shared_classes}))
        report = wire.receive(_LONGEST_REPORT)
        self.is_usable = report["clean"] and len(self._channels) > 0
        return report["status"], report["detail"]

    def hang_up(self) -> None:
        """Close all ends."""
        self._open.close()

    def close(self) -> None:
        """End the process."""
        self.hang_up()
        self.job.end()


def grade_check(candidates: Jail, judge: Judge, task: CheckTask) -> tuple[Status, str, float]:
    """Status, detail and the candidate's processor time.

    Args:
        candidates ([`Jail`]):
            Where the code runs.
        judge ([`Judge`]):
            Who runs the test; usable.
    """
    source = {"preamble": "", "code": task.code, "entry_point": task.entry_point}
    with ExitStack() as open_here, ExitStack() as open_there:
        channel = open_there.enter_context(judge.channel())
        text = open_there.enter_context(sealed_source({**source, "shared_classes": task.shared_classes}))
        descriptors = [channel.fileno(), text]
        job = open_here.enter_context(candidates.start("calls", descriptors, task.cpu_seconds, task.memory_mb << 20))
        open_there.close()
        budget = Budget(job, task.cpu_seconds, judge.job)
        judges_budget = Budget(judge.job, _TEST_FACTOR * task.cpu_seconds + _TEST_SECONDS, job)
        status, detail = _outcome(judge, task, Jointly(budget, judges_budget))
        ending = job.end(0.0 if status == "timeout" else GRACE)  # the judge has hung up on it
        overrun = budget.overrun(ending)
        if overrun is not None:
            return "timeout", overrun, ending.cpu_seconds
        if status == "gone":
            return "error", f"{detail}; {ending}", ending.cpu_seconds
        return status, detail, ending.cpu_seconds


def _outcome(judge: Judge, task: CheckTask, budget: Jointly) -> tuple[Status | Literal["gone"], str]:
    try:
        return judge.report(task, budget)
    except OverdueError as error:
        return "timeout", str(error)
    except (EOFError, FrameError, OSError):
        return "error", f"the test ended: {judge.job.end(GRACE)}"
