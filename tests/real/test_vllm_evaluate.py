"""The evaluation's engines with vLLM and the embedded model: offline, and behind vLLM's own server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from asap_hf.benchmarks import open_benchmark
from asap_hf.benchmarks.results import read_results
from asap_hf.errors import RunError, UsageError
from asap_hf.evaluate.run import Evaluation
from asap_hf.llm.endpoint import EndpointEngine
from asap_hf.llm.engine import NO_ROOM, Engine, Generation, Prompt, Sampling
from asap_hf.llm.outcomes import Failure
from asap_hf.llm.prompts import render
from asap_hf.llm.transformers import TransformersEngine
from asap_hf.llm.vllm import VLLMEngine
from asap_hf.models.embedded import embedded_model
from tests.real.servers import own_workers
from tests.waiting import until

from ..evaluate.small_benchmark import NAMES, write_benchmark
from .servers import DTYPE, Server

pytestmark = pytest.mark.vllm

CONTEXT = 1024
QUESTIONS = ["What is the capital of France? One word.", "Name three colours.", "Tell a story about a lighthouse."]
GREEDY = Sampling()


@pytest.fixture(scope="module")
def engine() -> Iterator[VLLMEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        vllm = VLLMEngine("embedded", dtype=DTYPE, max_model_len=CONTEXT, max_num_seqs=8, enforce_eager=True)
        yield vllm
        vllm.close()


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(embedded_model())


@pytest.fixture
def prompts(tokenizer: PreTrainedTokenizerBase) -> list[Prompt]:
    return asked(tokenizer, QUESTIONS)


def asked(tokenizer: PreTrainedTokenizerBase, questions: Sequence[str]) -> list[Prompt]:
    return [render([{"role": "user", "content": text}], tokenizer, False, seed) for seed, text in enumerate(questions)]


def answers(engine: Engine, prompts: Sequence[Prompt], budget: int, sampling: Sampling = GREEDY) -> list[Generation]:
    found = dict(engine.generate(prompts, budget, sampling))
    assert not [one for one in found.values() if isinstance(one, Failure)]
    return [found[number] for number in range(len(prompts))]  # type: ignore[misc]


def test_an_answer_is_its_token_ids_with_the_one_that_ended_it(
    engine: VLLMEngine, prompts: list[Prompt], tokenizer: PreTrainedTokenizerBase
) -> None:
    paris, *_, story = answers(engine, prompts, 48)
    assert "Paris" in tokenizer.decode(paris.token_ids)
    assert (paris.finish_reason, paris.token_ids[-1]) == ("stop", tokenizer.eos_token_id)
    assert (story.finish_reason, len(story.token_ids)) == ("length", 48)


def test_times_of_a_request_are_in_order(engine: VLLMEngine, prompts: list[Prompt]) -> None:
    for one in answers(engine, prompts, 16):
        assert one.queue_seconds is not None
        assert one.first_token_seconds is not None
        assert one.latency_seconds is not None
        assert 0 <= one.queue_seconds < one.first_token_seconds < one.latency_seconds


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(0.8, 0.95)], ids=["greedy", "sampled"])
def test_a_smaller_budget_brings_the_beginning_of_what_a_larger_one_does(
    engine: VLLMEngine, prompts: list[Prompt], sampling: Sampling
) -> None:
    """One at a time, so that the batches are the same and not a bit is rounded otherwise."""
    for prompt in prompts:
        [long] = answers(engine, [prompt], 40, sampling)
        [short] = answers(engine, [prompt], 12, sampling)
        assert short.token_ids == long.token_ids[:12]


def test_samples_are_drawn_apart_and_can_be_drawn_again(engine: VLLMEngine, prompts: list[Prompt]) -> None:
    story = prompts[-1]
    seeds = [Prompt(story.messages, story.text, story.token_ids, seed) for seed in (1, 2, 1)]
    first, second, third = answers(engine, seeds, 24, Sampling(1.0))
    assert first.token_ids == third.token_ids != second.token_ids


def test_the_context_ends_an_answer_and_a_prompt_that_fills_it_has_none(
    engine: VLLMEngine, tokenizer: PreTrainedTokenizerBase
) -> None:
    long, near = asked(tokenizer, ["hi " * CONTEXT, "hi " * (CONTEXT - 60)])
    found = answers(engine, [long, near], 500)
    assert found[0] == NO_ROOM
    assert found[1].finish_reason == "length" or len(found[1].token_ids) < 40
    assert len(near.token_ids) + len(found[1].token_ids) <= CONTEXT


def test_whoever_breaks_off_leaves_nothing_to_the_next(engine: VLLMEngine, prompts: list[Prompt]) -> None:
    broken = engine.generate([prompts[0], prompts[2]], 300, GREEDY)
    next(broken)
    broken.close()  # type: ignore[attr-defined]
    assert [len(one.token_ids) for one in answers(engine, prompts[1:], 3)] == [3, 3]


def test_vllm_and_transformers_say_the_same(engine: VLLMEngine, prompts: list[Prompt]) -> None:
    """In bfloat16 rounding parts them, but later than this."""
    transformers = TransformersEngine("embedded")
    for prompt in prompts:
        [theirs], [ours] = (answers(one, [prompt], 12) for one in (engine, transformers))
        assert theirs.token_ids == ours.token_ids


def test_the_server_s_token_ids_are_those_of_the_offline_engine(
    engine: VLLMEngine, vllm_server: Server, prompts: list[Prompt]
) -> None:
    """One at a time: in other batches, bfloat16 rounds otherwise, and a story's words part."""
    server = EndpointEngine(vllm_server.model, base_url=vllm_server.base_url, tokenizer="embedded")
    for prompt in prompts:
        [served], [offline] = (answers(one, [prompt], 24) for one in (server, engine))
        assert served.token_ids == offline.token_ids
        assert served.finish_reason == offline.finish_reason
        assert served.first_token_seconds is not None
        assert served.latency_seconds is not None
        assert 0 < served.first_token_seconds < served.latency_seconds
    assert server.facts()["server"].startswith("vllm 0.")


def test_the_server_s_chat_gives_the_same_ids_through_its_own_template(
    vllm_server: Server, tokenizer: PreTrainedTokenizerBase
) -> None:
    completions = EndpointEngine(vllm_server.model, base_url=vllm_server.base_url, tokenizer="embedded")
    chat = EndpointEngine(vllm_server.model, base_url=vllm_server.base_url, tokenizer="embedded", api="chat")
    for prompt in asked(tokenizer, QUESTIONS[:2]):
        assert [one.token_ids for one in answers(chat, [prompt], 16)] == [
            one.token_ids for one in answers(completions, [prompt], 16)
        ]


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (VLLMEngine("embedded", dtype="no such type"), "dtype"),
        (VLLMEngine("embedded", max_model_len=10**6), "max_model_len"),
        (VLLMEngine("./no-such-folder"), "no-such-folder"),
    ],
    ids=["dtype", "max_model_len", "model"],
)
def test_refused_arguments_are_a_usage_error(engine: VLLMEngine, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        engine.start()


def test_a_dead_engine_is_a_run_error_and_starts_again(engine: VLLMEngine, prompts: list[Prompt]) -> None:
    answers(engine, prompts[:1], 2)
    workers = own_workers()
    assert workers
    for worker in workers:
        worker.kill()
    with pytest.raises(RunError, match="died"):
        answers(engine, prompts, 200)
    assert len(answers(engine, prompts[:1], 2)) == 1


def test_the_engine_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    code = """
import os, psutil, signal
from asap_hf.llm.vllm import VLLMEngine
if __name__ == "__main__":
    VLLMEngine("embedded", max_model_len=64, max_num_seqs=1, enforce_eager=True).start()
    print(*[child.pid for child in psutil.Process().children(recursive=True) if "VLLM" in child.name()], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "script.py").write_text(code)
    killed = subprocess.run([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    started = [int(pid) for pid in killed.stdout.split()]
    assert started
    until(lambda: not any(psutil.pid_exists(pid) for pid in started), "the engine's processes have ended")


def test_an_evaluation_from_end_to_end(engine: VLLMEngine, tmp_path: Path) -> None:
    """The last test here: it closes the engine."""
    benchmark = open_benchmark("humaneval", write_benchmark(tmp_path), limit=len(NAMES))
    report = Evaluation(engine, [benchmark], {"humaneval": (16, 160)}, think=False).run(tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert len(rows) == len(NAMES) * 2
    assert {row["status"] for row in rows} <= {"pass", "fail", "error", "timeout", "no_program"}
    assert all(row["latency_seconds"] > 0 for row in rows if row["budget"] == 160)
    [short, long] = read_results(tmp_path / "out")
    assert long.engine.startswith("vllm 0.")
    assert short.latency is None
    assert long.latency is not None
    assert report.run["engine_facts"]["max_num_seqs"] == 8
