"""The evaluation run against a scripted server: what it asks, cuts, grades, writes, and goes on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerFast

from asap_hf.benchmarks import Benchmark, open_benchmark
from asap_hf.benchmarks.results import read_results
from asap_hf.errors import RunError, UsageError
from asap_hf.evaluate.report import Report
from asap_hf.evaluate.run import Evaluation
from asap_hf.evaluate.tables import report_table
from asap_hf.llm.endpoint import EndpointEngine
from asap_hf.llm.engine import Sampling

from ..llm.scripted_server import Script, ScriptedServer, scripted_server
from ..tiny_models import byte_level_tokenizer
from .small_benchmark import NAMES, SAID, STATUSES, always_right, asked_for, mixed, write_benchmark

BUDGETS = (8, 60, 400)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_tokenizer()


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return open_benchmark("humaneval", write_benchmark(tmp_path_factory.mktemp("benchmark")), limit=len(NAMES))


@pytest.fixture
def evaluation(tmp_path: Path, tokenizer: PreTrainedTokenizerFast, benchmark: Benchmark) -> Callable[..., Evaluation]:
    tokenizer.save_pretrained(tmp_path / "tok")

    def of(server: ScriptedServer, **more: Any) -> Evaluation:
        patience = {name: more.pop(name) for name in ("max_retries", "max_concurrency") if name in more}
        engine = EndpointEngine("m", base_url=server.url, tokenizer=str(tmp_path / "tok"), backoff=0.01, **patience)
        return Evaluation(engine, [benchmark], **{"budgets": {"humaneval": BUDGETS}, "workers": 2, **more})

    return of


@pytest.fixture
def server(tokenizer: PreTrainedTokenizerFast) -> Iterator[ScriptedServer]:
    with scripted_server(mixed, tokenizer) as running:
        yield running


def samples(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "samples.parquet").to_pylist()


def run_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "summary.json").read_text())["run"])


def test_every_answer_gets_the_status_that_it_deserves(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    evaluation(server).run(tmp_path / "out")
    rows = [row for row in samples(tmp_path / "out") if row["budget"] == 400]
    assert {name: row["status"] for name, row in zip(NAMES, rows, strict=True)} == STATUSES
    assert [row["passed"] for row in rows] == [True, False, False, False, False]
    assert [row["finish_reason"] for row in rows] == ["stop", "stop", "length", "stop", "stop"]
    by_name = dict(zip(NAMES, rows, strict=True))
    assert by_name["backwards"]["detail"] == "the model stopped without closing its reasoning"
    assert by_name["largest"]["answer"] == by_name["largest"]["program"] == ""
    assert by_name["double"]["program"].rstrip().endswith("return 3 * a")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "generations.parquet",
        "samples.parquet",
        "summary.json",
    ]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_one_generation_serves_all_smaller_budgets(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    report = evaluation(server).run(tmp_path / "out")
    assert set(server.asked.values()) == {1}
    assert {one.body["max_tokens"] for one in server.seen} == {400}
    generations = pq.read_table(tmp_path / "out" / "generations.parquet").to_pylist()
    for generation, name in zip(generations, NAMES, strict=True):
        whole = [*tokenizer(SAID[name].text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        assert generation["token_ids"] == whole[:400]
        assert asked_for(generation["prompt"]) == name
        assert generation["prompt"].endswith("<think>\n")
    for row in samples(tmp_path / "out"):
        length = len(generations[int(row["task_id"].split("/")[1])]["token_ids"])
        assert row["generated_tokens"] == min(length, row["budget"])
        assert row["finish_reason"] == "length" or length <= row["budget"]
        assert (row["latency_seconds"] is None) == (row["budget"] < 400)
    [eight, sixty, most] = report.results
    assert (eight.latency, sixty.latency) == (None, None)
    assert most.latency is not None
    assert eight.tokens == 8.0
    assert eight.pass_at_1 == 0.0 and most.pass_at_1 == 0.2
    told = report_table(report)
    assert "8, 60: not generated again, but cut from the one greedy generation at 400, at that very token" in told
    assert run_of(tmp_path / "out")["budgets"]["humaneval"] == {
        "generated": 400,
        "cut": [8, 60],
        "exact": True,
        "ended_by_context": 0,
    }


def test_without_token_ids_the_cut_is_said_to_be_rough(
    tokenizer: PreTrainedTokenizerFast, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    with scripted_server(mixed, tokenizer, gives_ids=False) as server:
        report = evaluation(server).run(tmp_path / "out")
    assert "roughly there: without token ids" in report_table(report)
    assert run_of(tmp_path / "out")["budgets"]["humaneval"]["exact"] is False
    assert [row["status"] for row in samples(tmp_path / "out") if row["budget"] == 400] == list(STATUSES.values())


def test_the_summary_says_what_it_takes_to_run_it_again(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path, benchmark: Benchmark
) -> None:
    evaluation(server, seed=7).run(tmp_path / "out")
    run = run_of(tmp_path / "out")
    assert run["model"] == "m"
    assert run["engine"] == "endpoint"
    assert run["prompts_hash"] == {"humaneval": benchmark.prompts_hash}
    assert run["benchmark_revision"] == {"humaneval": benchmark.revision}
    assert run["limits"] == {"humaneval": {"cpu_seconds": 3.0, "memory_mb": 4096}}
    assert (run["temperature"], run["top_p"], run["seed"], run["samples"], run["think"]) == (0.0, 1.0, 7, 1, True)
    assert run["grader_tier"] in ("bubblewrap", "landlock")
    assert len(run["chat_template"]) == 64
    assert {"asap_hf", "python", "transformers", "torch"} <= run["versions"].keys()
    assert run["wall_seconds"]["humaneval"] > 0
    text = (tmp_path / "out" / "summary.json").read_text()
    assert str(tmp_path) not in text
    assert "127.0.0.1" not in text
    read = read_results(tmp_path / "out")
    assert [one.budget for one in read] == list(BUDGETS)
    assert read[-1].latency == pytest.approx(run["wall_seconds"]["humaneval"] / 5)


def test_several_samples_are_drawn_apart_and_counted_as_a_mean(
    tokenizer: PreTrainedTokenizerFast, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    def half(prompt: str, before: int) -> Script:
        return Script(always_right(prompt, before).text.replace("return", "raise" if before % 2 else "return"))

    with scripted_server(half, tokenizer) as server:
        sampled = {"sampling": Sampling(0.8), "samples": 4, "max_concurrency": 1}
        report = evaluation(server, **sampled).run(tmp_path / "out")
        seeds = [one.body["seed"] for one in server.seen]
    assert len(set(seeds)) == len(seeds) == 20
    assert report.results[-1].pass_at_1 == 0.5
    assert report.results[-1].problems == 5
    assert "one sampled generation" in report_table(report)


def test_the_same_program_is_graded_once(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader

    graded: list[Any] = []
    grade = Grader.grade
    monkeypatch.setattr(Grader, "grade", lambda self, tasks: graded.extend(tasks) or grade(self, tasks))
    evaluation(server, budgets={"humaneval": (300, 350, 400)}).run(tmp_path / "out")
    assert len(graded) == 2


def test_verdicts_that_are_there_are_not_asked_for_again(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader

    from asap_hf.evaluate.workspace import Workspace

    class StoppedError(Exception):
        pass

    def stop(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "finish", stop)
        with pytest.raises(StoppedError):
            evaluation(server).run(tmp_path / "out")
    monkeypatch.setattr(Grader, "grade", lambda self, tasks: pytest.fail("graded again"))
    report = evaluation(server).run(tmp_path / "out")
    assert report.results[-1].pass_at_1 == 0.2
    assert set(server.asked.values()) == {1}


def test_failed_generations_are_asked_for_again_and_the_others_are_not(
    tokenizer: PreTrainedTokenizerFast, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    broken = {"add", "vowels"}

    def script(prompt: str, before: int) -> Script:
        return Script(status=400, body={"error": "no"}) if asked_for(prompt) in broken else mixed(prompt, before)

    with scripted_server(script, tokenizer) as server:
        with pytest.raises(RunError, match=r"2 of 5 generations for humaneval failed \(http_400: no\)"):
            evaluation(server).run(tmp_path / "out")
        assert not (tmp_path / "out").exists()
        broken.clear()
        report = evaluation(server).run(tmp_path / "out")
        assert sorted(server.asked.values()) == [1, 1, 1, 2, 2]
    assert [row["status"] for row in samples(tmp_path / "out") if row["budget"] == 400] == list(STATUSES.values())
    assert report.run["sessions"] == {"humaneval": 2}
    assert "This one is of 2 batches" in report_table(report)


def test_smaller_budgets_may_change_until_the_end(
    tokenizer: PreTrainedTokenizerFast, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    with scripted_server(_fails_once(), tokenizer) as server:
        with pytest.raises(RunError):
            evaluation(server).run(tmp_path / "out")
        report = evaluation(server, budgets={"humaneval": (30, 400)}).run(tmp_path / "out")
    assert [one.budget for one in report.results] == [30, 400]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sampling": Sampling(0.5)}, "temperature 0.0, now 0.5"),
        ({"seed": 1}, "seed 0, now 1"),
        ({"think": False}, "think True, now False"),
        ({"budgets": {"humaneval": (8, 500)}}, "benchmarks .*400.*now.*500"),
        ({"max_concurrency": 3}, "max_concurrency 32, now 3"),
    ],
)
def test_other_settings_refuse_to_mix(
    tokenizer: PreTrainedTokenizerFast,
    evaluation: Callable[..., Evaluation],
    tmp_path: Path,
    change: dict[str, Any],
    said: str,
) -> None:
    with scripted_server(_fails_once(), tokenizer) as server:
        with pytest.raises(RunError):
            evaluation(server).run(tmp_path / "out")
        with pytest.raises(UsageError, match=said):
            evaluation(server, **change).run(tmp_path / "out")
        anew = evaluation(server, **change).run(tmp_path / "out", overwrite=True)
    assert anew.run["sessions"] == {"humaneval": 1}


def test_what_stands_in_the_folder_is_replaced_only_on_demand(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    evaluation(server).run(tmp_path / "out")
    asked = len(server.seen)
    with pytest.raises(UsageError, match="--overwrite"):
        evaluation(server, seed=1).run(tmp_path / "out")
    assert len(server.seen) == asked
    evaluation(server, seed=1).run(tmp_path / "out", overwrite=True)
    assert run_of(tmp_path / "out")["seed"] == 1


def test_programs_that_no_jail_could_judge_count_for_nothing(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader, Verdict

    grade = Grader.grade

    def failing(self: Grader, tasks: Any) -> list[Verdict]:
        if tasks[0].entry_point == "double":
            return [Verdict("infra", "the jail did not start", 0.0, 0.0)]
        return grade(self, tasks)

    monkeypatch.setattr(Grader, "grade", failing)
    report = evaluation(server).run(tmp_path / "out")
    row = next(row for row in samples(tmp_path / "out") if row["task_id"] == "Small/1" and row["budget"] == 400)
    assert (row["status"], row["passed"], row["detail"]) == ("infra", None, "the jail did not start")
    assert report.results[-1].pass_at_1 == 0.25
    assert "infra 1" in report_table(report)


def test_where_nothing_can_be_judged_there_is_no_result_and_no_second_generation(
    tokenizer: PreTrainedTokenizerFast,
    evaluation: Callable[..., Evaluation],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader, Verdict

    with scripted_server(always_right, tokenizer) as server:
        with monkeypatch.context() as patch:
            lost = Verdict("infra", "no memory", 0.0, 0.0)
            patch.setattr(Grader, "grade", lambda self, tasks: [lost] * len(tasks))
            with pytest.raises(RunError, match="no memory"):
                evaluation(server, budgets={"humaneval": (400,)}).run(tmp_path / "out")
        report = evaluation(server, budgets={"humaneval": (400,)}).run(tmp_path / "out")
        assert set(server.asked.values()) == {1}
    assert report.results[0].pass_at_1 == 1.0


def test_without_a_jail_nothing_is_asked(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asap_hf.evaluation.pass_at_1.host_grader import Grader

    usual = Grader.__init__
    monkeypatch.setattr(Grader, "__init__", lambda self, workers=None: usual(self, workers, tiers=()))
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    with pytest.raises(RunError, match="HF_ALLOW_CODE_EVAL"):
        evaluation(server).run(tmp_path / "out")
    assert not server.seen


def test_the_tables_tell_problems_tokens_truncation_and_latency(
    server: ScriptedServer, evaluation: Callable[..., Evaluation], tmp_path: Path
) -> None:
    report = evaluation(server).run(tmp_path / "out")
    told = report_table(replace_latency(report, 1.5))
    assert "HumanEval: 5 problems of openai/openai_humaneval at " in told
    line = next(line for line in told.splitlines() if line.strip().startswith("400"))
    assert line.split()[:6] == ["400", "20.00%", "1", "of", "5", f"{report.results[-1].tokens:,.0f}"]
    assert line.split()[-3:] == ["20.0%", "1.50", "s"]
    assert "pass 1, fail 1, no_program 2, truncated 1" in told


def replace_latency(report: Report, seconds: float) -> Report:
    *cut, whole = report.results
    return replace(report, results=[*cut, replace(whole, latency=seconds)])


def _fails_once() -> Callable[[str, int], Script]:
    failed: list[str] = []

    def script(prompt: str, before: int) -> Script:
        if not failed:
            failed.append(prompt)
            return Script(status=400, body={"error": "no"})
        return mixed(prompt, before)

    return script
