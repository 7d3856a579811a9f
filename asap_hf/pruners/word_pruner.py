"""A pruner that a model tells which words a reasoning can do without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from ..scoring.identity import ModelIdentity, model_identity
from ..tokens import count_tokens
from ..trace import Trace
from .base import Pruner, Pruning
from .budget import budget_in_tokens, check_budget
from .words import ScoredWords, decide, keep_within

_DTYPES = ("auto", "bfloat16", "float16", "float32")


class WordPruner(Pruner):
    """Keeps the words with the highest scores that fit a budget to the token; without a budget, what the rule of the
    method's authors keeps.

    Subclasses are frozen dataclasses that have these fields among theirs.
    """

    tokenizer: str
    max_tokens: int | None
    ratio: float | None
    model_name_or_path: str
    revision: str | None
    dtype: str
    device: str | None

    _rank: int | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None or self.ratio is not None:
            check_budget(self.max_tokens, self.ratio)
        if self.dtype not in _DTYPES:
            raise UsageError(f"dtype is one of {', '.join(_DTYPES)}, not {self.dtype!r}")

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

    def to_rank(self, rank: int | None) -> None:
        object.__setattr__(self, "_rank", rank)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the scores depend on beside the text and the fields that say how it is read."""
        identity, (_, dtype) = self.identity, self.placement()
        return {"model": identity.name, "revision": identity.revision, "dtype": dtype, "version": self.version}

    @property
    def identity(self) -> ModelIdentity:
        """The model that scores."""
        return model_identity(self.model_name_or_path, self.revision)

    def placement(self) -> tuple[str, str]:
        """Device and dtype that this process scores with."""
        from ..scoring.forward import pick_device, pick_dtype

        device = pick_device(self.device, self._rank)
        return device, pick_dtype(self.dtype, device)

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
