"""`asap-hf compare-pruners` as a user runs it: rows of a file, and every method that needs no other model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asap_hf.commands.command_line import guarded, parse
from asap_hf.commands.compare_pruners import ARGUMENTS, main
from asap_hf.pruners.registry import BUILT_IN
from tests.compare_pruners.traces import rows, small_model

NO_MODEL = "random,keep_last,wo_fine,nothing,original"


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows(3), {"prompt": "p", "completion": "none"}]))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A random model in place of the embedded one, where only what is done with its numbers matters."""
    model = small_model(tmp_path_factory.mktemp("small"))
    return ("--judge", model, "--scorer", model, "--device", "cpu")


def compare(*arguments: object) -> int:
    def run(argv: list[str]) -> int:
        main(parse(ARGUMENTS, argv, "asap-hf compare-pruners"))
        return 0

    return guarded(run, [str(argument) for argument in arguments])


def results_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()[1:]]


def test_every_method_that_needs_nothing_more_is_compared_at_every_budget(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], embedded_model: str
) -> None:
    assert compare(traces, "--ratios", "0.5,0.25", "--traces", 1, "--output_dir", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "left out: llmlingua2, which needs a token classifier: name one with --compressor" in printed
    assert "1 traces; 3 traces fit; left out: 1 no_think" in printed
    others = {"llmlingua2", "tokenskip"} | {name for name, one in BUILT_IN.items() if one.budget is None} - {"wo_fine"}
    compared = {name for name in BUILT_IN if name not in others}
    measured = {(one["pruner"], one["ratio"]) for one in results_in(tmp_path / "out")}
    assert measured == {
        *((name, ratio) for name in compared for ratio in (0.5, 0.25)),
        *(("original", None), ("nothing", None)),
    }
    for ratio in ("0.5", "0.25"):
        table = printed.split(f"{ratio} of the original's tokens, 1 traces\n")[1].split("\n\n")[0]
        assert {line[2:].split()[0] for line in table.splitlines()[1:]} == {*compared, "original", "nothing"}
        assert sum(line.startswith("* ") for line in table.splitlines()) >= 1
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["settings"]["judge"] == "embedded"
    assert {(one["pruner"], one["ratio"]) for one in run["pruners"] if "ratio" in one} <= measured
    assert str(tmp_path) not in (tmp_path / "out" / "run.json").read_text()


def test_a_second_run_adds_traces_methods_and_ratios_and_refuses_other_settings(
    traces: Path, small: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = (*small, "--output_dir", tmp_path / "out")
    assert compare(traces, "--pruners", "random", "--ratios", "0.5", "--traces", 2, *out) == 0
    first = results_in(tmp_path / "out")
    assert compare(traces, "--pruners", NO_MODEL, "--ratios", "0.5,0.25", *out) == 0
    assert results_in(tmp_path / "out")[: len(first)] == first
    assert len(results_in(tmp_path / "out")) == 3 * (3 * 2 + 2)
    assert "22 results to measure, 2 are there" in capsys.readouterr().out
    assert compare(traces, "--pruners", "random", "--ratios", "0.5", "--seed", 7, *out) == 2
    assert "'random' at ratio 0.5 with other settings" in capsys.readouterr().err
    assert compare(traces, "--pruners", "keep_last", "--splitter", "paper", *out) == 2
    assert "splitter 'code', now 'paper'" in capsys.readouterr().err
    assert compare(traces, "--pruners", "keep_last", "--splitter", "paper", "--overwrite", *out) == 0
    assert {one["pruner"] for one in results_in(tmp_path / "out")} == {"keep_last"}


def test_without_a_folder_the_table_is_only_printed(
    traces: Path, small: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.iterdir())
    assert compare(traces, "--pruners", "random,keep_last", "--ratios", "0.5", "--traces", 1, *small) == 0
    assert "0.5 of the original's tokens, 1 traces" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before


WRONG = [
    (("--ratios", "0.5,2"), "--ratios are shares of the tokens, over 0 and at most 1; got 2"),
    (("--ratios", "half"), "--ratios are numbers with commas between them, got 'half'"),
    (("--ratio", "0.5"), "--ratio is not for compare-pruners"),
    (("--max_tokens", "100"), "--max_tokens is not for compare-pruners"),
    (("--pruner", "random"), "--pruner is not for compare-pruners"),
    (("--retry_failed",), "--retry_failed is not for compare-pruners"),
    (("--traces", "0"), "--traces is 1 or more; got 0"),
    (("--processes", "0"), "--processes is 1 or more; got 0"),
    (("--threshold", "2"), "--threshold is a similarity"),
    (("--splitter", "words"), "there is no splitter 'words'"),
    (("--pruners", "nobody"), "there is no pruner 'nobody'"),
    (("--pruners", "nothing,original"), "--pruners names none of asap"),
    (("--pruners", "c3ot"), "c3ot has an LLM write the reasoning anew"),
    (("--judge", "no/such/folder"), "no/such/folder"),
    (("--max_tokens_trace", "5"), "there is no trace to compare pruners on: 0 traces fit; left out: 3 too_long"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_cannot_work_is_refused_with_one_sentence(
    traces: Path,
    small: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert compare(traces, *small, *arguments, "--output_dir", tmp_path / "out") == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("asap-hf: ")
    assert message in told
    assert not (tmp_path / "out").exists()


def test_a_method_whose_budget_would_be_missed_is_left_out(
    traces: Path, small: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (*small, "--anchor_model", "big", "--anchor_base_url", "http://127.0.0.1:1", "--max_tokens_trace", 5)
    assert compare(traces, *asked) == 2
    assert "left out: wo_fine, since an LLM is told no budget" in capsys.readouterr().out
