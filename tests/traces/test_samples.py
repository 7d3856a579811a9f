"""The traces that come with the tool are what they claim: of a usable length, and their programs solve their tasks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import asap_hf
from asap_hf.models.tokens import count_tokens
from asap_hf.traces.trace import Trace

SAMPLES = Path(asap_hf.__file__).parent / "traces" / "samples" / "traces.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_there_are_enough_and_each_is_another() -> None:
    assert len(ROWS) >= 20
    for name in ("id", "prompt", "completion"):
        assert len({row[name] for row in ROWS}) == len(ROWS)
    assert all(list(row) == ["id", "prompt", "completion", "tests"] for row in ROWS)


def test_lengths(embedded_model: str) -> None:
    reasonings = [Trace.parse(row["prompt"], row["completion"]).reasoning for row in ROWS]
    counts = count_tokens(embedded_model, reasonings)
    assert all(500 <= count <= 3100 for count in counts), counts


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_program_solves_its_task(row: dict[str, Any]) -> None:
    trace = Trace.parse(row["prompt"], row["completion"])
    assert len(trace.steps) >= 10
    programs = PROGRAM.findall(trace.answer)
    assert len(programs) == 1
    assert len(row["tests"]) >= 2
    for case in row["tests"]:
        done = subprocess.run(
            [sys.executable, "-I", "-c", programs[0]],
            input=case["input"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert done.stdout.split() == case["output"].split()
