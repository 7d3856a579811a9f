"""What a long run shows: a bar in a terminal, plain lines elsewhere. Whoever does work says so with `tick`."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from typing import Any

logger = logging.getLogger(__name__)

_counts: Counter[str] = Counter()


def tick(what: str, amount: float = 1) -> None:
    """Count work as it is done: `"scored tokens"`, `"LLM calls"`, `"LLM failures"`, `"cost"`, …"""
    _counts[what] += amount  # type: ignore[assignment]


def counted(what: str) -> float:
    """How much of something was done since `Progress` began."""
    return _counts[what]


class Progress:
    """Rows done of a known total, with what `tick` counted beside them.

    Args:
        total (`int`):
            Rows to go.
        interval (`float`, *optional*, defaults to 10.0):
            Seconds between two plain lines, where stderr is no terminal.
    """

    def __init__(self, total: int, interval: float = 10.0):
        _counts.clear()
        self.total, self.interval = total, interval
        self.rows = self.failed = 0
        self.started = self._last_line = time.monotonic()
        self._bar = self._terminal_bar() if sys.stderr.isatty() else None

    def _terminal_bar(self) -> Any:
        from tqdm import tqdm

        return tqdm(total=self.total, unit=" rows", dynamic_ncols=True)

    def advance(self, rows: int, failed: int) -> None:
        """Rows are through, `failed` of them with a reason."""
        self.rows += rows
        self.failed += failed
        if self._bar is not None:
            self._bar.update(rows)
            self._bar.set_postfix_str(self.details())
        elif time.monotonic() - self._last_line >= self.interval or self.rows == self.total:
            self._last_line = time.monotonic()
            logger.info("%d of %d rows%s", self.rows, self.total, (", " + self.details()) if self.details() else "")

    def details(self) -> str:
        """`1,234 tokens/s, 12 LLM calls, 3 failed, cost 0.02`, whatever of it there is."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        parts = []
        if tokens := counted("scored tokens"):
            parts.append(f"{tokens / seconds:,.0f} tokens/s")
        if calls := counted("LLM calls"):
            parts.append(f"{calls:,.0f} LLM calls")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if cost := counted("cost"):
            parts.append(f"cost {cost:,.2f}")
        return ", ".join(parts)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
