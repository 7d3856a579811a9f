"""Intervals for one run and tests between two, over problems: plain functions on arrays with one value per problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RESAMPLES = 10_000
CONFIDENCE = 0.95
SEED = 0


@dataclass(frozen=True)
class Interval:
    """Bounds of a confidence interval, in the unit of the value."""

    low: float
    high: float


@dataclass(frozen=True)
class SignedRank:
    """Outcome of [`wilcoxon_signed_rank`]."""

    p: float
    pairs: int
    """Problems on which the two differ; the others say nothing."""
    effect: float
    """Rank-biserial correlation, -1.0 to 1.0: the share of the ranks for a positive difference less the share against
    it."""


@dataclass(frozen=True)
class McNemar:
    """Outcome of [`mcnemar`]."""

    p: float
    first: int
    """Problems that the first run solves more often; that it alone solves where there is one sample each."""
    second: int


def bootstrap_means(values: Values, resamples: int = RESAMPLES, seed: int = SEED) -> Values:
    """Means of the columns over problems drawn with replacement.

    Problems are drawn, never samples: samples of one problem are alike, and drawing them would make every interval too
    narrow. All columns see the same draws, so that a difference or ratio of two columns is a paired bootstrap of it.

    Args:
        values (`np.ndarray` of shape (problems, columns)):
            One row per problem; at least one.
        resamples (`int`, *optional*, defaults to 10,000):
            How often problems are drawn.
        seed (`int`, *optional*, defaults to 0):
            Same seed, number of problems and of resamples: same draws.

    Returns:
        `np.ndarray` of shape (resamples, columns).
    """
    return np.asarray(_draws(len(values), resamples, seed) @ values / len(values))


@lru_cache(maxsize=1)  # the budgets of a benchmark have the same problems, and 612 of them take 0.3 s and 49 MB
def _draws(problems: int, resamples: int, seed: int) -> Values:
    """How often each problem is drawn, one row per resample."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(problems, np.full(problems, 1 / problems), size=resamples).astype(np.float64)


def percentile_interval(resampled: Values, confidence: float = CONFIDENCE) -> Interval | None:
    """The interval that holds the middle `confidence` of the resampled values.

    Returns:
        [`Interval`], or `None` where all values are the same: all problems are alike then, and a bootstrap cannot tell
        how far others would be.
    """
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    if np.ptp(resampled) <= 1e-9 * max(1.0, abs(high)):
        return None
    return Interval(float(low), float(high))


def wilcoxon_signed_rank(differences: Values) -> SignedRank:
    """Wilcoxon's signed-rank test of the hypothesis that paired differences are symmetric about zero. Two-sided.

    The paper (§4.2) reports p < 0.05 from this test and tells neither the values that were paired nor the sides. Here
    pairs are problems. Zeros are left out (Wilcoxon's own way); ties share their mean rank, after rounding to six
    digits so that means over samples tie where they should. The p-value is exact for up to 50 differences, or 13 where
    there are ties, and from the normal approximation, corrected for ties, beyond.

    Args:
        differences (`np.ndarray`):
            One per problem, of the means over its samples.

    Returns:
        [`SignedRank`]; p is 1.0 where no two differ.
    """
    from scipy.stats import rankdata, wilcoxon

    rounded = np.round(differences, 6)
    nonzero = rounded[rounded != 0]
    if not len(nonzero):
        return SignedRank(p=1.0, pairs=0, effect=0.0)
    ranks = rankdata(np.abs(nonzero))
    effect = float(np.sum(ranks * np.sign(nonzero)) / np.sum(ranks))
    return SignedRank(p=float(wilcoxon(nonzero).pvalue), pairs=len(nonzero), effect=effect)


def mcnemar(first: Values, second: Values) -> McNemar:
    """McNemar's exact test of the hypothesis that either run is as likely to be the only one that solves a problem.
    Two-sided: the binomial test of the problems that one run alone solves. The others say nothing.

    With several samples per problem the shares that passed are compared instead: which run solves a problem more
    often. That is the sign test; with one sample it is McNemar's.

    Args:
        first (`np.ndarray`), second (`np.ndarray`):
            Per problem, the share of the samples that passed.

    Returns:
        [`McNemar`]; p is 1.0 where no two differ.
    """
    from scipy.stats import binomtest

    differences = np.round(first - second, 6)
    wins, losses = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return McNemar(p=p, first=wins, second=losses)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: the chance of one false alarm or more among all of them is at most
    the level to which each is held."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, position in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[position]))
        adjusted[position] = largest
    return adjusted
