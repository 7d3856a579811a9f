"""SPIRIT's two readings, and PIR: Algorithm 2 on the score that each names, lowest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asap_hf.errors import UsageError
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.pir import pir
from asap_hf.pruners.spirit import spirit_loo, spirit_own
from asap_hf.scoring.leave_one_out import LeaveOneOutScorer
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.trace import Trace

from ..tiny_models import save_model

STEPS = ("Okay, so I need n.", "Wait.", "Let me think again: i % 2 == 0.", "return i", "Done.")
TRACE = Trace.parse("What is n?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\nIt is 7.", "paper")
SCORES = {
    "perplexity": [5.0, 1.0, 4.0, 2.0, 3.0],
    "spirit_loo": [0.0, 0.4, -0.2, 0.3, 0.1],
    "pir": [0.2, -0.1, 0.5, 0.3, 0.0],
}
BASELINES: dict[str, tuple[Callable[..., IterativePruner], str, list[int]]] = {
    "spirit_own": (spirit_own, "perplexity", [1, 3, 4, 2, 0]),
    "spirit_loo": (spirit_loo, "spirit_loo", [2, 0, 4, 3, 1]),
    "pir": (pir, "pir", [1, 4, 0, 3, 2]),
}


@dataclass(frozen=True)
class Fixed:
    """Gives every trace the scores above."""

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": SCORES} for _ in traces]


@pytest.mark.parametrize("name", BASELINES)
def test_the_step_that_is_missed_least_goes_first(name: str, embedded_model: str) -> None:
    baseline, _, order = BASELINES[name]
    pruner = baseline(Fixed(), embedded_model, ratio=0.5)
    assert pruner.name == name
    pruning = pruner.prune([TRACE])[0]
    assert pruning.record["order"] == order
    assert pruning.trace.kept == tuple(sorted(order[5 - len(pruning.trace.kept) :]))
    assert pruning.record["tokens"] <= pruning.record["tokens_before"] / 2


@pytest.mark.parametrize("name", BASELINES)
def test_with_the_scorer_that_it_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    baseline, score, _ = BASELINES[name]
    model = save_model(tmp_path)
    kind = SurprisalScorer if name == "spirit_own" else LeaveOneOutScorer
    scorer = kind(model, context="raw", dtype="float32")
    pruning = baseline(scorer, model, max_tokens=20).prune([TRACE])[0]
    scores = scorer([TRACE])[0]["scores"][score]
    assert pruning.record["order"] == np.argsort(scores, kind="stable").tolist()
    assert 0 < len(pruning.trace.kept) < 5


def test_the_other_scorer_is_refused(embedded_model: str) -> None:
    @dataclass(frozen=True)
    class Other:
        def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
            return [{"scores": {"perplexity": SCORES["perplexity"]}} for _ in traces]

    with pytest.raises(UsageError, match="no score 'spirit_loo' here; there are: perplexity"):
        spirit_loo(Other(), embedded_model, ratio=0.5).prune([TRACE])
    with pytest.raises(UsageError, match="one budget"):
        spirit_own(Fixed(), embedded_model)
