"""HumanEval: answers become programs, and right ones pass."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from asap_hf.evaluation.pass_at_1.host_grader import Grader

from asap_hf.benchmarks import Benchmark, UnreadableProblem, open_benchmark
from tests.benchmarks.rows import HUMANEVAL, fenced
from tests.benchmarks.serving import as_lines
from tests.benchmarks.shared_data import PATHS, needs_data

PROMPT = HUMANEVAL["prompt"]
HELPERS = PROMPT.partition("def area")[0]
FUNCTION = "def area(r):\n    return math.pi * half(2 * r) ** 2\n"
BODY = "    return math.pi * half(2 * r) ** 2\n"


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    (tmp_path / "one.jsonl").write_bytes(as_lines(HUMANEVAL))
    return open_benchmark("humaneval", tmp_path / "one.jsonl", limit=1)


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (fenced(FUNCTION), f"{HELPERS}\n{FUNCTION}\n"),
        (FUNCTION, f"{HELPERS}\n{FUNCTION}"),
        (fenced(PROMPT + BODY), f"{HELPERS}\n{PROMPT}{BODY}\n"),
        (fenced(FUNCTION) + fenced("assert area(0) == 0"), f"{HELPERS}\n{FUNCTION}\n"),
        (fenced(BODY), f"{PROMPT}\n{BODY}\n"),
        (fenced(textwrap.dedent(BODY)), f"{PROMPT}\n{BODY}\n"),
        (BODY, f"{PROMPT}\n{BODY.rstrip()}"),
        (f"\n\n{BODY}", f"{PROMPT}\n{BODY.rstrip()}"),
        (fenced("area = lambda r: r"), f"{HELPERS}\narea = lambda r: r\n"),
        (
            fenced(f"from __future__ import annotations\n{FUNCTION}"),
            f"from __future__ import annotations\n{HELPERS}\n{FUNCTION}\n",
        ),
        (fenced("def area(r:\n    return"), f"{HELPERS}\ndef area(r:\n    return\n"),
    ],
    ids=[
        "a function",
        "a function without a fence",
        "the prompt and its body",
        "a function and a test of it",
        "a body",
        "a body that is not indented",
        "a body without a fence",
        "a body after blank lines",
        "no definition",
        "an import that has to be first",
        "what is no Python is left for the grader to say",
    ],
)
def test_programs(benchmark: Benchmark, answer: str, program: str) -> None:
    assert benchmark.program(benchmark.problems[0], answer) == program


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I do not know.",
        "Sorry",
        "   not a body either",
        "```python\ndef area(r):\n    return",
        "```\n```",
        fenced(""),
    ],
)
def test_answers_without_a_program(benchmark: Benchmark, answer: str) -> None:
    assert benchmark.program(benchmark.problems[0], answer) is None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (fenced(FUNCTION), "pass"),
        (fenced("def half(x):\n    return x\n\n\ndef area(r):\n    return half(3.1416) * r * r"), "pass"),
        (BODY, "pass"),
        (fenced("def area(r):\n    return 3"), "fail"),
        (fenced("def circle(r):\n    return 3.1416"), "error"),
    ],
)
def test_verdicts(benchmark: Benchmark, grader: Grader, answer: str, status: str) -> None:
    [problem] = benchmark.problems
    program = benchmark.program(problem, answer)
    assert program is not None
    [verdict] = grader.grade([benchmark.task(problem, program)])
    assert verdict.status == status, verdict.detail


def test_a_test_that_is_no_program_says_nothing_about_an_answer(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(
        as_lines(HUMANEVAL | {"test": "def check(candidate):\n    assert candidate(1"})
    )
    benchmark = open_benchmark("humaneval", tmp_path / "rows.jsonl", limit=1)
    with pytest.raises(UnreadableProblem, match="the test of .* is no Python program: get the file again"):
        benchmark.task(benchmark.problems[0], "x = 1\n")


@needs_data
@pytest.mark.parametrize("form", ["a function", "a body"])
def test_all_real_solutions_pass(grader: Grader, form: str) -> None:
    """Of HumanEval/32, 38 and 50 the function alone is no solution: it needs the helpers that the prompt has."""
    benchmark = open_benchmark("humaneval", PATHS["humaneval"])
    tasks = []
    for problem in benchmark.problems:
        whole = problem.row["prompt"] + problem.row["canonical_solution"]
        start = whole.index(f"def {problem.row['entry_point']}")
        answer = fenced(whole[start:]) if form == "a function" else problem.row["canonical_solution"]
        program = benchmark.program(problem, answer)
        assert program is not None, problem.task_id
        tasks.append(benchmark.task(problem, program))
    verdicts = zip(benchmark.problems, grader.grade(tasks), strict=True)
    assert [(problem.task_id, one.detail) for problem, one in verdicts if one.status != "pass"] == []
