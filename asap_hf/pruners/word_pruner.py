"""A pruner that a model tells which words a reasoning can do without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..models.placement import PlacedModel
from ..models.tokens import count_tokens
from ..traces.trace import Trace
from .base import Pruner, Pruning
from .budget import budget_in_tokens, check_budget
from .words import ScoredWords, decide, keep_within


class WordPruner(PlacedModel, Pruner):
    """Keeps the words with the highest scores that fit a budget to the token; without a budget, what the rule of the
    method's authors keeps.

    Subclasses are frozen dataclasses that have these fields among theirs.
    """

    tokenizer: str
    max_tokens: int | None
    ratio: float | None

    def __post_init__(self) -> None:
        if self.max_tokens is not None or self.ratio is not None:
            check_budget(self.max_tokens, self.ratio)
        self.check_dtype()

    @property
    @abstractmethod
    def rule(self) -> dict[str, Any]:
        """What the record says of the authors' rule."""

    @property
    def keeps_everything(self) -> bool:
        """Whether the authors' rule leaves a trace as it is."""
        return False

    @abstractmethod
    def words_of(self, trace: Trace) -> ScoredWords | str:
        """The words of a trace with their scores, or the reason why there are none."""

    @abstractmethod
    def keep_by_rule(self, words: Any) -> list[int]:
        """Positions of the words that the authors' rule keeps, ascending."""

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the scores depend on beside the text and the fields that say how it is read."""
        return {**super().fingerprint, "version": self.version}

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        counts = count_tokens(self.tokenizer, [trace.reasoning for trace in traces])
        sources = count_tokens(self.tokenizer, [trace.source.reasoning for trace in traces])
        return [self._prune_one(*one) for one in zip(traces, counts, sources, strict=True)]

    def _prune_one(self, trace: Trace, tokens: int, source_tokens: int) -> Pruning:
        record: dict[str, Any] = {"tokens_before": tokens, "tokens": tokens}
        budget = None
        if self.max_tokens is not None or self.ratio is not None:
            budget = record["budget"] = budget_in_tokens(self.max_tokens, self.ratio, source_tokens)
        else:
            record |= self.rule
        if self.keeps_everything if budget is None else tokens <= budget:
            return Pruning(trace, record=record)
        record["scorer"] = self.fingerprint
        words = self.words_of(trace)
        if isinstance(words, str):
            return Pruning(trace, f"scoring: {words}", record)
        if not np.isfinite(words.scores).all():
            return Pruning(trace, "scoring: not_finite", record)
        kept = self.keep_by_rule(words) if budget is None else keep_within(words, budget, self.tokenizer)
        return decide(trace, words, kept, self.tokenizer, record)
