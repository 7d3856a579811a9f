"""What tells one condition from another, and which of them share scores."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from asap_hf.compare_pruners.conditions import UNBUDGETED, Condition, conditions_of
from asap_hf.llm import EndpointGenerator
from asap_hf.pruners.anchor import AnchorPruner
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner
from asap_hf.pruners.base import Pruner, Sequential
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.random_steps import random_steps
from asap_hf.scoring.surprisal import SurprisalScorer

SURPRISAL = IterativePruner(SurprisalScorer("embedded"), "embedded", ratio=0.5)
LLM = EndpointGenerator("big", base_url="http://127.0.0.1:1")


def identity(pruner: Pruner | None) -> str:
    return Condition("any", 0.5, pruner).identity


def test_every_method_stands_at_every_ratio_once_and_the_ends_at_none() -> None:
    made = []

    def maker(name: str, ratio: float) -> Pruner:
        made.append((name, ratio))
        return AnswerAnchorPruner(ratio)

    found = conditions_of(["b", "nothing", "a", "b"], (0.25, 0.5, 0.25), maker)
    assert [(one.name, one.ratio) for one in found] == [
        *(("b", 0.5), ("b", 0.25)),
        ("nothing", None),
        *(("a", 0.5), ("a", 0.25)),
    ]
    assert made == [("b", 0.5), ("b", 0.25), ("a", 0.5), ("a", 0.25)]
    assert found[2] is UNBUDGETED[1]


OTHERS = [
    IterativePruner(SurprisalScorer("embedded"), "embedded", ratio=0.25),
    IterativePruner(SurprisalScorer("embedded", context="raw"), "embedded", ratio=0.5),
    replace(SURPRISAL, score="mean_entropy"),
    Sequential((AnswerAnchorPruner(0.5), SURPRISAL)),
    Sequential((AnswerAnchorPruner(0.25), SURPRISAL)),
    Sequential((SURPRISAL,), splitter="paper"),
    AnswerAnchorPruner(0.5),
    random_steps("embedded", ratio=0.5, seed=1),
    random_steps("embedded", ratio=0.5, seed=2),
    AnchorPruner(LLM),
    AnchorPruner(replace(LLM, model="other")),
    None,
]


def test_other_settings_are_another_identity_and_equal_ones_the_same() -> None:
    identities = [identity(one) for one in (SURPRISAL, *OTHERS)]
    assert len(set(identities)) == len(identities)
    assert identity(replace(SURPRISAL)) == identities[0]
    assert identity(AnchorPruner(replace(LLM, max_concurrency=1, timeout=5.0))) == identity(AnchorPruner(LLM))


def test_an_identity_is_the_same_in_another_process() -> None:
    code = "from tests.compare_pruners.test_conditions import *; print(*map(identity, (SURPRISAL, *OTHERS)))"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    printed = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [identity(one) for one in (SURPRISAL, *OTHERS)]


def test_a_raised_version_is_another_identity_and_a_new_field_at_its_default_is_none() -> None:
    def maker(version: str, more: bool) -> Pruner:
        @dataclass(frozen=True)
        class Growing(AnswerAnchorPruner):
            pass

        @dataclass(frozen=True)
        class Grown(AnswerAnchorPruner):
            added: int = 0

        Grown.__name__ = "Growing"
        kind = Grown if more else Growing
        kind.version = version
        return kind(0.5)

    assert identity(maker("1", more=False)) == identity(maker("1", more=True))
    assert identity(maker("1", more=False)) != identity(maker("2", more=False))


def test_one_pass_serves_all_that_score_the_whole_trace_alike() -> None:
    alone = Condition("wo_coarse", 0.5, Sequential((SURPRISAL,))).scoring
    assert Condition("other", 0.25, replace(SURPRISAL, ratio=0.25, score="perplexity")).scoring == alone
    assert Condition("raw", 0.5, OTHERS[1]).scoring != alone
    assert Condition("asap", 0.5, OTHERS[3]).scoring == "asap"
    assert Condition("wo_fine", 0.5, AnswerAnchorPruner(0.5)).scoring == "wo_fine"
    assert UNBUDGETED[1].scoring == "nothing"


@pytest.mark.parametrize(
    ("pruner", "asks"),
    [(AnchorPruner(LLM), True), (Sequential((AnchorPruner(LLM), SURPRISAL)), True), (SURPRISAL, False), (None, False)],
)
def test_who_asks_an_llm_is_known(pruner: Pruner | None, asks: bool) -> None:
    assert Condition("any", 0.5, pruner).asks_an_llm is asks
