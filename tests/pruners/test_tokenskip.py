"""TokenSkip: the drawn ratio, the prompt that tells it, and LLMLingua-2's words at that ratio."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from datasets.fingerprint import Hasher

from asap_hf.errors import UsageError
from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.base import Sequential
from asap_hf.pruners.llmlingua2 import LLAMA_3, LLMLingua2Pruner
from asap_hf.pruners.tokenskip import TokenSkipPruner
from asap_hf.traces.splitting import split_paper
from asap_hf.traces.trace import Trace

from .tiny_classifiers import XLM_R, save_classifiers, text_of


@pytest.fixture(scope="module", autouse=True)
def _ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", str(tmp_path_factory.mktemp("ledger")))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, embedded_model: str) -> str:
    return save_classifiers(tmp_path_factory.mktemp("classifiers"))[XLM_R]


def trace_of(number: int) -> Trace:
    text = f"{text_of(30)} The {number}th list."
    return Trace("How many?", split_paper(text), "Five.")


def test_ratios_are_drawn_evenly() -> None:
    pruner = TokenSkipPruner("embedded")
    drawn = [pruner.told_ratio(Trace(f"Question {number}?", ("a",), "b")) for number in range(6000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.75, abs=0.01)
    counts = Counter(drawn)
    assert sorted(counts) == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert all(850 < count < 1150 for count in counts.values())


def test_a_draw_depends_on_seed_and_text_alone() -> None:
    traces = [Trace("Q", (f"step {number}\n\n", "end"), "A") for number in range(40)]
    drawn = [TokenSkipPruner("embedded").told_ratio(trace) for trace in traces]
    assert [TokenSkipPruner("other").told_ratio(trace.select([0])) for trace in traces[::-1]] == drawn[::-1]
    assert [TokenSkipPruner("embedded", seed=43).told_ratio(trace) for trace in traces] != drawn
    assert drawn[:6] == [1.0, 0.7, 0.9, 0.6, 0.5, 0.5]  # the same on every machine


def test_each_trace_is_cut_at_its_ratio_and_the_prompt_tells_it(model: str) -> None:
    traces = [trace_of(number) for number in range(12)]
    pruner = TokenSkipPruner("embedded", model_name_or_path=model)
    prunings = pruner.prune(traces)
    ratios = [pruner.told_ratio(trace) for trace in traces]
    assert {1.0, 0.5} < set(ratios)
    for trace, ratio, pruning in zip(traces, ratios, prunings, strict=True):
        alone = LLMLingua2Pruner("embedded", model_name_or_path=model, rate=ratio).prune([trace])[0]
        assert pruning.trace == alone.trace
        if ratio == 1.0:
            assert pruning.trace is trace
            assert pruning.conditioned == ("", "")
        else:
            assert pruning.conditioned == ("", f"<|eot_id|>{ratio}<|eot_id|>")
            assert pruning.record["told_ratio"] == pruning.record["rate"] == ratio
        assert json.loads(json.dumps(pruning.record)) == pruning.record
    assert [pruner.prune([trace])[0] for trace in traces] == prunings
    assert Sequential((pruner,)).prune(traces)[0].conditioned == prunings[0].conditioned


@pytest.mark.parametrize(
    ("fields", "told"), [({"ratio": 0.25}, "0.25"), ({"max_tokens": 90}, "0.3"), ({"max_tokens": 3}, "0.1")]
)
def test_one_budget_for_all(fields: dict[str, Any], told: str, model: str) -> None:
    trace = trace_of(1)
    pruning = TokenSkipPruner("embedded", model_name_or_path=model, **fields).prune([trace])[0]
    whole = count_tokens("embedded", [trace.reasoning])[0]
    assert pruning.record["budget"] == (fields.get("max_tokens") or int(0.25 * whole))
    assert pruning.record["tokens"] <= pruning.record["budget"]
    assert pruning.conditioned == ("", f"<|eot_id|>{told}<|eot_id|>")
    uncut = TokenSkipPruner("embedded", model_name_or_path=model, max_tokens=whole).prune([trace])[0]
    assert uncut.trace is trace
    assert uncut.conditioned == ("", "")


def test_the_llama_3_setting_keeps_digits(model: str) -> None:
    trace = trace_of(123456789)
    pruner = TokenSkipPruner("embedded", model_name_or_path=model, ratios=(0.5,), **LLAMA_3)
    left = pruner.prune([trace])[0].trace.reasoning
    assert [one for one in left if one.isdigit()] == [one for one in trace.reasoning if one.isdigit()]
    plain = TokenSkipPruner("embedded", model_name_or_path=model, ratios=(0.5,)).prune([trace])[0].trace.reasoning
    assert [one for one in plain if one.isdigit()] != [one for one in trace.reasoning if one.isdigit()]


def test_identity(model: str) -> None:
    pruner = TokenSkipPruner("embedded", model_name_or_path=model)
    before = Hasher.hash(pruner)
    pruner.prune([trace_of(1)])
    assert Hasher.hash(pruner) == before == Hasher.hash(pickle.loads(pickle.dumps(pruner)))
    assert Hasher.hash(TokenSkipPruner("embedded", model_name_or_path=model, seed=1)) != before
    assert TokenSkipPruner("embedded", ratios=[0.5]) == TokenSkipPruner("embedded", ratios=(0.5,))  # type: ignore[arg-type]
    assert pruner.fingerprint["model"] == XLM_R
    assert pruner.prune([]) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ratios": ()}, "shares of tokens"),
        ({"ratios": (0.5, 0.0)}, "shares of tokens"),
        ({"max_tokens": 5, "ratio": 0.5}, "one budget"),
        ({"dtype": "float8"}, "not 'float8'"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TokenSkipPruner("embedded", **fields)
