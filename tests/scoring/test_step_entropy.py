"""Step entropies are the sums and means that their definitions say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from asap_hf.errors import UsageError
from asap_hf.scoring import steps
from asap_hf.scoring.step_entropy import StepEntropyScorer
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.trace import Trace

from ..tiny_models import save_model, tiny_llama

STEPS = (
    "Okay, so I need to read n.\n\n",
    "Wait.\n\n",
    "    for i in range(n):\n\n",
    "é 数 🙂\n\n",
    "Wait.\n\n",
    "Done",
)
TRACE = Trace("What is n?", STEPS, "7")


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


def scorer(model: str, **changes: Any) -> StepEntropyScorer:
    return StepEntropyScorer(model, **{"dtype": "float32", "context": "raw", **changes})


def test_both_scores_equal_a_loop_over_the_tokens(tiny: str) -> None:
    tokenised = steps.load(tiny, None, "raw", "float32", "cpu", None)[0]([TRACE])[0]
    assert tokenised is not None
    network = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    with torch.no_grad():
        p = network(torch.tensor([tokenised.ids.tolist()])).logits[0].double().softmax(-1)
    sums, means = [0.0] * len(STEPS), [0.0] * len(STEPS)
    owners = tokenised.owner.tolist()
    for place, owner in enumerate(owners, tokenised.start):
        before = p[place - 1]
        own = before[tokenised.ids[place]]
        sums[owner] -= (before * before.log()).sum().item()
        means[owner] -= (own * own.log()).item() / owners.count(owner)
    [answer] = scorer(tiny)([TRACE])
    assert answer["scores"]["step_entropy"] == pytest.approx(sums, rel=1e-4)
    assert answer["scores"]["step_entropy_released"] == pytest.approx(means, rel=1e-3, abs=1e-6)
    assert (answer["windows"], answer["scorer"]["max_context"]) == (1, None)


def test_the_sum_is_the_mean_times_the_tokens(tiny: str) -> None:
    tokenised = steps.load(tiny, None, "raw", "float32", "cpu", None)[0]([TRACE])[0]
    assert tokenised is not None
    counts = [tokenised.owner.tolist().count(step) for step in range(len(STEPS))]
    [mean] = SurprisalScorer(tiny, dtype="float32", context="raw").score([TRACE])
    expected = [count * value for count, value in zip(counts, mean.mean_entropy, strict=True)]
    assert scorer(tiny)([TRACE])[0]["scores"]["step_entropy"] == pytest.approx(expected, rel=1e-4)


def test_a_step_that_owns_no_token_scores_nothing(tiny: str) -> None:
    scores = scorer(tiny)([Trace("q", ("a\n\n", "", "b"), "x")])[0]["scores"]
    assert [values[1] for values in scores.values()] == [0.0, 0.0]


def test_a_long_trace_is_seen_in_windows(tiny: str) -> None:
    [answer] = scorer(tiny, max_context=40)([TRACE])
    assert answer["windows"] > 1
    assert len(answer["scores"]["step_entropy"]) == len(STEPS)
    assert answer["scores"] != scorer(tiny)([TRACE])[0]["scores"]


def test_failures(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_model(tmp_path, tiny_llama(hidden_size=16))
    _, loaded = steps.load(model, None, "raw", "float32", "cpu", None)
    monkeypatch.setattr(loaded, "_score_if_it_fits", lambda batch: None)
    answers = scorer(model)([TRACE, Trace("q", ("\ud800",), "x")])
    assert [answer["reason"] for answer in answers] == ["out_of_memory", "not_encodable"]
    monkeypatch.undo()
    assert "scores" in scorer(tiny)([TRACE])[0]


def test_a_window_needs_room() -> None:
    with pytest.raises(UsageError, match="max_context is 16 or more, not 15"):
        StepEntropyScorer("any", max_context=15)
