"""The summary counts rows once, and its table says what JSON says."""

from __future__ import annotations

from asap_hf.summary import Summary, reason_code, summary_table


def filled() -> Summary:
    summary = Summary()
    summary.add(100, {"anchor": 60, "iterative": 25}, (10, 3), "", 1)
    summary.add(
        300, {"anchor": 300, "iterative": 75}, (20, 5), "anchor_rewrite: step 3 of 9 is not in the original", 2
    )
    summary.add_unusable("unclosed_think")
    return summary


def test_counts() -> None:
    counts = filled().as_dict(seconds=1.5)
    assert counts["rows"] == 3
    assert counts["usable"] == 2
    assert counts["unusable"] == {"unclosed_think": 1}
    assert counts["failures"] == {"anchor_rewrite: step N of N is not in the original": 1}
    assert counts["steps"] == {"before": 30, "after": 8}
    assert counts["tokens"]["before"] == {"total": 400, "median": 200, "max": 300}
    assert counts["tokens"]["iterative"] == {"total": 100, "median": 50, "max": 75}
    assert counts["windowed"] == 1
    assert counts["seconds"] == 1.5


def test_the_table_shows_every_count() -> None:
    table = summary_table(filled().as_dict(seconds=1.5))
    for shown in ("400", "25.0%", "90.0%", "2 usable", "unclosed_think", "step N of N", "1.5s"):
        assert shown in table
    assert len({line.index("tokens") for line in table.splitlines()[:1]}) == 1


def test_an_empty_run_has_a_table_too() -> None:
    assert "0 usable" in summary_table(Summary().as_dict())


def test_reasons_that_differ_in_numbers_only_are_one_reason() -> None:
    first = reason_code("anchor_rewrite: step 12 of 90 is not in the original (best similarity 0.31)")
    second = reason_code("anchor_rewrite: step 3 of 7 is not in the original (best similarity 0.58)")
    assert first == second == "anchor_rewrite: step N of N is not in the original"
    assert reason_code("loop") == "loop"
