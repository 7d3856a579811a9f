"""Tests the limit of threads: as many as programs need, and not so many that other jobs get no processor."""

from __future__ import annotations

import pytest

from evaluation.pass_at_1 import jail_thread_limit
from evaluation.pass_at_1.host_grader import CallTask, CheckTask, Grader, StdinTask
from evaluation.pass_at_1.jail_thread_limit import MOST_THREADS, ThreadLimit

# The smallest stacks possible, so that memory is not the limit.
FLOOD = """
import threading
threading.stack_size(32768)
hold = threading.Event()
def flood():
    started = []
    try:
        while len(started) < 9000:
            thread = threading.Thread(target=hold.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        return len(started), str(error)
    return len(started), "no limit"
"""
FULL = (MOST_THREADS - 1, "can't start new thread")
# Starts threads by `clone` itself, all on one stack, without the C library's own function.
RAW = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
stack = ctypes.create_string_buffer(1 << 16)
pause = ctypes.cast(libc.pause, ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p))
top = ctypes.c_void_p(ctypes.addressof(stack) + (1 << 15) & ~15)
count = 0
while count < 9000 and libc.clone(pause, top, 0x50F00, None) > 0: count += 1
print(count, ctypes.get_errno(), flush=True)
import os
os._exit(0)
"""
USEFUL = {
    "a hundred at once": "from concurrent.futures import ThreadPoolExecutor\nimport threading\n"
    "gate = threading.Barrier(100)\nwith ThreadPoolExecutor(100) as pool:\n"
    "    print(sum(1 for _ in pool.map(lambda _: gate.wait(), range(100))))",
    "a thousand, one after the other": "import threading\ndone = []\nfor n in range(1000):\n"
    "    thread = threading.Thread(target=done.append, args=[n])\n    thread.start()\n    thread.join()\n"
    "print(len(done) // 10)",
    "in waves": "import threading\ndone = []\nfor _ in range(5):\n"
    "    wave = [threading.Thread(target=done.append, args=[n]) for n in range(100)]\n"
    "    for thread in wave: thread.start()\n    for thread in wave: thread.join()\nprint(len(done) // 5)",
    "while signals come": "import signal, threading\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\ndone = []\nfor n in range(400):\n"
    "    thread = threading.Thread(target=done.append, args=[n])\n    thread.start()\n    thread.join()\n"
    "signal.setitimer(signal.ITIMER_REAL, 0)\nprint(len(done) // 4)",
    "with a large stack": "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\n"
    "def deep(n): return n and 1 + deep(n - 1)\n"
    "thread = threading.Thread(target=lambda: print(deep(50_000) // 500))\nthread.start()\nthread.join()",
    "after its main thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.1), print(100))).start()",
}


def test_there_is_a_limit_whoever_asks(grader: Grader) -> None:
    """For all kinds of tasks, and repeatedly, as the jails are reused."""
    call = FLOOD + "def f(x): return [*flood()]"
    tasks = [
        StdinTask(FLOOD + "print(*flood(), sep=';')", (("", "{};{}".format(*FULL)),)),
        CallTask(call, "f", (((1,), list(FULL)),)),
        CheckTask(call, f"def check(c): assert c(1) == {list(FULL)}", "f"),
        CheckTask(
            "def f(x): return x", FLOOD + f"def check(c):\n    found = flood()\n    assert c(found) == {FULL}", "f"
        ),
        StdinTask(RAW, (("", f"{MOST_THREADS - 1} 11"),)),
    ]
    verdicts = grader.grade(tasks * 2)
    assert {(verdict.status, verdict.detail) for verdict in verdicts} == {("pass", "")}


def test_threads_that_programs_need_are_there(grader: Grader) -> None:
    verdicts = grader.grade([StdinTask(code, (("", "100"),)) for code in USEFUL.values()])
    found = dict(zip(USEFUL, verdicts, strict=True))
    assert {name: verdict for name, verdict in found.items() if verdict.status != "pass"} == {}


def test_neighbours_are_served_while_somebody_asks_for_threads_without_end(grader: Grader) -> None:
    greedy = FLOOD + "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: flood()\nprint(5)"
    fine = StdinTask("print(sum(map(int, input().split())))", (("2 3", "5"),))
    tasks = [StdinTask(greedy, (("", "5"),), cpu_seconds=60.0), fine, fine, fine] * 2
    assert [verdict.status for verdict in grader.grade(tasks)] == ["pass"] * 8


def test_a_kernel_that_does_not_ask_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        release, machine = "5.4.0-150-generic", "x86_64"

    monkeypatch.setattr(jail_thread_limit.os, "uname", Old)
    with pytest.raises(OSError, match="does not ask"):
        ThreadLimit()
