"""Stage 1 without an LLM: the final answer is the anchor. Ours, not the paper's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..trace import Trace
from .base import Pruner, Pruning

_FENCED = re.compile(r"^(```|~~~)[^\n]*\n(.*?)^\1", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"[^\W\d]\w*|\d+")


@dataclass(frozen=True)
class AnswerAnchorPruner(Pruner):
    """Keep the steps that share most with the final answer.

    Where the paper asks an LLM for a direct chain of thought as the anchor (§3.2), this takes the answer's code (its
    whole text, if it holds no fenced code). A step's overlap is the share of its words that stand in the anchor; steps
    with an overlap of at least `threshold` stay. If none reaches it, the one with the highest overlap does.

    Args:
        threshold (`float`, *optional*, defaults to 0.5):
            Least overlap that is kept, between 0 and 1. Ours, chosen by `bench/retention.py`.
    """

    threshold: float = 0.5

    version = "1"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"an overlap lies between 0 and 1, and so does its threshold; got {self.threshold}")

    @property
    def name(self) -> str:
        return "answer_anchor"

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        return [self._prune_one(trace) for trace in traces]

    def _prune_one(self, trace: Trace) -> Pruning:
        overlaps = answer_overlap(trace)
        kept = [position for position, overlap in enumerate(overlaps) if overlap >= self.threshold]
        kept = kept or [max(range(len(overlaps)), key=overlaps.__getitem__)]
        return Pruning(trace.select(kept), record={"overlap": [round(overlap, 4) for overlap in overlaps]})


def answer_overlap(trace: Trace) -> list[float]:
    """For each step, the share of its words that stand in the answer's code, 0.0 to 1.0; 0.0 for a step without words."""
    anchor = set(_WORD.findall(answer_code(trace.answer)))
    overlaps = []
    for step in trace.steps:
        words = _WORD.findall(step)
        overlaps.append(sum(word in anchor for word in words) / len(words) if words else 0.0)
    return overlaps


def answer_code(answer: str) -> str:
    """The fenced code of an answer, blocks joined; the whole answer where it has no fence."""
    return "\n".join(body for _, body in _FENCED.findall(answer)) or answer
