"""Traces → step entropies: sums and means over the tokens of each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..progress import tick
from ..trace import Trace
from .forward import ScoringModel
from .outcome import ScoringFailure
from .tokenization import TokenisedTrace, TraceTokenizer
from .windows import cut


def step_entropies(
    traces: Sequence[Trace],
    tokenizer: TraceTokenizer,
    model: ScoringModel,
    max_context: int | None,
    max_batch_tokens: int,
) -> Iterator[tuple[int, dict[str, Any] | ScoringFailure]]:
    """Both scores of each trace with its position in `traces`, one trace after the other.

    Args:
        traces (`Sequence[Trace]`):
            What to score.
        tokenizer (`TraceTokenizer`), model (`ScoringModel`):
            From [`asap_hf.scoring.steps.load`].
        max_context, max_batch_tokens:
            As [`StepEntropyScorer`] has them.
    """
    limit = model.limit(max_context)
    for index, tokenised in enumerate(tokenizer(traces)):
        if tokenised is None:
            yield index, ScoringFailure("not_encodable")
        elif tokenised.start == 0:
            yield index, ScoringFailure("nothing_before")
        else:
            yield index, _score(tokenised, len(traces[index].steps), model, limit, max_batch_tokens)


def _score(
    tokenised: TokenisedTrace, count: int, model: ScoringModel, limit: int | None, max_batch_tokens: int
) -> dict[str, Any] | ScoringFailure:
    wanted = np.arange(tokenised.start, len(tokenised.ids))
    seen = cut(0, tokenised.ids, tokenised.start, wanted, limit)
    surprisal, entropy = np.full(len(wanted), np.nan), np.full(len(wanted), np.nan)
    for window, scores in model.score_all(seen.windows, max_batch_tokens):
        tick("scored tokens", len(window))
        if scores is None:
            return ScoringFailure("out_of_memory")
        surprisal[window.slots], entropy[window.slots] = scores
    if not (np.isfinite(surprisal).all() and np.isfinite(entropy).all()):
        return ScoringFailure("not_finite")
    owned = np.maximum(np.bincount(tokenised.owner, minlength=count), 1)
    sums = np.bincount(tokenised.owner, entropy, minlength=count)
    means = np.bincount(tokenised.owner, surprisal * np.exp(-surprisal), minlength=count) / owned
    scores_of = {"step_entropy": sums, "step_entropy_released": means}
    # Seven digits: what float32 holds.
    rounded = {name: [float(f"{value:.7g}") for value in values] for name, values in scores_of.items()}
    return {"scores": rounded, "windows": seen.count, "question_cut": seen.question_cut}
