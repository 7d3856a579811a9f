"""Scores that were stored stay valid: the keys they lie under, the form they lie in, and what is read out of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from asap_hf.models.identity import ModelIdentity
from asap_hf.models.placement import PlacedModel
from asap_hf.runtime.ledger import ledger_key, open_ledger
from asap_hf.scoring import steps
from asap_hf.scoring.leave_one_out import LeaveOneOutScorer
from asap_hf.scoring.outcome import SCORES, StepScores
from asap_hf.scoring.reference import ReferenceScorer
from asap_hf.scoring.step_entropy import StepEntropyScorer
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.trace import Trace

TRACE = Trace("What is n?", ("Let me see.\n\n", "Done"), "7")
IDENTITY = ModelIdentity("someone/model", "someone/model", "c0ffee", "c0ffee")
MODEL = {"model": "someone/model@c0ffee", "revision": "c0ffee", "dtype": "float32", "context": "raw"}
SURPRISALS = ("scores", {**MODEL, "max_context": None, "version": "1"})

# Under which key of the ledger each scorer of `MODEL` finds what it computed for `TRACE`.
KEYS = {
    SurprisalScorer: "0f68ea4dfc50f381ca2579926d60dbc44f3b7096d2c5775df8aa5dd253539487",
    LeaveOneOutScorer: "e1deac5f1fdf57d7d9d1512224de34af6625f4153cf1d52aaa4b9044b2096d09",
    ReferenceScorer: "833fa833fa2c4384b379b362e2f66598a3ae43f406eb605710359ddb35afea19",
    StepEntropyScorer: "2ffee4ad9d25398c4c28366f989a526f7ee5fdbee5500afc0a72222a65cae2e7",
}


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


@pytest.fixture
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlacedModel, "identity", IDENTITY)
    monkeypatch.setattr(steps, "load", None)


def stored_form(**changes: Any) -> dict[str, Any]:
    """As a line of the ledger holds the five scores of a trace of two steps."""
    values = {name: [float(at), at + 0.5] for at, name in enumerate(SCORES)}
    return {**values, "tokens": 9, "windows": 2, "question_cut": 1, **changes}


def scorer(kind: Any, **changes: Any) -> Any:
    return kind("someone/model", context="raw", dtype="float32", **changes)


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_the_keys_of_the_ledger_are_those_of_former_versions(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(open_ledger("scores"), "get", lambda key: asked.append(key))
    with pytest.raises(TypeError):  # there is no model to load
        scorer(kind)([TRACE])
    assert asked == [KEYS[kind]]


@pytest.mark.usefixtures("_no_model")
def test_surprisals_are_found_as_they_were_stored() -> None:
    key = ledger_key(*SURPRISALS, True, TRACE.question, TRACE.steps)
    assert key == KEYS[SurprisalScorer]
    open_ledger("scores").put(key, stored_form())
    [scores] = scorer(SurprisalScorer).score([TRACE])
    values = {name: (float(at), at + 0.5) for at, name in enumerate(SCORES)}
    assert scores == StepScores(**values, tokens=9, windows=2, question_cut=1)
    [answer] = scorer(SurprisalScorer)([TRACE])
    fingerprint = {**MODEL, "model": "someone/model", "max_context": None, "version": "1"}
    expected = {
        "scores": {name: list(one) for name, one in values.items()},
        "windows": 2,
        "question_cut": 1,
        "scorer": fingerprint,
    }
    assert answer == expected
    assert [list(part) for part in (answer, answer["scores"], answer["scorer"])] == [
        ["scores", "windows", "question_cut", "scorer"],
        list(SCORES),
        ["model", "revision", "dtype", "context", "max_context", "version"],
    ]


@pytest.mark.usefixtures("_no_model")
def test_all_five_scores_serve_where_the_first_token_s_two_are_wanted() -> None:
    both = SurprisalScorer("someone/model", context="raw", dtype="float32", all_scores=False)
    open_ledger("scores").put(KEYS[SurprisalScorer], stored_form())
    [scores] = both.score([TRACE])
    assert (scores.first_token_entropy, scores.mean_entropy) == ((1.0, 1.5), ())  # type: ignore[union-attr]
    assert list(both([TRACE])[0]["scores"]) == ["first_token_surprisal", "first_token_entropy"]


@pytest.mark.usefixtures("_no_model")
def test_two_scores_of_their_own_come_before_the_two_of_five() -> None:
    both = scorer(SurprisalScorer, all_scores=False)
    ledger = open_ledger("scores")
    ledger.put(KEYS[SurprisalScorer], stored_form())
    own = stored_form(first_token_entropy=[3.0, 4.0], mean_surprisal=[], mean_entropy=[], perplexity=[])
    ledger.put(ledger_key(*SURPRISALS, False, TRACE.question, TRACE.steps), own)
    assert both.score([TRACE])[0].first_token_entropy == (3.0, 4.0)


@pytest.mark.usefixtures("_no_model")
def test_where_the_last_digit_counts_two_scores_are_not_taken_from_five(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(open_ledger("scores"), "get", lambda key: asked.append(key))
    with pytest.raises(TypeError):
        scorer(SurprisalScorer, all_scores=False, deterministic=True)([TRACE])
    assert len(asked) == 1


@pytest.mark.usefixtures("_no_model")
def test_a_score_that_is_no_longer_computed_is_left_out_of_stored_answers() -> None:
    stored = {"scores": {"spirit_loo": [0.5, 0.25], "spirit_chain": [-1.0, 2.0], "pir": [0.125, 0.0]}}
    open_ledger("scores").put(KEYS[LeaveOneOutScorer], stored)
    [answer] = scorer(LeaveOneOutScorer)([TRACE])
    assert {name: one for name, one in answer.items() if name != "scorer"} == {
        "scores": {"spirit_loo": [0.5, 0.25], "pir": [0.125, 0.0]}
    }
    assert answer["scorer"]["include_answer"] is True


@pytest.mark.parametrize("all_scores", [True, False])
def test_what_is_stored_is_what_was_computed(tiny: str, all_scores: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one = SurprisalScorer(tiny, context="raw", dtype="float32", all_scores=all_scores)
    [answer] = one([TRACE])
    stored = open_ledger("scores").get(ledger_key("scores", one.stored_under, all_scores, TRACE.question, TRACE.steps))
    [scores] = one.score([TRACE])
    assert isinstance(scores, StepScores) and scores.first_token_surprisal[0] > 0
    assert stored == json.loads(json.dumps(asdict(scores)))
    assert list(stored) == list(asdict(scores))
    monkeypatch.setattr(steps, "load", None)
    assert one([TRACE]) == [answer]
    monkeypatch.undo()
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    assert (one.score([TRACE]), one([TRACE])) == ([scores], [answer])
