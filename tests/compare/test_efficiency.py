"""`asap-hf compare` on folders that trainings left: the paper's Table 3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asap_hf.compare.efficiency import efficiency_table, on_card, on_terminal
from asap_hf.errors import UsageError
from asap_hf.paper import TRAINING_EFFICIENCY
from asap_hf.train.efficiency import TrainingEfficiency, write_efficiency
from tests.compare.folders import Sample, write_evaluation
from tests.compare.test_compare import compare


def training(
    name: str, tokens: float, seconds: float | None, hardware: str = "8 × H200", samples: float = 16, model: str = ""
) -> TrainingEfficiency:
    timed = 0 if seconds is None else 99
    return TrainingEfficiency(name, model, hardware, 1000, tokens, samples, 100, seconds, timed)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for one in (training("asap", 3178.4, 31.48), training("original", 13023.0, 80.11)):
        (tmp_path / one.name).mkdir()
        write_efficiency(one, tmp_path / one.name)
    return tmp_path


def test_tokens_and_time_are_set_against_the_original(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results / "asap", results / "original", "--original", "original") == 0
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines()[:3]] == [
        ["Tokens", "Time"],
        ["asap", "3,178", "(−75.6%)", "31.48", "(−60.7%)"],
        ["original", "13,023", "80.11"],
    ]
    assert "note: Seconds can only be compared on the same hardware" in printed
    assert "paper," not in printed
    assert compare(results / "asap", results / "original") == 0
    printed = capsys.readouterr().out
    assert "13,023 (+309.7%)" in printed and "against asap" in " ".join(printed.split())


def test_the_papers_table_stands_beside_under_its_name(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results / "original", results / "asap", "--paper") == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    lines = {line.split("  ")[0]: line.split() for line in printed.splitlines()}
    assert {f"paper, {method}" for method in TRAINING_EFFICIENCY} < lines.keys()
    assert lines["paper, Original"][-2:] == ["13,023", "80.11"]
    assert lines["paper, ASAP"][-4:] == ["3,178", "(−75.6%)", "31.48", "(−60.7%)"]
    assert "NVIDIA H20" in printed


def test_a_folder_gets_page_markdown_and_json(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    command = [results / "original", results / "asap", "--paper", "--output_dir", out]
    assert compare(*command) == 0
    content = {path.name: path.read_text() for path in out.iterdir()}
    assert sorted(content) == ["training.html", "training.json", "training.md"]
    assert "| `asap` | 3,178 (−75.6%) | 31.48 (−60.7%) |" in content["training.md"]
    assert '<th scope="row">asap</th><td>3,178 (−75.6%)</td><td>31.48 (−60.7%)</td>' in content["training.html"]
    assert '<th scope="row">paper, ASAP</th>' in content["training.html"]
    told = json.loads(content["training.json"])
    assert told["original"] == "original"
    assert told["trainings"][1]["tokens_per_sample"] == 3178.4
    assert told["trainings"][1]["tokens_per_step"] == 3178.4 * 16
    assert told["paper"]["ASAP"] == {"tokens_per_sample": 3178, "seconds_per_step": 31.48}
    assert compare(*command) == 2
    assert compare(*command, "--overwrite") == 0
    assert {path.name: path.read_text() for path in out.iterdir()} == content


def test_evaluations_and_trainings_go_together(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = write_evaluation(tmp_path / "evaluated", [Sample(f"HumanEval/{number}") for number in range(5)])
    assert compare(results / "original", evaluation, results / "asap", "--output_dir", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert printed.index("HumanEval") < printed.index("3,178 (−75.6%)")
    assert {"report.html", "training.html"} < {path.name for path in (tmp_path / "out").iterdir()}


NOTES = [
    ([training("a", 10, 1.0), training("b", 5, 1.0, "CPU")], "(a: 8 × H200; b: CPU)"),
    ([training("a", 10, 1.0), training("b", 5, 1.0, "")], "(a: 8 × H200; b: not known)"),
    ([training("a", 10, 1.0), training("b", 5, 1.0, samples=32)], "samples per step (a: 16, b: 32)"),
    ([training("a", 10, 1.0, model="x"), training("b", 5, 1.0, model="y")], "Different models were trained (a: x,"),
    ([training("a", 10, None)], "No time was logged by a: train with --include_num_input_tokens_seen true"),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "said"), NOTES, ids=[said for _, said in NOTES])
def test_what_else_differs_is_noted(runs: list[TrainingEfficiency], said: str) -> None:
    assert said in " ".join(efficiency_table(runs).notes)


def test_trainings_alike_in_all_but_tokens_need_one_note(results: Path) -> None:
    runs = [training("a", 10, 1.0, model="x"), training("b", 5, 1.0)]
    assert len(efficiency_table(runs).notes) == 1
    assert efficiency_table(runs[:1]).notes == ()


def test_without_a_time_there_is_a_dash() -> None:
    table = efficiency_table([training("a", 10, None), training("b", 5, 1.0), training("c", 5, None)])
    assert table.rows == [("a", "10", "–"), ("b", "5 (−50.0%)", "1.00"), ("c", "5 (−50.0%)", "–")]


def test_names_cannot_become_markup() -> None:
    table = efficiency_table([training("a|b<i>", 10, 1.0), training("x" * 90, 5, 1.0)])
    assert "<i>" not in on_card(table)
    assert max(map(len, on_terminal(table).splitlines())) <= 100


def test_a_name_that_is_not_there_or_there_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="no training is called 'c': --original is one of a, b"):
        efficiency_table([training("a", 10, 1.0), training("b", 10, 1.0)], original="c")
    with pytest.raises(UsageError, match="two trainings are called 'a'"):
        efficiency_table([training("a", 10, 1.0), training("a", 10, 1.0)])
