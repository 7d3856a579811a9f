"""Fixtures for tests of the grader: one grader per tier, with four workers, as many test programs sleep."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence

import pytest

from evaluation.pass_at_1.host_grader import Grader, Verdict
from evaluation.pass_at_1.host_tiers import BUBBLEWRAP, LANDLOCK

needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
TIERS = [pytest.param(BUBBLEWRAP, id="bubblewrap", marks=needs_bubblewrap), pytest.param(LANDLOCK, id="landlock")]


@pytest.fixture(scope="session", params=TIERS)
def grader(request: pytest.FixtureRequest) -> Iterator[Grader]:
    with Grader(4, tiers=[request.param]) as opened:
        yield opened


def unlike(
    expected: Mapping[str, tuple[str, str, str]], verdicts: Sequence[Verdict]
) -> dict[str, tuple[Verdict, str, str]]:
    """The programs whose verdict does not have the expected status and detail, which `expected` gives after their
    code."""
    rows = zip(expected.items(), verdicts, strict=True)
    return {
        name: (verdict, status, detail)
        for (name, (_, status, detail)), verdict in rows
        if verdict.status != status or detail not in verdict.detail
    }


def seconds_for(status: str) -> float:
    """A time limit for a program with this expected verdict: short for those that exceed it, and for the others more
    than they need on any machine."""
    return 0.4 if status == "timeout" else 10.0
