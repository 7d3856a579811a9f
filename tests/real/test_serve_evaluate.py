"""The endpoint engine against `transformers serve`, which knows no token ids and only OpenAI's fields."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from asap_hf.evaluate.budgets import Reader
from asap_hf.llm.endpoint import EndpointEngine
from asap_hf.llm.engine import Generation, Sampling
from asap_hf.llm.prompts import render

from .servers import Server

pytestmark = pytest.mark.serve


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_the_text_comes_with_its_times(transformers_server: Server, api: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(transformers_server.folder)
    engine = EndpointEngine(
        transformers_server.model,
        base_url=transformers_server.base_url,
        api=api,  # type: ignore[arg-type]
    )
    questions = ["What is the capital of France? One word.", "Name ten colours."]
    asked = [render([{"role": "user", "content": text}], tokenizer, False) for text in questions]
    found = dict(engine.generate(asked, 12, Sampling()))
    paris, colours = found[0], found[1]
    assert isinstance(paris, Generation) and isinstance(colours, Generation)
    assert "Paris" in paris.text
    assert (paris.finish_reason, colours.finish_reason) == ("stop", "length")
    assert paris.token_ids == colours.token_ids == ()
    for one in (paris, colours):
        assert one.first_token_seconds is not None
        assert one.latency_seconds is not None
        assert 0 < one.first_token_seconds < one.latency_seconds
    [reading] = Reader(tokenizer, False).read(colours, [12])
    assert 10 <= reading.generated_tokens <= 12
