"""Scores of tokens → step entropies: sums and means over the tokens of each step."""

from __future__ import annotations

from typing import Any

import numpy as np

from .token_scores import TokenScores, Values, rounded


def step_entropies(of_tokens: TokenScores) -> dict[str, Any]:
    """Both scores of one trace, all of whose reasoning was scored, as [`StepEntropyScorer`] describes them."""
    owner, count = of_tokens.tokenised.owner, len(of_tokens.tokenised.first)
    owned = np.maximum(np.bincount(owner, minlength=count), 1)
    surprisal = of_tokens.surprisal
    sums: Values = np.bincount(owner, of_tokens.entropy, minlength=count).astype(np.float64)
    means = np.bincount(owner, surprisal * np.exp(-surprisal), minlength=count) / owned
    scores = {"step_entropy": list(rounded(sums)), "step_entropy_released": list(rounded(means))}
    return {"scores": scores, "windows": of_tokens.windows, "question_cut": of_tokens.question_cut}
