"""Benchmark results are read as they were written, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION
from huggingface_hub import parse_eval_result_entries

from asap_hf.benchmarks.registry import BENCHMARKS
from asap_hf.benchmarks.results import older_verdicts, read_results
from asap_hf.cards.result_formats import eval_result_files, model_index, results_table
from asap_hf.errors import UsageError
from asap_hf.paper import PROBLEMS
from tests.benchmark_results import humaneval_result, write_results

RESULT = humaneval_result(pass_at_1=138 / 164, tokens=2464.25, latency=0.98)


def test_what_was_written_comes_back_in_the_order_of_the_paper(tmp_path: Path) -> None:
    short = replace(RESULT, budget=2048, tokens=1502, latency=None)
    late = replace(RESULT, benchmark="leetcode", date="2025-11-22T10:30:00+00:00")
    write_results([late, RESULT], tmp_path / "a")
    path = write_results([short], tmp_path / "b" / "c")
    assert path.name == "summary.json"
    assert json.loads(path.read_text()).keys() == {"asap_hf", "results"}
    assert read_results(tmp_path) == [short, RESULT, late]


WRONG: list[tuple[str, Any, str]] = [
    ("benchmark", "mbpp", "benchmark is one of humaneval, humaneval_plus, lcb_v1_v3, lcb_v4_v5, leetcode; got 'mbpp'"),
    ("benchmark", ["humaneval"], "benchmark is one of"),
    ("dataset", "humaneval", "dataset is a dataset's id on the Hub; got 'humaneval'"),
    ("dataset", "../x", "dataset is a dataset's id on the Hub"),
    ("dataset_revision", None, "dataset_revision is a commit, or empty; got None"),
    ("split", " ", "split is the name of a split"),
    ("problems", 0, "problems is a whole number over 0; got 0"),
    ("problems", True, "problems is a whole number over 0; got True"),
    ("problems", 1.5, "problems is a whole number over 0"),
    ("pass_at_1", 84.15, "pass_at_1 is a share from 0 to 1; got 84.15"),
    ("pass_at_1", -0.1, "pass_at_1 is a share from 0 to 1"),
    ("pass_at_1", float("nan"), "pass_at_1 is a share from 0 to 1"),
    ("pass_at_1", "0.8", "pass_at_1 is a share from 0 to 1; got '0.8'"),
    ("tokens", 0, "tokens is a number over 0"),
    ("tokens", 6145, "tokens is at most the budget, 6144; got 6145"),
    ("latency", 0, "latency is seconds over 0, or null"),
    ("latency", float("inf"), "latency is seconds over 0, or null"),
    ("budget", "6K", "budget is a whole number over 0; got '6K'"),
    ("model", "", "model is the name of a model"),
    ("model_revision", 1, "model_revision is a commit, or empty"),
    ("engine", None, "engine is the name of an engine"),
    ("date", "yesterday", "date is an ISO 8601 date; got 'yesterday'"),
    ("date", 20251122, "date is an ISO 8601 date"),
]


@pytest.mark.parametrize(("field", "value", "said"), WRONG)
def test_a_field_that_cannot_be_right_is_named_with_its_file(
    tmp_path: Path, field: str, value: Any, said: str
) -> None:
    record = {**asdict(RESULT), field: value}
    (tmp_path / "summary.json").write_text(json.dumps({"results": [asdict(RESULT), record]}))
    with pytest.raises(UsageError) as raised:
        read_results(tmp_path)
    assert str(raised.value).startswith(f"'{tmp_path / 'summary.json'}', result 2: {said}")


def test_every_field_must_be_there(tmp_path: Path) -> None:
    for name in asdict(RESULT).keys() - {"ungraded", "grader_version"}:
        record = {other: value for other, value in asdict(RESULT).items() if other != name}
        (tmp_path / "summary.json").write_text(json.dumps({"results": [record]}))
        with pytest.raises(UsageError, match=f"result 1: the field '{name}' is missing"):
            read_results(tmp_path)


def test_results_from_before_the_grader_had_a_version_can_be_read(tmp_path: Path) -> None:
    path = write_results([RESULT], tmp_path)
    told = json.loads(path.read_text())
    del told["results"][0]["ungraded"], told["results"][0]["grader_version"]
    path.write_text(json.dumps(told))
    assert read_results(tmp_path) == [replace(RESULT, ungraded=0, grader_version=None)]


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ([GRADER_VERSION], ""),
        ([None], f"graded with a version before 2 of the grader, which is at version {GRADER_VERSION} here"),
        (
            [GRADER_VERSION, 90, None, 91],
            "graded with a version before 2 and version 90 and version 91 of the grader, wh",
        ),
    ],
)
def test_verdicts_of_other_versions_of_the_grader_are_told(versions: list[int | None], said: str) -> None:
    told = older_verdicts(replace(RESULT, grader_version=one) for one in versions)
    assert told.startswith(said) and bool(told) == bool(said)


def test_a_result_with_answers_that_were_not_graded_stands_in_the_table_alone() -> None:
    lost = replace(RESULT, ungraded=3)
    assert "HumanEval, without 3 answers that were not graded" in results_table([lost], [], "some/base")
    assert "not graded" not in results_table([RESULT], [], "some/base")
    assert (eval_result_files([lost]), model_index([lost])) == ({}, [])


NO_RESULTS = [
    ("{", "is not JSON"),
    ("\udcff", "is not JSON"),
    ("[]", "holds no list 'results'"),
    ('{"results": {}}', "holds no list 'results'"),
    ('{"results": [1]}', "result 1: a result is an object with fields; got 1"),
    (json.dumps({"results": [{**asdict(RESULT), "note": ""}]}), "result 1: there is no field 'note'"),
]


@pytest.mark.parametrize(("content", "said"), NO_RESULTS)
def test_what_is_no_summary_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "summary.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=said):
        read_results(tmp_path)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="there are no results in"):
            read_results(folder)


def test_two_results_of_one_thing_are_refused_with_both_files(tmp_path: Path) -> None:
    write_results([RESULT], tmp_path / "a")
    write_results([replace(RESULT, pass_at_1=0.5)], tmp_path / "b")
    with pytest.raises(UsageError) as raised:
        read_results(tmp_path)
    for told in (str(tmp_path / "a" / "summary.json"), str(tmp_path / "b" / "summary.json"), "humaneval", "6,144"):
        assert told in str(raised.value)


def test_the_hub_reads_its_files_back() -> None:
    results = [replace(RESULT, benchmark=name, budget=10240, problems=PROBLEMS[name]) for name in BENCHMARKS]
    results += [RESULT, replace(RESULT, dataset_revision="")]
    files = eval_result_files(results[:-1])
    assert list(files) == [
        ".eval_results/humaneval_10240.yaml",
        ".eval_results/humaneval_plus_10240.yaml",
        ".eval_results/lcb_v1_v3.yaml",
        ".eval_results/lcb_v4_v5.yaml",
        ".eval_results/leetcode.yaml",
        ".eval_results/humaneval.yaml",
    ]
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[".eval_results/humaneval.yaml"]))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("openai/openai_humaneval", "humaneval", 84.15)
    assert (entry.dataset_revision, entry.date) == (RESULT.dataset_revision, "2025-11-22")
    assert entry.notes == (
        "Pass@1 in per cent on 164 problems; at most 6144 generated tokens, 2464 in the mean; vllm 0.32.0"
    )
    (entry,) = parse_eval_result_entries(
        yaml.safe_load(eval_result_files(results[-1:])[".eval_results/humaneval.yaml"])
    )
    assert entry.dataset_revision is None
