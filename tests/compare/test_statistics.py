"""Intervals and tests against numbers worked out by hand, against enumeration, and on simulated data."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.stats import rankdata, wilcoxon

from asap_hf.reporting.statistics import (
    Interval,
    McNemar,
    SignedRank,
    Values,
    bootstrap_means,
    holm,
    mcnemar,
    percentile_interval,
    wilcoxon_signed_rank,
)


def intervals(values: Values) -> list[Interval]:
    resampled = bootstrap_means(values)
    found = [percentile_interval(resampled[:, column]) for column in range(values.shape[1])]
    return [one for one in found if one]


def share_that_holds(truth: float, found: list[Interval]) -> float:
    return sum(one.low <= truth <= one.high for one in found) / len(found)


WILCOXON: list[tuple[list[float], SignedRank]] = [
    ([1, 2, 3, 4, 5], SignedRank(p=2 / 32, pairs=5, effect=1.0)),  # so five benchmarks cannot give p < 0.05
    ([-1, 2, 3, 4, 5], SignedRank(p=4 / 32, pairs=5, effect=13 / 15)),
    ([1, -2, 3, -4, 5, -6], SignedRank(p=54 / 64, pairs=6, effect=-3 / 21)),
    ([2, 2, 2, 1], SignedRank(p=2 / 16, pairs=4, effect=1.0)),
    ([1, 1, -1], SignedRank(p=1.0, pairs=3, effect=2 / 6)),
    ([0, 0, 1, 2, 3, 4, 5], SignedRank(p=2 / 32, pairs=5, effect=1.0)),
    ([0, 0, 0], SignedRank(p=1.0, pairs=0, effect=0.0)),
    ([7], SignedRank(p=1.0, pairs=1, effect=1.0)),
    ([1 / 3 + 1 / 3, 2 / 3, -(1 - 1 / 3)], SignedRank(p=1.0, pairs=3, effect=2 / 6)),  # equal but for rounding
]


@pytest.mark.parametrize(("differences", "expected"), WILCOXON)
def test_wilcoxon_gives_what_is_worked_out_by_hand(differences: list[float], expected: SignedRank) -> None:
    found = wilcoxon_signed_rank(np.array(differences, dtype=float))
    assert found.p == pytest.approx(expected.p)
    assert (found.pairs, found.effect) == (expected.pairs, pytest.approx(expected.effect))


@pytest.mark.parametrize("seed", range(20))
def test_wilcoxon_is_exact_on_few_differences_with_ties_and_zeros(seed: int) -> None:
    """All ways to give signs to the ranks are counted."""
    differences = np.random.default_rng(seed).integers(-4, 6, size=11).astype(float)
    told = differences[differences != 0]
    ranks = rankdata(np.abs(told))
    sums = np.array([np.dot(ranks, ups) for ups in product((0, 1), repeat=len(ranks))])
    seen = ranks[told > 0].sum()
    p = min(1.0, 2 * min(np.mean(sums <= seen + 1e-9), np.mean(sums >= seen - 1e-9)))
    assert wilcoxon_signed_rank(differences).p == pytest.approx(p)


@pytest.mark.parametrize("problems", [20, 50, 51, 164, 612])
def test_wilcoxon_on_tokens_is_scipys(problems: int) -> None:
    generator = np.random.default_rng(problems)
    ours, theirs = generator.lognormal(7.5, 0.5, size=(2, problems)).round(2)
    assert wilcoxon_signed_rank(ours - theirs).p == pytest.approx(wilcoxon(ours, theirs).pvalue)


def test_wilcoxon_has_two_sides() -> None:
    differences = np.random.default_rng(3).normal(0.2, 1, size=100)
    there, back = wilcoxon_signed_rank(differences), wilcoxon_signed_rank(-differences)
    assert there.p == pytest.approx(back.p)
    assert there.effect == pytest.approx(-back.effect)


MCNEMAR: list[tuple[list[float], list[float], McNemar]] = [
    ([1] * 8 + [0] * 2, [0] * 8 + [1] * 2, McNemar(p=2 * (1 + 10 + 45) / 1024, first=8, second=2)),
    ([1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 1], McNemar(p=2 / 32, first=5, second=0)),
    ([1, 0, 1, 0], [0, 1, 1, 0], McNemar(p=1.0, first=1, second=1)),
    ([1, 0], [1, 0], McNemar(p=1.0, first=0, second=0)),
    ([0.75, 0.5, 1.0, 0.25], [0.5, 0.5, 0.25, 0.0], McNemar(p=2 / 8, first=3, second=0)),
    ([1 / 3 + 1 / 3], [2 / 3], McNemar(p=1.0, first=0, second=0)),
]


@pytest.mark.parametrize(("first", "second", "expected"), MCNEMAR)
def test_mcnemar_gives_what_is_worked_out_by_hand(first: list[float], second: list[float], expected: McNemar) -> None:
    found = mcnemar(np.array(first, dtype=float), np.array(second, dtype=float))
    assert found.p == pytest.approx(expected.p)
    assert (found.first, found.second) == (expected.first, expected.second)


@pytest.mark.parametrize("seed", range(20))
def test_mcnemar_is_the_binomial_test_of_what_one_run_alone_solves(seed: int) -> None:
    first, second = np.random.default_rng(seed).integers(0, 2, size=(2, 60)).astype(float)
    ours, theirs = int(np.sum(first > second)), int(np.sum(second > first))
    tail = sum(comb(ours + theirs, count) for count in range(min(ours, theirs) + 1)) / 2 ** (ours + theirs)
    assert mcnemar(first, second).p == pytest.approx(min(1.0, 2 * tail))


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_the_same_problems_give_the_same_draws_in_every_column() -> None:
    values = np.random.default_rng(1).normal(size=(30, 2))
    both, alone = bootstrap_means(values), bootstrap_means(values[:, 1:])
    assert np.allclose(both[:, 1:], alone, atol=1e-12)
    assert both.shape == (10_000, 2)
    assert np.allclose(bootstrap_means(np.column_stack([values[:, 0], values[:, 0] + 5]))[:, 1], both[:, 0] + 5)
    assert not np.allclose(bootstrap_means(values, seed=1), both)


def test_a_resample_draws_as_many_problems_as_there_are() -> None:
    counts = bootstrap_means(np.eye(5)) * 5
    assert np.allclose(counts.sum(axis=1), 5)
    assert np.allclose(counts, counts.round())
    assert counts.mean() == pytest.approx(1)
    assert counts.max() == 5


def test_the_interval_is_the_middle_of_what_was_resampled() -> None:
    for confidence, low, high in ((0.95, 25, 975), (0.5, 250, 750)):
        found = percentile_interval(np.arange(1001.0), confidence)
        assert found is not None
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("value", [0.0, 1.0, 1 / 3, 6144.0])
def test_there_is_no_interval_where_all_problems_are_alike(value: float) -> None:
    assert percentile_interval(bootstrap_means(np.full((7, 1), value))[:, 0]) is None


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 500 benchmarks of 164 problems drawn from a known model, 95 % in their intervals; two points are chance."""
    generator = np.random.default_rng(2025)
    solved = (generator.random((164, 500)) < 0.8).astype(float)
    tokens = generator.lognormal(7.5, 0.5, size=(164, 500))
    assert share_that_holds(0.8, intervals(solved)) == pytest.approx(0.95, abs=0.02)
    assert share_that_holds(np.exp(7.5 + 0.5**2 / 2), intervals(tokens)) == pytest.approx(0.95, abs=0.02)


def test_several_samples_of_a_problem_are_not_taken_for_several_problems() -> None:
    """What all samples of a problem share makes an interval over samples far too narrow; one over problems holds."""
    generator = np.random.default_rng(7)
    hardness = generator.beta(0.6, 0.4, size=(100, 300, 1))
    samples = (generator.random((100, 300, 8)) < hardness).astype(float)
    assert share_that_holds(0.6, intervals(samples.mean(axis=2))) == pytest.approx(0.95, abs=0.03)
    flat = samples.transpose(0, 2, 1).reshape(800, 300)
    assert share_that_holds(0.6, intervals(flat)) < 0.7
