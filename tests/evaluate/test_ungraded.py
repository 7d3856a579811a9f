"""What nothing graded is said beside Pass@1; where nothing was graded there is no result; and a problem that cannot be
read keeps no other from being graded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from asap_hf.evaluation.pass_at_1.host_grader import Grader, Verdict

from asap_hf.benchmarks import Benchmark, humaneval
from asap_hf.benchmarks.results import read_results

from ..commands.test_evaluate import asap_hf
from ..llm.scripted_server import ScriptedServer, scripted_server
from ..tiny_models import byte_level_tokenizer
from .small_benchmark import NAMES, always_right, mixed, right, rows

Lines = Callable[..., Path]
LOST = Verdict("infra", "the jail did not start", 0.0, 0.0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(humaneval.HumanEval, "size", len(NAMES))


@pytest.fixture
def problems(tmp_path: Path) -> Callable[..., Path]:
    """A file of the benchmark, with other fields by number of the row; a text stands for the whole line."""

    def write(changes: dict[int, dict[str, Any] | str] | None = None) -> Path:
        lines = []
        for number, row in enumerate(rows()):
            change = (changes or {}).get(number, {})
            lines.append(change if isinstance(change, str) else json.dumps(row | change))
        (tmp_path / "small.jsonl").write_text("\n".join(lines) + "\n")
        return tmp_path / "small.jsonl"

    return write


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    lines = [{"task_id": f"Small/{number}", "response": right(name)} for number, name in enumerate(NAMES)]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "samples.jsonl"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(always_right, byte_level_tokenizer()) as running:
        yield running


def evaluate(server: ScriptedServer, path: Path, *more: object) -> int:
    byte_level_tokenizer().save_pretrained(path.parent / "tok")
    engine = ("--engine", "endpoint", "--base_url", server.url, "--tokenizer", path.parent / "tok", "--model", "m")
    asked = ("--benchmark", "humaneval", "--benchmark_path", f"humaneval={path}", "--budget", "60,400")
    return asap_hf("evaluate", *engine, *asked, "--output_dir", path.parent / "out", *more)


def grade(samples: Path, path: Path, *more: object) -> int:
    return asap_hf("grade", samples, "--benchmark", "humaneval", "--path", path, *more)


def losing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """No program for one of these problems is graded."""
    usual = Grader.grade

    def failing(self: Grader, tasks: Sequence[Any]) -> list[Verdict]:
        return [LOST] if tasks[0].entry_point in names else usual(self, tasks)

    monkeypatch.setattr(Grader, "grade", failing)


def test_an_evaluation_says_how_many_were_not_graded(
    server: ScriptedServer,
    problems: Lines,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    losing(monkeypatch, "add", "vowels")
    assert evaluate(server, problems()) == 0
    told = capsys.readouterr().out
    said = "at 400, 2 of 5 answers were not graded (Small/0, Small/4: the jail did not start); Pass@1 is of the others"
    assert said in told.splitlines()
    assert "100.00%" in told
    results = read_results(tmp_path / "out")
    assert [(one.budget, one.ungraded, one.problems) for one in results] == [(60, 0, 5), (400, 2, 5)]
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [row["grader_version"] is None for row in rows if row["budget"] == 400] == [True, False, False, False, True]
    assert asap_hf("compare", tmp_path / "out") == 0
    assert "100.00 (2 not graded)" in capsys.readouterr().out


def test_an_evaluation_of_which_nothing_was_graded_fails_and_keeps_its_answers(
    problems: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though some answers have a verdict without a grader: `truncated`, `no_program`."""
    with scripted_server(mixed, byte_level_tokenizer()) as server:
        with monkeypatch.context() as patch:
            losing(patch, *NAMES)
            assert evaluate(server, problems()) == 1
        said = "not one of 2 programs for humaneval was graded (the jail did not start); run the same command again"
        assert said in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert evaluate(server, problems()) == 0
        assert set(server.asked.values()) == {1}


def test_samples_of_which_some_were_not_graded(
    problems: Lines,
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    losing(monkeypatch, "add")
    assert grade(samples, problems(), "--output_dir", tmp_path / "out") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["Pass@1", "100.00%"]
    assert lines[2] == "1 of 5 answers were not graded (Small/0: the jail did not start); Pass@1 is of the others"
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["run"]["ungraded"] == 1


@pytest.mark.parametrize("more", [(), ("--output_dir", "out")])
def test_samples_of_which_none_was_graded(
    problems: Lines,
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    first, *rest = samples.read_text().splitlines()  # one without a program, which failed as such
    without = {name: "I do not know." if "```" in str(value) else value for name, value in json.loads(first).items()}
    samples.write_text("\n".join([json.dumps(without), *rest]) + "\n")
    losing(monkeypatch, *NAMES)
    assert grade(samples, problems(), *more) == 1
    assert "not one of 4 programs for humaneval was graded (the jail did not start)" in capsys.readouterr().err
    assert not [path.name for path in tmp_path.iterdir() if "out" in path.name]


UNREADABLE = [
    ({1: {"test": None}}, "row 2 has no 'test' of the kind that openai/openai_humaneval has"),
    ({1: {"prompt": 5}}, "row 2 has no 'prompt' of the kind that openai/openai_humaneval has"),
]


@pytest.mark.parametrize(("changes", "trouble"), UNREADABLE)
def test_a_problem_that_cannot_be_read_is_not_asked_and_is_named(
    server: ScriptedServer,
    problems: Lines,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[int, Any],
    trouble: str,
) -> None:
    assert evaluate(server, problems(changes)) == 0
    assert len(server.asked) == 4
    told = capsys.readouterr().out
    assert f"left out, as they cannot be read: 1 of the benchmark's problems (Small/1: {trouble})" in told.splitlines()
    assert "HumanEval: 4 problems" in told
    run = json.loads((tmp_path / "out" / "summary.json").read_text())["run"]
    assert run["unreadable"] == {"humaneval": {"Small/1": trouble}}
    assert run["problems"] == {"humaneval": 4}
    assert asap_hf("grade", tmp_path / "out", "--path", tmp_path / "small.jsonl") == 0
    assert "verdicts that changed: none" in capsys.readouterr().out


@pytest.mark.parametrize(("changes", "trouble"), UNREADABLE)
def test_samples_for_a_problem_that_cannot_be_read_are_not_graded_and_the_others_are(
    problems: Lines,
    samples: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[int, Any],
    trouble: str,
) -> None:
    assert grade(samples, problems(changes), "--output_dir", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert f"1 of 5 answers were not graded (Small/1: the problem cannot be read: {trouble}); Pass@1 is of the" in told
    assert "100.00%" in told
    run = json.loads((tmp_path / "out" / "summary.json").read_text())["run"]
    assert run["unreadable"] == {"Small/1": trouble}


def test_a_test_that_is_no_program_fails_no_answer(
    server: ScriptedServer, problems: Lines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(server, problems({2: {"test": "def check(candidate):\n    assert candidate(["}})) == 0
    told = capsys.readouterr().out
    assert "1 of 5 answers were not graded (Small/2: the test of Small/2 is no Python program: get the file" in told
    assert "100.00%" in told


def test_a_broken_line_of_the_benchmark_is_one_problem(
    samples: Path, problems: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    samples.write_text("".join(f"{line}\n" for line in samples.read_text().splitlines() if "Small/3" not in line))
    assert grade(samples, problems({3: '{"task_id": "Small'})) == 0
    told = capsys.readouterr().out
    assert "HumanEval: 4 of 4 problems" in told
    assert "1 of the benchmark's problems (row 4 of small.jsonl: row 4 is no object in JSON)" in told


def test_trouble_with_a_whole_file_still_ends_the_run(
    server: ScriptedServer, problems: Lines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asap_hf.errors import UsageError

    def gone(self: Benchmark, problem: Any, program: str) -> Any:
        raise UsageError("'small.jsonl' was changed or removed while it was in use; start again")

    monkeypatch.setattr(humaneval.HumanEval, "task", gone)
    assert evaluate(server, problems()) == 2
    assert "start again" in capsys.readouterr().err
