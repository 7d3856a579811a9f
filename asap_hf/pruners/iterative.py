"""Stage 2 (§3.3): Algorithm 2 on the scores of any scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import Any, Protocol

from ..errors import UsageError
from ..selection import Selection, select_by_budget
from ..tokens import count_tokens
from ..trace import Trace
from .base import Pruner, Pruning
from .budget import budget_in_tokens, check_budget


class Scorer(Protocol):
    """Anything that gives every step of a trace one or several named scores. To be part of a pruner's identity it is a
    frozen dataclass or the like; it may have `to_rank(rank)`, as [`Pruner`] has.

    Returns one mapping per trace, in order: `{"scores": {name: one number per step}, …anything for the record}`, or
    `{"reason": "code: detail"}` where a trace cannot be scored.
    """

    def __call__(self, traces: Sequence[Trace]) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class IterativePruner(Pruner):
    """Remove the steps with the lowest score until a token budget holds (Algorithm 2).

    The record of a row holds every score, the order of removal and the length after each removal, so that another
    budget needs neither a model nor a tokenizer.

    Args:
        scorer (`Scorer`):
            For the paper's stage 2, [`SurprisalScorer`].
        tokenizer (`str`):
            Whose tokens the budget counts: the model that will be trained. The paper's T.
        max_tokens (`int`, *optional*):
            The budget L_max in tokens of reasoning; 4096 in Appendix A. Either this or `ratio`.
        ratio (`float`, *optional*):
            The budget as a share of the *original* reasoning's tokens, also after an earlier stage.
        score (`str`, *optional*, defaults to `"first_token_surprisal"`):
            Which of the scorer's scores decides (Eq. 2 by default).
        score_short (`bool`, *optional*, defaults to `True`):
            Score traces that fit the budget as they are. Algorithm 2 returns those before scoring; scoring them all
            the same makes a smaller budget free later.
    """

    scorer: Scorer
    tokenizer: str
    max_tokens: int | None = None
    ratio: float | None = None
    score: str = "first_token_surprisal"
    score_short: bool = True

    version = "1"

    def __post_init__(self) -> None:
        check_budget(self.max_tokens, self.ratio)

    @property
    def name(self) -> str:
        return "iterative"

    def to_rank(self, rank: int | None) -> None:
        if hasattr(self.scorer, "to_rank"):
            self.scorer.to_rank(rank)

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        counts = count_tokens(self.tokenizer, [trace.reasoning for trace in traces])
        sources = count_tokens(self.tokenizer, [trace.source.reasoning for trace in traces])
        budgets = [self.budget(tokens) for tokens in sources]
        scored = [
            index
            for index, (tokens, budget) in enumerate(zip(counts, budgets, strict=True))
            if self.score_short or tokens > budget
        ]
        answers = self.scorer([traces[index] for index in scored]) if scored else ()
        answer_of = dict(zip(scored, answers, strict=True))
        return [
            self._decide(trace, tokens, budget, answer_of.get(index))
            for index, (trace, tokens, budget) in enumerate(zip(traces, counts, budgets, strict=True))
        ]

    def budget(self, source_tokens: int) -> int:
        """L_max in tokens for a reasoning that had `source_tokens` before any stage; at least 1."""
        return budget_in_tokens(self.max_tokens, self.ratio, source_tokens)

    def _decide(self, trace: Trace, tokens: int, budget: int, answer: Mapping[str, Any] | None) -> Pruning:
        record: dict[str, Any] = {"budget": budget, "tokens_before": tokens, "tokens": tokens}
        if answer is None:
            return Pruning(trace, record=record)
        record |= {name: value for name, value in answer.items() if name != "reason"}
        if answer.get("reason"):
            return Pruning(trace, f"scoring: {answer['reason']}", record)
        # As plain numbers: a scorer may well give arrays.
        record["scores"] = {name: [float(value) for value in values] for name, values in answer["scores"].items()}
        scores = record["scores"].get(self.score)
        if not scores:
            offered = ", ".join(name for name, values in record["scores"].items() if values)
            raise UsageError(f"there is no score {self.score!r} here; there are: {offered}")
        if any(map(isnan, scores)):
            del record["scores"]  # or another budget would be looked for in them
            return Pruning(trace, "scoring: not_finite", record)
        selection = select_by_budget(trace.steps, scores, budget, partial(count_tokens, self.tokenizer))
        pruned = trace.select(selection.kept)
        return Pruning(pruned, overshoot(selection, budget), record | selection_record(selection))


def overshoot(selection: Selection, budget: int) -> str:
    """The reason for a row whose last step alone is longer than the budget; empty where the budget holds."""
    return f"over_budget: {selection.tokens} > {budget} tokens" if selection.tokens > budget else ""


def selection_record(selection: Selection) -> dict[str, Any]:
    """A selection as the record holds it."""
    return {"order": list(selection.order), "lengths": list(selection.lengths), "tokens": selection.tokens}
