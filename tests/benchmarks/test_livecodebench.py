"""LiveCodeBench: releases are told apart, tests stay packed until they are needed, and right answers pass."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest
from asap_hf.evaluation.pass_at_1.host_grader import CallTask, Grader, StdinTask

from asap_hf.benchmarks import Benchmark, UnreadableProblem, open_benchmark
from asap_hf.benchmarks.files import ValueInFile
from asap_hf.errors import UsageError
from tests.benchmarks.rows import CALLED, LIVECODEBENCH, fenced
from tests.benchmarks.serving import as_lines, as_parquet
from tests.benchmarks.shared_data import PATHS, needs_data, rows

ADDS = "print(sum(map(int, input().split())))"
EMPTY = {**LIVECODEBENCH, "private_test_cases": ""}
PRIVATE = json.loads(LIVECODEBENCH["private_test_cases"])


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def opened(path: Path, content: bytes, limit: int = 9) -> Benchmark:
    path.write_bytes(content)
    return open_benchmark("lcb_v1_v3", path, limit)


def test_a_file_of_all_releases_is_told_apart_by_its_rows(tmp_path: Path) -> None:
    content = as_lines(
        *({**CALLED, "question_id": str(number), "release": f"v{number}"} for number in (6, 5, 4, 3, 2, 1))
    )
    assert [problem.task_id for problem in opened(tmp_path / "all.jsonl", content).problems] == ["3", "2", "1"]
    later = open_benchmark("lcb_v4_v5", tmp_path / "all.jsonl", limit=9)
    assert [problem.task_id for problem in later.problems] == ["5", "4"]


@pytest.mark.parametrize(
    ("file", "private"),
    [
        ("rows.jsonl", LIVECODEBENCH["private_test_cases"]),
        ("rows.jsonl", packed(json.dumps(PRIVATE))),
        ("rows.jsonl", PRIVATE),
        ("rows.jsonl.gz", packed(json.dumps(PRIVATE))),
        ("rows.parquet", packed(json.dumps(PRIVATE))),
    ],
)
def test_private_tests_come_after_the_public_ones(tmp_path: Path, file: str, private: object) -> None:
    row = {**LIVECODEBENCH, "private_test_cases": private}
    content = {
        "rows.jsonl": b"\n" + as_lines({**row, "question_id": "é"}, row),
        "rows.jsonl.gz": gzip.compress(as_lines({**row, "question_id": "é"}, row)),
        "rows.parquet": as_parquet({**row, "question_id": "é"}, row),
    }[file]
    benchmark = opened(tmp_path / file, content)
    task = benchmark.task(benchmark.problems[1], ADDS)
    assert isinstance(task, StdinTask)
    assert (task.code, task.tests) == (ADDS, (("1 2\n", "3\n"), ("40 2\n", "42\n")))


def test_private_tests_stay_in_the_file(tmp_path: Path) -> None:
    """The Hub's files hold 2.6 GB of them for v1 to v3."""
    benchmark = opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH))
    stored = benchmark.problems[0].row["private_test_cases"]
    assert isinstance(stored, ValueInFile)
    assert stored.read() == LIVECODEBENCH["private_test_cases"]


@pytest.mark.parametrize("content", [None, b"", b"{}\n", b"[1]\n", b'{"private_test_cases'])
def test_a_file_that_changed_meanwhile_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    benchmark = opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH))
    if content is None:
        (tmp_path / "rows.jsonl").unlink()
    else:
        (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match="'rows.jsonl' was changed or removed while it was in use; start again"):
        benchmark.task(benchmark.problems[0], ADDS)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("a pickle was executed",)


@pytest.mark.parametrize(
    "private",
    [
        packed("[" * 100_000),
        packed(Malicious()),
        "no base64",
        packed("no JSON"),
        packed('["no case"]'),
        packed(json.dumps(PRIVATE))[:40],
    ],
)
def test_packed_tests_are_never_executed(tmp_path: Path, private: str, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = opened(tmp_path / "rows.jsonl", as_lines({**LIVECODEBENCH, "private_test_cases": private}))
    with pytest.raises(UnreadableProblem, match="the tests of abc301_a cannot be read"):
        benchmark.task(benchmark.problems[0], ADDS)
    assert capsys.readouterr().out == ""


def test_what_is_graded_on_public_tests_alone_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH))
        assert caplog.messages == []
        opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH, CALLED, {**EMPTY, "question_id": "empty"}))
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("lcb_v1_v3: 2 of 3 problems come without their private tests")


@pytest.mark.parametrize("metadata", [{}, {"metadata": '{"func_name": "add"}'}, {"metadata": None}])
def test_a_method_is_called_by_its_name(tmp_path: Path, metadata: dict[str, Any]) -> None:
    benchmark = opened(tmp_path / "rows.jsonl", as_lines({**CALLED, **metadata}))
    task = benchmark.task(benchmark.problems[0], "class Solution: ...")
    assert isinstance(task, CallTask)
    assert (task.function, task.tests) == ("add", (((1, 2), 3),))


def test_code_to_complete_without_a_method_is_one_sentence(tmp_path: Path) -> None:
    benchmark = opened(tmp_path / "rows.jsonl", as_lines({**CALLED, "starter_code": "class Solution: ..."}))
    with pytest.raises(UsageError, match="the tests of 2727 cannot be read"):
        benchmark.task(benchmark.problems[0], "class Solution: ...")


def test_prompts_say_which_form_the_program_has(tmp_path: Path) -> None:
    reads, called = opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH, CALLED)).problems
    assert "Print the sum of two {numbers}.\n" in reads.prompt
    assert "standard input" in reads.prompt
    assert "```" not in reads.prompt
    assert f"```python\n{CALLED['starter_code'].strip()}\n```" in called.prompt
    assert "standard input" not in called.prompt


METHOD = "class Solution:\n    def add(self, a, b):\n        return a + b\n"


@pytest.mark.parametrize(
    ("number", "answer", "program"),
    [
        (0, fenced(ADDS), f"{ADDS}\n"),
        (0, f"```\n{ADDS}\n```", f"{ADDS}\n"),
        (0, f"import sys\n{ADDS}\n", f"import sys\n{ADDS}\n"),
        (0, f"```python\n{ADDS}", None),
        (0, "I give up.", None),
        (1, fenced(METHOD) + fenced("s = Solution()\nprint(s.add(1, 2))"), f"{METHOD}\n"),
    ],
)
def test_programs(tmp_path: Path, number: int, answer: str, program: str | None) -> None:
    benchmark = opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH, CALLED))
    assert benchmark.program(benchmark.problems[number], answer) == program


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (0, ADDS, "pass"),
        (0, "print(3)", "fail"),
        (0, "print(int(input()))", "error"),
        (1, METHOD, "pass"),
        (1, METHOD.replace("+", "-"), "fail"),
    ],
)
def test_verdicts(tmp_path: Path, grader: Grader, number: int, code: str, status: str) -> None:
    benchmark = opened(tmp_path / "rows.jsonl", as_lines(LIVECODEBENCH, CALLED))
    problem = benchmark.problems[number]
    program = benchmark.program(problem, fenced(code))
    assert program is not None
    assert [verdict.status for verdict in grader.grade([benchmark.task(problem, program)])] == [status]


@needs_data
def test_of_a_file_without_releases_only_the_right_number_will_do(tmp_path: Path) -> None:
    all_rows = [{name: value for name, value in row.items() if name != "release"} for row in rows(*FILE)]
    (tmp_path / "all.jsonl").write_bytes(as_lines(*all_rows))
    with pytest.raises(UsageError, match="has 1,055 problems of lcb_v4_v5, which has 268"):
        open_benchmark("lcb_v4_v5", tmp_path / "all.jsonl")
    (tmp_path / "part.jsonl").write_bytes(as_lines(*all_rows[612:880]))
    told = open_benchmark("lcb_v4_v5", PATHS["lcb_v4_v5"])
    assert open_benchmark("lcb_v4_v5", tmp_path / "part.jsonl").prompts_hash == told.prompts_hash


FILE = ("livecodebench", "lcb_release_v6_public.jsonl.gz")


@needs_data
@pytest.mark.parametrize("name", ["lcb_v1_v3", "lcb_v4_v5"])
def test_what_passes_officially_passes_the_public_tests(grader: Grader, name: str) -> None:
    """Of both kinds: programs and methods."""
    official = {row["question_id"]: row for row in rows("verdicts", "lcb_o1_mini.jsonl.gz")}
    benchmark = open_benchmark(name, PATHS[name])
    right = [problem for problem in benchmark.problems if official[problem.task_id]["graded_list"] == [True]]
    problems = [
        *[problem for problem in right if problem.row["starter_code"]][:20],
        *[problem for problem in right if not problem.row["starter_code"]][:20],
    ]
    programs = [benchmark.program(one, official[one.task_id]["output_list"][0]) for one in problems]
    assert [program and program.strip() for program in programs] == [
        official[one.task_id]["code_list"][0].strip() for one in problems
    ]
    tasks = [benchmark.task(one, program or "") for one, program in zip(problems, programs, strict=True)]
    verdicts = zip(problems, grader.grade(tasks), strict=True)
    assert [(problem.task_id, one.detail) for problem, one in verdicts if one.status != "pass"] == []
