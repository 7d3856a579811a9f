"""`EndpointGenerator` against `transformers serve`."""

from __future__ import annotations

import logging
import warnings

import pytest

from asap_hf.llm.endpoint import EndpointGenerator
from asap_hf.llm.generator import Completion, Failure, Request
from asap_hf.pruners.anchor_answers import SELECT
from tests.llm.raw_outcomes import raw_outcomes

from .servers import Server

pytestmark = pytest.mark.serve

QUESTION = ({"role": "user", "content": "What is 2 + 2?"},)


def test_gives_an_answer_and_says_nothing(transformers_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    llm = EndpointGenerator(transformers_server.model, base_url=transformers_server.base_url)
    with caplog.at_level(logging.WARNING, "asap_hf"), warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"asap_hf")
        requests = [Request(QUESTION, 0.0, max_tokens=24), Request(QUESTION, 1.0, max_tokens=5, attempt=1)]
        answers = raw_outcomes(llm, requests)
    assert [type(answer) for answer in answers] == [Completion, Completion]
    assert "4" in answers[0].text  # type: ignore[union-attr]
    assert answers[1].completion_tokens == 5  # type: ignore[union-attr]
    assert not [record for record in caplog.records if record.name.startswith("asap_hf")]


def test_a_field_that_it_does_not_know_is_a_clean_failure(transformers_server: Server) -> None:
    llm = EndpointGenerator(transformers_server.model, base_url=transformers_server.base_url, structured="vllm")
    (failure,) = llm([Request(QUESTION, 0.0, max_tokens=8, schema=SELECT.schema)])
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("http_422: ")
    assert "structured_outputs" in failure.reason
    assert llm.usage.retries == 0


def test_wrong_model_name_is_a_clean_failure(transformers_server: Server) -> None:
    llm = EndpointGenerator("no-such-model", base_url=transformers_server.base_url)
    (failure,) = llm([Request(QUESTION, 0.0, max_tokens=8)])
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("http_4")
    assert llm.usage.retries == 0
