"""What a comparison prints: aligned, within 100 columns, in the paper's layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from asap_hf.compare.comparison import Comparison, comparison_of
from asap_hf.compare.paired import BenchmarkComparison, Contrast, Estimate, RunRow
from asap_hf.compare.paper_numbers import PaperNumbers
from asap_hf.compare.runs import EvaluationRun
from asap_hf.compare.terminal import on_terminal
from asap_hf.reporting import formatting as cells
from asap_hf.reporting.statistics import Interval, McNemar, SignedRank
from tests.compare.folders import Sample, write_evaluation

PRINTED = """\
                       HumanEval                 HumanEval+
                       6,144 tokens              6,144 tokens
                          Acc     Tok     Lat       Acc     Tok     Lat
ours                    84.15   2,464    0.98     84.15   2,464       –
theirs                  78.05   2,973    1.12     78.05   2,973    1.12
paper, a/base
  ASAP                  84.15   2,464    0.98
  Selective Context     59.76   2,979    1.13
  w/o coarse            82.32   2,839    1.10

             Acc     95% interval     Tok     95% interval   truncated
HumanEval, 164 problems, 6,144 tokens
  ours     84.15   78.05 to 89.63   2,464   2,261 to 2,671        1.2%
  theirs   78.05                –   2,973   2,700 to 3,250       10.4%
HumanEval+, 164 problems, 6,144 tokens
  ours     84.15   78.05 to 89.63   2,464   2,261 to 2,671        1.2%
  theirs   78.05                –   2,973   2,700 to 3,250       10.4%

Acc against theirs   points      95% interval   won : lost   McNemar p   Holm p
HumanEval, 164 problems, 6,144 tokens
  ours                +6.10   −0.61 to +12.80       18 : 8       0.076    0.152
HumanEval+, 164 problems, 6,144 tokens
  ours                +6.10   −0.61 to +12.80       18 : 8       0.076    0.152

Tok against theirs   change     95% interval   rank r   Wilcoxon p   Holm p
HumanEval, 164 problems, 6,144 tokens
  ours               −17.1%   −20.3% to 0.0%    −0.62       <0.001   <0.001
HumanEval+, 164 problems, 6,144 tokens
  ours               −17.1%   −20.3% to 0.0%    −0.62       <0.001   <0.001

note: They differ.
"""


def benchmark(name: str, latency: float | None) -> BenchmarkComparison:
    ours = RunRow(
        "ours", Estimate(0.8415, Interval(0.7805, 0.8963)), Estimate(2464, Interval(2261, 2671)), latency, 0.012
    )
    theirs = RunRow("theirs", Estimate(0.7805, None), Estimate(2973, Interval(2700, 3250)), 1.12, 0.104)
    contrast = Contrast(
        run="ours",
        against="theirs",
        accuracy=Estimate(0.061, Interval(-0.0061, 0.128)),
        tokens=Estimate(-0.171, Interval(-0.203, -0.0001)),
        mcnemar=McNemar(0.0759, 18, 8),
        wilcoxon=SignedRank(1e-9, 164, -0.62),
        mcnemar_holm=0.1518,
        wilcoxon_holm=4e-9,
    )
    return BenchmarkComparison(name, 6144, 164, {6144: (ours, theirs)}, (contrast,))


@pytest.fixture
def runs(tmp_path: Path) -> tuple[EvaluationRun, ...]:
    return tuple(EvaluationRun.read(write_evaluation(tmp_path / name, [Sample("a")])) for name in ("ours", "theirs"))


def test_the_tables_stand_as_in_the_paper_with_intervals_and_tests_below(runs: tuple[EvaluationRun, ...]) -> None:
    paper = PaperNumbers(
        "a/base",
        methods={"humaneval": {"ASAP": (84.15, 2464, 0.98), "Selective Context": (59.76, 2979, 1.13)}},
        ablations={"humaneval": {"w/o coarse": (82.32, 2839, 1.10)}},
    )
    both = (benchmark("humaneval", 0.98), benchmark("humaneval_plus", None))
    printed = on_terminal(Comparison(runs, "theirs", both, paper, ("They differ.",)))
    tables, *legend = printed.split("\nAcc is Pass@1 in per cent")
    assert tables == PRINTED
    assert len(legend) == 1


@pytest.mark.parametrize("baseline", [False, True])
def test_long_names_and_five_benchmarks_stay_within_100_columns(tmp_path: Path, baseline: bool) -> None:
    names = [f"{letter * 60}-{letter}" for letter in "xyz"]
    budgets = {"humaneval": 6144, "humaneval_plus": 6144, "lcb_v1_v3": 10240, "lcb_v4_v5": 10240, "leetcode": 10240}
    samples = [
        Sample(f"{number}", "pass" if number % 3 else "fail", 5000 + number, budget=budget, benchmark=benchmark)
        for benchmark, budget in budgets.items()
        for number in range(7)
    ]
    runs = [EvaluationRun.read(write_evaluation(tmp_path / name, samples)) for name in names]
    printed = on_terminal(comparison_of(runs, baseline=names[1] if baseline else None, paper=True))
    assert max(map(len, printed.splitlines())) <= 100
    assert printed.count("     Acc     Tok     Lat") == 5
    assert printed.splitlines()[0].split() == ["HumanEval", "HumanEval+", "LiveCodeBench", "v1_v3"]
    assert "xxxxxxxxxxxxxx…xxxxx-x" in printed
    assert all(line == line.rstrip() for line in printed.splitlines())


CELLS: list[tuple[str, str]] = [
    (cells.points(0.061), "+6.10"),
    (cells.points(-0.061), "−6.10"),
    (cells.points(0.0), "0.00"),
    (cells.points(-1e-9), "0.00"),
    (cells.change(-0.1712), "−17.1%"),
    (cells.change(0.5), "+50.0%"),
    (cells.change(-0.0004), "0.0%"),
    (cells.correlation(-0.624), "−0.62"),
    (cells.p_value(0.0759), "0.076"),
    (cells.p_value(0.00099), "<0.001"),
    (cells.p_value(1.0), "1.000"),
    (cells.seconds(None), "–"),
    (cells.seconds(0.984), "0.98"),
    (cells.share(0.0124), "1.2%"),
    (cells.between(Interval(-0.203, 0.139), cells.change), "−20.3% to +13.9%"),
    (cells.between(None, cells.change), "–"),
    (cells.shortened("abcdefghij", 10), "abcdefghij"),
    (cells.shortened("abcdefghijk", 10), "abcdef…ijk"),
]


@pytest.mark.parametrize(("found", "expected"), CELLS)
def test_numbers_are_written_alike_everywhere(found: str, expected: str) -> None:
    assert found == expected
