"""`Sequential`, and the glue between a pruner and rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from asap_hf.errors import UsageError
from asap_hf.pruners.anchor import AnchorPruner
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner
from asap_hf.pruners.asap import asap
from asap_hf.pruners.base import Pruner, Pruning, Sequential
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.trace import Trace

from .scripted import Scripted

STEPS = ("one", "two", "three", "four", "five")
TRACE = Trace.parse("How many?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\n5", "paper")


@dataclass(frozen=True)
class Keep(Pruner):
    """Keeps fixed positions of what it is given."""

    positions: tuple[int, ...]
    reason: str = ""
    dropped: bool = False

    @property
    def name(self) -> str:
        return f"keep{len(self.positions)}"

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        return [
            Pruning(
                trace if self.reason else trace.select(self.positions),
                self.reason,
                {"seen": len(trace.steps)},
                self.dropped,
            )
            for trace in traces
        ]


def test_stages_follow_each_other_and_positions_are_those_of_the_source() -> None:
    pruner = Sequential((Keep((0, 2, 3, 4)), Keep((1, 3))))
    pruning = pruner.prune([TRACE])[0]
    assert pruning.trace.kept == (2, 4)
    assert pruning.trace.source is TRACE
    assert pruning.record == {
        "stages": [
            {"stage": "keep4", "kept": [0, 2, 3, 4], "reason": "", "seen": 5},
            {"stage": "keep2", "kept": [2, 4], "reason": "", "seen": 4},
        ]
    }
    assert pruner.name == "keep4+keep2"


def test_a_stage_that_fails_passes_its_trace_on() -> None:
    pruning = Sequential((Keep((0,), "first: no"), Keep((1, 2)), Keep((0,), "third: neither"))).prune([TRACE])[0]
    assert pruning.trace.kept == (1, 2)
    assert pruning.reason == "first: no; third: neither"
    assert [stage["reason"] for stage in pruning.record["stages"]] == ["first: no", "", "third: neither"]
    assert not pruning.dropped


def test_a_dropped_row_goes_no_further() -> None:
    pruning = Sequential((Keep((0,), "first: no", dropped=True), Keep((1, 2)))).prune([TRACE])[0]
    assert pruning.dropped
    assert pruning.trace is TRACE
    assert [stage["stage"] for stage in pruning.record["stages"]] == ["keep1"]


def test_no_stage_changes_nothing() -> None:
    assert Sequential(()).prune([TRACE]) == [Pruning(TRACE, record={"stages": []})]


def test_an_unknown_splitter() -> None:
    with pytest.raises(UsageError, match="there are paper, code"):
        Sequential((), "lines")


def test_the_splitter_of_rows() -> None:
    program = "<think>\nfor i in a:\n\n    print(i)\n\nreturn 5\n</think>\n\n5"
    batch = {"prompt": ["How many?"], "completion": [program]}
    assert Sequential((), "paper")(batch)["kept"] == [[0, 1, 2]]
    assert Sequential((), "code")(batch)["kept"] == [[0]]


def test_columns_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="no prompt and completion"):
        Keep((0,))({"text": ["a"]})
    with pytest.raises(UsageError, match="no prompt and completion"):
        Keep((0,))({})


def test_an_empty_batch() -> None:
    out = Keep((0,))({"prompt": [], "completion": []})
    assert out == {"completion": [], "kept": [], "ok": [], "reason": [], "record": []}


def test_other_columns_are_left_alone_whatever_they_hold() -> None:
    batch = {"tests": [None], "prompt": ["How many?"], "completion": [TRACE.completion], "image": [object()]}
    out = Keep((0, 1))(batch)
    assert out["completion"] == ["<think>\none\n\ntwo\n</think>\n\n5"]
    assert json.loads(out["record"][0]) == {"seen": 5}


def test_a_record_may_hold_any_text() -> None:
    @dataclass(frozen=True)
    class Wordy(Pruner):
        def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
            return [Pruning(trace, record={"anchor": "数 🧮 \x00 \u2028 \"'"}) for trace in traces]

    out = Wordy()({"prompt": ["q"], "completion": [TRACE.completion]})
    assert json.loads(out["record"][0]) == {"anchor": "数 🧮 \x00 \u2028 \"'"}


def test_asap_is_the_paper_s_two_stages_with_its_values() -> None:
    first, second = asap("scorer", Scripted()).stages
    assert isinstance(first, AnchorPruner)
    assert isinstance(second, IterativePruner)
    assert isinstance(second.scorer, SurprisalScorer)
    assert (first.mode, first.threshold, first.keep_llm_text) == ("rewrite", 0.6, False)
    assert (first.direct_temperature, first.prune_temperature, first.top_p) == (0.0, 2.0, 1.0)
    assert (second.max_tokens, second.ratio, second.score) == (4096, None, "first_token_surprisal")
    assert second.tokenizer == second.scorer.model_name_or_path == "scorer"


@pytest.mark.parametrize(
    ("arguments", "budget"),
    [({"max_tokens": 100}, (100, None)), ({"ratio": 0.5}, (None, 0.5)), ({}, (4096, None))],
)
def test_budgets_of_asap(arguments: dict[str, Any], budget: tuple[Any, Any]) -> None:
    fine = asap(tokenizer="trained", **arguments).stages[-1]
    assert isinstance(fine, IterativePruner)
    assert (fine.max_tokens, fine.ratio) == budget
    assert fine.tokenizer == "trained"


def test_asap_without_an_llm_and_with_wrong_budgets() -> None:
    assert isinstance(asap().stages[0], AnswerAnchorPruner)
    assert asap(splitter="paper").splitter == "paper"
    for wrong in ({"max_tokens": 100, "ratio": 0.5}, {"max_tokens": 0}):
        with pytest.raises(UsageError):
            asap(**wrong)  # type: ignore[arg-type]
