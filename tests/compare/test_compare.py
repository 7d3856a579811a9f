"""`asap-hf compare` as a user runs it, on folders that an evaluation left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asap_hf.commands.command_line import guarded, parse
from asap_hf.commands.compare import ARGUMENTS, main
from tests.compare.folders import Model, Sample, write_evaluation


def compare(*arguments: object) -> int:
    def run(argv: list[str]) -> int:
        main(parse(ARGUMENTS, argv, "asap-hf compare"))
        return 0

    return guarded(run, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for number, name in enumerate(("asap", "original", "spirit")):
        model = Model(length=1500 + 300 * number, skill=0.84, seed=number)
        samples = model.samples("humaneval", 30, (2048, 6144)) + model.samples("leetcode", 20, (10240,))
        write_evaluation(folder / name, samples)
    return folder


def test_runs_are_compared_on_the_terminal(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results / "asap", results / "original", results / "spirit") == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["HumanEval", "LeetCodeDataset"]
    assert "Acc of asap against" in printed
    assert "written" not in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert compare("--runs", results / "asap", "--benchmark", "leetcode, ", "--paper") == 0
    printed = capsys.readouterr().out
    assert "HumanEval" not in printed
    assert "against" not in printed
    assert "note: LeetCodeDataset: the paper has numbers for 228 problems" in printed


def test_a_folder_gets_report_pictures_markdown_and_json(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, out = [results / name for name in ("asap", "original")], tmp_path / "deep" / "comparison"
    assert compare(*runs, "--output_dir", out, "--baseline", "original") == 0
    assert f"written to {out}: open {out / 'report.html'}" in capsys.readouterr().out
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(files) == [
        "budgets-humaneval.png",
        "comparison.json",
        "comparison.md",
        "report.html",
        "trade_off-humaneval.png",
        "trade_off-leetcode.png",
    ]
    for name in files:
        if name.endswith(".png"):
            assert f"]({name})" in files["comparison.md"].decode()
    told = json.loads(files["comparison.json"])
    assert told["bootstrap"] == {"resamples": 10000, "confidence": 0.95, "seed": 0, "over": "problems"}
    assert [run["name"] for run in told["runs"]] == ["asap", "original"]
    first = told["benchmarks"][0]
    assert (first["benchmark"], first["budget"], first["problems"]) == ("humaneval", 6144, 30)
    assert first["by_budget"].keys() == {"2048", "6144"}
    assert first["contrasts"][0].keys() >= {"run", "against", "accuracy", "tokens", "mcnemar", "wilcoxon_holm"}
    assert first["by_budget"]["6144"][0]["accuracy"]["interval"].keys() == {"low", "high"}
    assert told["paper"]["base_model"] == ""

    assert compare(*runs, "--output_dir", out, "--baseline", "original") == 2
    assert "holds a comparison already" in capsys.readouterr().err
    assert compare(*runs, "--output_dir", out, "--baseline", "original", "--overwrite") == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files
    (out / "mine.txt").write_text("stays")
    assert compare(*runs, "--output_dir", out, "--baseline", "original", "--overwrite") == 2
    assert "holds 'mine.txt', which asap-hf did not write" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files | {"mine.txt": b"stays"}


def test_the_papers_numbers_are_in_every_file_under_its_name(tmp_path: Path) -> None:
    samples = [Sample(f"HumanEval/{number}") for number in range(164)]
    out = tmp_path / "out"
    assert compare(write_evaluation(tmp_path / "ours", samples), "--paper", "--output_dir", out) == 0
    assert "| paper, ASAP | 84.15 | 2,464 | 0.98 |" in (out / "comparison.md").read_text()
    assert '<th scope="row">paper, ASAP</th>' in (out / "report.html").read_text()
    told = json.loads((out / "comparison.json").read_text())["paper"]
    asap = {"acc_percent": 84.15, "tokens": 2464, "latency_seconds": 0.98}
    assert told["results"]["humaneval"]["ASAP"] == told["budgets"]["humaneval"]["ASAP"]["6144"] == asap
    assert told["ablations"]["humaneval"]["w/o coarse"]["acc_percent"] == 82.32


REFUSED: list[tuple[Callable[[Path], list[object]], str]] = [
    (lambda results: [results / "none"], "there is no folder"),
    (lambda results: [results], "is not a finished evaluation, it has no summary.json"),
    (lambda results: [results / "asap", results / "asap"], "two runs are called 'asap'"),
    (lambda results: [results / "asap", "--baseline", "x"], "no run is called 'x'"),
    (lambda results: [results / "asap", "--budget", "4096"], "has no results on humaneval with 4,096 tokens"),
    (lambda results: [results / "asap", "--benchmark", "mbpp"], "there is no benchmark 'mbpp'"),
    (lambda results: [results / "asap", "--paper", "--base_model", "x"], "the paper has no results for 'x'"),
    (lambda results: [results / "asap", "--output_dir", results], "what this run reads"),
    (lambda results: [results / "asap", "--bugdet", "4096"], "--bugdet"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_work_is_said_in_one_line(
    results: Path, capsys: pytest.CaptureFixture[str], arguments: Callable[[Path], list[object]], message: str
) -> None:
    assert compare(*arguments(results)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_named(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert compare(results / "asap", "--output_dir", tmp_path / "file" / "out") == 1
    error = capsys.readouterr().err
    assert "the comparison in" in error and "cannot be written" in error
