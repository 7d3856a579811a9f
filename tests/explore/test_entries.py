"""What a page holds of a row: what is left of it, its scores by position, its programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asap_hf.dataset.records import SCORES
from asap_hf.explore.entries import is_code, left_of, line_of, trace_of
from asap_hf.explore.results import open_results
from asap_hf.pruners.base import Pruning
from asap_hf.traces.trace import Trace
from tests.explore import folders
from tests.explore.folders import Case, one_stage, two_stages, write_result

SOURCE = folders.trace_of("One.", "Wait.", "Two.", "Wait.")


def rows(folder: Path, *prunings: Pruning) -> list[dict[str, Any]]:
    """What a result of these prunings holds."""
    (result,) = open_results(write_result(folder, [Case(pruning) for pruning in prunings]))
    return list(result.rows())


LEFT: list[tuple[str, Pruning, dict[str, Any]]] = [
    ("steps of the trace", one_stage(SOURCE.select([1, 2])), {"kept": [1, 2]}),
    ("all of them", one_stage(SOURCE), {"kept": [0, 1, 2, 3]}),
    (
        "other words for some steps",
        one_stage(SOURCE.rewritten(["On\n\n", "Tw"], [0, 2]), rewritten=["On\n\n", "Tw"]),
        {"kept": [0, 2], "texts": ["On\n\n", "Tw"]},
    ),
    ("other words for all", one_stage(SOURCE.rewritten(["1, 2"]), rewritten=["1, 2"]), {"kept": [], "text": "1, 2"}),
    ("words without a record", one_stage(SOURCE.rewritten(["1", "2"], [0])), {"kept": [0], "text": "12"}),
]


@pytest.mark.parametrize(("what", "pruning", "left"), LEFT, ids=[case[0] for case in LEFT])
def test_what_is_left_is_positions_and_where_they_do_not_tell_it_text(
    tmp_path: Path, what: str, pruning: Pruning, left: dict[str, Any]
) -> None:
    (row,) = rows(tmp_path / "out", pruning)
    assert left_of(row) == {**left, "tokens": 40, "reason": ""}, what


def test_the_scores_stand_at_their_positions_and_the_lengths_tell_each_removals_gain(tmp_path: Path) -> None:
    pruning = two_stages(SOURCE, [0, 1, 3], [1, 0, 2], [30, 20, 24], budget=20, overlap=[0.1, 0.2, 0.0, 0.4])
    (row,) = rows(tmp_path / "out", pruning)
    trace = trace_of(row)
    assert list(trace["scores"]) == [*SCORES, "overlap"]
    assert trace["scores"]["first_token_surprisal"] == [1.5, 0.5, None, 2.5]
    assert trace["scores"]["overlap"] == [0.1, 0.2, 0.0, 0.4]
    assert (trace["given"], trace["order"], trace["versions"][0]["kept"]) == ([0, 1, 3], [1, 0, 3], [0, 3])
    line = line_of(row, trace)
    assert (line["lengths"], line["given"], line["kept"], line["steps"]) == ([30, 10, -4], 3, 2, 4)
    assert (line["ids"], line["fixed"]) == ({"id": "trace-0"}, False)


def test_a_score_of_another_pruner_is_shown_and_a_record_without_an_order_is_fixed(tmp_path: Path) -> None:
    packed = one_stage(SOURCE.select([0, 2]), scores={"value": [1.0, float("inf"), 2.00049, -3.0]})
    (row,) = rows(tmp_path / "out", packed)
    trace = trace_of(row)
    assert trace["scores"] == {"value": [1.0, None, 2.0, -3.0]}
    assert line_of(row, trace)["fixed"]


def test_a_row_that_was_not_scored_is_not_fixed_as_any_budget_leaves_the_same(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "out", one_stage(SOURCE, "iterative", "scoring: too_long"))
    trace = trace_of(row)
    assert (trace["scores"], line_of(row, trace)["fixed"]) == ({}, False)
    assert trace["stages"] == [{"name": "iterative", "reason": "scoring: too_long"}]


STEPS = [
    ("for i in range(n):\n\n    print(i)\n\n", True),
    ("```python\nnothing else\n```", True),
    ("So the loop runs n times, and prints each number.", False),
    ("    return dp[n]", True),
    ("\n\n", False),
    ("n = 5", False),
]


@pytest.mark.parametrize(("step", "code"), STEPS)
def test_a_step_is_code_by_most_of_its_lines(step: str, code: bool) -> None:
    assert is_code(step) is code


OTHERS: list[tuple[str, Trace, dict[str, Any] | None]] = [
    ("the same steps", SOURCE.select([3]), {"kept": [3]}),
    (
        "other steps of the same text",
        Trace("Q", ("One.\n\nWait.\n\n", "Two.\n\nWait."), "A").select([1]),
        {"text": ""},
    ),
    ("another text", folders.trace_of("Three."), None),
]


@pytest.mark.parametrize(("what", "other", "left"), OTHERS, ids=[case[0] for case in OTHERS])
def test_another_result_stands_beside_by_steps_by_text_or_not_at_all(
    tmp_path: Path, what: str, other: Trace, left: dict[str, Any] | None
) -> None:
    (row,) = rows(tmp_path / "one", one_stage(SOURCE))
    (beside,) = rows(tmp_path / "other", one_stage(other))
    own, shown = trace_of(row, [beside])["versions"]
    assert (own["kept"], own["tokens"]) == ([0, 1, 2, 3], 40)
    if left is None:
        assert shown is None
    elif "text" in left:
        assert (shown["kept"], shown["text"]) == ([], "Two.\n\nWait.")
    else:
        assert (shown["kept"], "text" in shown) == (left["kept"], False)
