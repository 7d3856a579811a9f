"""Show the progress of a long run: a bar in a terminal, plain lines otherwise. Code that does work calls `tick`."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from typing import Any

logger = logging.getLogger(__name__)

_counts: Counter[str] = Counter()


def tick(what: str, amount: float = 1) -> None:
    """Count work as it is done: `"scored tokens"`, `"LLM calls"`."""
    _counts[what] += amount  # type: ignore[assignment]


def show(what: str, amount: float) -> None:
    """Set a total to which other processes add too: `"cost"`, of all processes of a run."""
    _counts[what] = amount  # type: ignore[assignment]


class Progress:
    """Count rows of a known total and show them while the work goes on, with what `tick` counted and `show` set.

    Args:
        total (`int`, *optional*):
            Rows to go; `None` where that is not known.
        unit (`str`, *optional*, defaults to `"rows"`):
            What a row is called, in the plural.
        interval (`float`, *optional*, defaults to 15.0):
            Seconds between two plain lines, where stderr is no terminal. In a terminal a bar is drawn every second.
    """

    def __init__(self, total: int | None, unit: str = "rows", interval: float = 15.0):
        _counts.clear()
        self.total, self.unit = total, unit
        self.rows = self.failed = 0
        self._started = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar, interval = tqdm(total=total, unit=f" {unit}", dynamic_ncols=True), 1.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show_every, args=(interval,), daemon=True)
        self._thread.start()

    def advance(self, rows: int, failed: int) -> None:
        """Count rows that are done, `failed` of them with a reason."""
        self.rows += rows
        self.failed += failed
        if self._bar is not None:
            self._bar.update(rows)

    def details(self) -> str:
        """`1,234 tokens/s, 12 LLM calls, 3 failed, cost 0.02`, as far as there is any."""
        seconds = max(time.monotonic() - self._started, 1e-6)
        parts = []
        if tokens := _counts["scored tokens"]:
            parts.append(f"{tokens / seconds:,.0f} tokens/s")
        if calls := _counts["LLM calls"]:
            parts.append(f"{calls:,.0f} LLM calls")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if cost := _counts["cost"]:
            parts.append(f"cost {cost:,.2f}")
        return ", ".join(parts)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.close()

    def _show_every(self, interval: float) -> None:
        while not self._over.wait(interval):
            if self._bar is not None:
                self._bar.set_postfix_str(self.details())
            else:
                of = "" if self.total is None else f" of {self.total:,}"
                logger.info(", ".join(filter(None, [f"{self.rows:,}{of} {self.unit}", self.details()])))
