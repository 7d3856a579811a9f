"""`VLLMGenerator` with vLLM and the embedded model. One engine serves all tests; it takes half a minute to start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from asap_hf.errors import RunError, UsageError
from asap_hf.llm.generator import Completion, Failure, Request
from asap_hf.llm.vllm import VLLMGenerator
from asap_hf.models.embedded import embedded_model
from asap_hf.pruners.anchor_answers import SELECT
from tests.llm.raw_outcomes import raw_outcomes
from tests.real.servers import DTYPE, own_workers

pytestmark = pytest.mark.vllm

CONTEXT = 1024
CAP = 0.1  # with a price of 1 a million tokens, 100,000 tokens


@pytest.fixture(scope="module")
def llm() -> Iterator[VLLMGenerator]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        prices = {"prompt_price": 1.0, "completion_price": 1.0, "max_cost": CAP}
        generator = VLLMGenerator("embedded", dtype=DTYPE, max_model_len=CONTEXT, enforce_eager=True, **prices)
        yield generator
        generator.close()


def ask(content: str = "Tell a long story about a lighthouse.", **settings: Any) -> Request:
    return Request(({"role": "user", "content": content},), **{"temperature": 0.0, "max_tokens": 8, **settings})


def answers(llm: VLLMGenerator, *requests: Request) -> list[Completion]:
    outcomes = raw_outcomes(llm, requests)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert not failures
    return outcomes  # type: ignore[return-value]


def test_standard_output_stays_empty(llm: VLLMGenerator, capfd: pytest.CaptureFixture[str]) -> None:
    answers(llm, ask())
    out, err = capfd.readouterr()
    assert out == ""
    assert "vllm" in err.lower()  # the first request has started the engine, which says so


def test_greedy_gives_the_same_text_again(llm: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    (first,) = answers(llm, ask(max_tokens=24))
    (second,) = answers(llm, ask(max_tokens=24))
    assert first == second
    assert len(first.text.split()) > 5


def test_prompt_is_the_chat_template_s_tokens(llm: VLLMGenerator) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    (answer,) = answers(llm, ask("What is 2 + 2?"))
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 2 + 2?"}], add_generation_prompt=True, return_dict=False
    )
    assert answer.prompt_tokens == len(rendered)
    ended = answer.finish_reason == "stop"  # by a token that is no text
    assert answer.completion_tokens == len(tokenizer(answer.text).input_ids) + ended


def test_answers_come_in_the_order_of_the_requests(llm: VLLMGenerator) -> None:
    lengths = [9, 1, 6, 3, 12, 2]
    assert [answer.completion_tokens for answer in answers(llm, *(ask(max_tokens=n) for n in lengths))] == lengths


def test_attempts_are_drawn_apart_and_each_can_be_drawn_again(
    llm: VLLMGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    attempts = [answers(llm, ask(temperature=2.0, attempt=number))[0].text for number in (0, 1, 0)]
    assert attempts[0] == attempts[2] != attempts[1]


def test_sampled_answers_to_more_prompt_than_one_step_takes(llm: VLLMGenerator) -> None:
    llm.generate([], lambda index, outcome: None)  # starts the engine if this test runs alone
    step = llm.engine._llm.llm_engine.vllm_config.scheduler_config.max_num_batched_tokens
    long = "The lamp went out. " * 190
    requests = [ask(f"{number}. {long}", temperature=2.0, max_tokens=1) for number in range(step // 950 + 2)]
    found = answers(llm, *requests)
    assert sum(answer.prompt_tokens for answer in found) > step
    assert [answer.completion_tokens for answer in found] == [1] * len(found)


def test_schema_is_kept_to_without_blanks(llm: VLLMGenerator) -> None:
    numbers = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}, "minItems": 1, "maxItems": 5}
    as_list = {"type": "object", "properties": {"keep": numbers}, "required": ["keep"], "additionalProperties": False}
    question = "Which of the numbers 1 to 9 are prime? Answer in JSON under the key keep."
    listed, written = answers(
        llm, *(ask(question, max_tokens=200, schema=schema) for schema in (as_list, SELECT.schema))
    )
    assert re.fullmatch(r'\{"keep":\[[1-9](,[1-9]){0,4}\]\}', listed.text)
    assert re.fullmatch(r'\{"keep":"\d+(-\d+)?(,\d+(-\d+)?)*"\}', written.text)
    assert [listed.finish_reason, written.finish_reason] == ["stop", "stop"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ask("hi " * CONTEXT), "prompt_too_long: "),
        (ask(schema={"type": "no such type"}), "bad_request: "),
        (ask(max_tokens=10**6), "max_cost: "),
    ],
    ids=["prompt too long", "schema that is none", "too dear"],
)
@pytest.mark.parametrize("place", [0, 1])
def test_one_request_fails_alone(llm: VLLMGenerator, request_: Request, code: str, place: int) -> None:
    failures, cost = llm.usage.failures, llm.usage.cost
    requests = [ask(max_tokens=2)]
    requests.insert(place, request_)
    outcomes = raw_outcomes(llm, requests)
    failure, answer = outcomes[place], outcomes[1 - place]
    assert isinstance(failure, Failure)
    assert failure.reason.startswith(code)
    assert isinstance(answer, Completion)
    assert llm.usage.failures == failures + 1
    assert llm.usage.cost == pytest.approx(cost + (answer.prompt_tokens + 2) / 1e6)


def test_answer_ends_where_the_context_does(llm: VLLMGenerator) -> None:
    (answer,) = answers(llm, ask("Go on with this story. " + "The lamp went out. " * 192, max_tokens=4096))
    assert answer.finish_reason == "length"
    assert answer.prompt_tokens + answer.completion_tokens == CONTEXT


def test_more_requests_than_the_engine_is_given_at_once(llm: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    llm.generate([], lambda index, outcome: None)  # starts the engine if this test runs alone
    monkeypatch.setattr(llm.engine._llm.llm_engine.vllm_config.scheduler_config, "max_num_seqs", 2)
    lengths = [3, 1, 9, 1, 2, 6, 1, 1, 4, 2, 5]
    assert [answer.completion_tokens for answer in answers(llm, *(ask(max_tokens=n) for n in lengths))] == lengths


def test_broken_off_call_leaves_nothing_to_the_next(llm: VLLMGenerator, ledger: Path) -> None:
    class FullError(Exception):
        pass

    delivered = []

    def done(index: int, outcome: Completion | Failure) -> None:
        delivered.append(index)
        raise FullError

    with pytest.raises(FullError):
        llm.generate([ask(max_tokens=300), ask(max_tokens=1)], done)
    assert delivered == [1]
    assert [answer.completion_tokens for answer in answers(llm, ask(max_tokens=3), ask(max_tokens=2))] == [3, 2]


def test_second_run_starts_no_engine(llm: VLLMGenerator) -> None:
    requests = [ask(), ask("What is 2 + 2?")]
    first = llm(requests)
    # Would refuse to start, as the next test shows; the ledger knows answers by the model, not by how it was run.
    again = VLLMGenerator("embedded", dtype="no such type")
    assert again(requests) == first, "cut at so few tokens, they are failures, which are stored too"
    assert again.usage.from_ledger == 2
    assert again.usage.calls == 0


@pytest.mark.parametrize(
    ("generator", "said"),
    [
        (VLLMGenerator("embedded", dtype="no such type"), "dtype"),
        (VLLMGenerator("embedded", max_model_len=10**6), "max_model_len"),
        (VLLMGenerator("./no-such-folder"), "no-such-folder"),
    ],
    ids=["dtype", "max_model_len", "model"],
)
def test_refused_arguments_are_a_usage_error(generator: VLLMGenerator, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        generator([ask()])


def test_dead_engine_is_a_run_error_and_keeps_what_came_in(llm: VLLMGenerator, ledger: Path) -> None:
    (kept,) = llm([ask()])
    workers = own_workers()
    assert workers
    for worker in workers:
        worker.kill()
    with pytest.raises(RunError, match="died"):
        llm([ask(), ask("What is 2 + 2?", max_tokens=200)])
    assert len(ledger.read_text().splitlines()) == 1
    assert VLLMGenerator("embedded")([ask()])[0] == kept
