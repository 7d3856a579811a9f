"""Compares the tokens of one run with those of another on the same problems."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from statistics import fmean
from typing import Any


def token_ratios(after: Sequence[float], before: Sequence[float]) -> list[float]:
    """Tokens after / before for each problem; below 1 the answer got shorter.

    >>> token_ratios(after=[60, 300], before=[100, 200])
    [0.6, 1.5]

    Args:
        after (`Sequence[float]`):
            Tokens of each problem in the run to compare; of several samples, their mean.
        before (`Sequence[float]`):
            Tokens of the same problems, in the same order, in the reference run.

    Raises:
        `ValueError`: if there is no problem, the runs have different lengths, a number is negative or not finite, or
            one of `before` is 0.
    """
    if len(after) != len(before):
        raise ValueError(f"two runs of {len(after)} and {len(before)} problems cannot be compared")
    if len(after) == 0:
        raise ValueError("there are no problems")
    for problem, (tokens, reference) in enumerate(zip(after, before, strict=True)):
        if not (0 <= tokens < inf and 0 < reference < inf):
            raise ValueError(f"problem {problem} cannot have {tokens} tokens relative to {reference}")
    return [tokens / reference for tokens, reference in zip(after, before, strict=True)]


def compression(after: Sequence[float], before: Sequence[float]) -> dict[str, Any]:
    """The ratio of all tokens together, the mean of the ratios, the share of the problems that got longer, and the
    ratios. Arguments and errors are those of [`token_ratios`].

    >>> compression(after=[60, 300], before=[100, 200])
    {'token_ratio': 1.2, 'mean_token_ratio': 1.05, 'longer': 0.5, 'token_ratios': [0.6, 1.5]}
    """
    ratios = token_ratios(after, before)
    return {
        "token_ratio": sum(after) / sum(before),
        "mean_token_ratio": fmean(ratios),
        "longer": sum(ratio > 1 for ratio in ratios) / len(ratios),
        "token_ratios": ratios,
    }
