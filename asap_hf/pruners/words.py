"""Cutting a reasoning by its words: which stay under a budget, and the steps that what stays makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

from ..models.tokens import count_tokens
from ..traces.think_tags import holds_tag
from ..traces.trace import Trace
from .base import Pruning

Spelling = Sequence[tuple[int, str]]
"""Position of a step and what stays of its text, in the order of the text; joined, it is what the method says."""


class ScoredWords(Protocol):
    """The words of a reasoning, or other units smaller than a step."""

    @property
    def scores(self) -> Sequence[float]:
        """One per word; the lowest goes first."""

    def spelled(self, kept: Sequence[int]) -> Spelling:
        """The text that these words make, by their positions, ascending."""


def keep_within(words: ScoredWords, budget: int, tokenizer: str) -> list[int]:
    """Positions of the words to keep: as many of the highest scores as fit, counted on the joined text.

    Found by halving, so that one more word would be too long. Of equal scores the earlier word goes first.

    Args:
        words (`ScoredWords`):
            All of them.
        budget (`int`):
            In tokens of `tokenizer`.
        tokenizer (`str`):
            Whose tokens.
    """
    scores = words.scores
    order = sorted(range(len(scores)), key=lambda position: (scores[position], position), reverse=True)
    fits, too_many = 0, len(order) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        text = text_of(words.spelled(sorted(order[:middle])))
        if count_tokens(tokenizer, [text])[0] <= budget:
            fits = middle
        else:
            too_many = middle
    return sorted(order[:fits])


def text_of(spelling: Spelling) -> str:
    """The text of a spelling."""
    return "".join(text for _, text in spelling)


def steps_of_letters(trace: Trace) -> list[int]:
    """For each step the number of characters up to its end, white space not counted: what stays the same however a
    method treats white space."""
    return list(accumulate(len("".join(step.split())) for step in trace.steps))


def decide(
    trace: Trace, words: ScoredWords, kept: Sequence[int], tokenizer: str, record: Mapping[str, Any]
) -> Pruning:
    """The pruning that keeps these words.

    A reasoning is never emptied: where nothing is left the word with the highest score stays. Words that meet may
    spell a `<think>` or `</think>`, which would end the reasoning in another place; such a cut is not made.

    Args:
        trace ([`Trace`]):
            What is cut.
        words (`ScoredWords`):
            Its words.
        kept (`Sequence[int]`):
            Positions of the words to keep, ascending.
        tokenizer (`str`):
            Whose tokens are counted.
        record (`dict`):
            What is known already; with a `budget`, the remark tells of one word that is longer.
    """
    spelling = words.spelled(kept)
    if not text_of(spelling).strip():
        kept, spelling = _best_alone(words)
    text = text_of(spelling)
    if not text.strip():
        return Pruning(trace, "no_words: the model's vocabulary holds nothing of this text", record)
    if holds_tag(text):
        return Pruning(trace, "think_tag: the words that are left spell one", record)
    tokens = count_tokens(tokenizer, [text])[0]
    budget = record.get("budget")
    remark = f"over_budget: {tokens} > {budget} tokens" if budget is not None and tokens > budget else ""
    steps = _by_step(spelling)
    texts = list(steps.values())
    outcome = {"tokens": tokens, "words": len(words.scores), "words_kept": len(kept), "rewritten": texts}
    return Pruning(trace.rewritten(texts, list(steps)), "", {**record, **outcome}, remark=remark)


def _best_alone(words: ScoredWords) -> tuple[list[int], Spelling]:
    """The word with the highest score that says anything."""
    for position in sorted(range(len(words.scores)), key=lambda position: -words.scores[position]):
        spelling = words.spelled([position])
        if text_of(spelling).strip():
            return [position], spelling
    return [], []


def _by_step(spelling: Spelling) -> dict[int, str]:
    """What stays of each step that has any text left; white space belongs to the step before it."""
    steps: dict[int, str] = {}
    waiting = ""
    for step, text in spelling:
        body = text.lstrip()
        waiting += text[: len(text) - len(body)]
        if not body:
            continue
        if step in steps or not steps:
            steps[step] = steps.get(step, "") + waiting + body
        else:
            steps[next(reversed(steps))] += waiting
            steps[step] = body
        waiting = ""
    steps[next(reversed(steps))] += waiting
    return steps
