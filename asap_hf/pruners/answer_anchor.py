"""Stage 1 without an LLM: the final answer is the anchor. Ours, not the paper's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..scoring.flops import CountedTrace
from ..traces.fences import find_blocks
from ..traces.trace import Trace
from .base import Pruner, Pruning
from .cost import Cost
from .selection import select_by_budget

_WORD = re.compile(r"[^\W\d]\w*|\d+")
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class AnswerAnchorPruner(Pruner):
    r"""Keep the part of the reasoning that shares most with the final answer.

    Where the paper asks an LLM for a direct chain of thought as the anchor (§3.2), this takes the answer's code (its
    whole text, if it holds no fenced code). A step's overlap is the share of its words that stand in the anchor; the
    steps with the lowest overlap go, of equal ones the earlier first, until at most `keep` of the reasoning is left.
    One step always stays.

    Args:
        keep (`float`, *optional*, defaults to 0.25):
            Share of the reasoning to keep, over 0 and at most 1, counted in words and signs: close to tokens, without
            a tokenizer. Ours, measured by `bench/retention.py --keep 0.2,0.25,0.5`: more than stage 2's budget loses
            part of what the anchor gains, since stage 2 then removes steps that stand in the answer. That
            measure is the likelihood of the answer's code, so it favours steps that contain it.

    Example:
        >>> from asap_hf import AnswerAnchorPruner, Trace
        >>> steps = ("Hmm, wait.\n\n", "print(n) prints it.\n\n", "Maybe so.")
        >>> [pruning] = AnswerAnchorPruner(keep=0.5).prune([Trace("Print n.", steps, "print(n)")])
        >>> pruning.trace.texts
        ('print(n) prints it.',)
    """

    keep: float = 0.25

    version = "2"  # 2: fences in lists and quotations, and such as do not pair up

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise UsageError(f"keep is the share of the reasoning to keep, over 0 and at most 1; got {self.keep}")

    @property
    def name(self) -> str:
        return "answer_anchor"

    def cost(self, counted: CountedTrace) -> Cost:
        return Cost()

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        return [self._prune_one(trace) for trace in traces]

    def _prune_one(self, trace: Trace) -> Pruning:
        overlaps = answer_overlap(trace)
        size = _count_words_and_signs([trace.reasoning])[0]
        budget = max(1, int(self.keep * size))
        selection = select_by_budget(trace.steps, overlaps, budget, _count_words_and_signs)
        return Pruning(trace.select(selection.kept), record={"overlap": [round(overlap, 4) for overlap in overlaps]})


def answer_overlap(trace: Trace) -> list[float]:
    """For each step, the share of its words that stand in the answer's code, 0.0 to 1.0; 0.0 if it has none."""
    anchor = set(_WORD.findall(answer_code(trace.answer)))
    overlaps = []
    for step in trace.steps:
        words = _WORD.findall(step)
        overlaps.append(sum(word in anchor for word in words) / len(words) if words else 0.0)
    return overlaps


def answer_code(answer: str) -> str:
    """The fenced code of an answer, blocks joined; the whole answer where it has no fence."""
    blocks = [block.content for block in find_blocks(answer.split("\n")) if block.closed]
    return "\n".join("".join(f"{line}\n" for line in content) for content in blocks) or answer


def _count_words_and_signs(texts: Sequence[str]) -> list[int]:
    return [len(_WORD_OR_SIGN.findall(text)) for text in texts]
