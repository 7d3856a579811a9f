"""An evaluation's folder is read back problem by problem, and what is none is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asap_hf.compare.runs import EvaluationRun
from asap_hf.errors import UsageError
from asap_hf.evaluate.samples import generations_table, samples_table
from tests.compare.folders import GENERATIONS, SAMPLES, Sample, write_evaluation

TWO = [Sample("HumanEval/0"), Sample("HumanEval/1", "fail", 2000)]


def rewrite(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / "samples.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def tell(folder: Path, **change: Any) -> None:
    path = folder / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_the_folders_of_these_tests_are_like_those_of_an_evaluation() -> None:
    assert samples_table([]).schema == SAMPLES
    assert generations_table([]).schema == GENERATIONS


def test_scores_are_means_over_the_samples_of_a_problem(tmp_path: Path) -> None:
    samples = [
        Sample("b", "pass", 100, sample=0),
        Sample("b", "fail", 200, sample=1),
        Sample("b", "timeout", 300, sample=2),
        Sample("b", "pass", 400, sample=3),
        Sample("a", "truncated", 6144, sample=0),
        Sample("a", "pass", 1000, sample=1),
        Sample("a", "infra", 5000, sample=2),
        Sample("c", "infra", 700, sample=0),
        Sample("d", "error", 10, sample=0),
        Sample("e", "no_program", 10, sample=0),
    ]
    run = EvaluationRun.read(write_evaluation(tmp_path / "run", samples))
    scores = run.scores["humaneval", 6144]
    assert scores.problems == ("a", "b", "c", "d", "e")
    assert scores.judged == {"a", "b", "d", "e"}
    assert (scores.samples, scores.infra) == (4, 2)
    assert scores.of(["d", "b", "a"]).tolist() == [[0, 10, 0], [0.5, 250, 0], [0.5, 3572, 0.5]]
    assert np.isnan(scores.of(["c"])).all()
    assert run.results["humaneval", 6144].problems == 5


def test_benchmarks_and_budgets_are_kept_apart(tmp_path: Path) -> None:
    samples = [
        Sample("x", "truncated", 2048, budget=2048),
        Sample("x", "pass", 3000, budget=4096),
        Sample("x", "fail", 9000, budget=10240, benchmark="leetcode"),
    ]
    run = EvaluationRun.read(write_evaluation(tmp_path / "a run", samples))
    assert run.name == "a run"
    assert run.benchmarks == ["humaneval", "leetcode"]
    assert run.budgets("humaneval") == [2048, 4096]
    assert run.budgets("lcb_v1_v3") == []
    assert [one.of(["x"]).tolist()[0] for one in run.scores.values()] == [[0, 2048, 1], [1, 3000, 0], [0, 9000, 0]]
    assert run.model == "me/model"
    assert run.about["temperature"] == 0


def test_a_run_has_its_folders_name_also_from_within_and_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_evaluation(tmp_path / "red \x1b[31m\nrun", TWO)
    assert EvaluationRun.read(folder).name == "red [31m run"
    monkeypatch.chdir(folder)
    assert EvaluationRun.read(Path(".")).name == "red [31m run"


def without(column: str) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder, lambda table: table.drop_columns([column]))


def emptied(column: str) -> Callable[[Path], None]:
    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(column)
        return table.set_column(table.schema.names.index(column), field, pa.nulls(len(table), field.type))

    return lambda folder: rewrite(folder, change)


WRONG: list[tuple[Callable[[Path], None], str]] = [
    (lambda folder: (folder / "summary.json").unlink(), "is not a finished evaluation, it has no summary.json: name"),
    (lambda folder: (folder / "samples.parquet").unlink(), "is not a finished evaluation, it has no samples.parquet"),
    (lambda folder: (folder / "summary.json").write_text("{"), "summary.json' is not JSON (Expecting"),
    (lambda folder: (folder / "summary.json").write_text("[]"), "does not tell how the run was made ('run')"),
    (lambda folder: tell(folder, run=None), "does not tell how the run was made ('run')"),
    (lambda folder: tell(folder, results=[]), "holds no results, as `asap-hf grade` leaves it"),
    (lambda folder: tell(folder, results=[{}]), "result 1: the field 'benchmark' is missing"),
    (lambda folder: (folder / "samples.parquet").write_bytes(b"no"), "samples.parquet' is not Parquet, or damaged"),
    (without("status"), "samples.parquet' has no column 'status': it is not what `asap-hf evaluate` writes"),
    (without("generated_tokens"), "has no column 'generated_tokens'"),
    (emptied("generated_tokens"), "samples.parquet' has rows without 'generated_tokens'"),
    (emptied("budget"), "has rows without 'budget'"),
    (
        lambda folder: rewrite(folder, lambda table: pa.concat_tables([table, table.slice(1, 1)])),
        "holds sample 0 of 'HumanEval/1' with 6,144 tokens more than once",
    ),
    (
        lambda folder: rewrite(folder, lambda table: table.slice(0, 0)),
        "is not whole: summary.json tells of humaneval with 6,144 tokens, samples.parquet does not",
    ),
    (
        lambda folder: rewrite(
            folder, lambda table: table.set_column(3, "budget", pa.array([6144, 8192], type=pa.int32()))
        ),
        "is not whole: samples.parquet tells of humaneval with 8,192 tokens, summary.json does not; evaluate again",
    ),
    (
        lambda folder: rewrite(folder, lambda table: table.set_column(5, "status", pa.array(["pass", "passed"]))),
        "holds the status 'passed'; known are pass, fail, error, timeout, truncated, no_program, infra",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_no_evaluation_is_refused(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    folder = write_evaluation(tmp_path / "run", TWO)
    EvaluationRun.read(folder)
    spoil(folder)
    with pytest.raises(UsageError) as error:
        EvaluationRun.read(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder '.*/nothing': name what `asap-hf evaluate"):
        EvaluationRun.read(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="there is no folder"):
        EvaluationRun.read(tmp_path / "file")
