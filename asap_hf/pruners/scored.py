"""What every pruner does that scores steps and then chooses among them under a token budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Protocol

from ..errors import UsageError
from ..models.tokens import count_tokens
from ..scoring.flops import CountedTrace
from ..traces.trace import Trace
from .base import Pruner, Pruning
from .budget import budget_in_tokens, check_budget
from .cost import Cost, scoring_cost


class Scorer(Protocol):
    r"""Anything that gives every step of a trace one or several named scores. To be part of a pruner's identity it is
    a frozen dataclass or the like. It may have `to_rank(rank)`, as [`Pruner`] has, and `forward_passes(counted)`: its
    forward passes over a trace (none: an empty list), from which `--dry_run` estimates what it costs.

    Returns one mapping per trace, in order: `{"scores": {name: one number per step}, …anything for the record}`, or
    `{"reason": "code: detail"}` where a trace cannot be scored.

    Example:
        >>> from dataclasses import dataclass
        >>> from asap_hf import IterativePruner, Trace
        >>> @dataclass(frozen=True)
        ... class LengthScorer:
        ...     def __call__(self, traces):
        ...         return [{"scores": {"length": [len(step) for step in trace.steps]}} for trace in traces]
        >>> trace = Trace("What is 2 + 3?", ("Wait.\n\n", "It is 2 + 3 = 5."), "5")
        >>> pruner = IterativePruner(LengthScorer(), "embedded", max_tokens=12, score="length")
        >>> pruner.prune([trace])[0].trace.texts
        ('It is 2 + 3 = 5.',)
    """

    def __call__(self, traces: Sequence[Trace]) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class ScoredPruner(Pruner):
    r"""Keep within a token budget the steps that a score speaks for; a subclass says which those are.

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

    Example:
        >>> from dataclasses import dataclass
        >>> from asap_hf import Pruning, ScoredPruner, SurprisalScorer, Trace
        >>> @dataclass(frozen=True)
        ... class BestStepPruner(ScoredPruner):
        ...     def choose(self, trace, scores, budget):
        ...         return Pruning(trace.select([max(range(len(scores)), key=scores.__getitem__)]))
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "That is 5."), "5")
        >>> [pruning] = BestStepPruner(SurprisalScorer("embedded"), "embedded", ratio=0.5).prune([trace])
        >>> (len(pruning.trace.steps), list(pruning.record["scores"])[0])
        (1, 'first_token_surprisal')
    """

    scorer: Scorer
    tokenizer: str
    max_tokens: int | None = None
    ratio: float | None = None
    score: str = "first_token_surprisal"
    score_short: bool = True

    def __post_init__(self) -> None:
        check_budget(self.max_tokens, self.ratio)

    @abstractmethod
    def choose(self, trace: Trace, scores: Sequence[float], budget: int) -> Pruning:
        """The decision about one trace, higher scores being more worth keeping; `record` says how it came about."""

    def cost(self, counted: CountedTrace) -> Cost | None:
        return scoring_cost(self.scorer, counted)

    def to_rank(self, rank: int | None) -> None:
        if hasattr(self.scorer, "to_rank"):
            self.scorer.to_rank(rank)

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        counts = self.count([trace.reasoning for trace in traces])
        sources = self.count([trace.source.reasoning for trace in traces])
        budgets = [self.budget(tokens) for tokens in sources]
        scored = [
            index
            for index, (tokens, budget) in enumerate(zip(counts, budgets, strict=True))
            if self.score_short or tokens > budget
        ]
        answers = self.answers([traces[index] for index in scored]) if scored else ()
        answer_of = dict(zip(scored, answers, strict=True))
        return [
            self._decide(trace, tokens, budget, answer_of.get(index))
            for index, (trace, tokens, budget) in enumerate(zip(traces, counts, budgets, strict=True))
        ]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the budget counts them."""
        return count_tokens(self.tokenizer, texts)

    def answers(self, traces: Sequence[Trace]) -> Sequence[Mapping[str, Any]]:
        """What the scorer says of each trace, one value for each of its steps."""
        return self.scorer(traces)

    def budget(self, source_tokens: int) -> int:
        """L_max in tokens for a reasoning that had `source_tokens` before any stage; at least 1."""
        return budget_in_tokens(self.max_tokens, self.ratio, source_tokens)

    def _decide(self, trace: Trace, tokens: int, budget: int, answer: Mapping[str, Any] | None) -> Pruning:
        record: dict[str, Any] = {"budget": budget, "tokens_before": tokens, "tokens": tokens}
        if answer is None:
            return Pruning(trace, record=record)
        record |= {name: value for name, value in answer.items() if name not in ("reason", "scores")}
        if answer.get("reason"):
            return Pruning(trace, f"scoring: {answer['reason']}", record)
        scores = plain_scores(answer)
        chosen = score_named(self.score, scores)
        if not all(map(isfinite, chosen)):  # and no scores in the record, or another budget would be looked for there
            return Pruning(trace, "scoring: not_finite", record)
        pruning = self.choose(trace, chosen, budget)
        return replace(pruning, record={**record, "scores": scores, **pruning.record})


def plain_scores(answer: Mapping[str, Any]) -> dict[str, list[float]]:
    """A scorer's scores as JSON holds them: it may well give arrays."""
    return {name: [float(value) for value in values] for name, values in answer["scores"].items()}


def score_named(name: str, scores: Mapping[str, Sequence[float]]) -> Sequence[float]:
    """One of the scores.

    Raises:
        [`UsageError`]: if the scorer did not give it.
    """
    if not scores.get(name):
        offered = ", ".join(other for other, values in scores.items() if values)
        raise UsageError(f"there is no score {name!r} here; there are: {offered}")
    return scores[name]
