"""Tests programs that read standard input: which pass, and which verdict the others get."""

from __future__ import annotations

import os

import pytest

from evaluation.pass_at_1.host_grader import Grader, StdinTask
from evaluation.pass_at_1.host_tiers import Tier

from .conftest import TIERS, seconds_for, unlike

SUM = (("2 3\n", "5\n"), ("40 2", "42"))

RIGHT = {
    "input": "a, b = map(int, input().split())\nprint(a + b)",
    "main guard": "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()",
    "descriptor 0": "import os\nos.write(1, b'%d' % sum(map(int, os.read(0, 99).split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "lines": "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
    "stdout.buffer": "import sys\nsys.stdout.buffer.write(b'%d' % sum(map(int, sys.stdin.buffer.read().split())))",
    "unclosed file": "out = open(1, 'w')\nout.write(str(sum(map(int, input().split()))))",
    "exit handler": "import atexit, io, os, sys\nsys.stdout = io.StringIO()\n"
    "atexit.register(lambda: os.write(1, sys.stdout.getvalue().encode()))\nprint(sum(map(int, input().split())))",
    "exit with a code": "import sys\nprint(sum(map(int, input().split())))\nsys.exit(3)",
    "exit()": "print(sum(map(int, input().split())))\nexit()",
    "closed stdout": "import sys\nprint(sum(map(int, input().split())))\nsys.stdout.close()",
    "thread without join": "import threading\ndef main():\n    print(sum(map(int, input().split())))\n"
    "threading.Thread(target=main).start()",
    "threads": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(16) as pool:\n    print(sum(pool.map(int, input().split())))",
    "deep recursion": "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(128 << 20)\n"
    "def f(n):\n    return n and 1 + f(n - 1)\ndef main():\n"
    "    print(sum(map(int, input().split())) + f(50000) - 50000)\n"
    "t = threading.Thread(target=main)\nt.start()\nt.join()",
    "deep recursion in C": "import sys\nsys.setrecursionlimit(10**6)\nclass N:\n    def __init__(self, n):\n"
    "        self.n = n\n    def __add__(self, o):\n        return self.n and 1 + (N(self.n - 1) + o)\n"
    "print(sum(map(int, input().split())) + (N(20000) + 0) - 20000)",
    "future import": "from __future__ import annotations\nprint(sum(map(int, input().split())))",
    "annotations are evaluated": "def f(a: int): pass\nassert f.__annotations__['a'] is int\n"
    "print(sum(map(int, input().split())))",
    "numbers by value": "print(' ', sum(map(int, input().split())) / 1, ' \\n')",
    "noise on stderr": "import sys\nsys.stderr.write('x' * 10**6)\nprint(sum(map(int, input().split())))",
    "asyncio": "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n"
    "    print(sum(map(int, input().split())))\nasyncio.run(main())",
    "pickled class": "import pickle\nclass A: pass\npickle.loads(pickle.dumps(A()))\n"
    "print(sum(map(int, input().split())))",
    "600 MiB": "x = bytearray(600 << 20)\nprint(sum(map(int, input().split())))",
}

# name → program, status, text in the detail
WRONG = {
    "silence": ("", "fail", "test 1"),
    "second test": ("input()\nprint(5)", "fail", "test 2"),
    "os._exit": ("import os\nos._exit(0)", "fail", "test 1"),
    "nan": ("print('nan')", "fail", "test 1"),
    "right, then an exception": ("print(sum(map(int, input().split())))\n1 / 0", "error", "ZeroDivisionError"),
    "syntax": ("print(", "error", "SyntaxError"),
    "exit status": ("import os\nprint(5, flush=True)\nos._exit(7)", "error", "exit status 7"),
    "crash": ("import ctypes\nctypes.string_at(0)", "error", "killed by signal 11"),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", "error", "killed by signal 9"),
    "loop": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "timeout",
        "processor time",
    ),
    "loop in C": ("sum(range(10**12))", "timeout", "processor time"),
    "threads that loop": (
        "import threading\ndef loop():\n    while True: pass\nthreading.Thread(target=loop).start()\nloop()",
        "timeout",
        "processor time",
    ),
    "sleep": ("import time\ntime.sleep(60)", "timeout", "asleep"),
    "stopped": ("import signal\nsignal.raise_signal(signal.SIGSTOP)", "timeout", "asleep"),
    "exit handler that loops": ("import atexit\ndef f():\n    while True: pass\natexit.register(f)", "timeout", ""),
    "flood": ("import os\nwhile True: os.write(1, b'5\\n' * 10**4)", "error", "bytes of output"),
    "flood of errors": ("import os\nwhile True: os.write(2, b'5\\n' * 10**4)", "timeout", ""),
    "memory": ("x = bytearray(3 << 30)\nprint(5)", "error", "MemoryError"),
    "memory without a name": ("import mmap\nx = mmap.mmap(-1, 3 << 30)\nprint(5)", "error", "Cannot allocate"),
    "threads without end": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "error",
        "can't start new thread",
    ),
    "fork": ("import os\nos.fork()", "error", "Operation not permitted"),
    "socket": ("import socket\nsocket.socket()", "error", "Operation not permitted"),
    "subprocess": ("import subprocess\nsubprocess.run(['true'])", "error", "Operation not permitted"),
    "host's file": ("print(open('/etc/passwd').read())", "error", "/etc/passwd"),
    "write": ("open('/dev/null', 'w')", "error", "Permission denied"),
}


def test_right_programs_pass(grader: Grader) -> None:
    expected = {name: (code, "pass", "") for name, code in RIGHT.items()}
    assert unlike(expected, grader.grade([StdinTask(code, SUM) for code in RIGHT.values()])) == {}


def test_wrong_programs_do_not_pass_and_the_verdict_says_why(grader: Grader) -> None:
    tasks = [StdinTask(code, SUM, cpu_seconds=seconds_for(status)) for code, status, _ in WRONG.values()]
    verdicts = grader.grade(tasks)
    assert unlike(WRONG, verdicts) == {}


def test_verdicts_come_in_the_order_of_the_tasks(grader: Grader) -> None:
    tasks = [
        StdinTask(f"import time\ntime.sleep({n % 3 / 20})\nprint({n})", (("", str(n // 2 * 2)),)) for n in range(12)
    ]
    assert [verdict.status for verdict in grader.grade(tasks)] == ["pass", "fail"] * 6


def test_a_task_without_tests_is_never_passed(grader: Grader) -> None:
    [verdict] = grader.grade([StdinTask("print(1)", ())])
    assert (verdict.status, verdict.detail) == ("infra", "the task has no tests")


def test_a_program_leaves_nothing_to_the_next_one(grader: Grader) -> None:
    plant = "import builtins, sys, math\nbuiltins.planted = math.planted = 1\nsys.setrecursionlimit(50)\nprint(1)"
    look = (
        "import builtins, sys, math\n"
        "print(hasattr(builtins, 'planted') or hasattr(math, 'planted') or sys.getrecursionlimit() != 1000)"
    )
    verdicts = grader.grade([StdinTask(plant, (("", "1"),)), StdinTask(look, (("", "False"),))] * 4)
    assert {verdict.status for verdict in verdicts} == {"pass"}


def test_each_test_is_a_run_of_its_own(grader: Grader) -> None:
    code = "import builtins\nbuiltins.runs = getattr(builtins, 'runs', 0) + 1\nprint(builtins.runs, input())"
    [verdict] = grader.grade([StdinTask(code, (("a", "1 a"), ("b", "1 b"), ("c", "1 c")))])
    assert verdict.status == "pass"


def test_the_preamble_runs_first_in_the_same_namespace(grader: Grader) -> None:
    code = "from __future__ import annotations\nprint(gcd(4, 6))"
    preambles = {"": (code, "error", "NameError"), "from math import *": (code, "pass", "")}
    tasks = [StdinTask(code, (("", "2"),), preamble=preamble) for preamble in preambles]
    assert unlike(preambles, grader.grade(tasks)) == {}


def test_strange_texts_go_in_and_out(grader: Grader) -> None:
    given = "\u00e9\u2028 \U0001f600 \x00 end"
    [verdict] = grader.grade([StdinTask("print(input().upper())", ((given, given.upper()),))])
    assert verdict.status == "pass"
    [broken] = grader.grade([StdinTask("x = '\ud800'\nprint(input())", (("\ud800", "x"),))])
    assert broken.status in ("fail", "error")


def test_allowed_packages_can_be_imported_and_their_neighbours_cannot(grader: Grader) -> None:
    packages = {
        "numpy": ("import numpy\nprint(1)", "pass", ""),
        "pytest": ("import pytest\nprint(1)", "error", "No module named 'pytest'"),
    }
    assert unlike(packages, grader.grade([StdinTask(code, (("", "1"),)) for code, _, _ in packages.values()])) == {}


@pytest.mark.parametrize("tier", TIERS)
def test_processor_time_is_what_counts(tier: Tier) -> None:
    """Four programs run at once on one processor. They take more wall time than the limit and than they may sleep."""
    code = "import time\nwhile time.process_time() < 0.6: pass\nprint(1)"
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with Grader(4, tiers=[tier]) as grader:
            verdicts = grader.grade([StdinTask(code, (("", "1"),), cpu_seconds=1.0)] * 4)
    finally:
        os.sched_setaffinity(0, allowed)
    assert [verdict.status for verdict in verdicts] == ["pass"] * 4
    assert all(verdict.cpu_seconds >= 0.55 for verdict in verdicts)


def test_the_environment_is_empty_of_the_hosts(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_SECRET", "token")
    [verdict] = grader.grade([StdinTask("import os\nprint(os.environ.get('ASAP_SECRET'))", (("", "None"),))])
    assert verdict.status == "pass"
