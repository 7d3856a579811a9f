"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST = 600.0
"""Seconds after which a test that would never end does. It measures nothing: a loaded machine may take its time."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds.

    Raises:
        `TimeoutError`: that it never came to `what`.
    """
    deadline = time.monotonic() + LONGEST
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never came to this: {what}")
        time.sleep(0.01)
