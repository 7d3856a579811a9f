"""The summary counts rows once, and its table says what JSON says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asap_hf.dataset.summary import Summary, histogram, reason_code, summary_table


def record(before: int, coarse: int, after: int, steps: int, kept: int, reason: str, windows: int) -> dict[str, Any]:
    """What `step_record` says of a row that went through two stages, as far as the summary reads it."""
    stages = [{"stage": "anchor"}, {"stage": "iterative", "tokens_before": coarse, "tokens": after}]
    return {
        "steps": ["a step"] * steps,
        "kept": list(range(kept)),
        "tokens_before": before,
        "tokens_after": after,
        "tokens_in_all": after + 50,
        "reason": reason,
        "windows": windows,
        "record": json.dumps(stages),
    }


def filled() -> Summary:
    summary = Summary()
    summary.add(record(100, 60, 25, 10, 3, "", 1))
    summary.add(record(300, 300, 75, 20, 5, "anchor_rewrite: step 3 of 9 is not in the original", 2))
    summary.add_unusable("unclosed_think")
    summary.add_filtered("sample_tests", "failed")
    summary.unjudged["sample_tests: no tests"] += 1
    return summary


def test_counts() -> None:
    counts = filled().as_dict(seconds=1.5)
    assert counts["rows"] == 4
    assert counts["filtered"] == {"sample_tests: failed": 1}
    assert counts["unjudged"] == {"sample_tests: no tests": 1}
    assert counts["usable"] == 2
    assert counts["unusable"] == {"unclosed_think": 1}
    assert counts["failures"] == {"anchor_rewrite: step N of N is not in the original": 1}
    assert counts["steps"] == {"before": 30, "after": 8}
    assert counts["tokens"]["before"] == {"total": 400, "median": 200, "max": 300}
    assert counts["tokens"]["iterative"] == {"total": 100, "median": 50, "max": 75}
    assert counts["windowed"] == 1
    assert counts["longest"] == 125
    assert counts["seconds"] == 1.5


def test_the_table_shows_every_count() -> None:
    table = summary_table(filled().as_dict(seconds=1.5))
    for shown in (
        "400",
        "25.0%",
        "90.0%",
        "2 usable",
        "unclosed_think",
        "step N of N",
        "1.5s",
        "sample_tests: failed",
    ):
        assert shown in table
    assert len({line.index("tokens") for line in table.splitlines()[:1]}) == 1


ASKED = {"calls": 3, "from_ledger": 2, "failures": 0, "retries": 0, "prompt_tokens": 10, "completion_tokens": 20}


@pytest.mark.parametrize(
    ("llm", "says", "never"),
    [
        ({}, [], ["LLM"]),
        ({**ASKED, "cost": 0.0, "assumed": 0.0}, ["LLM cost", "no prices were given"], ["0.0000"]),
        ({**ASKED, "cost": 1.5, "assumed": 0.0}, ["1.5000"], ["at most", "prices"]),
        ({**ASKED, "cost": 1.5, "assumed": 0.25}, ["1.5000   at most: 0.2500 of it is the worst case"], ["prices"]),
        ({**ASKED, "cost": 1e-6, "assumed": 0.0}, ["under 0.0001"], ["0.0000\n"]),
        ({**ASKED, "calls": 0, "cost": 0.0, "assumed": 0.0}, ["2 more answered from the ledger"], ["cost"]),
        ({**ASKED, "cost": 1.5}, ["1.5000"], ["at most"]),
        ({**ASKED, "failures": 4, "cost": 1.5, "assumed": 0.0}, ["4   requests that brought no answer to use"], []),
    ],
)
def test_the_cost_is_said_as_far_as_it_is_known(llm: dict[str, Any], says: list[str], never: list[str]) -> None:
    table = summary_table(filled().as_dict(llm=llm))
    for words in says:
        assert words in table
    for words in never:
        assert words not in table


def test_an_empty_run_has_a_table_too() -> None:
    assert "0 usable" in summary_table(Summary().as_dict())


def test_reasons_that_differ_in_numbers_only_are_one_reason() -> None:
    first = reason_code("anchor_rewrite: step 12 of 90 is not in the original (best similarity 0.31)")
    second = reason_code("anchor_rewrite: step 3 of 7 is not in the original (best similarity 0.58)")
    assert first == second == "anchor_rewrite: step N of N is not in the original"
    assert reason_code("loop") == "loop"


@pytest.mark.parametrize(
    ("lengths", "edges", "counts"),
    [
        ([0, 15], [0, 16], [2]),
        ([16, 18, 19], [16, 19, 23], [2, 1]),
        ([1024, 2048], [1024, 1218, 1448, 1722, 2048, 2435], [1, 0, 0, 0, 1]),
        ([131071, 131072, 10**9], [110218, 131072], [3]),
        ([], [0, 16], [0]),
    ],
)
def test_a_histogram_counts_every_row_once(lengths: list[int], edges: list[int], counts: list[int]) -> None:
    assert histogram({"before": lengths}) == {"edges": edges, "before": counts}


def test_the_bins_of_all_stages_are_the_same() -> None:
    bins = filled().as_dict()["histogram"]
    assert {len(values) for name, values in bins.items() if name != "edges"} == {len(bins["edges"]) - 1}
    assert [sum(bins[name]) for name in ("before", "anchor", "iterative")] == [2, 2, 2]
