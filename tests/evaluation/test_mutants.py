"""Tests that programs with one change get the same verdict in the jail as in plain Python."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.pass_at_1.host_grader import Grader
from evaluation.pass_at_1.host_tiers import LANDLOCK

from .mutants import differences, mutants_of, ordinary_outcome, read_rows

HUMANEVAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "humaneval" / "HumanEval.jsonl.gz"
HALF = {
    "task_id": "half",
    "prompt": 'def half(n):\n    return n // 2\n\ndef quarter(n):\n    """The fourth part of a large number."""\n',
    "canonical_solution": "    if n > 3:\n        return half(half(n))\n    return 0\n",
    "entry_point": "quarter",
    "test": "def check(candidate):\n    assert candidate(9) == half(half(9))\n    assert candidate(4) == 1\n",
}


@pytest.fixture(scope="module")
def landlock() -> Iterator[Grader]:
    with Grader(2, tiers=[LANDLOCK]) as opened:
        yield opened


def test_a_mutant_differs_in_one_place() -> None:
    mutants = mutants_of(HALF)
    assert {one.change.partition(": ")[2]: one.in_helper for one in mutants} == {
        "returns None": False,
        "FloorDiv to Div": True,
        "FloorDiv to Mod": True,
        "2 to 3": True,
        "2 to 1": True,
        "condition negated": False,
        "Gt to GtE": False,
        "Gt to Lt": False,
        "3 to 4": False,
        "3 to 2": False,
        "0 to 1": False,
        "0 to -1": False,
    }
    [wrong] = [one for one in mutants if one.name == "half, line 6, columns 11 to 12: 3 to 4"]
    assert wrong.code.splitlines()[-3:] == ["    if n > 4:", "        return half(half(n))", "    return 0"]


def test_both_ways_agree_on_changed_solutions(landlock: Grader) -> None:
    changed = [one for one in mutants_of(HALF) if not one.in_helper]
    assert {ordinary_outcome(one) for one in changed} == {"pass", "not passed"}
    assert differences(landlock, changed) == {}


def test_a_test_that_calls_a_helper_of_the_prompt_calls_the_prompts(landlock: Grader) -> None:
    """In plain Python it calls the program's helper, so that a wrong helper gives the expected values itself."""
    odd = {**HALF, "test": "def check(candidate):\n    assert candidate(9) == half(half(9))\n"}
    [mutant] = [one for one in mutants_of(odd) if one.change.endswith("FloorDiv to Mod")]
    assert differences(landlock, [mutant]) == {mutant.name: "ordinarily pass, in the jail fail (AssertionError)"}


@pytest.mark.skipif(not HUMANEVAL.exists(), reason="the benchmark's data is not at hand")
def test_both_ways_agree_on_changed_solutions_of_humaneval(landlock: Grader) -> None:
    """On a hundred mutants; `python -m tests.evaluation.mutants` runs any number."""
    solutions = [one for row in read_rows(HUMANEVAL) for one in mutants_of(row) if not one.in_helper]
    assert len(solutions) > 2500
    assert differences(landlock, random.Random(0).sample(solutions, 100)) == {}
