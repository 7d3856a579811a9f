"""Traces → scores of their steps: tokenise, cut into windows, run the model, put the tokens' scores together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..progress import tick
from ..tokens import load_tokenizer
from ..trace import Trace
from .forward import ScoringModel, load_model
from .outcome import ScoringFailure, StepScores
from .tokenization import Context, TokenisedTrace, TraceTokenizer
from .windows import Indexes, cut

Values = NDArray[np.float64]


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


def score_steps(
    traces: Sequence[Trace],
    tokenizer: TraceTokenizer,
    model: ScoringModel,
    all_scores: bool = True,
    max_context: int | None = None,
    max_batch_tokens: int = 16384,
) -> Iterator[tuple[int, StepScores | ScoringFailure]]:
    """The outcome of each trace with its position in `traces`, as soon as its last window is scored. The longest go
    first, so that memory runs out at once if at all; the windows of one trace follow each other.

    Args:
        traces (`Sequence[Trace]`):
            What to score.
        tokenizer (`TraceTokenizer`), model (`ScoringModel`):
            From [`load`].
        all_scores, max_context, max_batch_tokens:
            As [`SurprisalScorer`] has them.
    """
    pending: dict[int, _Pending] = {}
    limit = model.limit(max_context)
    for index, tokenised in enumerate(tokenizer(traces)):
        if tokenised is None:
            yield index, ScoringFailure("not_encodable")
        elif tokenised.start == 0:
            yield index, ScoringFailure("nothing_before")
        else:
            pending[index] = _Pending(index, tokenised, all_scores, limit)
    longest_first = sorted(pending.values(), key=lambda one: -len(one.tokenised.ids))
    windows = [window for one in longest_first for window in one.cut.windows]
    for window, scores in model.score_all(windows, max_batch_tokens):
        one = pending[window.trace]
        tick("scored tokens", len(window))
        one.scored_windows += 1
        if scores is None:
            one.fits = False
        else:
            one.surprisal[window.slots], one.entropy[window.slots] = scores
        if one.scored_windows == len(one.cut.windows):
            yield window.trace, one.outcome(all_scores)


class _Pending:
    """A trace whose windows are on their way through the model."""

    def __init__(self, number: int, tokenised: TokenisedTrace, all_scores: bool, limit: int | None):
        positions = np.arange(tokenised.start, len(tokenised.ids))
        self.tokenised = tokenised
        self.wanted: Indexes = positions if all_scores else np.unique(tokenised.first)
        self.cut = cut(number, tokenised.ids, tokenised.start, self.wanted, limit)
        self.surprisal: Values = np.full(len(self.wanted), np.nan)
        self.entropy: Values = np.full(len(self.wanted), np.nan)
        self.scored_windows = 0
        self.fits = True

    def outcome(self, all_scores: bool) -> StepScores | ScoringFailure:
        if not self.fits:
            return ScoringFailure("out_of_memory")
        if not (np.isfinite(self.surprisal).all() and np.isfinite(self.entropy).all()):
            return ScoringFailure("not_finite")
        places = np.searchsorted(self.wanted, self.tokenised.first)
        empty: Values = np.empty(0)
        mean_surprisal = self._means(self.surprisal, places) if all_scores else empty
        mean_entropy = self._means(self.entropy, places) if all_scores else empty
        return StepScores(
            _rounded(self.surprisal[places]),
            _rounded(self.entropy[places]),
            _rounded(mean_surprisal),
            _rounded(mean_entropy),
            _rounded(np.exp(mean_surprisal)),
            tokens=len(self.tokenised.ids) - self.tokenised.start,
            windows=self.cut.count,
            question_cut=self.cut.question_cut,
        )

    def _means(self, values: Values, places: Indexes) -> Values:
        """Mean of a value over each step's tokens; of a step that owns none, the value of its first token."""
        counts = np.bincount(self.tokenised.owner, minlength=len(places))
        sums = np.bincount(self.tokenised.owner, values, minlength=len(places))
        return np.where(counts > 0, sums / np.maximum(counts, 1), values[places])


def _rounded(values: Values) -> tuple[float, ...]:
    """Seven digits: what float32 holds. The rest would only take room in every record."""
    return tuple(float(f"{value:.7g}") for value in values)
