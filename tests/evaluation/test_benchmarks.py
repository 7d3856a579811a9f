"""Tests tasks made of benchmarks' rows: rows written for the tests, and real ones where the data is available."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pickle
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.pass_at_1.host_call_grader import Answer
from evaluation.pass_at_1.host_grader import CallTask, Grader, PlusTask, StdinTask
from evaluation.pass_at_1.host_task_builders import (
    LIMITS,
    LIVECODEBENCH_PREAMBLE,
    code_eval_task,
    humaneval_task,
    json_value,
    last_block,
    leetcode_task,
    livecodebench_task,
    plus_tests,
)
from evaluation.pass_at_1.host_tiers import LANDLOCK

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
real = pytest.mark.skipif(not DATA.exists(), reason="the benchmarks' data is not at hand")


@pytest.fixture(scope="module")
def landlock() -> Iterator[Grader]:
    with Grader(2, tiers=[LANDLOCK]) as opened:
        yield opened


def rows(path: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / path, "rt") as lines:
        return [json.loads(line) for line in lines]


def not_passed(grader: Grader, tasks: dict[str, Any]) -> dict[str, str]:
    verdicts = zip(tasks, grader.grade([*tasks.values()]), strict=True)
    return {name: f"{verdict.status}: {verdict.detail}" for name, verdict in verdicts if verdict.status != "pass"}


HUMANEVAL = {
    "prompt": 'def half(n):\n    return n // 2\n\ndef quarter(n):\n    """The fourth part of n."""\n',
    "entry_point": "quarter",
    "test": "def check(candidate):\n    assert candidate(8) == half(half(8))\n    assert quarter(5) == 1\n",
}


def test_tasks_have_the_limits_of_their_benchmarks() -> None:
    check = {"prompt": "", "test": "", "entry_point": "f"}
    tasks = {
        "humaneval": humaneval_task(check, ""),
        "leetcode": leetcode_task(check, ""),
        "livecodebench": livecodebench_task(STDIN_ROW, ""),
    }
    for name, task in tasks.items():
        assert {"cpu_seconds": task.cpu_seconds, "memory_mb": task.memory_mb} == LIMITS[name]
    assert livecodebench_task(CALL_ROW, "").memory_mb == LIMITS["livecodebench"]["memory_mb"]
    assert PlusTask("", "f", ()).memory_mb == LIMITS["humaneval_plus"]["memory_mb"]


def test_humaneval_is_given_prompt_and_completion(landlock: Grader) -> None:
    right, wrong, empty = (
        humaneval_task(HUMANEVAL, HUMANEVAL["prompt"] + body)
        for body in ("    return half(half(n))\n", "    return half(n)\n", "")
    )
    assert [verdict.status for verdict in landlock.grade([right, wrong, empty])] == ["pass", "fail", "fail"]


def test_leetcode_checks_a_method(landlock: Grader) -> None:
    row = {
        "prompt": "from typing import *\n",
        "entry_point": "Solution().total",
        "test": "def check(candidate):\n    assert candidate(xs = [1, 2]) == 3\n",
    }
    code = (
        "from typing import *\n\nclass Solution:\n    def total(self, xs: List[int]) -> int:\n        return sum(xs)\n"
    )
    task = leetcode_task(row, code)
    assert task.cpu_seconds == 10.0
    assert [verdict.status for verdict in landlock.grade([task])] == ["pass"]


def test_code_eval_joins_candidate_and_reference(landlock: Grader) -> None:
    tasks = [code_eval_task(f"def add(a, b): return a {sign} b", "assert add(2, 3) == 5") for sign in "+-"]
    assert [verdict.status for verdict in landlock.grade(tasks)] == ["pass", "fail"]


STDIN_ROW = {
    "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
    "private_test_cases": base64.b64encode(
        zlib.compress(pickle.dumps(json.dumps([{"input": "2 2\n", "output": "4\n", "testtype": "stdin"}])))
    ).decode(),
    "metadata": "{}",
}
CALL_ROW = {
    "public_test_cases": [{"input": "[1, 2]\n3", "output": "[1, 2, 3]", "testtype": "functional"}],
    "private_test_cases": "[]",
    "metadata": json.dumps({"func_name": "append"}),
}


def test_livecodebench_has_public_and_private_tests() -> None:
    stdin = livecodebench_task(STDIN_ROW, "code")
    assert stdin == StdinTask("code", (("1 2\n", "3\n"), ("2 2\n", "4\n")), 6.0, 4096, preamble=LIVECODEBENCH_PREAMBLE)
    call = livecodebench_task(CALL_ROW, "code")
    assert call == CallTask("code", "append", ((([1, 2], 3), [1, 2, 3]),), 6.0, 4096, preamble=LIVECODEBENCH_PREAMBLE)


def test_a_pickle_of_test_cases_calls_nothing() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("true",)

    stored = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    with pytest.raises(pickle.UnpicklingError, match="do not need posix.system"):
        livecodebench_task({**STDIN_ROW, "private_test_cases": stored}, "code")


def test_programs_find_livecodebenchs_preamble(landlock: Grader) -> None:
    stdin = livecodebench_task(
        STDIN_ROW, "assert inf > 1 and sys.getrecursionlimit() == 50000\nprint(sum(map(int, input().split())))"
    )
    call = livecodebench_task(
        CALL_ROW, "class Solution:\n    def append(self, xs: List[int], x: Optional[int]): return [*chain(xs, [x])]"
    )
    assert [(verdict.status, verdict.detail) for verdict in landlock.grade([stdin, call])] == [("pass", "")] * 2


PROGRAMS = [
    ("a, b = map(int, input().split())\nprint(a + b)", "pass"),
    ("def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()", "pass"),
    ("import sys\nprint(sum(map(int, sys.stdin.read().split())))\nsys.exit()", "pass"),
    ("import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))", "pass"),
    ("import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", "pass"),
    ("import sys\na = sys.stdin.readline()\nprint(sum(map(int, a.split())) + len(sys.stdin.read()))", "pass"),
    ("print(sum(map(int, open(0).read().split())))", "pass"),
    ("import os\nprint(sum(map(int, os.read(0, 99).split())))", "pass"),
    ("import sys\nsys.stdout.buffer.write(b'%d' % sum(map(int, input().split())))", "pass"),
    ("n = 0\ndef add(x):\n    global n\n    n += x\nfor x in input().split(): add(int(x))\nprint(n)", "pass"),
    ("import os\nos.write(1, b'%d' % sum(map(int, input().split())))", "pass"),
    ('"""Adds\ntwo numbers."""\nprint(sum(map(int, input().split())))', "pass"),
    ("", "fail"),
    ("print(", "error"),
]


@pytest.mark.parametrize(("code", "status"), PROGRAMS)
def test_programs_of_livecodebench_run_as_programs(landlock: Grader, code: str, status: str) -> None:
    assert [verdict.status for verdict in landlock.grade([livecodebench_task(STDIN_ROW, code)])] == [status]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("text\n```python\na\nb\n```\nmore", "a\nb"),
        ("```\nfirst\n```\n```\nsecond\n```", "second"),
        ("no code", ""),
        ("```\nopen", ""),
        ("```\na\n```\ntext ```", "text"[:0]),
    ],
)
def test_the_code_of_an_answer_is_its_last_block(answer: str, code: str) -> None:
    assert last_block(answer) == code


def test_the_tolerance_for_floats_is_carried_on_for_parity_only() -> None:
    row = {"base_input": [[1.0], [2]], "plus_input": [[3]], "atol": 0, "entry_point": "f"}
    answers = [Answer(0.5, 0.0), Answer(10**9, 2.0), Answer([], 0.0)]
    assert [test.tolerance for test in plus_tests(row, answers)] == [1e-6, 0.0, 0.0]
    assert [test.tolerance for test in plus_tests(row, answers, carried=True)] == [1e-6, 1e-6, 1e-6]
    assert [test.cpu_seconds for test in plus_tests(row, answers)] == [4.0, 8.0, 4.0]
    assert [test.is_root for test in plus_tests({**row, "entry_point": "find_zero"}, answers)] == [True] * 3


@real
def test_all_references_of_humaneval_pass_and_no_empty_body(grader: Grader) -> None:
    problems = rows("humaneval/HumanEval.jsonl.gz")
    tasks = {row["task_id"]: humaneval_task(row, row["prompt"] + row["canonical_solution"]) for row in problems}
    assert len(tasks) == 164
    assert not_passed(grader, tasks) == {}
    idle = {row["task_id"]: humaneval_task(row, row["prompt"] + "    return None\n") for row in problems}
    assert len(not_passed(grader, idle)) == 164


# Each takes a second of processor time or more.
SLOW = {f"HumanEval/{number}" for number in (15, 36, 59, 83, 94, 130, 139)}


@real
def test_humaneval_plus_agrees_with_evalplus(landlock: Grader) -> None:
    """For a part of the problems: reference solutions pass, and a model's programs get EvalPlus's verdicts."""
    problems = {row["task_id"]: row for row in rows("humaneval_plus/HumanEvalPlus.jsonl.gz")[::8]}
    problems["HumanEval/32"] = rows("humaneval_plus/HumanEvalPlus.jsonl.gz")[32]
    tests = {}
    for name in problems.keys() - SLOW:
        row = problems[name]
        inputs = [*row["base_input"], *row["plus_input"]]
        answers = landlock.answers(row["prompt"] + row["canonical_solution"], row["entry_point"], inputs)
        tests[name] = plus_tests(row, answers)
    references = {
        name: PlusTask(
            problems[name]["prompt"] + problems[name]["canonical_solution"], problems[name]["entry_point"], t
        )
        for name, t in tests.items()
    }
    assert not_passed(landlock, references) == {}
    graded = {row["task_id"]: row for row in rows("verdicts/structured_cot_evalplus_results.jsonl.gz")}
    written = {name: replace(references[name], code=graded[name]["solution"]) for name in tests}
    base = {n: replace(task, tests=task.tests[: len(problems[n]["base_input"])]) for n, task in written.items()}
    assert not_passed(landlock, base).keys() == {n for n in tests if graded[n]["base_status"] != "pass"}
    assert not_passed(landlock, written).keys() == {
        n for n in tests if (graded[n]["base_status"], graded[n]["plus_status"]) != ("pass", "pass")
    }


@real
def test_references_of_leetcode_pass(landlock: Grader) -> None:
    problems = rows("leetcode/LeetCodeDataset-v0.3.1-test.jsonl.gz")
    assert len(problems) == 228
    sorted_containers = [row for row in problems if "sortedcontainers" in row["prompt"]][:4]
    nodes = [row for row in problems if "TreeNode(" in row["completion"] or "ListNode" in row["starter_code"]][:4]
    chosen = [*problems[:20], *sorted_containers, *nodes]
    tasks = {row["task_id"]: leetcode_task(row, row["prompt"] + "\n" + row["completion"]) for row in chosen}
    assert not_passed(landlock, tasks) == {}


@real
def test_livecodebench_agrees_with_published_verdicts(landlock: Grader) -> None:
    """Programs that passed all tests pass the public tests."""
    problems = {row["question_id"]: row for row in rows("livecodebench/lcb_release_v6_public.jsonl.gz")}
    passed = [row for row in rows("verdicts/lcb_o1_mini.jsonl.gz") if row["graded_list"] == [True]][::6]
    tasks = {}
    for row in passed:
        problem = problems[row["question_id"]]
        found = re.findall(r"def (\w+)\(self", problem["starter_code"])
        metadata = {"func_name": found[-1]} if found else {}
        tasks[row["question_id"]] = livecodebench_task({**problem, "metadata": metadata}, row["code_list"][0])
    assert len(tasks) > 100
    assert not_passed(landlock, tasks) == {}


def test_the_tests_of_functions_may_hold_long_numbers() -> None:
    """With more digits than `sys.get_int_max_str_digits()`."""
    digits = "7" * 6000
    number = int(digits[:3000]) * 10**3000 + int(digits[3000:])
    row = {"public_test_cases": [{"input": f"[{digits}]\n1", "output": digits}], "metadata": {"func_name": "f"}}
    task = livecodebench_task(row, "code")
    assert isinstance(task, CallTask)
    assert task.tests == ((([number], 1), number),)
    assert json_value(f'{{"a": [-{digits}, 1.5]}}') == {"a": [-number, 1.5]}
    with pytest.raises(ValueError, match="are JSON, which 'x'"):
        json_value("x")
