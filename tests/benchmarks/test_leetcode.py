"""LeetCodeDataset: its own prompt, its own imports before the answer, its own tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from asap_hf.evaluation.pass_at_1.host_grader import Grader

from asap_hf.benchmarks import Benchmark, UnreadableProblem, open_benchmark
from tests.benchmarks.rows import LEETCODE, fenced
from tests.benchmarks.serving import as_lines
from tests.benchmarks.shared_data import PATHS, needs_data

SOLUTION = LEETCODE["completion"]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    (tmp_path / "one.jsonl").write_bytes(as_lines(LEETCODE))
    return open_benchmark("leetcode", tmp_path / "one.jsonl", limit=1)


def test_the_prompt_is_the_data_sets_own(benchmark: Benchmark) -> None:
    assert benchmark.problems[0].prompt == LEETCODE["query"]


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (fenced(SOLUTION), f"{LEETCODE['prompt']}\n{SOLUTION}\n"),
        (SOLUTION, f"{LEETCODE['prompt']}\n{SOLUTION}"),
        (fenced(SOLUTION) + fenced("x = Solution().add(1, 2)"), f"{LEETCODE['prompt']}\n{SOLUTION}\n"),
        (
            fenced(f"from __future__ import annotations\n{SOLUTION}"),
            f"from __future__ import annotations\n{LEETCODE['prompt']}\n{SOLUTION}\n",
        ),
        ("There is no way.", None),
        (f"```python\n{SOLUTION}", f"{LEETCODE['prompt']}\n{SOLUTION}"),  # never closed, but whole
        (f"```python\n{SOLUTION.rstrip()[:-1]}", None),
    ],
)
def test_programs(benchmark: Benchmark, answer: str, program: str | None) -> None:
    assert benchmark.program(benchmark.problems[0], answer) == program


@pytest.mark.parametrize(("result", "status"), [("a + b", "pass"), ("a - b", "fail"), ("a + c", "error")])
def test_verdicts(benchmark: Benchmark, grader: Grader, result: str, status: str) -> None:
    [problem] = benchmark.problems
    program = benchmark.program(problem, fenced(SOLUTION.replace("a + b", result)))
    assert program is not None
    assert [verdict.status for verdict in grader.grade([benchmark.task(problem, program)])] == [status]


def test_a_test_that_is_no_program_says_nothing_about_an_answer(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(
        as_lines(LEETCODE | {"test": "def check(candidate):\n    assert candidate(1"})
    )
    benchmark = open_benchmark("leetcode", tmp_path / "rows.jsonl", limit=1)
    with pytest.raises(UnreadableProblem, match="the test of .* is no Python program: get the file again"):
        benchmark.task(benchmark.problems[0], "x = 1\n")


@needs_data
def test_real_solutions_pass(grader: Grader) -> None:
    benchmark = open_benchmark("leetcode", PATHS["leetcode"])
    problems = benchmark.problems[::23]
    assert len(problems) == 10
    programs = [benchmark.program(problem, fenced(problem.row["completion"])) for problem in problems]
    tasks = [benchmark.task(problem, program or "") for problem, program in zip(problems, programs, strict=True)]
    verdicts = zip(problems, grader.grade(tasks), strict=True)
    assert [(problem.task_id, one.detail) for problem, one in verdicts if one.status != "pass"] == []
