"""Words of a reasoning: which fit a budget, what the cut reads like, and what is never done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.words import Spelling, decide, keep_within, steps_of_letters, text_of
from asap_hf.traces.trace import Trace

TRACE = Trace("How many?", ("Count them all.\n\n", "Wait.\n\n", "So 5 it is."), "Five.")
WORDS = ((0, "Count"), (0, " them"), (0, " all."), (1, " Wait."), (2, " So"), (2, " 5"), (2, " it"), (2, " is."))
SCORES = (0.9, 0.2, 0.5, 0.1, 0.3, 0.8, 0.2, 0.2)


@dataclass(frozen=True)
class Fixed:
    """Words that are spelled as they are."""

    words: Spelling
    scores: Sequence[float]

    def spelled(self, kept: Sequence[int]) -> Spelling:
        return [self.words[position] for position in kept]


def test_as_many_words_as_fit_the_highest_scores_first(embedded_model: str) -> None:
    words = Fixed(WORDS, SCORES)
    order = [0, 5, 2, 4, 7, 6, 1, 3]
    lengths = [count_tokens(embedded_model, [text_of(words.spelled(sorted(order[:count])))])[0] for count in range(9)]
    for budget in range(1, lengths[-1] + 2):
        kept = keep_within(words, budget, embedded_model)
        assert kept == sorted(order[: len(kept)])
        assert lengths[len(kept)] <= budget
        assert len(kept) == 8 or lengths[len(kept) + 1] > budget


@pytest.mark.parametrize(
    ("kept", "steps", "positions"),
    [
        (range(8), ("Count them all. ", "Wait. ", "So 5 it is."), (0, 1, 2)),
        ((0, 5), ("Count ", "5"), (0, 2)),
        ((3, 4), (" Wait. ", "So"), (1, 2)),
        ((1,), (" them",), (0,)),
    ],
)
def test_the_steps_of_what_is_left(kept: Sequence[int], steps: Any, positions: Any, embedded_model: str) -> None:
    pruning = decide(TRACE, Fixed(WORDS, SCORES), kept, embedded_model, {})
    assert pruning.trace.steps == steps
    assert pruning.trace.kept == positions
    assert pruning.trace.source is TRACE
    assert pruning.reason == ""
    assert pruning.record == {
        "tokens": count_tokens(embedded_model, ["".join(steps)])[0],
        "words": 8,
        "words_kept": len(kept),
        "rewritten": list(steps),
    }


def test_white_space_alone_is_no_step(embedded_model: str) -> None:
    words = Fixed(((0, " "), (0, "a"), (1, " "), (1, "\n"), (2, "b"), (2, " ")), (1.0,) * 6)
    pruning = decide(TRACE, words, range(6), embedded_model, {})
    assert pruning.trace.steps == (" a \n", "b ")
    assert pruning.trace.kept == (0, 2)


def test_a_reasoning_is_never_emptied(embedded_model: str) -> None:
    pruning = decide(TRACE, Fixed(WORDS, SCORES), [], embedded_model, {"budget": 9})
    assert (pruning.trace.reasoning, pruning.trace.kept, pruning.reason) == ("Count", (0,), "")
    blank = Fixed(((0, " "), (1, "antidisestablishmentarianism"), (2, "\n")), (0.9, 0.2, 0.8))
    pruning = decide(TRACE, blank, [0, 2], embedded_model, {"budget": 1})
    assert pruning.trace.reasoning == "antidisestablishmentarianism"
    assert pruning.remark == f"over_budget: {pruning.record['tokens']} > 1 tokens"
    nothing = decide(TRACE, Fixed(((0, " "),), (0.9,)), [0], embedded_model, {"budget": 1})
    assert nothing.trace is TRACE
    assert nothing.reason.startswith("no_words: ")


@pytest.mark.parametrize("pieces", [("<", "x", "think", ">"), ("<", "x", "/", "think", ">"), ("<thi", "x", "nk>a")])
def test_words_that_would_spell_a_tag_are_not_left_together(pieces: tuple[str, ...], embedded_model: str) -> None:
    words = Fixed([(0, piece) for piece in pieces], (1.0,) * len(pieces))
    kept = [position for position, piece in enumerate(pieces) if piece != "x"]
    pruning = decide(TRACE, words, kept, embedded_model, {"budget": 9})
    assert pruning.trace is TRACE
    assert pruning.reason == "think_tag: the words that are left spell one"
    assert decide(TRACE, words, range(len(pieces)), embedded_model, {}).reason == ""


def test_letters_are_counted_without_white_space() -> None:
    assert steps_of_letters(TRACE) == [13, 18, 26]
