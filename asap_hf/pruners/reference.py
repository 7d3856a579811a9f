"""Stage 2 as the code that the paper's authors published has it, where that is not Algorithm 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ..models.tokens import count_tokens, load_tokenizer
from ..traces.trace import Trace
from .base import Pruning
from .scored import ScoredPruner, plain_scores
from .selection import removal_order, select_by_budget


@dataclass(frozen=True)
class ReferencePruner(ScoredPruner):
    r"""Remove paragraphs as the authors' code does: with [`ReferenceScorer`], the same ones are kept.

    What it does otherwise than [`IterativePruner`], which follows the paper:

    - Paragraphs lie between two line breaks in a row, and the white space on both sides of each goes, its first line's
      indentation with it. That is what is scored, counted and kept, joined by `"\n\n"`: programs whose lines are
      paragraphs lose their indentation. `rewritten` in the record is the text. Steps that the splitter `"paper"` cut
      are such paragraphs; two that only a line of spaces separates are one here, and stay or go together.
    - A paragraph is removed by its text: of equal ones the first that is left goes, whichever had the lowest score.
    - Tokens that the tokenizer puts in front of a text count against the budget.
    - A trace that fits is not scored.

    One thing is not done: their loop may remove every paragraph, here the last one stays.

    Args:
        scorer, tokenizer, max_tokens, ratio, score:
            As [`ScoredPruner`] has them.

    Example:
        >>> from asap_hf import ReferencePruner, ReferenceScorer, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Wait.\n\n", "That is 5."), "5")
        >>> scorer = ReferenceScorer("embedded", context="raw")
        >>> [pruning] = ReferencePruner(scorer, "embedded", max_tokens=9).prune([trace])
        >>> pruning.record["tokens"] <= 9
        True
    """

    score_short: bool = False

    version = "1"

    @property
    def name(self) -> str:
        return "reference"

    def count(self, texts: Sequence[str]) -> list[int]:
        return [tokens + self._leading for tokens in count_tokens(self.tokenizer, texts)]

    def answers(self, traces: Sequence[Trace]) -> Sequence[Mapping[str, Any]]:
        found = [_Paragraphs(trace) for trace in traces]
        answers = self.scorer([one.as_trace for one in found])
        return [one.spread(answer) for one, answer in zip(found, answers, strict=True)]

    def choose(self, trace: Trace, scores: Sequence[float], budget: int) -> Pruning:
        paragraphs = _Paragraphs(trace)
        order = first_of_equals(paragraphs.texts, removal_order([scores[first] for first, _ in paragraphs.bounds]))
        ranks = {position: float(rank) for rank, position in enumerate(order)}
        selection = select_by_budget(
            paragraphs.as_trace.steps,
            [ranks[position] for position in range(len(order))],
            max(1, budget - self._leading),
            partial(count_tokens, self.tokenizer),
        )
        tokens = selection.tokens + self._leading
        reason = f"over_budget: {tokens} > {budget} tokens" if tokens > budget else ""
        kept, steps = paragraphs.kept(selection.kept)
        return Pruning(trace.rewritten(steps, kept), reason, {"tokens": tokens, "rewritten": steps})

    @property
    def _leading(self) -> int:
        """Special tokens that the tokenizer puts in front of a text."""
        return len(load_tokenizer(self.tokenizer)("a").input_ids) - count_tokens(self.tokenizer, ["a"])[0]


class _Paragraphs:
    """A trace's steps as paragraphs without the white space around them; `bounds` has the first step of each and the
    one after its last."""

    def __init__(self, trace: Trace):
        self._trace = trace
        starts, text = [0], ""
        for position, step in enumerate(trace.steps):
            between = text[len(text.rstrip()) :] + step[: len(step) - len(step.lstrip())]
            if text.strip() and step.strip() and "\n\n" in between:
                starts.append(position)
                text = ""
            text += step
        self.bounds = [*zip(starts, [*starts[1:], len(trace.steps)], strict=True)]
        self.texts = ["".join(trace.steps[first:after]).strip() for first, after in self.bounds]

    @cached_property
    def as_trace(self) -> Trace:
        """The paragraphs as the steps of a trace, each but the last with what separates it from the next."""
        return Trace(
            self._trace.question,
            (*(f"{text}\n\n" for text in self.texts[:-1]), self.texts[-1]),
            self._trace.answer,
            closing=self._trace.closing,
        )

    def spread(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """A scorer's answer about the paragraphs, as one about the steps."""
        if answer.get("reason"):
            return answer
        sizes = [after - first for first, after in self.bounds]
        scores = {
            name: [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]
            for name, values in plain_scores(answer).items()
        }
        return {**answer, "scores": scores}

    def kept(self, positions: Sequence[int]) -> tuple[list[int], list[str]]:
        """Of the paragraphs at these positions the positions of their steps, and the text that is left of each."""
        kept: list[int] = []
        texts: list[str] = []
        for position in positions:
            first, after = self.bounds[position]
            steps = list(self._trace.steps[first:after])
            steps[0] = steps[0].lstrip()
            steps[-1] = steps[-1].rstrip() + ("\n\n" if position != positions[-1] else "")
            kept += range(first, after)
            texts += steps
        return kept, texts


def first_of_equals(texts: Sequence[str], order: Sequence[int]) -> list[int]:
    """The order in which positions really go when each of `order` is looked for by its text."""
    left: dict[str, list[int]] = {}
    for position in reversed(range(len(texts))):
        left.setdefault(texts[position], []).append(position)
    return [left[texts[position]].pop() for position in order]
