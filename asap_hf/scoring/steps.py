"""Traces → scores of their steps: tokenise, cut into windows, run the model, put the tokens' scores together again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..progress import tick
from ..tokens import load_tokenizer
from ..trace import Trace
from .forward import ScoringModel, load_model
from .outcome import FIRST_TOKEN_SCORES, ScoringFailure, StepScores
from .tokenization import Context, TokenisedTrace, TraceTokenizer
from .windows import Indexes, Window, cut

Values = NDArray[np.float64]

# What float32 holds; more digits would only be stored.
_DIGITS = 7


@lru_cache(maxsize=4)
def load(
    path: str, commit: str | None, context: Context, dtype: str, device: str, attn_implementation: str | None
) -> tuple[TraceTokenizer, ScoringModel]:
    """Tokenizer and model of this process, both checked.

    Raises:
        [`UsageError`], [`RunError`]: as [`TraceTokenizer`], [`load_model`] and [`ScoringModel.check`].
    """
    tokenizer = TraceTokenizer(load_tokenizer(path, commit), context)
    model = load_model(path, commit, dtype, device, attn_implementation)
    model.check(tokenizer.sample_ids)
    return tokenizer, model


class _Pending:
    """A trace whose windows are being scored."""

    def __init__(self, tokenised: TokenisedTrace, all_scores: bool):
        self.tokenised, self.all_scores = tokenised, all_scores
        positions = np.arange(tokenised.start, len(tokenised.ids))
        self.wanted: Indexes = positions if all_scores else np.unique(tokenised.first)
        self.surprisal: Values = np.full(len(self.wanted), np.nan)
        self.entropy: Values = np.full(len(self.wanted), np.nan)
        self.windows = 0
        self.to_come = 0

    def cut(self, number: int, limit: int | None) -> list[Window]:
        windows, self.windows = cut(number, self.tokenised.ids, self.tokenised.start, self.wanted, limit)
        self.to_come = len(windows)
        return windows

    def outcome(self) -> StepScores | ScoringFailure:
        if not (np.isfinite(self.surprisal).all() and np.isfinite(self.entropy).all()):
            return ScoringFailure("not_finite")
        places = np.searchsorted(self.wanted, self.tokenised.first)
        first = {"first_token_surprisal": self.surprisal[places], "first_token_entropy": self.entropy[places]}
        means = self._means(first) if self.all_scores else {}
        scores = {name: tuple(float(f"{value:.{_DIGITS}g}") for value in found) for name, found in first.items()}
        scores |= {name: tuple(float(f"{value:.{_DIGITS}g}") for value in found) for name, found in means.items()}
        return StepScores(
            first_token_surprisal=scores["first_token_surprisal"],
            first_token_entropy=scores["first_token_entropy"],
            mean_surprisal=scores.get("mean_surprisal", ()),
            mean_entropy=scores.get("mean_entropy", ()),
            perplexity=scores.get("perplexity", ()),
            tokens=len(self.tokenised.ids) - self.tokenised.start,
            windows=self.windows,
        )
