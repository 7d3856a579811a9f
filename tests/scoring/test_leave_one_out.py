"""Leaving out one step at a time: the same numbers as reading every shortened text anew, and what is told of them."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, MambaConfig, MistralConfig, Qwen2Config

from asap_hf.errors import RunError, UsageError
from asap_hf.scoring import forward, steps
from asap_hf.scoring.leave_one_out import LeaveOneOutScorer
from asap_hf.traces.trace import Trace

from ..tiny_models import save_model, tiny_llama

STEPS = (
    "Okay, so I need to read n.\n\n",
    "Wait.\n\n",
    "    for i in range(n):\n\n        if i % 2 == 0:\n\n",
    "é 数 🙂 that cannot be right.\n\n",
    "Wait.\n\n",
    "Done, return i",
)
TRACE = Trace("What is n?", STEPS, "It is 7, as n % 2 == 1.")
SIZES = {
    "vocab_size": 330,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


def scorer(model: str, **changes: Any) -> LeaveOneOutScorer:
    return LeaveOneOutScorer(model, **{"dtype": "float32", "context": "raw", **changes})


def naive(model: str, trace: Trace, window: int | None, include_answer: bool) -> dict[str, list[float]]:
    """The definitions, every text read from its first token with the whole model and its own full logits."""
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    tokenizer, _ = steps.load(model, None, "raw", "float32", "cpu", None)
    pieces = [*trace.steps, trace.closing, trace.answer]
    tokenised = tokenizer([Trace(trace.question, tuple(pieces), "")])[0]
    assert tokenised is not None
    head = list(tokenised.ids[: tokenised.start])
    parts = [list(tokenised.ids[tokenised.start :][tokenised.owner == piece]) for piece in range(len(pieces))]

    def nll(context: Sequence[int], text: Sequence[int]) -> list[float]:
        with torch.no_grad():
            logits = network(torch.tensor([[*context, *text]])).logits[0].double()
        rows = logits[len(context) - 1 : -1].log_softmax(-1)
        return [-row[token].item() for row, token in zip(rows, text, strict=True)]

    def ppl(values: Sequence[float]) -> float:
        return math.exp(sum(values) / len(values))

    closing, answer = parts[-2:] if include_answer else ([], [])
    reasoning = parts[:-2]
    scores: dict[str, list[float]] = {"spirit_loo": [], "pir": []}
    for step in range(len(reasoning)):
        before, own = list(chain(*reasoning[:step])), reasoning[step]
        after = list(chain(*reasoning[step + 1 :]))[:window]
        rest = list(chain(*reasoning[step + 1 :]))[len(after) :]
        text = [*after, *closing, *answer]
        without = nll([*head, *before], text) if text else []
        all_there = nll([*head, *before, *own], text) if text else []
        if include_answer:
            scores["pir"].append(math.log(ppl(without[-len(answer) :])) - math.log(ppl(all_there[-len(answer) :])))
        whole = nll(head, [*before, *own, *after, *rest, *closing, *answer])
        others = [*whole[: len(before)], *whole[len(before) + len(own) :]]
        rest_without = math.exp((sum(others) + sum(without) - sum(all_there)) / len(others))
        scores["spirit_loo"].append(rest_without - ppl(others))
    return scores if include_answer else {"spirit_loo": scores["spirit_loo"]}


def assert_close(ours: dict[str, Any], expected: dict[str, list[float]]) -> None:
    assert set(ours["scores"]) == set(expected)
    for name, values in expected.items():
        scale = max(map(abs, values))
        assert ours["scores"][name] == pytest.approx(values, rel=1e-3, abs=2e-4 * scale), name
        assert scale > 1e-3, name


@pytest.mark.parametrize("include_answer", [True, False])
@pytest.mark.parametrize("window", [None, 3, 20])
@pytest.mark.parametrize("max_batch_tokens", [16384, 7])
def test_scores_equal_reading_every_text_anew(
    tiny: str, window: int | None, include_answer: bool, max_batch_tokens: int
) -> None:
    fields = {"window": window, "include_answer": include_answer}
    [ours] = scorer(tiny, **fields, max_batch_tokens=max_batch_tokens)([TRACE])
    assert_close(ours, naive(tiny, TRACE, **fields))


ARCHITECTURES = {
    "mistral, sliding": lambda: MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=16),
    "qwen2": lambda: Qwen2Config(**SIZES, num_key_value_heads=2),
    "gpt2": lambda: GPT2Config(vocab_size=330, n_embd=32, n_layer=2, n_head=4),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures(tmp_path: Path, name: str) -> None:
    model = save_model(tmp_path, ARCHITECTURES[name]())
    [ours] = scorer(model)([TRACE])
    assert_close(ours, naive(model, TRACE, None, True))


def test_a_model_without_keys_and_values_is_refused(tmp_path: Path) -> None:
    model = save_model(tmp_path, MambaConfig(vocab_size=330, hidden_size=32, num_hidden_layers=2, state_size=4))
    with pytest.raises(RunError, match="leaving out steps one by one needs: score with another model"):
        scorer(model)([TRACE])


def test_a_model_whose_positions_depend_on_the_length_is_refused(tmp_path: Path) -> None:
    scaling = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
    model = save_model(tmp_path, tiny_llama(rope_parameters=scaling))
    with pytest.raises(RunError, match="score with another model"):
        scorer(model)([TRACE])


def test_a_step_that_decides_the_answer_is_missed_most(embedded_model: str) -> None:
    facts = (
        "Let me look at this.\n\n",
        "The secret word is kumquat.\n\n",
        "It is a nice day.\n\n",
        "I can answer now.",
    )
    trace = Trace("What is the secret word? Answer with one word.", facts, "The secret word is kumquat.")
    [answer] = LeaveOneOutScorer("embedded")([trace])
    assert int(np.argmax(answer["scores"]["pir"])) == 1
    assert int(np.argmax(answer["scores"]["spirit_loo"])) == 1


def test_equal_steps_have_their_own_scores(tiny: str) -> None:
    scores = scorer(tiny)([TRACE])[0]["scores"]
    assert all(values[1] != values[4] for values in scores.values())


def test_a_step_that_owns_no_token_scores_nothing(tiny: str) -> None:
    trace = Trace("q", ("a\n\n", "", "b\n\n", "c"), "x")
    scores = scorer(tiny)([trace])[0]["scores"]
    assert [values[1] for values in scores.values()] == [0.0, 0.0]
    assert all(values[0] != 0.0 for values in scores.values())


def test_one_step_alone(tiny: str) -> None:
    [with_answer] = scorer(tiny)([Trace("q", ("Only this.",), "x")])
    assert [len(values) for values in with_answer["scores"].values()] == [1, 1]
    [alone] = scorer(tiny, include_answer=False)([Trace("q", ("Only this.",), "x")])
    assert alone["scores"]["spirit_loo"] == [0.0]


def test_a_trace_that_is_longer_than_the_context_has_no_scores(tmp_path: Path) -> None:
    model = save_model(tmp_path, tiny_llama(max_position_embeddings=64))
    short = Trace("q", ("a\n\n", "b"), "c")
    answers = scorer(model)([short, TRACE, short])
    assert [answer.get("reason", "").split(":")[0] for answer in answers] == ["", "too_long", ""]
    assert answers[1]["reason"].endswith("and the model sees 64")
    assert answers[0] == answers[2]


def test_text_that_is_none_has_no_scores(tiny: str) -> None:
    [answer] = scorer(tiny)([Trace("q", ("\ud800", "b"), "c")])
    assert answer["reason"] == "not_encodable"


def test_running_out_of_memory_is_the_trace_s_failure(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("no room")

    _, model = steps.load(tiny, None, "raw", "float32", "cpu", None)
    monkeypatch.setattr(model, "head", burst)
    [answer] = scorer(tiny)([TRACE])
    assert answer["reason"] == "out_of_memory"


def test_a_trace_is_scored_once_and_each_setting_by_itself(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [{}, {"window": 5}, {"window": 6}, {"include_answer": False}, {"context": "chat"}]
    answers = [scorer(tiny, **one)([TRACE])[0] for one in settings]
    assert len({json.dumps(answer) for answer in answers}) == len(settings)
    monkeypatch.setattr(forward.ScoringModel, "__init__", None)
    monkeypatch.setattr(steps, "load", None)
    assert [scorer(tiny, **one)([TRACE])[0] for one in settings] == answers
    with pytest.raises(TypeError):
        scorer(tiny)([Trace(TRACE.question, TRACE.steps, "another answer")])


def test_the_record_says_what_was_approximated(tiny: str) -> None:
    [answer] = scorer(tiny, window=5)([TRACE])
    assert {name: answer["scorer"][name] for name in ("window", "include_answer", "context", "dtype")} == {
        "window": 5,
        "include_answer": True,
        "context": "raw",
        "dtype": "float32",
    }
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize("fields", [{"window": 0}, {"context": "none"}, {"dtype": "int4"}, {"max_batch_tokens": 0}])
def test_arguments_that_cannot_work(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LeaveOneOutScorer("any", **fields)


def test_it_is_its_hyperparameters(tiny: str) -> None:
    one = scorer(tiny, window=5)
    one.to_rank(3)
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one
    assert pickle.dumps(copy) == pickle.dumps(scorer(tiny, window=5))
