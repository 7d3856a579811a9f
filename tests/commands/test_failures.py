"""Rows that failed are told apart from rows that are ok, in everything that a run writes and says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asap_hf.cli import main
from asap_hf.dataset.summary import Summary, failed_share, failure_warning, summary_table
from asap_hf.dataset.writer import table_rows
from asap_hf.explore.page import write_page
from asap_hf.explore.results import open_results
from tests.strong_endpoint import strong_endpoint

LONG = "one two three four five six seven eight nine ten eleven twelve"
ROWS = [
    {"id": "one step", "prompt": "q", "completion": f"<think>\n{LONG}\n</think>\n\nanswer"},
    {"id": "two steps", "prompt": "q", "completion": f"<think>\n{LONG}\n\nshort\n</think>\n\nanswer"},
]


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_model: str) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def prune(*arguments: object) -> int:
    return main(["prune", *(str(argument) for argument in arguments)])


def summary_of(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "run.json").read_text())["summary"]
    return summary


@pytest.mark.parametrize("shards", [(), ("--num_shards", "2")])
def test_a_step_that_has_to_stay_over_its_budget_is_a_remark_and_no_failure(
    shards: tuple[str, ...], traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--pruner", "keep_last", "--max_tokens", "5", "--fail_above", "0", *shards)
    assert prune(traces, *settings, "--output_dir", tmp_path / "out") == 0
    told = capsys.readouterr()
    assert "warning" not in told.err
    rows, steps = (list(table_rows(tmp_path / "out", config, "train")) for config in ("default", "steps"))
    for table in (rows, steps):
        assert [row["reason"] for row in table] == ["", ""]
        assert [bool(row["remark"]) for row in table] == [True, False]
        assert table[0]["remark"].startswith("over_budget: ")
    assert [row["ok"] for row in rows] == [True, True]
    summary = summary_of(tmp_path / "out")
    assert (summary["failed"], summary["failures"]) == (0, {})
    assert summary["remarks"] == {"over_budget: N > N tokens": 1}
    (line,) = [line for line in told.out.splitlines() if "over_budget" in line]
    assert line.startswith("remarked on")
    (line,) = [line for line in (tmp_path / "out" / "README.md").read_text().splitlines() if "over_budget" in line]
    assert "with a remark" in line
    assert "false" not in line


def test_a_new_budget_makes_and_takes_back_the_remark(traces: Path, tmp_path: Path) -> None:
    assert prune(traces, "--pruner", "keep_last", "--max_tokens", "5", "--output_dir", tmp_path / "small") == 0
    assert prune(traces, "--pruner", "keep_last", "--max_tokens", "500", "--output_dir", tmp_path / "large") == 0
    for source, amount, same in (("small", "500", "large"), ("large", "5", "small")):
        out = tmp_path / f"{source}-{amount}"
        assert prune(tmp_path / source, "--max_tokens", amount, "--output_dir", out) == 0
        for config in ("default", "messages", "steps"):
            again, direct = (list(table_rows(folder, config, "train")) for folder in (out, tmp_path / same))
            assert again == direct
    remarks = [row["remark"] for row in table_rows(tmp_path / "small-500", "steps", "train")]
    assert remarks == ["", ""]


def test_the_page_shows_a_remark_on_a_row_that_did_not_fail(traces: Path, tmp_path: Path) -> None:
    assert prune(traces, "--pruner", "keep_last", "--max_tokens", "5", "--output_dir", tmp_path / "out") == 0
    from asap_hf.explore.entries import line_of, trace_of

    results = open_results(tmp_path / "out")
    lines = [line_of(row, trace_of(row)) for row in results[0].rows()]
    assert [line["reason"] for line in lines] == ["", ""]
    assert [line["remark"].partition(":")[0] for line in lines] == ["over_budget", ""]
    assert all(line["ids"].keys() == {"id"} for line in lines)
    write_page(results, tmp_path / "page.html")


def never(name: str, before: int, good: str) -> str:
    return good if good.startswith("Read the input") else "Something that was never said."


@pytest.mark.parametrize("how", ["plain", "shards"])
def test_a_run_whose_rows_all_failed_warns_and_ends_with_1_if_asked_to(
    how: str, traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = ("--num_shards", "2") if how == "shards" else ()
    with strong_endpoint(never) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "1")
        settings = (*llm, "--pruner", "wo_fine", *shards, "--output_dir", tmp_path / "out")
        assert prune(traces, *settings) == 0
        (warning,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
        assert prune(traces, *settings, "--fail_above", "0.1", "--overwrite") == 1
        (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("asap-hf:")]
        assert prune(traces, *settings, "--fail_above", "1", "--overwrite") == 2
    for told in (warning, error):
        assert "2 of 2 usable rows (100.0%) failed" in told
        assert "is not in the original" in told
        assert "--retry_failed" in told
    assert "the result is written" in error
    summary = summary_of(tmp_path / "out")
    assert (summary["failed"], summary["usable"]) == (2, 2)
    assert [row["ok"] for row in table_rows(tmp_path / "out", "default", "train")] == [False, False]


def test_where_every_row_is_dropped_the_reason_is_told(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with strong_endpoint(never) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "1")
        settings = (*llm, "--on_failure", "drop", "--pruner", "wo_fine", "--output_dir", tmp_path / "out")
        assert prune(traces, *settings) == 1
    assert "2 anchor_rewrite: step N of N is not in the original" in capsys.readouterr().err


def test_dropped_rows_are_asked_for_anew_by_a_retry(traces: Path, tmp_path: Path) -> None:
    spoilt: list[str] = []

    def spoil(name: str, before: int, good: str) -> str:
        if not good.startswith("Read the input") and not spoilt:
            spoilt.append(name)
        return "Something that was never said." if name in spoilt and before == 0 else good

    with strong_endpoint(spoil) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "1")
        settings = (*llm, "--on_failure", "drop", "--pruner", "wo_fine", "--output_dir", tmp_path / "out")
        assert prune(traces, *settings) == 0
        summary = summary_of(tmp_path / "out")
        assert (summary["usable"], summary["dropped"], summary["dropped_attempts"]) == (1, 1, 1)
        assert prune(traces, *settings, "--retry_failed") == 0
    assert [row["ok"] for row in table_rows(tmp_path / "out", "default", "train")] == [True, True]


def test_the_share_counts_rows_once_and_those_that_were_dropped() -> None:
    summary = Summary()
    record = {"tokens_before": 9, "tokens_after": 5, "tokens_in_all": 9, "steps": ["a"], "kept": [0], "windows": 1}
    for reason, remark in (("", ""), ("", "over_budget: 9 > 5 tokens"), ("anchor: no; scoring: too_long", "")):
        summary.add({**record, "reason": reason, "remark": remark, "record": "[]"})
    summary.add_dropped("anchor: no")
    summary.add_unusable("no_think")
    told = summary.as_dict()
    assert failed_share(told) == 0.5
    warning = failure_warning(told)
    assert warning.startswith("2 of 4 usable rows (50.0%) failed: 1 of them was dropped")
    assert "'anchor: no'" in warning
    table = summary_table(told)
    for shown in ("remarked on", "failed (not ok)"):
        assert shown in table
    whole = Summary()
    whole.add_dropped_before(told)
    whole.add_dropped_before({"dropped": 3})  # a former version's
    assert (whole.as_dict()["dropped"], whole.rows) == (4, 4)
    assert failure_warning(Summary().as_dict()) == ""
