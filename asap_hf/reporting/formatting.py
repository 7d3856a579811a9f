"""Format the numbers of tables and reports."""

from __future__ import annotations

from collections.abc import Callable

from .statistics import CONFIDENCE, Interval

NOTHING = "–"
INTERVAL = f"{CONFIDENCE:.0%} interval"
"""What stands above a column of intervals."""


def percent(share: float) -> str:
    """0.8415 → 84.15, as the paper's tables have it."""
    return f"{100 * share:.2f}"


def tokens(value: float) -> str:
    """2463.6 → 2,464"""
    return f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """0.98, or a dash where it was not measured."""
    return NOTHING if value is None else f"{value:.2f}"


def duration(seconds: float) -> str:
    """The time that something takes: 90 s, 45 min, 2.5 h"""
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def share(value: float) -> str:
    """0.012 → 1.2%"""
    return f"{value:.1%}"


def whole_share(value: float | None) -> str:
    """0.012 → 1%, or a dash where there is none."""
    return NOTHING if value is None else f"{value:.0%}"


def money(amount: float) -> str:
    """An amount with four digits; a smaller one as "under 0.0001"."""
    return f"{amount:,.4f}" if not 0 < amount < 0.0001 else "under 0.0001"


def points(difference: float) -> str:
    """A difference of shares in percentage points: 0.061 → +6.10"""
    return _signed(100 * difference, 2)


def change(relative: float) -> str:
    """A relative change: -0.171 → −17.1%"""
    return f"{_signed(100 * relative, 1)}%"


def correlation(r: float) -> str:
    """-0.624 → −0.62"""
    return _signed(r, 2)


def p_value(p: float) -> str:
    """Three digits; below 0.001 as "<0.001"."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def between(interval: Interval | None, cell: Callable[[float], str]) -> str:
    """78.05 to 89.63; a dash where there is no interval."""
    return f"{cell(interval.low)} to {cell(interval.high)}" if interval else NOTHING


def shortened(name: str, limit: int) -> str:
    """A name of at most `limit` characters; a longer one keeps its beginning and its end."""
    if len(name) <= limit:
        return name
    tail = limit // 3
    return f"{name[: limit - tail - 1]}…{name[-tail:]}"


def signed(value: float, digits: int) -> str:
    """-0.62 → −0.62, 0 → +0.00"""
    return f"{value:+.{digits}f}".replace("-", "−")


def _signed(value: float, digits: int) -> str:
    """As `signed`, but what rounds to nothing has no sign."""
    return signed(value, digits) if round(value, digits) else f"{0:.{digits}f}"
