"""The transformers engine with small random models, and with the real one that the tool carries."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from asap_hf.errors import UsageError
from asap_hf.llm.engine import NO_ROOM, Generation, Prompt, Sampling
from asap_hf.llm.outcomes import Failure
from asap_hf.llm.prompts import render
from asap_hf.llm.transformers import TransformersEngine
from asap_hf.models.causal_lm import load_causal_lm, load_tokenizer_of

from ..tiny_models import save_model, tiny_llama

TEXTS = ["def f(n):", "Wait, maybe it is simpler. Let me think.", "x", "Okay, so I need to read n", "return -1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("tiny"))


def prompts(folder: str, texts: list[str] = TEXTS) -> list[Prompt]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [render([{"role": "user", "content": text}], tokenizer, True, seed) for seed, text in enumerate(texts)]


def answers(engine: TransformersEngine, asked: list[Prompt], budget: int, sampling: Sampling) -> list[Generation]:
    found = dict(engine.generate(asked, budget, sampling))
    assert not [one for one in found.values() if isinstance(one, Failure)]
    return [found[number] for number in range(len(asked))]  # type: ignore[misc]


def test_greedy_takes_the_likeliest_token_each_time(model: str) -> None:
    """Against a loop without batches, padding or cache."""
    reference = AutoModelForCausalLM.from_pretrained(model).eval()
    asked = prompts(model)
    found = answers(TransformersEngine(model, dtype="float32", batch_size=3), asked, 12, Sampling())
    for prompt, answer in zip(asked, found, strict=True):
        ids = list(prompt.token_ids)
        for token in answer.token_ids:
            with torch.inference_mode():
                assert token == int(reference(torch.tensor([ids])).logits[0, -1].argmax())
            ids.append(token)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.0, 0.9)], ids=["greedy", "sampled"])
def test_a_smaller_budget_brings_the_beginning_of_what_a_larger_one_does(model: str, sampling: Sampling) -> None:
    engine, asked = TransformersEngine(model, dtype="float32", batch_size=2), prompts(model)
    long, short = (answers(engine, asked, budget, sampling) for budget in (40, 9))
    assert [one.token_ids for one in short] == [one.token_ids[:9] for one in long]
    assert len({one.token_ids for one in long}) > 1


def test_draws_do_not_depend_on_what_else_is_in_the_batch(model: str) -> None:
    asked, sampling = prompts(model), Sampling(1.0)
    together = answers(TransformersEngine(model, dtype="float32", batch_size=5), asked, 16, sampling)
    alone = answers(TransformersEngine(model, dtype="float32", batch_size=1), asked, 16, sampling)
    assert [one.token_ids for one in together] == [one.token_ids for one in alone]
    reseeded = [Prompt(one.messages, one.text, one.token_ids, one.seed + 100) for one in asked]
    again = answers(TransformersEngine(model, dtype="float32"), reseeded, 16, sampling)
    assert [one.token_ids for one in again] != [one.token_ids for one in alone]


def test_the_context_ends_an_answer_and_a_prompt_that_fills_it_has_none(tmp_path: Path) -> None:
    folder = save_model(tmp_path, tiny_llama(max_position_embeddings=40))
    short, long = prompts(folder, ["x", "y" * 40])
    engine = TransformersEngine(folder, dtype="float32")
    found = answers(engine, [long, short], 100, Sampling())
    assert found[0] == NO_ROOM
    assert found[1].finish_reason == "length"
    assert len(found[1].token_ids) == 40 - len(short.token_ids)


def test_times_grow_from_batch_to_batch(model: str) -> None:
    found = answers(TransformersEngine(model, dtype="float32", batch_size=1), prompts(model), 8, Sampling())
    times = sorted((one.queue_seconds, one.first_token_seconds, one.latency_seconds) for one in found)
    flat = [moment for three in times for moment in three]
    assert flat == sorted(flat)  # type: ignore[type-var]
    assert times[0][1] != times[0][2]


def test_the_real_model_answers_and_ends_its_answer(embedded_model: str) -> None:
    engine = TransformersEngine("embedded")
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    ask = render([{"role": "user", "content": "What is the capital of France? One word."}], tokenizer, False)
    [answer] = answers(engine, [ask], 24, Sampling())
    assert "Paris" in tokenizer.decode(answer.token_ids)
    assert answer.finish_reason == "stop"
    assert answer.token_ids[-1] == tokenizer.eos_token_id
    assert engine.identity[0] == "embedded"
    assert engine.facts()["context"] == 8192


@pytest.mark.parametrize(
    "engine", [TransformersEngine("./no-such-folder"), TransformersEngine("embedded", dtype="no_such_type")]
)
def test_what_cannot_be_loaded_is_a_usage_error(engine: TransformersEngine, embedded_model: str) -> None:
    with pytest.raises(UsageError, match="cannot load"):
        engine.start()


@pytest.mark.parametrize(("fastest", "computes_in"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_cpu_without_bfloat16_computes_in_float32_unless_told_otherwise(
    tmp_path: Path,
    fastest: str,
    computes_in: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = save_model(tmp_path)
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    monkeypatch.setattr("asap_hf.models.causal_lm.pick_dtype", lambda *_: fastest)
    tokenizer = load_tokenizer_of(folder, None)
    assert load_causal_lm(folder, None, "auto", "cpu", tokenizer).model.dtype == computes_in
    assert not caplog.records
    assert load_causal_lm(folder, None, "bfloat16", "cpu", tokenizer).model.dtype == torch.bfloat16
    assert bool(caplog.records) == (fastest == "float32")


def test_a_device_that_is_not_there_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match="no kind of device called 'warp'"):
        load_causal_lm(model, None, "auto", "warp", load_tokenizer_of(model, None))
