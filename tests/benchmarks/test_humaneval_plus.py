"""HumanEval+: the reference solutions say once what is right, and answers are graded by that."""

from __future__ import annotations

from pathlib import Path

import pytest
from asap_hf.evaluation.pass_at_1.host_grader import Grader, PlusTask

from asap_hf.benchmarks import Benchmark, UnreadableProblem, open_benchmark
from asap_hf.errors import RunError
from tests.benchmarks.rows import PLUS, PLUS_ON_HUB, fenced
from tests.benchmarks.serving import as_lines, as_parquet
from tests.benchmarks.shared_data import DATA, PATHS, needs_data

SOLUTION = PLUS["prompt"] + PLUS["canonical_solution"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def one_problem(path: Path, content: bytes) -> Benchmark:
    path.write_bytes(content)
    return open_benchmark("humaneval_plus", path, limit=1)


def kept(home: Path) -> list[Path]:
    return sorted((home / "asap_hf" / "references").iterdir())


def test_both_forms_give_the_same_tests(tmp_path: Path, grader: Grader) -> None:
    own = one_problem(tmp_path / "own.jsonl", as_lines(PLUS))
    from_hub = one_problem(tmp_path / "hub.parquet", as_parquet(PLUS_ON_HUB))
    assert own.prompts_hash == from_hub.prompts_hash
    tasks = [benchmark.task(benchmark.problems[0], SOLUTION) for benchmark in (own, from_hub)]
    assert tasks[0] == tasks[1]
    assert isinstance(tasks[0], PlusTask)
    expected = [(test.arguments, round(test.expected, 2), test.tolerance) for test in tasks[0].tests]
    assert expected[:3] == [((1,), 3.14, 1e-6), ((2.5,), 19.63, 1e-6), ((0,), 0.0, 1e-6)]
    assert [verdict.status for verdict in grader.grade(tasks)] == ["pass", "pass"]


def test_an_answer_must_be_right_beyond_the_base_tests(tmp_path: Path, grader: Grader) -> None:
    benchmark = one_problem(tmp_path / "own.jsonl", as_lines(PLUS))
    answer = fenced("def area(r):\n    return math.pi * r * r if 0 < r < 9 else None")
    program = benchmark.program(benchmark.problems[0], answer)
    assert program is not None
    [verdict] = grader.grade([benchmark.task(benchmark.problems[0], program)])
    assert (verdict.status, verdict.detail.partition(":")[0]) == ("fail", "test 3")


def test_references_run_once(tmp_path: Path, home: Path) -> None:
    """The second time there is nobody to run them."""
    benchmark = one_problem(tmp_path / "own.jsonl", as_lines(PLUS))
    with Grader(1) as grader:
        benchmark.prepare(grader)
    [file] = kept(home)
    written = file.stat().st_mtime_ns
    benchmark.prepare(grader)
    again = one_problem(tmp_path / "own.jsonl", as_lines(PLUS))
    assert again.task(again.problems[0], SOLUTION) == benchmark.task(benchmark.problems[0], SOLUTION)
    assert [one.stat().st_mtime_ns for one in kept(home)] == [written]


def test_another_reference_has_other_answers(tmp_path: Path, home: Path, grader: Grader) -> None:
    tasks = []
    for number, solution in enumerate(("    return [r, (r, None)]\n", "    return {r: 2 ** 9999}\n")):
        content = as_lines({**PLUS, "canonical_solution": solution})
        benchmark = one_problem(tmp_path / f"{number}.jsonl", content)
        benchmark.prepare(grader)
        tasks.append(benchmark.task(benchmark.problems[0], SOLUTION))
    assert len(kept(home)) == 2
    assert [task.tests[0].expected for task in tasks if isinstance(task, PlusTask)] == [[1, (1, None)], {1: 2**9999}]


def test_what_was_damaged_on_disk_is_found_out_anew(tmp_path: Path, home: Path) -> None:
    benchmark = one_problem(tmp_path / "own.jsonl", as_lines(PLUS))
    task = benchmark.task(benchmark.problems[0], SOLUTION)
    [file] = kept(home)
    whole = file.read_bytes()
    for content in (whole[:-5], b"", b"x" * 99):
        file.write_bytes(content)
        anew = benchmark.task(benchmark.problems[0], SOLUTION)
        assert isinstance(task, PlusTask)
        assert isinstance(anew, PlusTask)
        assert [test.expected for test in anew.tests] == [test.expected for test in task.tests]
        assert file.read_bytes() != content
    assert kept(home) == [file]


def test_a_reference_that_fails_leaves_one_problem_without_tests(tmp_path: Path, home: Path, grader: Grader) -> None:
    """It is run once, and the other problem can be graded."""
    broken = {**PLUS, "task_id": "HumanEval/9", "canonical_solution": "    return 1 / 0\n"}
    (tmp_path / "own.jsonl").write_bytes(as_lines(broken, PLUS))
    benchmark = open_benchmark("humaneval_plus", tmp_path / "own.jsonl", limit=2)
    benchmark.prepare(grader)
    assert len(kept(home)) == 1
    for _ in range(2):
        with pytest.raises(UnreadableProblem, match="the reference solution area gives no answer: .*ZeroDivisionErr"):
            benchmark.task(benchmark.problems[0], SOLUTION)
    [verdict] = grader.grade([benchmark.task(benchmark.problems[1], SOLUTION)])
    assert verdict.status == "pass"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, home: Path, grader: Grader) -> None:
    home.write_text("a file")
    benchmark = one_problem(tmp_path / "own.jsonl", as_lines(PLUS))
    with pytest.raises(
        RunError, match=r"area could not be written to .*: .*; make room, or name another folder in HF_"
    ):
        benchmark.prepare(grader)


@pytest.mark.parametrize(
    "row",
    [
        {**PLUS_ON_HUB, "test": "def check(candidate):\n    inputs = [[f()]]\n    assertion(candidate(1), 2, 0)\n"},
        {**PLUS_ON_HUB, "test": "def check(candidate):\n    inputs = [[1]]\n    assert candidate(1)\n"},
        {**PLUS, "base_input": None, "plus_input": 3},
        {**PLUS, "base_input": [1]},
    ],
)
def test_tests_of_an_unknown_form_are_one_sentence(tmp_path: Path, row: dict[str, object], grader: Grader) -> None:
    benchmark = one_problem(tmp_path / "odd.jsonl", as_lines(row))
    benchmark.prepare(grader)
    with pytest.raises(UnreadableProblem, match="the tests of HumanEval/0 are not in a known form"):
        benchmark.task(benchmark.problems[0], SOLUTION)


@needs_data
def test_real_solutions_pass_in_both_forms(grader: Grader) -> None:
    """The first ten, of which the Hub's form leaves out inputs that occur twice."""
    paths = (PATHS["humaneval_plus"], DATA / "humaneval_plus" / "HumanEvalPlus-OriginFmt.jsonl.gz")
    counts = []
    for path in paths:
        benchmark = open_benchmark("humaneval_plus", path, limit=10)
        benchmark.prepare(grader)
        tasks = []
        for problem in benchmark.problems:
            program = benchmark.program(
                problem, fenced(problem.row["prompt"] + problem.row["canonical_solution"].strip("\n"))
            )
            assert program is not None
            tasks.append(benchmark.task(problem, program))
        assert [verdict.status for verdict in grader.grade(tasks)] == ["pass"] * 10
        counts.append([len(task.tests) for task in tasks if isinstance(task, PlusTask)])
    assert all(own - 10 < hub <= own for own, hub in zip(*counts, strict=True))
    assert min(counts[1]) > 10


@needs_data
def test_any_root_of_find_zero_will_do(tmp_path: Path, grader: Grader) -> None:
    """The Hub's own test of HumanEval/32 fails every answer."""
    for path in (PATHS["humaneval_plus"], DATA / "humaneval_plus" / "HumanEvalPlus-OriginFmt.jsonl.gz"):
        benchmark = open_benchmark("humaneval_plus", path, limit=33)
        problem = benchmark.problems[32]
        (tmp_path / "one.jsonl").write_bytes(as_lines(problem.row))
        alone = open_benchmark("humaneval_plus", tmp_path / "one.jsonl", limit=1)
        alone.prepare(grader)
        program = alone.program(problem, problem.row["canonical_solution"])
        assert program is not None
        wrong = alone.program(problem, "    return 0.5\n")
        assert wrong is not None
        verdicts = grader.grade([alone.task(problem, program), alone.task(problem, wrong)])
        assert [verdict.status for verdict in verdicts] == ["pass", "fail"]
