"""Traces → scores of their steps, made of the scores of their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from ..models.tokens import load_tokenizer
from ..traces.trace import Trace
from .forward import ScoringModel, load_model
from .outcome import ScoringFailure, StepScores
from .token_scores import TokenScores, Values, all_of_reasoning, rounded, score_tokens
from .tokenization import Context, TokenisedTrace, TraceTokenizer
from .windows import Indexes


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
) -> Iterator[dict[int, StepScores | ScoringFailure]]:
    """Outcomes by the trace's position in `traces`, those of one forward pass at once, as [`score_tokens`] has them.

    Args:
        traces (`Sequence[Trace]`):
            What to score.
        tokenizer (`TraceTokenizer`), model (`ScoringModel`):
            From [`load`].
        all_scores, max_context, max_batch_tokens:
            As [`SurprisalScorer`] has them.
    """
    wanted, of_steps = (all_of_reasoning, _all_scores) if all_scores else (_first_tokens, _first_scores)
    return score_tokens(traces, tokenizer, model, wanted, of_steps, max_context, max_batch_tokens)


def _first_tokens(tokenised: TokenisedTrace) -> Indexes:
    return np.unique(tokenised.first)


def _first_scores(of_tokens: TokenScores) -> StepScores:
    empty: Values = np.empty(0)
    return _step_scores(of_tokens, empty, empty)


def _all_scores(of_tokens: TokenScores) -> StepScores:
    return _step_scores(of_tokens, _means(of_tokens, of_tokens.surprisal), _means(of_tokens, of_tokens.entropy))


def _step_scores(of_tokens: TokenScores, mean_surprisal: Values, mean_entropy: Values) -> StepScores:
    tokenised, places = of_tokens.tokenised, _places(of_tokens)
    return StepScores(
        rounded(of_tokens.surprisal[places]),
        rounded(of_tokens.entropy[places]),
        rounded(mean_surprisal),
        rounded(mean_entropy),
        rounded(np.exp(mean_surprisal)),
        tokens=len(tokenised.ids) - tokenised.start,
        windows=of_tokens.windows,
        question_cut=of_tokens.question_cut,
    )


def _places(of_tokens: TokenScores) -> Indexes:
    """Where each step's first token is among the scored ones."""
    places: Indexes = np.searchsorted(of_tokens.wanted, of_tokens.tokenised.first)
    return places


def _means(of_tokens: TokenScores, values: Values) -> Values:
    """Mean of a value over each step's tokens; of a step that owns none, the value of its first token."""
    owner, places = of_tokens.tokenised.owner, _places(of_tokens)
    counts = np.bincount(owner, minlength=len(places))
    sums = np.bincount(owner, values, minlength=len(places))
    return np.where(counts > 0, sums / np.maximum(counts, 1), values[places])
