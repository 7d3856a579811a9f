"""Runs side by side: what is computed, on which problems and budget, what is refused, what is noted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION

from asap_hf.compare.card import on_card
from asap_hf.compare.comparison import Comparison, comparison_of
from asap_hf.compare.paper_numbers import PaperNumbers
from asap_hf.compare.runs import EvaluationRun
from asap_hf.compare.tables import estimates
from asap_hf.compare.terminal import on_terminal
from asap_hf.errors import UsageError
from asap_hf.paper import LLAMA_8B, QWEN_7B
from asap_hf.reporting.statistics import McNemar
from tests.compare.folders import Sample, write_evaluation


class Folders:
    """Writes runs into a folder of the test."""

    def __init__(self, root: Path):
        self.root = root

    def run(self, name: str, samples: Sequence[Sample], **told: Any) -> EvaluationRun:
        return EvaluationRun.read(write_evaluation(self.root / name, samples, **told))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def outcomes(passed: str, lengths: Sequence[int] | None = None, **more: Any) -> list[Sample]:
    """A sample per sign: `+` passes, `-` fails, `/` is truncated, `?` is infra."""
    statuses = {"+": "pass", "-": "fail", "/": "truncated", "?": "infra"}
    lengths = lengths or [1000 + 10 * place for place in range(len(passed))]
    return [
        Sample(f"problem/{place}", statuses[sign], length, **more)
        for place, (sign, length) in enumerate(zip(passed, lengths, strict=True))
    ]


def names_of(pairs: Comparison) -> list[tuple[str, str]]:
    return [(one.run, one.against) for one in pairs.benchmarks[0].contrasts]


def test_a_run_is_estimated_and_held_against_another(folders: Folders) -> None:
    ours = folders.run("ours", outcomes("++++-+/-", [100, 200, 300, 400, 500, 600, 6144, 800]), latency=0.5)
    theirs = folders.run("theirs", outcomes("+--+-++-", [200, 100, 500, 600, 700, 800, 1000, 1000]), latency=None)
    (one,) = comparison_of([ours, theirs]).benchmarks
    assert (one.benchmark, one.budget, one.problems, one.title) == ("humaneval", 6144, 8, "HumanEval")
    first, second = one.rows
    assert (first.run, first.accuracy.value, first.tokens.value, first.truncated) == ("ours", 5 / 8, 9044 / 8, 1 / 8)
    assert (second.accuracy.value, second.tokens.value, second.truncated) == (4 / 8, 4900 / 8, 0)
    assert (first.latency, second.latency) == (0.5, None)
    (contrast,) = one.contrasts
    assert contrast.accuracy.value == pytest.approx(1 / 8)
    assert contrast.tokens.value == pytest.approx(9044 / 4900 - 1)
    assert contrast.mcnemar == McNemar(p=1.0, first=2, second=1)
    # Differences -100 100 -200 -200 -200 -200 5144 -200: ranks 1.5 and 8 of 36 are above zero.
    assert (contrast.wilcoxon.pairs, contrast.wilcoxon.effect) == (8, pytest.approx((9.5 - 26.5) / 36))
    for estimate in (first.accuracy, first.tokens, contrast.accuracy, contrast.tokens):
        assert estimate.interval is not None
        assert estimate.interval.low < estimate.value < estimate.interval.high


def test_several_samples_are_means_of_means(folders: Folders) -> None:
    """`a` passes 1 of 2, `b` 1 of 1: three quarters, though two of three samples passed."""
    samples = [Sample("a", "pass", 10), Sample("a", "fail", 30, sample=1), Sample("b", "pass", 100)]
    comparison = comparison_of([folders.run("one", samples)])
    (row,) = comparison.benchmarks[0].rows
    assert (row.accuracy.value, row.tokens.value) == (0.75, 60)
    assert comparison.benchmarks[0].contrasts == ()
    assert "Samples per problem: one 2." in comparison.notes[0]


def test_the_first_is_held_against_all_or_all_against_the_baseline(folders: Folders) -> None:
    runs = [folders.run(name, outcomes("+-+")) for name in ("a", "b", "c")]
    assert names_of(comparison_of(runs)) == [("a", "b"), ("a", "c")]
    assert names_of(comparison_of(runs, baseline="b")) == [("a", "b"), ("c", "b")]
    with pytest.raises(UsageError, match="no run is called 'd': --baseline is one of a, b, c"):
        comparison_of(runs, baseline="d")


def test_runs_that_do_the_same_do_not_differ(folders: Folders) -> None:
    runs = [folders.run(name, outcomes("+-+")) for name in ("a", "b")]
    (contrast,) = comparison_of(runs).benchmarks[0].contrasts
    assert (contrast.accuracy.value, contrast.accuracy.interval) == (0, None)
    assert (contrast.tokens.value, contrast.tokens.interval) == (0, None)
    assert (contrast.mcnemar.p, contrast.wilcoxon.p) == (1, 1)


def test_holm_counts_every_test_of_the_comparison(folders: Folders) -> None:
    ours = outcomes("+" * 12, range(100, 112)) + outcomes("+-" * 6, benchmark="leetcode", budget=10240)
    theirs = outcomes("-" * 12, range(200, 212)) + outcomes("-+" * 6, benchmark="leetcode", budget=10240)
    comparison = comparison_of([folders.run("ours", ours), folders.run("theirs", theirs)])
    first, second = (one.contrasts[0] for one in comparison.benchmarks)
    assert first.mcnemar.p == first.wilcoxon.p == pytest.approx(2 / 2**12)
    assert first.mcnemar_holm == pytest.approx(4 * 2 / 2**12)
    assert first.wilcoxon_holm == pytest.approx(4 * 2 / 2**12)
    assert (second.mcnemar_holm, second.wilcoxon_holm) == (1, 1)


def budgets(*sizes: int, benchmark: str = "humaneval") -> list[Sample]:
    return [one for size in sizes for one in outcomes("+-+", budget=size, benchmark=benchmark)]


def test_the_budget_is_the_one_asked_for_else_the_papers_else_the_largest_shared(folders: Folders) -> None:
    long = folders.run("long", budgets(2048, 4096, 6144, 12288))
    middle = folders.run("middle", budgets(2048, 4096, 6144))
    short = folders.run("short", budgets(1024, 2048, 4096))
    assert comparison_of([long]).benchmarks[0].budget == 6144
    assert comparison_of([long, middle]).benchmarks[0].budget == 6144
    assert comparison_of([long, short]).benchmarks[0].budget == 4096
    assert comparison_of([long, short], budget=2048).benchmarks[0].budget == 2048
    with pytest.raises(UsageError) as error:
        comparison_of([long, short], budget=6144)
    assert str(error.value) == (
        "the run 'short' has no results on humaneval with 6,144 tokens: for it --budget is one of 1,024, 2,048, 4,096"
    )
    with pytest.raises(UsageError) as error:
        comparison_of([folders.run("odd", budgets(1100)), long])
    assert str(error.value) == (
        "the runs share no token budget on humaneval: 'odd' has 1,100; 'long' has 2,048, 4,096, 6,144, 12,288;"
        " evaluate one with a budget of another"
    )


def test_every_budget_that_a_run_has_is_on_its_curve(folders: Folders) -> None:
    comparison = comparison_of(
        [folders.run("long", budgets(2048, 6144, 12288)), folders.run("short", budgets(1024, 6144))]
    )
    found = {budget: [row.run for row in rows] for budget, rows in comparison.benchmarks[0].by_budget.items()}
    assert found == {1024: ["short"], 2048: ["long"], 6144: ["long", "short"], 12288: ["long"]}


def test_a_benchmark_that_a_run_lacks_is_refused_unless_others_are_named(folders: Folders) -> None:
    both = folders.run("both", budgets(6144) + budgets(10240, benchmark="leetcode"))
    one = folders.run("one", budgets(6144))
    with pytest.raises(UsageError) as error:
        comparison_of([both, one])
    assert str(error.value) == (
        "the run 'one' has no results on leetcode, only on humaneval: evaluate it there, or name with --benchmark"
        " those to compare"
    )
    assert [each.benchmark for each in comparison_of([both, one], benchmarks=["humaneval"]).benchmarks] == [
        "humaneval"
    ]
    with pytest.raises(
        UsageError, match="there is no benchmark 'mbpp'; there is: humaneval, humaneval_plus, lcb_v1_v3"
    ):
        comparison_of([both, one], benchmarks=["mbpp"])


def test_benchmarks_come_in_the_papers_order(folders: Folders) -> None:
    samples = budgets(10240, benchmark="leetcode") + budgets(10240, benchmark="lcb_v4_v5") + budgets(6144)
    comparison = comparison_of([folders.run("a", samples)])
    assert [one.benchmark for one in comparison.benchmarks] == ["humaneval", "lcb_v4_v5", "leetcode"]


def test_different_problems_are_refused_unless_the_common_ones_are_wanted(folders: Folders) -> None:
    whole, part = folders.run("whole", outcomes("+-+-+")), folders.run("part", outcomes("-+-"))
    with pytest.raises(UsageError) as error:
        comparison_of([whole, part])
    assert str(error.value) == (
        "the runs 'whole' and 'part' were asked different problems of humaneval: 5 and 3, 3 of them the same;"
        " --common_problems compares on those"
    )
    comparison = comparison_of([whole, part], common_problems=True)
    assert comparison.benchmarks[0].problems == 3
    assert [row.accuracy.value for row in comparison.benchmarks[0].rows] == [
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    ]
    assert comparison.notes == (
        "HumanEval: compared on the 3 problems that all runs were asked (asked in all: whole: 5, part: 3); whether"
        " their prompts were the same is not known.",
    )
    other = folders.run("other", [Sample("elsewhere")])
    with pytest.raises(UsageError, match="no problem of humaneval has a verdict in every run: there is nothing to"):
        comparison_of([whole, other], common_problems=True)


def test_what_got_no_verdict_counts_for_nothing_in_any_run(folders: Folders) -> None:
    ours, theirs = folders.run("ours", outcomes("+?+-")), folders.run("theirs", outcomes("++++"))
    comparison = comparison_of([ours, theirs])
    (one,) = comparison.benchmarks
    assert one.problems == 3
    assert [row.accuracy.value for row in one.rows] == [pytest.approx(2 / 3), 1]
    assert (one.contrasts[0].mcnemar.first, one.contrasts[0].mcnemar.second) == (0, 1)
    assert comparison.notes == (
        "HumanEval, 6,144 tokens: ours has 1 sample that nothing graded (infra), left out of Pass@1; so is, in every"
        " run, 1 problem with no other sample.",
    )
    assert [row[1] for row in estimates(one)] == ["66.67 (1 not graded)", "100.00"]
    for told in (on_terminal(comparison), on_card(comparison, [])):
        assert "66.67 (1 not graded)" in told
    with pytest.raises(UsageError, match="no problem of humaneval has a verdict in every run"):
        comparison_of([ours, folders.run("others", outcomes("?+??"))])


NOW = f"of the grader, which is at version {GRADER_VERSION} here"
GRADED_AGAIN = (
    "its verdicts may be others now. `asap-hf grade FOLDER --output_dir NEW` grades its answers again, without"
    " generating any."
)
NOTED: list[tuple[dict[str, Any], str]] = [
    (
        {"grader_version": GRADER_VERSION + 1},
        f"theirs was graded with version {GRADER_VERSION + 1} {NOW}: {GRADED_AGAIN}",
    ),
    ({"grader_version": None}, f"theirs was graded with a version before 2 {NOW}: {GRADED_AGAIN}"),
    (
        {"revisions": {"humaneval": ""}},
        "HumanEval: the runs read different revisions of the benchmark (ours: 7dce6050a7d6…, theirs: unknown).",
    ),
    (
        {"prompts_hash": {"humaneval": "ab" * 32}},
        "HumanEval: the runs were given different prompts (ours: 9f86d081884c…, theirs: abababababab…, by hash).",
    ),
    (
        {"prompts_hash": "odd"},
        "HumanEval: the runs were given different prompts (ours: 9f86d081884c…, theirs: unknown, by hash).",
    ),
    ({"temperature": 0.6}, "The runs sampled at different temperatures (ours: 0.0, theirs: 0.6)."),
    (
        {"engine": "vllm 0.33.0"},
        "Latencies cannot be compared, as the engines differ (ours: vllm 0.32.0, theirs: vllm 0.33.0).",
    ),
    (
        {"hardware": "NVIDIA H20"},
        "Latencies cannot be compared, as the hardware differs (ours: NVIDIA H200, theirs: NVIDIA H20).",
    ),
]


@pytest.mark.parametrize(("told", "note"), NOTED, ids=[next(iter(told)) for told, _ in NOTED])
def test_what_runs_should_share_and_do_not_is_noted(folders: Folders, told: dict[str, Any], note: str) -> None:
    ours, theirs = folders.run("ours", outcomes("+-")), folders.run("theirs", outcomes("-+"), **told)
    assert comparison_of([ours, theirs]).notes == (note,)


def test_like_runs_need_no_note(folders: Folders) -> None:
    assert comparison_of([folders.run(name, outcomes("+-")) for name in ("a", "b")]).notes == ()


def test_two_runs_of_one_name_are_refused(folders: Folders) -> None:
    first, second = folders.run("x/same", outcomes("+-")), folders.run("y/same", outcomes("+-"))
    with pytest.raises(UsageError, match="two runs are called 'same', after their folders: rename one folder"):
        comparison_of([first, second])


def test_the_papers_numbers_stand_only_beside_its_own_problems_and_budget(folders: Folders) -> None:
    whole = outcomes("+-" * 82) + outcomes("+-", benchmark="leetcode", budget=10240)
    comparison = comparison_of([folders.run("ours", whole)], paper=True)
    paper = comparison.paper
    assert paper.methods.keys() == paper.ablations.keys() == paper.curves.keys() == {"humaneval"}
    assert paper.methods["humaneval"]["ASAP"] == (84.15, 2464, 0.98)
    assert paper.ablations["humaneval"]["w/o fine"] == (71.34, 2897, 1.10)
    assert paper.base_model == QWEN_7B
    assert "is the paper's own, for deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" in comparison.notes[0]
    assert comparison.notes[1] == (
        "LeetCodeDataset: the paper has numbers for 228 problems and budgets of 2,048, 4,096, 6,144, 8,192, 10,240,"
        " 12,288 tokens; they do not stand beside 2 problems and 10,240 tokens."
    )
    assert comparison_of([folders.run("unasked", whole)]).paper == PaperNumbers()


def test_the_papers_numbers_are_those_under_the_budget_of_the_tables(folders: Folders) -> None:
    def at(budget: int, base_model: str | None = None) -> Comparison:
        run = folders.run(f"{budget} {base_model}", outcomes("+-" * 82, [100] * 164, budget=budget))
        return comparison_of([run], paper=True, base_model=base_model)

    comparison = at(4096)
    assert comparison.paper.methods["humaneval"]["ASAP"] == (75.00, 2116, 0.72)
    assert comparison.paper.ablations == {}
    assert len(comparison.notes) == 1
    assert at(3000).paper.methods == {"humaneval": {}}
    assert at(4096, LLAMA_8B).notes == (
        "HumanEval: the paper has numbers for 164 problems and budgets of 6,144 tokens; they do not stand beside 164"
        " problems and 4,096 tokens.",
    )


def test_the_papers_numbers_are_those_of_the_base_model(folders: Folders) -> None:
    ours = folders.run("ours", outcomes("+-" * 82))
    base = folders.run("base", outcomes("-+" * 82), model=LLAMA_8B)
    assert comparison_of([ours, base], paper=True).paper.methods["humaneval"]["ASAP"] == (80.49, 2494, 1.30)
    assert comparison_of([ours], paper=True, base_model=LLAMA_8B).paper.base_model == LLAMA_8B
    assert comparison_of([ours, base], paper=True, base_model=QWEN_7B).paper.base_model == QWEN_7B
    with pytest.raises(UsageError, match="the paper has no results for 'me/base': --base_model is deepseek-ai/Deep"):
        comparison_of([ours], paper=True, base_model="me/base")
