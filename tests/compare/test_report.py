"""The report as a browser shows it, the pictures, and Markdown: whatever comes from a run stays text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from PIL import Image

from asap_hf.benchmarks.registry import BENCHMARKS
from asap_hf.compare.card import on_card
from asap_hf.compare.comparison import Comparison, comparison_of
from asap_hf.compare.paper_numbers import PaperNumbers
from asap_hf.compare.plots import Picture, budget_curves, pictures_of, trade_off
from asap_hf.compare.report import report
from asap_hf.compare.runs import EvaluationRun
from asap_hf.reporting.pictures import DARK, LIGHT, Palette
from asap_hf.reporting.styles import SIGNS, run_styles
from tests.compare.browser import CHROMIUM, measured
from tests.compare.folders import Model, Sample, write_evaluation
from tests.render_card import card_html

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
HOSTILE = [
    "<script>parent.ran=1<\u2044script>",  # a slash cannot stand in a folder's name
    '"><img src=x onerror="parent.ran=1">',
    "a" * 200,
    "$x_1$ {{7*7}} {% raw %}",
    "`|*_[x](javascript:alert)<b>",
]
DETAIL = "</style></title><script>parent.ran=1</script><img src=x onerror=parent.ran=1>" + "z" * 300


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Three runs on two benchmarks, with curves, beside the paper's."""
    root = tmp_path_factory.mktemp("plain")
    runs = []
    for number, name in enumerate(("asap", "original", "spirit")):
        model = Model(length=1500 + 300 * number, skill=0.84 - 0.03 * number, seed=number)
        samples = model.samples("humaneval", 164, (1024, 2048, 4096, 6144))
        samples += model.samples("leetcode", 40, (10240,), hardness=4)
        runs.append(EvaluationRun.read(write_evaluation(root / name, samples, model=f"me/{name}")))
    return comparison_of(runs, baseline="original", paper=True)


@pytest.fixture(scope="module")
def page(plain: Comparison) -> str:
    return report(plain)


@pytest.fixture(scope="module")
def shown(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """The report on a phone and on a desk."""
    return {width: measured(page, tmp_path_factory.mktemp("shown"), width) for width in (400, 1100)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    root = tmp_path_factory.mktemp("hostile")
    runs = []
    for number, name in enumerate(HOSTILE):
        samples = Model(1500, 0.8, number).samples("humaneval", 30, (1024, 4096))
        samples = [Sample(**{**vars(one), "detail": DETAIL}) for one in samples]
        told = {"hardware": DETAIL + str(number), DETAIL: {DETAIL: [DETAIL]}, "prompts_hash": {"humaneval": name}}
        folder = write_evaluation(root / name, samples, model=DETAIL, engine=f"vllm {DETAIL}{number}", **told)
        runs.append(EvaluationRun.read(folder))
    return comparison_of(runs, paper=True)


@needs_chromium
@pytest.mark.parametrize("width", [400, 1100])
def test_the_report_fits_the_page_and_runs_nothing(shown: dict[int, dict[str, Any]], width: int) -> None:
    seen = shown[width]
    assert (seen["ran"], seen["scripts"], seen["handlers"], seen["loads"]) == (None, 0, [], [])
    assert (seen["width"], seen["outside"]) == (width, [])
    assert seen["scrolled"] == [width == 400] + [False] * 6  # only the paper's layout is too wide for a phone
    assert [(alt, size > 0) for alt, size, _ in seen["pictures"]] == [
        ("HumanEval: accuracy over the token budget", True),
        ("HumanEval: accuracy over tokens at 6K", True),
        ("LeetCodeDataset: accuracy over tokens at 10K", True),
    ]


@needs_chromium
def test_the_report_says_what_was_measured_and_whose_numbers_are_the_papers(
    plain: Comparison, shown: dict[int, dict[str, Any]]
) -> None:
    seen = shown[1100]
    layout, estimates, accuracy, tokens, *_ = seen["tables"]
    rows = {row[0]: row[1:] for row in layout[2:]}
    methods = ["ASAP", "SPIRIT", "TokenSkip", "LLMLingua-2", "Selective Context", "Original", "Zero-shot"]
    papers = [f"paper, {name}" for name in (*methods, "w/o coarse", "w/o fine")]
    assert list(rows) == ["asap", "original", "spirit", *papers]
    assert rows["paper, ASAP"] == ["84.15", "2,464", "0.98", "", "", ""]
    (one, _), asap = plain.benchmarks, plain.benchmarks[0].rows[0]
    assert rows["asap"][:3] == [f"{100 * asap.accuracy.value:.2f}", f"{asap.tokens.value:,.0f}", "0.98"]
    assert [row[0] for row in estimates[1:]] == ["asap", "original", "spirit"]
    assert [table[0][0] for table in (accuracy, tokens)] == ["Acc against original", "Tok against original"]
    assert [row[0] for row in tokens[1:]] == ["asap", "spirit"]
    assert accuracy[1][2] == f"{one.contrasts[0].mcnemar.first} : {one.contrasts[0].mcnemar.second}"
    assert "It was not measured here" in seen["text"]
    assert "original baseline, me/original" in seen["text"]


@needs_chromium
def test_a_dark_page_has_dark_pictures(page: str, shown: dict[int, dict[str, Any]], tmp_path: Path) -> None:
    light = shown[400]
    dark = measured(page, tmp_path, 400, "--blink-settings=preferredColorScheme=0")
    assert (light["ground"], dark["ground"]) == ("rgb(255, 255, 255)", "rgb(13, 17, 23)")
    assert {url for _, _, url in light["pictures"]}.isdisjoint(url for _, _, url in dark["pictures"])


@needs_chromium
@pytest.mark.parametrize("width", [400, 1100])
def test_hostile_names_and_details_stay_text_and_fit(hostile: Comparison, tmp_path: Path, width: int) -> None:
    page = report(hostile)
    seen = measured(page.replace("Content-Security-Policy", "none"), tmp_path, width)  # the escaping alone must hold
    assert (seen["ran"], seen["scripts"], seen["handlers"], seen["loads"]) == (None, 0, [], [])
    assert (seen["width"], seen["outside"]) == (width, [])
    for name in HOSTILE:
        assert name in seen["text"]
    assert [row[0] for row in seen["tables"][1][1:]] == HOSTILE
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page


@needs_chromium
def test_hostile_names_stay_text_in_markdown(hostile: Comparison, tmp_path: Path) -> None:
    pictures = [Picture("budgets-humaneval.png", "HumanEval: accuracy", b"")]
    seen = measured(f'<meta charset="utf-8">{card_html(on_card(hostile, pictures))}', tmp_path, 1100)
    assert (seen["ran"], seen["scripts"], seen["handlers"]) == (None, 0, [])
    assert [alt for alt, _, _ in seen["pictures"]] == ["HumanEval: accuracy"]
    assert [row[0] for row in seen["tables"][0][1:]] == HOSTILE
    assert seen["tables"][1][1][0] == "HumanEval, 30 problems, 4,096 tokens"


def test_a_report_of_one_run_has_no_tests(tmp_path: Path) -> None:
    run = EvaluationRun.read(write_evaluation(tmp_path / "alone", [Sample("a"), Sample("b", "fail")]))
    page = report(comparison_of([run]))
    assert "Comparison of 1 evaluation run<" in page
    assert "Acc of alone against" not in page
    assert page.count("<picture>") == 1


def drawn(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.png)).convert("RGB")


def colours(picture: Picture) -> set[str]:
    found = drawn(picture).getcolors(1 << 24)
    return {"#" + bytes(colour).hex() for _, colour in found}


def test_pictures_are_the_same_bytes_whatever_the_machine_prefers(plain: Comparison) -> None:
    first = [one.png for one in pictures_of(plain, plain.benchmarks[0])]
    with matplotlib.rc_context({"figure.dpi": 50, "font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30}):
        assert [one.png for one in pictures_of(plain, plain.benchmarks[0])] == first
    assert [png[:8] for png in first] == [b"\x89PNG\r\n\x1a\n"] * 2
    assert b"tEXt" not in first[0]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_every_run_is_in_every_picture_in_its_colour(plain: Comparison, palette: Palette) -> None:
    looks = run_styles(plain.names, plain.baseline, palette)
    assert looks["original"].colour == palette.baseline
    for picture in pictures_of(plain, plain.benchmarks[0], palette):
        assert {look.colour for look in looks.values()} | {palette.ground} <= colours(picture)
        assert drawn(picture).size == (960, 660)


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_nothing_in_a_picture_is_cut_off_at_its_edge(tmp_path: Path, benchmark: str) -> None:
    samples = [
        Sample(f"{number}", "pass" if number % 2 else "fail", budget - number, budget=budget, benchmark=benchmark)
        for budget in (2048, 12288)
        for number in range(9)
    ]
    comparison = comparison_of([EvaluationRun.read(write_evaluation(tmp_path / ("w" * 60), samples))])
    for picture in pictures_of(comparison, comparison.benchmarks[0]):
        for edge in ((0, 0, 4, 660), (956, 0, 960, 660), (0, 0, 960, 4), (0, 656, 960, 660)):
            assert drawn(picture).crop(edge).getextrema() == ((255, 255),) * 3


def test_only_a_benchmark_with_several_budgets_has_a_curve(plain: Comparison) -> None:
    humaneval, leetcode = plain.benchmarks
    assert [one.file for one in pictures_of(plain, humaneval)] == ["budgets-humaneval.png", "trade_off-humaneval.png"]
    assert [one.file for one in pictures_of(plain, leetcode)] == ["trade_off-leetcode.png"]


def test_the_papers_results_and_curves_are_in_the_pictures(plain: Comparison) -> None:
    one = plain.benchmarks[0]
    without = replace(plain, paper=PaperNumbers())
    points = replace(plain, paper=replace(plain.paper, curves={}, ablations={}))
    assert trade_off(plain, one).png != trade_off(without, one).png
    assert trade_off(plain, one).png == trade_off(points, one).png
    assert budget_curves(plain, one).png != budget_curves(without, one).png
    assert budget_curves(points, one).png == budget_curves(without, one).png
    for picture in (trade_off(plain, one), budget_curves(plain, one)):
        assert drawn(picture).size == (960, 660)
        assert drawn(picture).crop((956, 0, 960, 660)).getextrema() == ((255, 255),) * 3


def test_the_papers_curves_go_as_far_as_the_budgets_of_the_runs(plain: Comparison) -> None:
    one = plain.benchmarks[0]
    few = replace(one, by_budget={budget: one.by_budget[budget] for budget in (2048, 4096)})
    far = {"ASAP": {1024: (25.0, 946, 0.27), 4096: (75.0, 2116, 0.72), 6144: (84.15, 2464, 0.98)}}
    near = {"ASAP": {4096: (75.0, 2116, 0.72)}}
    curves = [replace(plain, paper=PaperNumbers(curves={"humaneval": one})) for one in (far, near)]
    assert budget_curves(curves[0], few).png == budget_curves(curves[1], few).png


@pytest.mark.parametrize("count", [1, 2, 16])
def test_any_number_of_runs_can_be_drawn_and_told_apart(count: int, tmp_path: Path) -> None:
    names: Sequence[str] = [f"run {number}" for number in range(count)]
    looks = run_styles(names, None, LIGHT)
    assert len({(look.colour, look.marker) for look in looks.values()}) == count
    assert {look.marker for look in looks.values()} <= SIGNS.keys()
    runs = [
        EvaluationRun.read(
            write_evaluation(tmp_path / name, Model(1500, 0.8, 1).samples("humaneval", 20, (2048, 6144)))
        )
        for name in names
    ]
    comparison = comparison_of(runs)
    for picture in pictures_of(comparison, comparison.benchmarks[0]):
        assert {look.colour for look in looks.values()} <= colours(picture)


def test_a_run_that_solves_nothing_can_be_drawn(tmp_path: Path) -> None:
    run = EvaluationRun.read(write_evaluation(tmp_path / "none", [Sample("a", "truncated", 6144)]))
    comparison = comparison_of([run])
    assert LIGHT.runs[0] in colours(trade_off(comparison, comparison.benchmarks[0]))
