"""The transformers backend with the embedded model, in float32, where batches do not change the answers."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from asap_hf.errors import UsageError
from asap_hf.llm import Completion, Failure, Request, TransformersGenerator
from asap_hf.models.causal_lm import GumbelNoise, sampling_processors
from asap_hf.models.embedded import embedded_model
from asap_hf.runtime.ledger import ledger_key

from .raw_outcomes import raw_outcomes


@pytest.fixture(scope="session")
def small() -> TransformersGenerator:
    torch.set_num_threads(1)  # so small a model gains nothing from more, and loses much where others compute beside it
    return TransformersGenerator("embedded", dtype="float32", device="cpu")


@pytest.fixture(autouse=True)
def no_ledger(monkeypatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")


def ask(prompt: str, **more) -> Request:
    return Request(({"role": "user", "content": prompt},), **{"temperature": 0.0, "max_tokens": 10, **more})


def with_engine(small: TransformersGenerator, arguments: dict | None = None, **changes) -> TransformersGenerator:
    """Another generator on the same weights."""
    other = TransformersGenerator("embedded", dtype="float32", device="cpu", **(arguments or {}))
    other.engine.__dict__["_loaded"] = small.engine._loaded._replace(**changes)
    return other


def test_greedy_answers_are_those_of_generate(small):
    """Padded together with longer and shorter prompts, each answer is what the model alone gives after its
    template."""
    requests = [ask("What is 2+2?", max_tokens=16), ask("Name a colour, and say where you saw it.", max_tokens=16)]
    requests.append(ask("Hi", max_tokens=16))
    answers = raw_outcomes(small, requests)
    model, tokenizer = small.engine._loaded.model, AutoTokenizer.from_pretrained(embedded_model())
    for request, answer in zip(requests, answers, strict=True):
        ids = tokenizer.apply_chat_template(
            list(request.messages), add_generation_prompt=True, return_tensors="pt", return_dict=False
        )
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=request.max_tokens)
        new = out[0, ids.shape[1] :]
        assert answer.text == tokenizer.decode(new, skip_special_tokens=True)
        assert (answer.prompt_tokens, answer.completion_tokens) == (ids.shape[1], len(new))
        assert answer.finish_reason == ("stop" if new[-1] in small.engine._loaded.ends else "length")
    assert {answer.finish_reason for answer in answers} == {"stop", "length"}


def test_a_draw_depends_on_seed_and_request_and_on_nothing_else(small):
    requests = [ask("Name a colour.", temperature=1.0, attempt=attempt, max_tokens=8) for attempt in range(3)]
    together = raw_outcomes(small, requests)
    alone = raw_outcomes(with_engine(small, {"batch_size": 1}), requests[1:2])
    assert alone == together[1:2]
    assert len({answer.text for answer in together}) == 3
    assert raw_outcomes(with_engine(small, {"seed": 1}), requests[1:2]) != alone


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (2.0, 1.0), (0.7, 0.8)])
def test_draws_follow_the_distribution(temperature, top_p):
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -30.0])
    expected = (logits / temperature).softmax(-1)
    if top_p < 1:  # the likeliest tokens until together they have the mass
        kept = expected.cumsum(0) - expected < top_p
        expected = torch.where(kept, expected, 0.0) / expected[kept].sum()
    rows = 4000
    seeds = [int(ledger_key(row)[:15], 16) for row in range(rows)]
    scores = logits.repeat(rows, 1)
    for processor in sampling_processors(temperature, top_p, seeds, torch.device("cpu")):
        scores = processor(torch.zeros(rows, 1), scores)
    found = torch.bincount(scores.argmax(-1), minlength=5) / rows
    assert (found - expected).abs().max() < 0.03
    assert found[expected == 0].sum() == 0


def test_two_steps_of_one_stream_differ():
    draw = GumbelNoise([7], torch.device("cpu"))
    scores = torch.zeros(1, 1000)
    assert draw(torch.zeros(1, 1), scores).argmax() != draw(torch.zeros(1, 1), scores).argmax()


def test_a_prompt_without_room_fails_alone(small):
    long, short = raw_outcomes(small, [ask("word " * 9000), ask("Hi", max_tokens=2)])
    assert long.reason.startswith("prompt_too_long: 90")
    assert long.reason.endswith(" tokens in 8192")
    assert isinstance(short, Completion)


def test_an_answer_ends_where_the_context_does(small):
    (whole,) = raw_outcomes(small, [ask("Hi", max_tokens=1)])
    cramped = with_engine(small, context=whole.prompt_tokens + 3)
    (answer,) = raw_outcomes(cramped, [ask("Hi")])
    assert (answer.completion_tokens, answer.finish_reason) == (3, "length")
    assert isinstance(with_engine(small, context=whole.prompt_tokens)([ask("Hi")])[0], Failure)


def test_a_batch_that_does_not_fit_is_halved(small, monkeypatch):
    really, sizes = small.engine._loaded.model.generate, []

    def generate(ids: torch.Tensor, **more) -> torch.Tensor:
        sizes.append(len(ids))
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return really(ids, **more)

    monkeypatch.setattr(small.engine._loaded.model, "generate", generate)
    requests = [ask(f"Say {number}", max_tokens=2) for number in range(4)]
    answers = raw_outcomes(small, requests)
    assert sizes == [4, 2, 2]
    assert all(isinstance(answer, Completion) for answer in answers)
    monkeypatch.setattr(small.engine._loaded.model, "generate", lambda ids, **more: generate(ids.repeat(9, 1)))
    assert small(requests[:1])[0].reason.startswith("out_of_memory: ")


def test_money_goes_batch_by_batch(small):
    """Two of them could pass the cap together, so they are answered one after the other, and the third not at all."""
    dear = with_engine(small, {"completion_price": 1e6, "max_cost": 8.0})
    outcomes = raw_outcomes(dear, [ask(f"Count to {number}", max_tokens=4) for number in (10, 20, 30)])
    assert [type(outcome) for outcome in outcomes].count(Completion) == 2
    assert dear.usage.cost == 8.0


def test_the_ledger_answers_without_a_model(small, monkeypatch, tmp_path):
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    requests = [ask("Hi", max_tokens=3), ask("What is 2+2? Say the number.", max_tokens=64)]
    cut, whole = small(requests)
    assert (cut.reason, type(whole)) == ("cut: the answer was cut at the token limit", Completion)
    again = TransformersGenerator("embedded", dtype="float32", device="cpu")
    assert again(requests) == [cut, replace(whole, from_ledger=True)]
    assert "engine" not in again.__dict__


def test_pickling_leaves_the_model_behind(small):
    small([ask("Hi", max_tokens=1)])
    assert len(pickle.dumps(small)) < 1000
    assert pickle.loads(pickle.dumps(small)) == small


def test_defaults_of_the_model_do_not_come_on_top(small, tmp_path):
    for file in Path(embedded_model()).iterdir():
        (tmp_path / file.name).symlink_to(file)
    theirs = json.loads((tmp_path / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").unlink()
    sampled = {"do_sample": True, "temperature": 5.0, "top_k": 3, "repetition_penalty": 9.0}
    (tmp_path / "generation_config.json").write_text(json.dumps({**theirs, **sampled}))
    skewed = TransformersGenerator(str(tmp_path), dtype="float32", device="cpu")
    request = ask("Write one, one, one, one, one.")
    assert skewed([request]) == small([request])


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(UsageError, match="transformers cannot load"):
        TransformersGenerator(str(tmp_path))([ask("Hi")])


def test_a_model_without_a_chat_template(tmp_path):
    for file in Path(embedded_model()).iterdir():
        if file.suffix != ".safetensors" and file.name != "chat_template.jinja":
            text = file.read_text()
            (tmp_path / file.name).write_text(text)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="has no chat template"):
        TransformersGenerator(str(tmp_path))([ask("Hi")])
