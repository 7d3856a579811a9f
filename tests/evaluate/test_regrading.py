"""Verdicts of another version of the grader are given anew, and what was generated is never generated again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION, Grader, Verdict

from asap_hf.benchmarks import Benchmark, open_benchmark
from asap_hf.commands.command_line import guarded, parse
from asap_hf.compare.runs import EvaluationRun
from asap_hf.errors import UsageError
from asap_hf.evaluate.foreign_samples import grade_file
from asap_hf.evaluate.regrading import Finished, regrade
from asap_hf.evaluate.run import Evaluation
from asap_hf.evaluate.workspace import Workspace
from asap_hf.llm.endpoint import EndpointEngine

from ..llm.scripted_server import ScriptedServer, scripted_server
from ..tiny_models import byte_level_tokenizer
from .small_benchmark import NAMES, STATUSES, mixed, right, write_benchmark


class StoppedError(Exception):
    """What ends a run before its end."""


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return open_benchmark("humaneval", write_benchmark(tmp_path), limit=len(NAMES))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(mixed, byte_level_tokenizer()) as running:
        yield running


@pytest.fixture
def evaluation(server: ScriptedServer, benchmark: Benchmark, tmp_path: Path) -> Evaluation:
    byte_level_tokenizer().save_pretrained(tmp_path / "tok")
    engine = EndpointEngine("m", base_url=server.url, tokenizer=str(tmp_path / "tok"), backoff=0.01)
    return Evaluation(engine, [benchmark], {"humaneval": (60, 400)}, workers=2)


def stopped(evaluation: Evaluation, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An evaluation that was killed when all was graded: its file of verdicts."""

    def stop(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "finish", stop)
        with pytest.raises(StoppedError):
            evaluation.run(folder)
    return folder.parent / f".{folder.name}.partial" / "verdicts.jsonl"


def wrongly(path: Path, **changes: Any) -> None:
    """Make every stored verdict a `fail`, with changes to its record; `None` takes a field out."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        record["verdict"]["status"] = "fail"
        record |= changes
        for name in [name for name, value in record.items() if value is None]:
            del record[name]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def statuses(folder: Path) -> dict[str, str]:
    rows = pq.read_table(folder / "samples.parquet").to_pylist()
    return {
        name: row["status"] for name, row in zip(NAMES, (row for row in rows if row["budget"] == 400), strict=True)
    }


def as_if_graded_before(folder: Path, **changes: str) -> None:
    """What an earlier version of the tool would have left: no version anywhere, and these statuses by problem."""
    path = folder / "samples.parquet"
    rows = pq.read_table(path).drop_columns(["grader_version"]).to_pylist()
    for row in rows:
        if (status := changes.get(NAMES[int(row["task_id"].split("/")[1])])) and row["program"]:
            row["status"], row["passed"] = status, status == "pass"
    pq.write_table(pa.Table.from_pylist(rows), path)
    told = json.loads((folder / "summary.json").read_text())
    for result in told["results"]:
        del result["ungraded"], result["grader_version"]
        result["pass_at_1"] = 0.0
    for name in ("grader_version", "unreadable"):
        del told["run"][name]
    (folder / "summary.json").write_text(json.dumps(told))


@pytest.mark.parametrize("version", [None, GRADER_VERSION - 1, GRADER_VERSION + 1])
def test_an_unfinished_run_keeps_answers_and_gives_verdicts_of_another_version_anew(
    evaluation: Evaluation,
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int | None,
) -> None:
    wrongly(stopped(evaluation, tmp_path / "out", monkeypatch), grader_version=version)
    report = evaluation.run(tmp_path / "out")
    assert statuses(tmp_path / "out") == STATUSES
    assert set(server.asked.values()) == {1}
    assert report.run["grader_version"] == GRADER_VERSION
    assert {one.grader_version for one in report.results} == {GRADER_VERSION}
    assert {(one.status, one.grader_version) for one in report.samples} == {
        ("pass", GRADER_VERSION),
        ("fail", GRADER_VERSION),
        ("truncated", None),
        ("no_program", None),
    }


def test_verdicts_of_this_version_are_trusted(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrongly(stopped(evaluation, tmp_path / "out", monkeypatch))
    evaluation.run(tmp_path / "out")
    assert statuses(tmp_path / "out")["add"] == "fail"


def test_samples_made_elsewhere_are_graded_anew_likewise(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"task_id": f"Small/{number}", "response": right(name)} for number, name in enumerate(NAMES)]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def stop(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "finish", stop)
        with pytest.raises(StoppedError):
            grade_file(tmp_path / "samples.jsonl", benchmark, tmp_path / "out")
    wrongly(tmp_path / ".out.partial" / "verdicts.jsonl", grader_version=None)
    assert {one.status for one in grade_file(tmp_path / "samples.jsonl", benchmark, tmp_path / "out")} == {"pass"}
    told = json.loads((tmp_path / "out" / "summary.json").read_text())["run"]
    assert (told["grader_version"], told["ungraded"], told["unreadable"]) == (GRADER_VERSION, 0, {})


def test_a_finished_evaluation_of_an_earlier_version_says_how_to_grade_it_again(
    evaluation: Evaluation, server: ScriptedServer, tmp_path: Path
) -> None:
    evaluation.run(tmp_path / "the run")
    with pytest.raises(UsageError, match="is not empty|--overwrite"):
        evaluation.run(tmp_path / "the run")
    as_if_graded_before(tmp_path / "the run")
    said = (
        f"graded with a version before 2 of the grader, .*`asap-hf grade '{tmp_path}/the run' --output_dir …` grades "
        "its answers again without generating any; --overwrite generates them anew"
    )
    with pytest.raises(UsageError, match=said):
        evaluation.run(tmp_path / "the run")
    assert set(server.asked.values()) == {1}


def test_a_finished_evaluation_is_graded_again_without_a_model(
    evaluation: Evaluation, benchmark: Benchmark, server: ScriptedServer, tmp_path: Path
) -> None:
    before = evaluation.run(tmp_path / "out")
    as_if_graded_before(tmp_path / "out", add="fail", double="pass")
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    report = regrade(Finished.read(tmp_path / "out"), [benchmark], tmp_path / "again")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    assert statuses(tmp_path / "again") == STATUSES
    assert report.run["graded_again"]["changed"] == {"fail → pass": 1, "pass → fail": 1}
    assert report.run["graded_again"]["former_version"] is None
    run = EvaluationRun.read(tmp_path / "again")
    assert dict(run.results) == {(one.benchmark, one.budget): one for one in before.results}
    assert {one.samples for one in run.scores.values()} == {1}
    generations = [pq.read_table(tmp_path / name / "generations.parquet") for name in ("out", "again")]
    assert generations[0].equals(generations[1])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert set(server.asked.values()) == {1}


def test_programs_are_looked_for_anew_in_the_answers(
    evaluation: Evaluation, benchmark: Benchmark, tmp_path: Path
) -> None:
    """An earlier version may not have found one."""
    evaluation.run(tmp_path / "out")
    path = tmp_path / "out" / "samples.parquet"
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        if row["status"] == "pass":
            row |= {"status": "no_program", "program": "", "passed": False, "grader_version": None}
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    report = regrade(Finished.read(tmp_path / "out"), [benchmark])
    assert report.run["graded_again"]["changed"] == {"no_program → pass": 1}
    assert report.results[-1].pass_at_1 == 0.2


def test_a_second_grading_that_is_broken_off_goes_on_from_its_verdicts(
    evaluation: Evaluation, benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation.run(tmp_path / "out")

    def stop(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "finish", stop)
        with pytest.raises(StoppedError):
            regrade(Finished.read(tmp_path / "out"), [benchmark], tmp_path / "again")
    monkeypatch.setattr(Grader, "grade", lambda self, tasks: pytest.fail("graded a third time"))
    assert regrade(Finished.read(tmp_path / "out"), [benchmark], tmp_path / "again").results[-1].pass_at_1 == 0.2


def test_what_could_not_be_graded_is_graded_with_another_command(
    evaluation: Evaluation, benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grade = Grader.grade

    def failing(self: Grader, tasks: Any) -> list[Verdict]:
        lost = tasks[0].entry_point == "double"
        return [Verdict("infra", "the jail did not start", 0.0, 0.0)] if lost else grade(self, tasks)

    with monkeypatch.context() as patch:
        patch.setattr(Grader, "grade", failing)
        assert evaluation.run(tmp_path / "out").results[-1].ungraded == 1
    with pytest.raises(UsageError, match="1 of whose answers were not graded: `asap-hf grade "):
        evaluation.run(tmp_path / "out")
    report = regrade(Finished.read(tmp_path / "out"), [benchmark], tmp_path / "again")
    assert (report.results[-1].ungraded, report.results[-1].pass_at_1) == (0, 0.2)
    assert report.run["graded_again"]["changed"] == {"infra → fail": 1}


def test_another_revision_of_the_benchmark_is_refused(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.run(tmp_path / "out")
    (tmp_path / "small.jsonl").write_text((tmp_path / "small.jsonl").read_text() + "\n")
    other = open_benchmark("humaneval", tmp_path / "small.jsonl", limit=len(NAMES))
    with pytest.raises(UsageError, match="answers revision '.*' of humaneval, this is '.*': name a copy of that"):
        regrade(Finished.read(tmp_path / "out"), [other])


def test_former_verdicts_stay_where_they_are(evaluation: Evaluation, benchmark: Benchmark, tmp_path: Path) -> None:
    evaluation.run(tmp_path / "out")
    with pytest.raises(UsageError, match="name another folder with --output_dir"):
        regrade(Finished.read(tmp_path / "out"), [benchmark], tmp_path / "." / "out", overwrite=True)
    with pytest.raises(UsageError, match="is not an evaluation.*choose another --output_dir"):
        regrade(Finished.read(tmp_path / "out"), [benchmark], tmp_path / "tok")


def asap_hf(name: str, *arguments: object) -> int:
    """The exit code of `asap-hf NAME …`."""
    command = import_module(f"asap_hf.commands.{name}")

    def run(argv: list[str]) -> int:
        command.main(parse(command.ARGUMENTS, argv, f"asap-hf {name}"))
        return 0

    return guarded(run, [str(argument) for argument in arguments])


@pytest.mark.parametrize("path", ["{}", "humaneval={}"])
def test_the_command_takes_a_folder(
    evaluation: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    evaluation.run(tmp_path / "out")
    as_if_graded_before(tmp_path / "out", add="timeout")
    local = ("--path", path.format(tmp_path / "small.jsonl"))
    assert asap_hf("grade", tmp_path / "out", *local) == 0
    told = capsys.readouterr().out
    assert "HumanEval: 5 problems" in told
    assert "20.00%" in told
    assert "verdicts that changed: timeout → pass 1" in told
    assert asap_hf("grade", tmp_path / "out", *local, "--output_dir", tmp_path / "new") == 0
    assert asap_hf("compare", tmp_path / "out", tmp_path / "new") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "note: out was graded with a version before 2 of the grader" in told
    assert "new was graded" not in told
    assert asap_hf("grade", tmp_path / "new", *local) == 0
    assert "verdicts that changed: none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmark", "humaneval"], "leave out --benchmark"),
        (["--samples", "2"], "leave out --samples"),
        (["--allow_missing"], "leave out --allow_missing"),
        (
            ["--path", "humaneval=x.jsonl,leetcode=y.jsonl"],
            "--path is name=file, with a name of humaneval; got 'leetcode'",
        ),
        (["--path", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_what_a_folder_tells_itself_is_not_asked_for(
    evaluation: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    evaluation.run(tmp_path / "out")
    assert asap_hf("grade", tmp_path / "out", *arguments) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_finished_evaluation_is_refused(benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no finished evaluation, it has no summary.json"):
        Finished.read(tmp_path)
    line = {"task_id": "Small/0", "response": right("add")}
    (tmp_path / "samples.jsonl").write_text(json.dumps(line) + "\n")
    grade_file(tmp_path / "samples.jsonl", benchmark, tmp_path / "graded", allow_missing=True)
    with pytest.raises(UsageError, match="grade the file of samples again that it was made from"):
        Finished.read(tmp_path / "graded")


def test_damaged_samples_are_one_sentence(evaluation: Evaluation, benchmark: Benchmark, tmp_path: Path) -> None:
    evaluation.run(tmp_path / "out")
    path = tmp_path / "out" / "samples.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["answer"]), path)
    with pytest.raises(UsageError, match="has no column 'answer': it is not what `asap-hf evaluate` writes"):
        regrade(Finished.read(tmp_path / "out"), [benchmark])
    path.write_bytes(b"no Parquet")
    with pytest.raises(UsageError, match="is not Parquet, or damaged"):
        regrade(Finished.read(tmp_path / "out"), [benchmark])
