"""The GPU bench between its parts: a part that fails, one that takes too long, a second run, another machine."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import gpu
from bench.gpu_parts.machine import Machine
from bench.gpu_parts.report import Results, Table

SMALL = Machine("cpu", smallest=True)


def measure(path: Path, **options: Any) -> int:
    given = {"parts": None, "smallest": True, "device": "cpu", "again": False, "minutes": 8, "part_minutes": 1}
    return gpu.measure(argparse.Namespace(**{**given, "output": path, **options}))


def good(machine: Machine) -> Iterator[Table]:
    yield Table("a title", ["", "tokens/s"], [["one way", 12345.0]])


def bad(machine: Machine) -> Iterator[Table]:
    yield from good(machine)
    raise ValueError("no such kernel\nand more")


def slow(machine: Machine) -> Iterator[Table]:
    yield from good(machine)
    time.sleep(60)


def test_a_part_that_fails_says_why_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "all_parts", lambda: {"bad": bad, "slow": slow, "good": good})
    path = tmp_path / "results.json"
    assert measure(path, part_minutes=0.005) == 1
    shown = capsys.readouterr().out
    assert "bad failed: ValueError: no such kernel\n" in shown
    assert "slow failed: TimeoutError: broken off" in shown
    assert f"1 parts measured, 2 failed, 0 left; {path}" in shown
    parts = json.loads(path.read_text())["parts"]
    assert {name: (part["ok"], len(part["tables"])) for name, part in parts.items()} == {
        "bad": (False, 1),
        "slow": (False, 1),
        "good": (True, 1),
    }


def test_a_second_run_measures_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def counted(machine: Machine) -> Iterator[Table]:
        calls.append(machine)
        yield from good(machine)

    path = tmp_path / "results.json"
    monkeypatch.setattr(gpu, "all_parts", lambda: {"good": counted, "other": bad})
    assert measure(path, parts="good") == 0
    monkeypatch.setattr(gpu, "all_parts", lambda: {"good": counted, "other": counted})
    capsys.readouterr()
    assert measure(path) == 0
    shown = capsys.readouterr().out
    assert len(calls) == 2 and "== good: measured before\na title\n" in shown
    assert "one way    12,345" in shown
    assert measure(path, again=True) == 0
    assert len(calls) == 4


def test_no_part_is_begun_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "all_parts", lambda: {"good": good})
    assert measure(tmp_path / "results.json", minutes=-1) == 1
    assert "0 parts measured, 0 failed, 1 left" in capsys.readouterr().out


def test_figures_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(path, SMALL.described()).put("good", list(good(SMALL)), 1.0)
    assert Results(path, SMALL.described()).done(["good", "bad"]) == ["good"]
    with pytest.raises(SystemExit, match="another machine"):
        Results(path, {**SMALL.described(), "device": "NVIDIA H200"})


def test_what_is_asked_for_and_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"there is no part 'scorin'; there are scoring, parity,"):
        measure(tmp_path / "results.json", parts="scorin")
    with pytest.raises(SystemExit, match="there is no GPU here"):
        measure(tmp_path / "results.json", smallest=False)


def test_numbers_are_shown_in_few_digits() -> None:
    table = Table("t", ["", "a", "b"], [["x", 0.0123456, None], ["yy", 1234567.0, 42.0]], ["a note"])
    assert table.text().splitlines() == [
        "t",
        "             a   b",
        "  x     0.0123   –",
        "  yy  1.23e+06  42",
        "  a note",
    ]
