"""`asap-hf evaluate` and `asap-hf grade` as a user runs them: the real small model, and known answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from asap_hf.benchmarks.results import read_results
from asap_hf.commands.command_line import guarded, parse
from asap_hf.commands.evaluate import EvaluateArguments
from asap_hf.commands.prune_arguments import PruneArguments
from tests.evaluate.small_benchmark import NAMES, STATUSES, mixed, right, write_benchmark
from tests.llm.scripted_server import ScriptedServer, scripted_server


def asap_hf(name: str, *arguments: object) -> int:
    """The exit code of `asap-hf NAME …`."""
    command = import_module(f"asap_hf.commands.{name}")

    def run(argv: list[str]) -> int:
        command.main(parse(command.ARGUMENTS, argv, f"asap-hf {name}"))
        return 0

    return guarded(run, [str(argument) for argument in arguments])


@pytest.fixture
def problems(tmp_path: Path) -> tuple[str, ...]:
    path = write_benchmark(tmp_path)
    return ("--benchmark", "humaneval", "--benchmark_path", f"humaneval={path}", "--limit", str(len(NAMES)))


@pytest.fixture(scope="module")
def tokenizer(embedded_model: str) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(embedded_model)


@pytest.fixture
def server(tokenizer: PreTrainedTokenizerBase) -> Iterator[ScriptedServer]:
    with scripted_server(mixed, tokenizer) as running:
        yield running


def endpoint(server: ScriptedServer) -> tuple[str, ...]:
    return ("--model", "m", "--engine", "endpoint", "--base_url", server.url, "--tokenizer", "embedded")


def test_the_real_model_is_evaluated_under_two_budgets(
    problems: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], embedded_model: str
) -> None:
    few = (*problems[:-1], "2")
    engine = ("--model", "embedded", "--engine", "transformers", "--dtype", "float32")
    assert asap_hf("evaluate", *engine, *few, "--budget", "8,24", "--output_dir", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "HumanEval: 2 problems" in told
    assert "8: not generated again, but cut from the one greedy generation at 24, at that very token" in told
    assert f"written to {tmp_path / 'out'}" in told
    [short, long] = read_results(tmp_path / "out")
    assert (short.budget, short.tokens, short.latency) == (8, 8.0, None)
    assert (long.budget, long.model) == (24, "embedded")
    assert long.engine.startswith("transformers ")
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [row["status"] for row in rows] == ["truncated"] * 4
    generations = pq.read_table(tmp_path / "out" / "generations.parquet").to_pylist()
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    for row in generations:
        assert tokenizer.decode(row["token_ids"]) == row["text"]
        assert 0 <= row["queue_seconds"] < row["first_token_seconds"] < row["latency_seconds"]


def test_a_server_s_answers_are_graded_and_told(
    server: ScriptedServer, problems: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asap_hf("evaluate", *endpoint(server), *problems, "--budget", "300", "--output_dir", tmp_path / "out") == 0
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [row["status"] for row in rows] == list(STATUSES.values())
    told = capsys.readouterr().out
    assert "20.00%" in told
    assert "latency: batch wall time / samples, as in the paper" in told
    assert server.seen[0].body["prompt"].count("<|im_start|>user") == 1
    assert server.seen[0].body["prompt"].endswith("<think>\n")


def test_without_think_the_answer_comes_at_once(
    server: ScriptedServer, problems: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = (*endpoint(server), *problems, "--no_think", "--budget", "300", "--output_dir", tmp_path / "out")
    assert asap_hf("evaluate", *arguments) == 0
    assert server.seen[0].body["prompt"].endswith("<|im_start|>assistant\n")
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    by_name = dict(zip(NAMES, rows, strict=True))
    assert by_name["backwards"]["status"] == "pass", "an answer without any reasoning is one"
    assert by_name["backwards"]["reasoning_tokens"] == 0


def test_the_budget_is_the_benchmark_s_own_where_none_is_given(
    server: ScriptedServer, problems: tuple[str, ...], tmp_path: Path
) -> None:
    assert asap_hf("evaluate", *endpoint(server), *problems, "--output_dir", tmp_path / "out") == 0
    assert {one.body["max_tokens"] for one in server.seen} == {6144}


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    server: ScriptedServer, problems: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.iterdir())
    assert asap_hf("evaluate", *endpoint(server), *problems, "--budget", "8,300", "--dry_run") == 0
    told = capsys.readouterr().out
    assert "HumanEval: 5 problems, 5 answers of at most 300 tokens" in told
    assert "8: not generated again" in told
    assert "nothing was generated" in told
    assert not server.seen
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmark", "humanevil", "--output_dir", "x"], "humaneval, humaneval_plus, lcb_v1_v3"),
        (["--benchmark", "humaneval,mbpp", "--output_dir", "x"], "there is no benchmark 'mbpp'"),
        (["--benchmark", ",", "--output_dir", "x"], "--benchmark is one or more of humaneval, humaneval_plus"),
        (["--output_dir", "x"], "--benchmark"),
        (["--benchmark", "humaneval"], "--output_dir"),
        (["--benchmark", "humaneval", "--output_dir", "x", "--samples", "2"], "--temperature"),
        (["--benchmark", "humaneval", "--output_dir", "x", "--temperature", "-1"], "--temperature"),
        (["--benchmark", "humaneval", "--output_dir", "x", "--limit", "0"], "--limit is 1 or more; got 0"),
        (["--benchmark", "humaneval", "--output_dir", "x", "--benchmark_path", "x.jsonl"], "name=file"),
        (["--benchmark", "humaneval", "--output_dir", "x", "--benchmark_path", "leetcode=x"], "name=file"),
        (["--benchmark", "humaneval", "--output_dir", "x", "--benchmark_path", "humaneval=none.jsonl"], "none.jsonl"),
    ],
)
def test_wrong_arguments_are_said_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asap_hf("evaluate", "--model", "embedded", *arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.startswith("asap-hf: ")
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--budget", "2k"], "--budget"), (["--engine", "endpoint"], "--base_url"), (["--dtype", "no_such"], "no_such")],
)
def test_what_the_engine_or_the_budget_cannot_be_is_said_too(
    problems: tuple[str, ...], tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ("--model", "embedded", "--engine", "transformers", *problems, "--output_dir", tmp_path / "out")
    assert asap_hf("evaluate", *usual, *arguments) == 2
    assert said in capsys.readouterr().err


def test_an_engine_has_the_same_flags_here_and_in_stage_1() -> None:
    here, there = get_type_hints(EvaluateArguments), get_type_hints(PruneArguments)
    assert here["engine"] == there["anchor_backend"]
    defaults = {of: {one.name: one.default for one in fields(of)} for of in (EvaluateArguments, PruneArguments)}
    same = {name: f"anchor_{name}" for name in here if f"anchor_{name}" in there and name != "model"}
    assert {"base_url", "api_key_env", "max_model_len", "gpu_memory"} <= same.keys()
    for name, anchor_name in {**same, "max_concurrency": "max_concurrency", "timeout": "timeout"}.items():
        assert here[name] == there[anchor_name], name
        assert defaults[EvaluateArguments][name] == defaults[PruneArguments][anchor_name], name


def test_samples_made_elsewhere_are_graded(
    tmp_path: Path, problems: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asap_hf.benchmarks import humaneval

    monkeypatch.setattr(humaneval.HumanEval, "size", len(NAMES))
    lines = [{"task_id": f"Small/{number}", "response": right(name)} for number, name in enumerate(NAMES)]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    local = ("--benchmark", "humaneval", "--path", problems[3].partition("=")[2])
    assert asap_hf("grade", tmp_path / "samples.jsonl", *local, "--output_dir", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "HumanEval: 5 of 5 problems" in told
    assert "Pass@1       100.00%" in told
    assert (tmp_path / "out" / "samples.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["samples.jsonl"], "--benchmark"),
        (["samples.jsonl", "--benchmark", "mbpp"], "there is no benchmark 'mbpp'"),
        (["samples.jsonl", "--benchmark", "humaneval", "--samples", "0"], "--samples is 1 or more"),
    ],
)
def test_grading_says_what_is_wrong(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert asap_hf("grade", *arguments) == 2
    assert said in capsys.readouterr().err
