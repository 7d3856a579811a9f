"""The judge against a plain computation with the model's own logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from asap_hf.compare_pruners.retention import Judge
from asap_hf.errors import RunError, UsageError
from asap_hf.traces.trace import Trace
from tests.compare_pruners.traces import PROGRAM, small_model, trace


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def judge(folder: str) -> Judge:
    return Judge(folder, dtype="float32", device="cpu")


def plain(folder: str, before: str, judged: str) -> tuple[float, int]:
    """Mean negative log-likelihood of `judged` right after `before`, token by token, and all tokens."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    text = tokenizer(f"{before}{judged}", return_offsets_mapping=True)
    ids = torch.tensor([text["input_ids"]])
    first = next(at for at, (start, end) in enumerate(text["offset_mapping"]) if end > len(before) and end > start)
    with torch.inference_mode():
        log_p = model(ids).logits[0].log_softmax(-1)
    losses = [-log_p[at - 1, ids[0, at]].item() for at in range(first, ids.shape[1])]
    return sum(losses) / len(losses), ids.shape[1]


REASONINGS = ["", "Wait.", "One step.\n\n    and another, é 数 🙂"]


@pytest.mark.parametrize("reasoning", REASONINGS)
def test_the_code_of_the_answer_is_judged_after_question_and_reasoning(
    judge: Judge, folder: str, reasoning: str
) -> None:
    asked = f"<user>{trace().question}</user><assistant><think>\n"
    nats, tokens = plain(folder, f"{asked}{reasoning}\n</think>\n\n```python\n", PROGRAM)
    judgement = judge(trace(), reasoning)
    assert judgement.nats == pytest.approx(nats, abs=1e-4)
    assert judgement.tokens == judge.length(trace(), reasoning) == tokens


def test_an_answer_without_code_is_judged_whole(judge: Judge, folder: str) -> None:
    told = Trace("How many?", ("Two and two.",), "It is four.")
    nats, _ = plain(folder, "<user>How many?</user><assistant><think>\nTwo.\n</think>\n\n", "It is four.\n")
    assert judge(told, "Two.").nats == pytest.approx(nats, abs=1e-4)


def test_the_reasoning_makes_a_difference_and_its_place_in_a_trace_none(judge: Judge) -> None:
    assert judge(trace(), "Wait.") != judge(trace(), "Wait. Print squares.")
    assert judge(trace(), "Wait.") == judge(trace().select([2]), "Wait.")


def test_what_a_judgement_depends_on_is_told_without_a_folder(judge: Judge) -> None:
    told = judge.settings
    assert told == {**told, "judge": "model", "judge_dtype": "float32", "judge_version": "1"}
    assert len(told["judge_revision"]) == 64


def test_a_text_beyond_the_models_context_does_not_fit(judge: Judge) -> None:
    assert judge.fits(trace(), "short")
    assert not judge.fits(trace(), "very long " * 4096)


def test_half_a_character_and_a_model_that_is_not_there_are_refused(judge: Judge) -> None:
    with pytest.raises(RunError, match="no valid Unicode"):
        judge(trace(), "\ud800")
    with pytest.raises(UsageError, match="holds no model"):
        _ = Judge(str(Path(__file__).parent)).settings


def test_the_real_model_tells_what_helps(embedded_model: str) -> None:
    judge = Judge("embedded", dtype="float32", device="cpu")
    helpful = "So the program is\n\n" + PROGRAM
    assert judge(trace(), helpful).nats < judge(trace(), "").nats < judge(trace(), "zz qq xx " * 20).nats
