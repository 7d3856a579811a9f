"""Results → means, paired differences and tests, against numbers worked out by hand or by scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import wilcoxon

from asap_hf.compare_pruners.table import PrunerRow, Table, tables_of
from asap_hf.reporting.statistics import holm

NATS = {
    "random": [0.9, 0.8, 1.0, 0.7, 0.95, 0.85],
    "good": [0.5, 0.6, 0.4, 0.5, 0.65, 0.45],
    "bad": [1.0, 0.85, 0.95, 0.75, 1.05, 0.9],
}


def result(trace: int, pruner: str, nats: float, ratio: float | None = 0.5, **more: Any) -> dict[str, Any]:
    plain = {
        "trace": f"t{trace}",
        "pruner": pruner,
        "ratio": ratio,
        "nats": nats,
        "reason": "",
        "tokens": 40,
        "budget": None if ratio is None else 50,
        "seconds": None,
        "cpu_seconds": None,
        "fence_opened": False,
        "code_lines": 0,
        "whole_code_lines": 0,
    }
    return {**plain, **more}


def results(ratio: float = 0.5) -> list[dict[str, Any]]:
    return [result(at, name, one, ratio) for name, nats in NATS.items() for at, one in enumerate(nats)]


def row_of(table: Table, name: str) -> PrunerRow:
    return next(row for row in table.rows if row.pruner == name)


def test_rows_stand_by_their_loss_and_the_best_that_meets_a_budget_is_marked() -> None:
    ends = [result(at, name, nats, None) for at in range(6) for name, nats in (("original", 0.1), ("nothing", 2.0))]
    tables = tables_of([*results(0.25), *ends, *results(0.5)])
    assert [table.ratio for table in tables] == [0.5, 0.25]
    for table in tables:
        assert [row.pruner for row in table.rows] == ["original", "good", "random", "bad", "nothing"]
        assert [row.pruner for row in table.rows if row.best] == ["good"]
        assert row_of(table, "original").used is None
        assert row_of(table, "original").contrast is row_of(table, "random").contrast is None


def test_a_contrast_is_paired_by_trace_and_held_against_all_tests() -> None:
    tables = tables_of([*results(0.5), *results(0.25)])
    good, random = np.array(NATS["good"]), np.array(NATS["random"])
    contrast = row_of(tables[0], "good").contrast
    assert contrast is not None
    assert contrast.nats.value == pytest.approx((good - random).mean())
    assert contrast.nats.interval is not None
    assert (good - random).min() < contrast.nats.interval.low < contrast.nats.value
    assert contrast.wilcoxon.p == pytest.approx(wilcoxon(np.round(good - random, 6)).pvalue)
    contrasts = [row.contrast for table in tables for row in table.rows if row.contrast]
    assert len(contrasts) == 4
    assert [one.holm for one in contrasts] == holm([one.wilcoxon.p for one in contrasts])
    assert contrast.holm > contrast.wilcoxon.p


def test_only_traces_that_both_have_are_paired() -> None:
    shuffled = [one for one in reversed(results()) if one["pruner"] != "random" or one["trace"] in ("t0", "t3")]
    contrast = row_of(tables_of(shuffled)[0], "good").contrast
    assert contrast is not None
    assert contrast.nats.value == pytest.approx((0.5 - 0.9 + 0.5 - 0.7) / 2)
    alone = [one for one in results() if one["pruner"] == "good"]
    assert row_of(tables_of(alone)[0], "good").contrast is None


def test_what_was_measured_on_fewer_traces_is_not_the_best() -> None:
    (table,) = tables_of([*results(), result(0, "late", 0.01)])
    assert [(row.pruner, row.best) for row in table.rows[:2]] == [("late", False), ("good", True)]


def test_sizes_times_and_damage_are_added_up() -> None:
    many = [
        result(0, "a", 1.0, tokens=30, seconds=9.0, cpu_seconds=2.0, code_lines=10, whole_code_lines=4),
        result(1, "a", 1.0, tokens=60, reason="over_budget: 60 > 50 tokens", seconds=1.0, fence_opened=True),
        result(2, "a", 1.0, tokens=50, reason="scoring: not_finite", seconds=2.0, code_lines=30, whole_code_lines=6),
        result(0, "a", 1.0, 0.25, seconds=None),
    ]
    half, quarter = tables_of(many)
    row = half.rows[0]
    assert (row.traces, row.over, row.failed, row.fences_opened) == (3, 1, 2, 1)
    assert row.tokens == pytest.approx(140 / 3)
    assert row.used == pytest.approx((0.6 + 1.2 + 1.0) / 3)
    assert row.code == 10 / 40
    assert (row.seconds, row.cpu_seconds) == (2.0, 2.0)
    assert (quarter.rows[0].seconds, quarter.rows[0].code) == (2.0, None)  # a time is the method's, not the budget's


def test_results_of_no_budget_alone_make_no_table() -> None:
    assert tables_of([result(0, "original", 1.0, None)]) == []
