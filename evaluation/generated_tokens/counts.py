"""Counts tokens and computes their statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from statistics import fmean
from typing import Any

import numpy as np


def count_tokens(texts: Iterable[str], encode: Callable[[str], Sequence[Any]]) -> list[int]:
    """The number of tokens of each text.

    >>> count_tokens(["two words", ""], str.split)
    [2, 0]

    Args:
        texts (`Iterable[str]`):
            Generated texts, with the reasoning.
        encode (`Callable`):
            Text → its tokens. For a tokenizer of `transformers`:
            `lambda text: tokenizer.encode(text, add_special_tokens=False)`.
    """
    return [len(encode(text)) for text in texts]


def token_statistics(counts: Sequence[float]) -> dict[str, float]:
    """Mean, median and 90th percentile, the latter two interpolated between neighbours.

    >>> token_statistics([100, 200, 300, 400, 500, 900])
    {'mean_tokens': 400.0, 'median_tokens': 350.0, 'p90_tokens': 700.0}

    Args:
        counts (`Sequence[float]`):
            Tokens of each sample.

    Raises:
        `ValueError`: if there is no sample, or a number of tokens is negative or not finite.
    """
    if len(counts) == 0:
        raise ValueError("there are no samples")
    for sample, count in enumerate(counts):
        if not 0 <= count < inf:
            raise ValueError(f"sample {sample} cannot have {count} tokens")
    median, p90 = np.percentile(counts, [50, 90]).tolist()
    return {"mean_tokens": fmean(counts), "median_tokens": median, "p90_tokens": p90}


def truncated_share(finish_reasons: Sequence[str]) -> float:
    """Share of the samples that were cut off at the limit: their finish reason is `length`, as vLLM and
    OpenAI-compatible servers call it.

    >>> truncated_share(["stop", "length", "stop", "stop"])
    0.25

    Raises:
        `ValueError`: if there is no sample.
    """
    if not finish_reasons:
        raise ValueError("there are no samples")
    return list(finish_reasons).count("length") / len(finish_reasons)
