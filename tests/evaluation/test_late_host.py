"""Tests a host that is late at any point: no right program fails for it, and no wrong one passes."""

from __future__ import annotations

import fcntl
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from evaluation.pass_at_1 import host_jail, host_messages, host_stdin_grader, host_time_limits, host_waiting_time
from evaluation.pass_at_1.host_grader import CallTask, CheckTask, Grader, PlusTask, PlusTest, StdinTask, Task
from evaluation.pass_at_1.host_jail import Ending, Jail, Job
from evaluation.pass_at_1.host_messages import HostChannel
from evaluation.pass_at_1.host_tiers import LANDLOCK
from evaluation.pass_at_1.host_time_limits import Budget
from evaluation.pass_at_1.host_waiting_time import WaitingTime

LIMIT = 0.4
HOLD, HOLDS = 0.3, 5  # together longer than a program may sleep
LONG = "x" * 300_000
SAME = "def f(x): return x"
SLEEPS = "import time\ndef f(x): time.sleep(60)"
LOOPS = "def f(x):\n    while True: pass"
CHECK = "def check(c):\n    for _ in range(3): assert c(('y', 'x' * 300_000)) == ('y', 'x' * 300_000)"
LINES = "\n".join(map(str, range(70_000)))


def stdin(code: str, output: str = "5\n") -> Task:
    return StdinTask(code, (("2 3\n", output),), LIMIT)


def call(code: str) -> Task:
    return CallTask(code, "f", (((1,), 1), ((LONG,), LONG), ((LONG,), LONG), ((2,), 2)), LIMIT)


def plus(code: str) -> Task:
    return PlusTask(code, "f", tuple(PlusTest((LONG,), LONG, 0.0, LIMIT) for _ in range(3)))


def check(code: str) -> Task:
    return CheckTask(code, CHECK, "f", cpu_seconds=LIMIT)


RIGHT = {
    "prints at its end": stdin("import time\ntime.sleep(0.4)\nprint(sum(map(int, input().split())))"),
    "prints a lot": stdin("print('\\n'.join(map(str, range(70_000))))", LINES),
    "pieces that fill no page": stdin("import os\nfor n in range(150): os.write(1, b'7' * 2100)", "7" * 315_000),
    "warns a lot": stdin("import sys\nsys.stderr.write('x' * 400_000)\nprint(5)"),
    "is called with a lot": call(SAME),
    "is called by evalplus": plus(SAME),
    "is checked": check(SAME),
}
WRONG = {
    "sleeps": (stdin("import time\ntime.sleep(60)"), "timeout"),
    "sleeps behind its output": (stdin("import time\nprint('x' * 60_000, flush=True)\ntime.sleep(60)"), "timeout"),
    "dozes between words": (
        stdin("import os, time\nwhile True:\n    os.write(1, b'5')\n    time.sleep(0.1)"),
        "timeout",
    ),
    "loops": (stdin("while True: pass"), "timeout"),
    "ends without a word": (stdin("import time\ntime.sleep(0.4)"), "fail"),
    "sleeps when called": (call(SLEEPS), "timeout"),
    "sleeps when checked": (check(SLEEPS), "timeout"),
}
# owner, name, whether the host is delayed before or after that call
POINTS: list[tuple[Any, str, str]] = [
    (Job, "has_ended", "before"),
    (Job, "has_ended", "after"),
    (Job, "cpu_seconds", "after"),
    (WaitingTime, "measure", "after"),
    (Job, "end", "before"),
    (Jail, "start", "after"),
    (Jail, "has_packet", "after"),
    (Jail, "receive", "before"),
    (Budget, "exceeded", "before"),
    (Budget, "exceeded", "after"),
    (Budget, "charge", "before"),
    (Budget, "restart", "after"),
    (HostChannel, "send", "before"),
    (HostChannel, "send", "after"),
    (HostChannel, "receive", "after"),
    (HostChannel, "_wait", "after"),
    (host_stdin_grader, "watch", "before"),
    (host_stdin_grader, "watch", "after"),
    (host_messages, "watch", "after"),
]


@pytest.fixture(scope="module")
def ready() -> Iterator[Grader]:
    """A grader whose jails are all started, also those for test code."""
    with Grader(len(RIGHT) + len(WRONG), tiers=[LANDLOCK]) as grader:
        for _ in range(grader.workers):
            grader.grade([check("def f(x): pass")])
        yield grader


def held(original: Callable[..., Any], side: str) -> Callable[..., Any]:
    """The same function, but each thread is delayed in its first few calls."""
    times: Counter[int] = Counter()

    def late(*arguments: Any, **named: Any) -> Any:
        times[threading.get_ident()] += 1
        is_held = times[threading.get_ident()] <= HOLDS
        if is_held and side == "before":
            time.sleep(HOLD)
        result = original(*arguments, **named)
        if is_held and side == "after":
            time.sleep(HOLD)
        return result

    return late


@pytest.mark.parametrize(("owner", "name", "side"), POINTS, ids=lambda part: getattr(part, "__name__", part))
def test_a_host_that_is_held_up_changes_no_verdict(
    ready: Grader, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, side: str
) -> None:
    original = vars(owner)[name]
    late = property(held(original.fget, side)) if isinstance(original, property) else held(original, side)
    monkeypatch.setattr(owner, name, late)
    expected = {**dict.fromkeys(RIGHT, "pass"), **{name: status for name, (_, status) in WRONG.items()}}
    verdicts = ready.grade([*RIGHT.values(), *(task for task, _ in WRONG.values())])
    found = dict(zip(expected, verdicts, strict=True))
    assert {name: verdict for name, verdict in found.items() if verdict.status != expected[name]} == {}


def test_who_waits_until_the_host_takes_what_was_written_does_not_sleep(
    ready: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host wakes up only when nothing more comes, so late that it cannot distinguish this from a job that
    sleeps."""

    def late(poll: Any, nap: float) -> tuple[list[tuple[int, int]], float]:
        events, _ = host_time_limits.watch(poll, nap)
        there = -1
        while events and there < (there := sum(map(readable_bytes, events))):
            time.sleep(0.2)
        return events, nap

    monkeypatch.setattr(host_stdin_grader, "watch", late)
    monkeypatch.setattr(host_messages, "watch", late)
    longer = "x" * 4_000_000
    much = [task for name, task in RIGHT.items() if "lot" in name or "page" in name or "evalplus" in name]
    much += [CallTask("def f(n): return n * 'x'", "f", (((len(longer),), longer),), LIMIT)]
    much += [CallTask("def f(x): return len(x)", "f", (((longer,), len(longer)),), LIMIT)]
    assert [verdict.status for verdict in ready.grade(much)] == ["pass"] * len(much)
    asleep = [task for name, (task, _) in WRONG.items() if "sleeps" in name]
    assert [verdict.status for verdict in ready.grade(asleep)] == ["timeout"] * len(asleep)


def readable_bytes(event: tuple[int, int]) -> int:
    with suppress(OSError):
        return int.from_bytes(fcntl.ioctl(event[0], termios.FIONREAD, bytes(4)), sys.byteorder)
    return 0


class Clockwork:
    """A job whose clocks the test sets."""

    def __init__(self) -> None:
        self.cpu_seconds = self.seconds = 0.0
        self.has_begun, self.has_ended, self.is_known = True, False, True

    @property
    def waits(self) -> Clockwork:
        return self

    def measure(self) -> bool:
        return self.is_known and not self.has_ended

    def pass_time(self, seconds: float) -> None:
        pass


def budget_of(job: Clockwork, partner: Clockwork | None = None) -> Budget:
    return Budget(job, 1.0, partner)  # type: ignore[arg-type]


def test_time_counts_only_while_the_job_is_watched() -> None:
    job = Clockwork()
    budget = budget_of(job)
    budget.charge(1.4)
    assert budget.exceeded() is None
    budget.charge(0.2, excused=True)
    assert budget.exceeded() is None
    budget.charge(0.2)
    assert "asleep" in str(budget.exceeded())
    budget.restart(1.0)
    assert budget.exceeded() is None


def test_a_job_that_has_not_begun_is_not_charged() -> None:
    job = Clockwork()
    job.has_begun = False
    budget = budget_of(job)
    budget.charge(100.0)
    assert budget.exceeded() is None


def test_waiting_for_a_processor_or_a_partner_is_no_sleep_but_not_without_end() -> None:
    job, partner = Clockwork(), Clockwork()
    budget = budget_of(job, partner)
    budget.charge(50.0)
    job.seconds, partner.cpu_seconds, partner.seconds = 20.0, 15.0, 14.0
    assert budget.exceeded() is None
    partner.seconds = 13.0
    assert "asleep" in str(budget.exceeded())
    job.seconds = 1000.0
    assert budget.exceeded() is None
    budget.charge(60.0)
    assert budget.exceeded() == "110.0 s"


def test_where_the_kernel_does_not_say_who_waits_nobody_is_said_to_sleep() -> None:
    job = Clockwork()
    job.is_known = False
    budget = budget_of(job)
    budget.charge(8.0)
    assert budget.exceeded() is None
    budget.charge(2.0)
    assert budget.exceeded() == "10.0 s"


def test_the_clock_of_a_job_that_has_ended_is_not_believed() -> None:
    """Its process id may be another process's by now. The report of its end gives the time that it used."""
    job = Clockwork()
    budget = budget_of(job)
    job.cpu_seconds, job.has_ended = 5.0, True
    budget.charge(2.0)
    assert budget.exceeded() is None
    assert budget.overrun(Ending(0, 5.0, 0)) == "more than 1 s of processor time"
    assert budget.overrun(Ending(0, 1.0, 0)) is None


def test_what_the_host_takes_to_wake_up_is_not_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late:
        def poll(self, milliseconds: float) -> list[tuple[int, int]]:
            monkeypatch.setattr(host_time_limits.time, "monotonic", lambda: 1007.0)
            return [(3, 1)]

    monkeypatch.setattr(host_time_limits.time, "monotonic", lambda: 1000.0)
    assert host_time_limits.watch(Late(), 0.25) == ([(3, 1)], 0.25)  # type: ignore[arg-type]


def test_a_job_that_says_late_that_it_has_begun_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the host reads its clock much later than the jail's messages."""

    class Slow:
        pid = 8

        def has_packet(self) -> bool:
            monkeypatch.setattr(host_jail.time, "monotonic", lambda: 1e9)
            return False

    job = Job(Slow())  # type: ignore[arg-type]
    assert not job.has_begun
    with pytest.raises(host_jail.JailError, match="does not begin"):
        job.has_begun  # noqa: B018


def test_what_a_thread_waited_counts_after_its_end_and_what_the_jail_took(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"/proc/1/task/1/schedstat": (7.0, 2.0), "/proc/1/task/2/schedstat": (9.0, 3.0)}
    times["/proc/8/schedstat"] = (50.0, 10.0)
    monkeypatch.setattr(
        host_waiting_time.os, "listdir", lambda folder: [path.split("/")[4] for path in times if folder in path]
    )
    monkeypatch.setattr(host_waiting_time, "_schedule", times.__getitem__)
    seen = host_waiting_time.WaitingTime(8)
    seen.job = 1
    assert seen.measure()
    assert seen.seconds == 5.0
    del times["/proc/1/task/2/schedstat"]
    times.update({"/proc/1/task/1/schedstat": (8.0, 2.5), "/proc/8/schedstat": (50.25, 10.5)})
    seen.pass_time(1.0)
    assert seen.seconds == 6.25
    del times["/proc/1/task/1/schedstat"]
    assert not seen.measure()
    assert (seen.seconds, seen.is_known) == (6.25, True)
