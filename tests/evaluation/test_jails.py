"""Tests jails: they are used only if they block escapes, are replaced if they fail, and end with their host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.pass_at_1.host_grader import CheckTask, Grader, NoJailError, StdinTask, Verdict
from evaluation.pass_at_1.host_jail import Jail, JailError
from evaluation.pass_at_1.host_tier_check import checked_jail
from evaluation.pass_at_1.host_tiers import LANDLOCK, Tier

from .conftest import TIERS

ROOT = Path(__file__).resolve().parents[2]
ONE = StdinTask("print(1)", (("", "1"),))
CHECK = CheckTask("def f(x): return x", "def check(c): assert c(1) == 1", "f")
STOPS = StdinTask("import os\nos.kill(os.getpid(), 19)\nprint(1)", (("", "1"),), cpu_seconds=10_000.0)
GIVES_UP = 600.0


class Weakened(Tier):
    """A jail in which one part of the confinement is disabled."""

    @property
    def removed(self) -> str:
        return "runner.jail_fork_server.jail_landlock.restrict = lambda *_: None\n"

    def command(self, control: int) -> list[str]:
        boot = f"import runner.jail_fork_server\n{self.removed}main(*sys.argv[2:])\n"
        return [part.replace("main(*sys.argv[2:])\n", boot) for part in super().command(control)]


class WithoutSeccomp(Weakened):
    removed = "runner.jail_fork_server.SeccompFilter.install = lambda *_: None\n"


class WithoutLimits(Weakened):
    removed = "runner.jail_fork_server.jail_privileges.set_job_limits = lambda *_: None\n"


@pytest.mark.parametrize(
    ("kind", "escape"),
    [
        (Weakened, "read a file, list a folder"),
        (WithoutSeccomp, "start a process"),
        (WithoutLimits, "raise a limit"),
    ],
)
def test_a_jail_that_lets_something_through_is_not_used(kind: type[Tier], escape: str) -> None:
    with pytest.raises(JailError, match=f"programs in it can: .*{escape}"):
        checked_jail(kind("weak", LANDLOCK.required))


def test_the_next_tier_is_taken_and_without_one_there_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    weak = Weakened("weak", LANDLOCK.required)
    with Grader(1, tiers=[weak, LANDLOCK]) as grader:
        assert grader.tier == "landlock"
    with pytest.raises(
        NoJailError, match=r"no jail for untrusted code \(weak: programs in it can: .*allow_unsafe=True"
    ):
        Grader(1, tiers=[weak]).__enter__()


def test_whoever_says_so_goes_on_without_a_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    weak = WithoutSeccomp("weak", LANDLOCK.required)
    with Grader(1, allow_unsafe=True, tiers=[weak]) as grader:
        assert grader.tier == "unsafe"
        assert [verdict.status for verdict in grader.grade([ONE, CHECK])] == ["pass", "pass"]
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    with Grader(1, tiers=[weak]) as grader:
        assert grader.tier == "unsafe"


DARWIN = """
import fcntl, os, resource, sys
for module, gone in ((os, "sched_getaffinity memfd_create pidfd_open"), (resource, "RLIMIT_MSGQUEUE RLIMIT_NICE"),
                     (fcntl, "F_SEAL_SEAL F_SEAL_WRITE F_ADD_SEALS")):
    for name in gone.split():
        delattr(module, name)
import ctypes
ctypes.CDLL.prctl = property(lambda self: self.no_such_function)
sys.platform = "darwin"
from evaluation.pass_at_1 import host_grader, jail_fork_server, jail_privileges, jail_seccomp
try:
    host_grader.Grader(allow_unsafe=True).__enter__()
except host_grader.NoJailError as error:
    print(error)
"""


def test_where_there_is_no_linux_it_can_be_imported_and_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", DARWIN], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("grading code needs Linux"), done.stderr


def test_a_jail_that_does_not_start_says_why() -> None:
    class Broken(Tier):
        def command(self, control: int) -> list[str]:
            return ["/bin/sh", "-c", "echo no such luck >&2; exit 3"]

    with pytest.raises(JailError, match="no such luck"):
        Jail(Broken("broken", ()))


def children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def descendants(pid: int) -> list[int]:
    return [found for child in children_of(pid) for found in (child, *descendants(child))]


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def running(pid: int) -> bool:
    return state_of(pid) not in "ZX"


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition is true, however slow the machine is. The test fails if it never is."""
    given_up = time.monotonic() + GIVES_UP
    while not condition():
        if time.monotonic() > given_up:
            raise TimeoutError
        time.sleep(0.02)


HOST = """
import sys
from evaluation.pass_at_1.host_grader import *
from evaluation.pass_at_1.host_tiers import *
tier = {"bubblewrap": BUBBLEWRAP, "landlock": LANDLOCK}[sys.argv[1]]
code = {"busy": "while True: pass", "asleep": "import time; time.sleep(600)"}[sys.argv[2]]
with Grader(2, tiers=[tier]) as grader:
    check = CheckTask("def f(x): exec(x)", f"def check(c): c({code!r})", "f", cpu_seconds=500.0)
    grader.grade([StdinTask(code, (("", "1"),), cpu_seconds=500.0), check])
"""


@pytest.mark.parametrize("what", ["busy", "asleep"])
@pytest.mark.parametrize("tier", TIERS)
def test_everything_ends_with_a_host_that_is_killed(tier: Tier, what: str) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST, tier.name, what], cwd=ROOT)
    per_jail = 4 if tier.name == "bubblewrap" else 2  # the fork server and its job, and two processes of bubblewrap
    wait_for(lambda: len(descendants(host.pid)) >= 3 * per_jail)
    started = descendants(host.pid)
    host.send_signal(signal.SIGKILL)
    host.wait()
    wait_for(lambda: not any(map(running, started)))


def stopped_jobs(others: set[int]) -> dict[int, int]:
    """Jail → job, for jobs that have stopped themselves."""
    pairs = [(jail, job) for jail in children_of(os.getpid()) if jail not in others for job in children_of(jail)]
    return {jail: job for jail, job in pairs if state_of(job) == "T"}


def grade_in_thread(grader: Grader, tasks: list[StdinTask]) -> tuple[threading.Thread, list[Verdict]]:
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.extend(grader.grade(tasks)))
    thread.start()
    return thread, verdicts


def test_a_jail_that_is_lost_is_replaced_and_the_task_graded_again() -> None:
    others = set(children_of(os.getpid()))
    with Grader(1, tiers=[LANDLOCK]) as grader:
        thread, verdicts = grade_in_thread(grader, [STOPS])
        wait_for(lambda: stopped_jobs(others))
        [lost] = stopped_jobs(others)
        os.kill(lost, signal.SIGKILL)
        wait_for(lambda: stopped_jobs(others | {lost}))
        [job] = stopped_jobs(others | {lost}).values()
        os.kill(job, signal.SIGCONT)
        thread.join()
        assert [verdict.status for verdict in verdicts] == ["pass"]
        assert lost not in children_of(os.getpid())


def test_a_task_whose_jails_are_lost_twice_is_not_scored() -> None:
    others = set(children_of(os.getpid()))
    with Grader(1, tiers=[LANDLOCK]) as grader:
        thread, verdicts = grade_in_thread(grader, [STOPS])
        for _ in range(2):
            wait_for(lambda: stopped_jobs(others))
            [lost] = stopped_jobs(others)
            others.add(lost)
            os.kill(lost, signal.SIGKILL)
        thread.join()
        assert [verdict.status for verdict in verdicts] == ["infra"]
        assert [verdict.status for verdict in grader.grade([ONE])] == ["pass"]


def test_closing_does_not_wait_for_what_runs() -> None:
    """The job would never end."""
    others = set(children_of(os.getpid()))
    with Grader(1, tiers=[LANDLOCK]) as grader:
        thread, verdicts = grade_in_thread(grader, [STOPS])
        wait_for(lambda: stopped_jobs(others))
    thread.join()
    assert [verdict.status for verdict in verdicts] == ["infra"]


def test_graders_leave_nothing_behind() -> None:
    descriptors, processes = len(os.listdir("/proc/self/fd")), descendants(os.getpid())
    threads = threading.active_count()
    for _ in range(2):
        with Grader(2, tiers=[LANDLOCK]) as grader:
            grader.grade([ONE, CHECK, replace(ONE, code="while True: pass", cpu_seconds=0.1)] * 2)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert descendants(os.getpid()) == processes
    assert threading.active_count() == threads


def test_a_grader_works_in_a_forked_process_and_with_many_files_open() -> None:
    """As in a worker of `Dataset.map`, while the parent process has a grader, too."""
    with Grader(1, tiers=[LANDLOCK]) as outer:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                opened = [os.dup(reading) for _ in range(min(1100, os.sysconf("SC_OPEN_MAX") - 200))]
                with Grader(1, tiers=[LANDLOCK]) as inner:
                    statuses = [verdict.status for verdict in inner.grade([ONE, CHECK])]
                status = 0 if statuses == ["pass", "pass"] and opened else 2
            finally:
                os._exit(status)
        assert [verdict.status for verdict in outer.grade([ONE])] == ["pass"]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [verdict.status for verdict in outer.grade([ONE])] == ["pass"]
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("tier", TIERS)
def test_a_jail_does_not_end_with_the_thread_that_asked_for_it(tier: Tier) -> None:
    opened: list[Grader] = []
    thread = threading.Thread(target=lambda: opened.append(Grader(1, tiers=[tier]).__enter__()))
    thread.start()
    thread.join()
    [grader] = opened
    zygotes = children_of(os.getpid())
    assert [verdict.status for verdict in grader.grade([ONE] * 3)] == ["pass"] * 3
    assert children_of(os.getpid()) == zygotes
    grader.__exit__(None, None, None)


def test_no_worker_is_no_grader() -> None:
    with pytest.raises(ValueError, match="not 0"):
        Grader(0)


@pytest.mark.parametrize("tier", TIERS)
def test_a_control_socket_is_of_use_to_nobody_else(tier: Tier) -> None:
    """A candidate has its standard streams open, and no other descriptor."""
    code = (
        "import os\nopened = []\nfor fd in range(256):\n    try: os.fstat(fd)\n    except OSError: continue\n"
        "    opened.append(fd)\nprint(opened)"
    )
    with Grader(1, tiers=[tier]) as grader:
        [verdict] = grader.grade([StdinTask(code, (("", "[0, 1, 2]"),))])
    assert verdict.status == "pass"
