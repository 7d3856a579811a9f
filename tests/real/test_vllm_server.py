"""`EndpointGenerator` against vLLM's own server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from asap_hf.llm.endpoint import EndpointGenerator
from asap_hf.llm.generator import Completion, Failure, Request
from asap_hf.pruners.anchor_answers import SELECT
from tests.llm.raw_outcomes import raw_outcomes

from .servers import Server

pytestmark = pytest.mark.vllm


def ask(content: str = "Tell a long story about a lighthouse.", **settings: Any) -> Request:
    return Request(({"role": "user", "content": content},), **{"temperature": 0.0, "max_tokens": 8, **settings})


def test_schema_is_kept_to(vllm_server: Server) -> None:
    llm = EndpointGenerator(vllm_server.model, base_url=vllm_server.base_url, structured="vllm")
    request = ask("Which of 1 to 9 are prime? Answer in JSON under keep.", max_tokens=200, schema=SELECT.schema)
    (answer,) = llm([request])
    assert isinstance(answer, Completion)
    (keep,) = json.loads(answer.text).values()
    assert re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", keep)


def test_without_structured_the_schema_is_not_sent(vllm_server: Server) -> None:
    llm = EndpointGenerator(vllm_server.model, base_url=vllm_server.base_url)
    (answer,) = raw_outcomes(llm, [ask("Say hello.", schema=SELECT.schema)])
    assert isinstance(answer, Completion)
    assert not answer.text.startswith("{")


def test_sixteen_at_once_come_in_order(vllm_server: Server) -> None:
    llm = EndpointGenerator(vllm_server.model, base_url=vllm_server.base_url, max_concurrency=16)
    lengths = [1 + 7 * number % 16 for number in range(16)]
    answers = raw_outcomes(llm, [ask(max_tokens=length) for length in lengths])
    assert [answer.completion_tokens for answer in answers if isinstance(answer, Completion)] == lengths
    assert llm.usage.calls == 16
    assert llm.usage.retries == 0


def test_second_run_needs_no_server(vllm_server: Server) -> None:
    first = EndpointGenerator(vllm_server.model, base_url=vllm_server.base_url)([ask()])
    gone = EndpointGenerator(vllm_server.model, base_url="http://127.0.0.1:9", max_retries=0)
    second = gone([ask()])
    assert second == first, "cut at so few tokens, they are failures, which are stored too"
    assert gone.usage.from_ledger == 1


def test_wrong_model_name_is_a_clean_failure(vllm_server: Server) -> None:
    llm = EndpointGenerator("no-such-model", base_url=vllm_server.base_url)
    for failure in llm([ask(), ask("What is 2 + 2?")]):
        assert isinstance(failure, Failure)
        assert failure.reason.startswith("http_404: ")
        assert "no-such-model" in failure.reason
        assert "\n" not in failure.reason
    assert llm.usage.retries == 0


def test_prompt_too_long_is_a_failure_of_its_own(vllm_server: Server) -> None:
    llm = EndpointGenerator(vllm_server.model, base_url=vllm_server.base_url)
    failure, answer = raw_outcomes(llm, [ask("hi " * 9000), ask()])
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("http_400: ")
    assert "8192" in failure.reason
    assert isinstance(answer, Completion)
