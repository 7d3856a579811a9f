"""Results as the page reads them: in the source's order, side by side by row number, and of several pruners."""

from __future__ import annotations

from pathlib import Path

import pytest

from asap_hf.dataset.merge import write_baselines
from asap_hf.errors import UsageError
from asap_hf.explore.entries import trace_of
from asap_hf.explore.results import open_results, side_by_side
from tests.explore import folders
from tests.explore.folders import Case, one_stage, write_result

TRACES = [folders.trace_of(f"First of {number}.", "Second.", "Third.") for number in range(5)]


def cases(*kept: int) -> list[Case]:
    return [Case(one_stage(trace.select(kept))) for trace in TRACES]


def test_rows_that_no_pruner_could_work_on_are_among_the_others_as_they_came(tmp_path: Path) -> None:
    folder = write_result(tmp_path / "out", cases(0)[:2], [("<think>endless", "unclosed_think")])
    (result,) = open_results(folder)
    *pruned, last = result.rows()
    assert [row["row"] for row in pruned] == [0, 1]
    assert (last["row"], last["steps"], last["kept"], last["reason"]) == (2, ["<think>endless"], [0], "unclosed_think")


def test_results_stand_side_by_side_by_the_number_of_their_rows(tmp_path: Path) -> None:
    one = write_result(tmp_path / "one", cases(0))
    other = write_result(tmp_path / "other", cases(1)[2:4], first=2)
    found = [(row["row"], beside and beside["row"]) for row, (beside,) in side_by_side(open_results(one, [other]))]
    assert found == [(0, None), (1, None), (2, 2), (3, 3), (4, None)]


def test_of_several_pruners_the_first_is_looked_at_and_the_others_stand_beside_it(tmp_path: Path) -> None:
    runs = {
        name: write_result(tmp_path / name, cases(*kept)) for name, kept in {"asap": (0, 1), "random": (2,)}.items()
    }
    write_baselines(runs, tmp_path / "both")
    results = open_results(tmp_path / "both")
    assert [result.name for result in results] == ["asap", "random"]
    row, others = next(side_by_side(results))
    trace = trace_of(row, others)
    assert trace["steps"] == ["First of 0.\n\n", "Second."]
    assert [version["kept"] for version in trace["versions"]] == [[0, 1], []]
    assert trace["versions"][1]["text"] == "Third."
    assert trace["answer"] == "The answer."


def test_what_cannot_be_looked_at_is_refused_by_name(tmp_path: Path) -> None:
    out = write_result(tmp_path / "out", cases(0))
    write_baselines({"a": out, "b": out}, tmp_path / "both")
    for folder, others, said in [
        (tmp_path / "nowhere", [], "nowhere' is no result of asap-hf prune"),
        (out, [tmp_path], "is no result of asap-hf prune"),
        (out, [tmp_path / "both"], "give --compare one result each"),
        (tmp_path / "both", [out], "leave --compare away"),
    ]:
        with pytest.raises(UsageError, match=said):
            open_results(folder, others)
    for file in (out / "steps").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match="lacks its steps config"):
        open_results(out)
