"""Computes statistics of the seconds of requests and of whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from statistics import fmean

import numpy as np


def latency_statistics(seconds: Sequence[float]) -> dict[str, float]:
    """Mean, median and 90th percentile of the seconds of single requests, the latter two interpolated between
    neighbours.

    >>> latency_statistics([1.0, 2.0, 3.0, 4.0, 5.0, 9.0])
    {'mean_seconds': 4.0, 'p50_seconds': 3.5, 'p90_seconds': 7.0}

    Args:
        seconds (`Sequence[float]`):
            Seconds of each request, from when it was sent, or reached the engine, to its last token.

    Raises:
        `ValueError`: if there is no request, or a time is negative or not finite.
    """
    if len(seconds) == 0:
        raise ValueError("there are no requests")
    for request, taken in enumerate(seconds):
        if not 0 <= taken < inf:
            raise ValueError(f"request {request} cannot take {taken} s")
    p50, p90 = np.percentile(seconds, [50, 90]).tolist()
    return {"mean_seconds": fmean(seconds), "p50_seconds": p50, "p90_seconds": p90}


def wall_seconds_per_sample(wall_seconds: float, samples: int) -> float:
    """Wall time of a whole run divided by its samples, which the paper calls latency (Lat in the tables of Zeng et al.
    2025). It is the inverse of a throughput: it depends on the batch, the engine and the machine, and is not the time
    that a single answer takes.

    >>> wall_seconds_per_sample(410.0, 164)
    2.5

    Raises:
        `ValueError`: if there are no samples, or the time is not positive and finite.
    """
    if samples < 1 or not 0 < wall_seconds < inf:
        raise ValueError(f"a run cannot take {wall_seconds} s for {samples} samples")
    return wall_seconds / samples
