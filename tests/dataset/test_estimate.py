"""The dry run's numbers are counted, not guessed, and nothing is loaded for them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from asap_hf.dataset.estimate import estimate, estimate_table
from asap_hf.llm.generator import Generator
from asap_hf.models.devices import matmul_speed
from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.anchor import AnchorPruner
from asap_hf.pruners.base import Sequential
from asap_hf.pruners.cost import Cost
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.keep_last import keep_last
from asap_hf.pruners.spirit import spirit_loo, spirit_own
from asap_hf.scoring.leave_one_out import LeaveOneOutScorer
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.rows import Columns
from asap_hf.traces.sources import open_source

SAMPLES = Path(__file__).parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"


class NoGenerator(Generator):
    """Must not be asked."""

    def generate(self, requests, done) -> None:  # type: ignore[no-untyped-def]
        raise AssertionError("a dry run asked an LLM")


def estimated(mode: str, **prices: float) -> tuple[object, str]:
    source = open_source(str(SAMPLES))
    fine = IterativePruner(SurprisalScorer("embedded"), tokenizer="embedded", max_tokens=1000)
    pruner = Sequential((AnchorPruner(NoGenerator("m", **prices), mode=mode), fine))  # type: ignore[arg-type]
    total, unusable = estimate(source, Columns.recognise(source.columns), pruner, "embedded")
    return total, estimate_table(total, unusable + Counter({"loop": 2}), pruner)


def test_rows_steps_and_tokens_are_those_of_the_source(embedded_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    total, table = estimated("rewrite", prompt_price=2.0, completion_price=4.0)
    texts = [json.loads(line)["completion"] for line in SAMPLES.open(encoding="utf-8")]
    reasonings = [text.split("</think>")[0].removeprefix("<think>").strip() for text in texts]
    tokens = count_tokens("embedded", reasonings)
    assert total.rows == total.usable == 24
    assert total.tokens == sum(tokens)
    assert total.over_budget == sum(count > 1000 for count in tokens)
    assert total.whole.llm_calls == 48
    # Twice the parameters of the body and the head, once a token, is the least that a forward can cost.
    assert total.whole.flops > 2 * 130e6 * total.tokens
    cost = (total.whole.prompt_tokens * 2 + total.whole.completion_tokens * 4) / 1e6
    assert f"{cost:,.4f}" in table
    assert "repeats one span over and over" in table


def test_selecting_writes_a_fraction_of_what_rewriting_does(embedded_model: str) -> None:
    rewrite, _ = estimated("rewrite")
    select, table = estimated("select")
    assert select.whole.completion_tokens < 0.5 * rewrite.whole.completion_tokens
    assert select.whole.prompt_tokens == rewrite.whole.prompt_tokens
    assert "--prompt_price" in table


def test_the_speed_of_this_device_is_measured(embedded_model: str) -> None:
    assert matmul_speed("cpu", "float32") > 1e8


def test_every_stage_says_what_it_costs(embedded_model: str) -> None:
    """A pass a trace, or one for each step; nothing for controls; what a pruner does not say is not called nothing."""
    own, loo, control, unknown = (
        spirit_own(SurprisalScorer("embedded"), "embedded", ratio=0.5),
        spirit_loo(LeaveOneOutScorer("embedded"), "embedded", ratio=0.5),
        keep_last("embedded", ratio=0.5),
        IterativePruner(lambda _: [], "embedded", ratio=0.5),
    )
    source, pruner = open_source(str(SAMPLES), None, "train", 3), Sequential((own, loo, control, unknown))
    total, unusable = estimate(source, Columns.recognise(source.columns), pruner, "embedded")
    once, each, nothing, not_said = total.costs
    assert once is not None and each is not None
    assert (once.passes, each.passes) == (3, 3 + total.steps)
    assert each.tokens_read > 10 * once.tokens_read
    assert each.flops > 10 * once.flops
    assert (nothing, not_said) == (Cost(), None)
    stages = estimate_table(total, unusable, pruner).split("\n\n")[1:]
    assert ["a model reads every row" in stage for stage in stages] == [True, True, False, False]
    assert "no model and no LLM" in stages[2]
    assert "this pruner does not say what it costs" in stages[3]
