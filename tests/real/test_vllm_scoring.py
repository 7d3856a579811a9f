"""`SurprisalScorer` against an independent implementation: the prompt log-probabilities of vLLM's server."""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import accumulate
from urllib.request import Request, urlopen

import pytest
from transformers import AutoTokenizer

from asap_hf.surprisal import StepScores, SurprisalScorer
from asap_hf.trace import Trace

from .servers import Server

pytestmark = pytest.mark.vllm

SAMPLES = [0, 8]  # the two shortest but one: some 600 tokens of reasoning


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    rows = [json.loads(line) for line in files("asap_hf.samples").joinpath("traces.jsonl").read_text().splitlines()]
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


def test_first_token_surprisals_are_vllm_s(vllm_server: Server, traces: list[Trace]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(vllm_server.folder)
    outcomes = SurprisalScorer("embedded", dtype="bfloat16", device="cpu").score(traces)
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
        differences = [
            abs(ours - expected[place])  # type: ignore[operator]
            for ours, place in zip(scores.first_token_surprisal, firsts, strict=True)
        ]
        print(
            len(differences), max(differences), sum(differences) / len(differences), max(expected[p] for p in firsts)
        )
        # Two implementations in bfloat16: rounding apart, they are the same numbers. A token too far is 3 nats apart.
        assert max(differences) < 0.3
        assert sum(differences) / len(differences) < 0.06
