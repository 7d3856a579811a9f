"""Grades with test code: the test runs in one jail, the candidate in another, and only data passes between the two."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import ExitStack
from typing import Any, Literal

from .host_jail import GRACE, Jail, sealed_source
from .host_messages import HostChannel, OverdueError
from .host_tasks import CheckTask, Status
from .host_time_limits import Budget, JointBudget
from .messages import FrameError, text_of

_LONGEST_REPORT = 1 << 16
# Processor time for the test's own work, such as computing expected values: a factor of the task's limit, and seconds.
_TEST_FACTOR, _TEST_SECONDS = 2.0, 10.0
_RUNNER_MEMORY, _RUNNER_SECONDS = 4 << 30, 3600.0
_TESTS = 8  # per process: candidates send it data alone, but one process should not see too much of that


class TestRunner:
    """The host's side of a process that runs test code, up to eight tests one after the other.

    Args:
        jail ([`Jail`]):
            The jail in which it runs; no other job may run there at the same time.
    """

    def __init__(self, jail: Jail):
        self._open = ExitStack()
        with ExitStack() as open_there:
            pairs = [socket.socketpair() for _ in range(1 + _TESTS)]
            self._requests, *channels = [self._open.enter_context(here) for here, _ in pairs]
            ends = [open_there.enter_context(there).fileno() for _, there in pairs]
            self.job = jail.start("tests", ends, _RUNNER_SECONDS, _RUNNER_MEMORY)
        self._channels = deque(channels)
        self.is_usable = True

    def channel(self) -> socket.socket:
        """The candidate's end of the next test's channel. The process is not usable until [`report`] is done."""
        self.is_usable = False
        return self._channels.popleft()

    def report(self, task: CheckTask, budget: JointBudget) -> tuple[Any, str]:
        """Run a task's test against the candidate that has the last channel. Status and detail of the test.

        Raises:
            [`OverdueError`]: if a time limit is exceeded.
            `EOFError`, [`FrameError`], `OSError`: if the process ends, or sends something invalid.
        """
        channel = HostChannel(self._requests, budget)
        test = {"prompt": task.prompt, "test": task.test, "entry_point": task.entry_point}
        channel.send(text_of({**test, "shared_classes": task.shared_classes}))
        match channel.receive(_LONGEST_REPORT):
            case {
                "status": "pass" | "fail" | "error" | "gone" | "infra" as status,
                "detail": str(detail),
                "clean": clean,
            }:
                self.is_usable = clean is True and len(self._channels) > 0
                return status, detail
        raise FrameError("not a report")

    def hang_up(self) -> None:
        """Close all channels."""
        self._open.close()

    def close(self) -> None:
        """End the process."""
        self.hang_up()
        self.job.end()


def grade_check(candidates: Jail, runner: TestRunner, task: CheckTask) -> tuple[Status, str, float]:
    """Grade one task: status, detail and the candidate's processor time.

    Args:
        candidates ([`Jail`]):
            The jail for the candidate's code.
        runner ([`TestRunner`]):
            The process for the test, which must be usable.
    """
    source = {"preamble": "", "code": task.code, "entry_point": task.entry_point}
    with ExitStack() as open_here, ExitStack() as open_there:
        channel = open_there.enter_context(runner.channel())
        text = open_there.enter_context(sealed_source({**source, "shared_classes": task.shared_classes}))
        descriptors = [channel.fileno(), text]
        job = open_here.enter_context(candidates.start("calls", descriptors, task.cpu_seconds, task.memory_mb << 20))
        open_there.close()
        budget = Budget(job, task.cpu_seconds, runner.job)
        tests_budget = Budget(runner.job, _TEST_FACTOR * task.cpu_seconds + _TEST_SECONDS, job)
        status, detail = _outcome(runner, task, JointBudget(budget, tests_budget))
        ending = job.end(0.0 if status == "timeout" else GRACE)  # the test runner has closed its channel
        overrun = budget.overrun(ending)
        if overrun is not None:
            return "timeout", overrun, ending.cpu_seconds
        if status == "gone":
            return "error", f"{detail}; {ending}", ending.cpu_seconds
        return status, detail, ending.cpu_seconds


def _outcome(runner: TestRunner, task: CheckTask, budget: JointBudget) -> tuple[Status | Literal["gone"], str]:
    try:
        return runner.report(task, budget)
    except OverdueError as error:
        return "timeout", str(error)
    except (EOFError, FrameError, OSError):
        return "error", f"the test ended: {runner.job.end(GRACE)}"
