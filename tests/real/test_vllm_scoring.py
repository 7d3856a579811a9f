"""`SurprisalScorer` against an independent implementation: the prompt log-probabilities of vLLM's server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from itertools import accumulate
from urllib.request import Request, urlopen

import pytest
from transformers import AutoTokenizer

from asap_hf.scoring.surprisal import StepScores, SurprisalScorer
from asap_hf.traces.trace import Trace

from .servers import DTYPE, Server

pytestmark = pytest.mark.vllm

SAMPLES = [0, 8]  # among the shortest


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    rows = [
        json.loads(line) for line in files("asap_hf.traces.samples").joinpath("traces.jsonl").read_text().splitlines()
    ]
    return [Trace.parse(rows[number]["prompt"], rows[number]["completion"]) for number in SAMPLES]


def surprisals(server: Server, ids: list[int]) -> list[float | None]:
    """Of every token of a prompt, in nats; `None` for the first, which has nothing before it."""
    asked = {"model": server.model, "prompt": ids, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
    request = Request(
        f"{server.base_url}/v1/completions", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=300) as response:
        told = json.load(response)["choices"][0]["prompt_logprobs"]
    assert len(told) == len(ids)
    return [None if one is None else -one[str(token)]["logprob"] for token, one in zip(ids, told, strict=True)]


def mean_distance(ours: Sequence[float], theirs: Sequence[float | None], places: Sequence[int]) -> float:
    return sum(abs(mine - (theirs[place] or 0.0)) for mine, place in zip(ours, places, strict=True)) / len(places)


def test_first_token_surprisals_are_vllm_s(vllm_server: Server, traces: list[Trace]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(vllm_server.folder)
    outcomes = SurprisalScorer("embedded", dtype=DTYPE, device="cpu").score(traces)
    for trace, scores in zip(traces, outcomes, strict=True):
        assert isinstance(scores, StepScores)
        question = tokenizer.apply_chat_template(
            [{"role": "user", "content": trace.question}], add_generation_prompt=True, tokenize=False
        )
        prefix = f"{question}<think>\n"
        encoding = tokenizer(prefix + trace.reasoning, add_special_tokens=False, return_offsets_mapping=True)
        ends = [end for _, end in encoding.offset_mapping]
        expected = surprisals(vllm_server, encoding.input_ids)
        starts = list(accumulate(map(len, trace.steps), initial=len(prefix)))[:-1]
        firsts = [next(place for place, end in enumerate(ends) if end > start) for start in starts]
        apart = mean_distance(scores.first_token_surprisal, expected, firsts)
        # Both compute in bfloat16 but round at other places; one token further on are other numbers altogether.
        assert apart < 0.1
        assert mean_distance(scores.first_token_surprisal, expected, [place + 1 for place in firsts]) > 1.0
