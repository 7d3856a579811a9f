"""What a long run shows where there is no terminal, and in one."""

from __future__ import annotations

import logging

import pytest

from asap_hf.runtime.progress import Progress, show, tick
from tests.waiting import until


def test_plain_lines_come_while_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="asap_hf.runtime.progress")
    with Progress(1000, interval=0.02) as progress:
        progress.advance(64, failed=3)
        tick("LLM calls", 12)
        tick("scored tokens", 5000)
        show("cost", 0.25)
        before = len(caplog.messages)  # a line may have come between two ticks
        until(lambda: len(caplog.messages) > before + 1, "two lines after all was counted")
        line = caplog.messages[-1]
    assert line.startswith("64 of 1,000 rows, ")
    for part in ("tokens/s", "12 LLM calls", "3 failed", "cost 0.25"):
        assert part in line


@pytest.mark.parametrize(("total", "line"), [(164, "49 of 164 answers"), (None, "49 answers")])
def test_what_is_counted_has_its_name(caplog: pytest.LogCaptureFixture, total: int | None, line: str) -> None:
    caplog.set_level(logging.INFO, logger="asap_hf.runtime.progress")
    with Progress(total, unit="answers", interval=0.02) as progress:
        progress.advance(49, failed=0)
        before = len(caplog.messages)
        until(lambda: len(caplog.messages) > before + 1, "two lines after all was counted")
        assert caplog.messages[-1] == line


def test_a_new_run_counts_from_nothing() -> None:
    tick("LLM calls", 5)
    with Progress(1) as progress:
        assert progress.details() == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(2, unit="programs") as progress:
        progress.advance(2, failed=0)
    bar = capsys.readouterr().err
    assert "2/2" in bar
    assert "programs/s" in bar
