"""The page in a real Chromium: what it shows, and how it is moved through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asap_hf.errors import RunError
from asap_hf.explore.page import write_page
from asap_hf.explore.results import open_results
from tests.explore import folders
from tests.explore.chromium import Tab
from tests.explore.conftest import PROGRAM, SOURCE
from tests.explore.folders import Case, one_stage, two_stages, write_result


def states(tab: Tab) -> list[str]:
    return list(tab.evaluate('[...document.querySelectorAll(".step")].map(step => step.dataset.state)'))


def test_a_trace_shows_its_steps_what_each_stage_cut_and_why(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=0&step=1")
    assert states(tab) == ["kept", "kept", "coarse", "fine"]
    assert [one.strip() for one in tab.texts(".step .tag") if one.strip()] == ["cut, stage 1", "cut, stage 2"]
    assert tab.texts(".score .value") == ["1.50", "2.50", "0.50"]
    assert tab.texts(".size") == ["7 tokens", "15 tokens", "", "8 tokens"]
    assert tab.texts("#numbers") == ["60 → 22 tokens, 36.7 % kept · 4 steps → 2"]
    detail = tab.texts(".detail")[0]
    assert detail.startswith("first-token surprisal 1.5 nats · first-token entropy 2.5 nats · ")
    assert detail.endswith("perplexity 5.5 · overlap with the answer 0.1 · removal 2 of 2, saves 7 tokens")
    assert tab.texts("#legend .sign") == ["kept", "cut by stage 2 (iterative)", "cut by stage 1 (answer_anchor)"]


def test_cuts_can_be_told_apart_without_colours(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=0")
    looks = tab.evaluate(
        '[...document.querySelectorAll(".step")].map(step => [getComputedStyle(step, "::before").borderLeftStyle,'
        ' getComputedStyle(step.querySelector(".text")).textDecorationLine, step.querySelector(".tag").innerText])'
    )
    assert looks[1:] == [
        ["none", "none", ""],
        ["dotted", "none", "cut, stage 1"],
        ["none", "line-through", "cut, stage 2"],
    ]


def test_programs_keep_every_character_and_stand_in_a_typewriters_letters(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=0")
    shown = tab.evaluate(
        '[...document.querySelectorAll(".step .text")].map(one => [one.textContent, getComputedStyle(one).whiteSpace,'
        ' getComputedStyle(one).fontFamily.includes("mono")])'
    )
    assert shown[1] == [PROGRAM, "pre-wrap", True]
    assert shown[0] == ["Let me think.", "pre-wrap", False]
    question = 'document.getElementById("question")'
    assert tab.evaluate(f"{question}.textContent") == SOURCE.question
    assert tab.evaluate(f'{question}.querySelector(".code").textContent') == "```\n1 < 2\n```"


def test_failures_and_rows_as_they_came_are_shown_with_their_reason(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=1")
    assert tab.texts(".notice") == ["anchor: no step of <b>it</b> matches"]
    assert states(tab) == ["kept", "kept"]
    tab.open(page, "#row=5")
    assert tab.texts(".notice") == ["No pruner could work on this row: no_think. It stands here as it came."]
    assert tab.texts(".step .text") == ["no thinking"]
    assert tab.texts(".flag") == ["failed", "unusable"]


def test_other_words_stand_beside_the_steps_they_are_for_or_as_one_text(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=2")
    assert states(tab) == ["kept", "coarse", "coarse", "kept"]
    assert tab.texts(".beside") == ["think", "cut", "cut", "3."]
    assert tab.texts(".title-beside") == ["first, in its own words: 30 tokens"]
    tab.open(page, "#row=3")
    assert states(tab) == ["source"] * 4
    assert tab.texts("#whole") == ["Three, in short."]
    assert tab.texts("#numbers") == ["60 → 6 tokens, 10.0 % kept · 4 steps → other words"]


def test_another_results_cut_stands_side_by_side_and_what_differs_can_be_shown_alone(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=0&beside=second&show=differ")
    assert tab.texts(".title-beside") == ["second: 11 tokens, 1 step, 1 in common"]
    assert tab.texts(".step .text") == ["Let me think."]  # both keep the program and cut the rest
    tab.press("v")
    assert tab.texts(".beside") == ["cut", PROGRAM, "cut", "cut"]
    tab.press("b")
    assert tab.texts("#whole") == ["In other words."]
    tab.open(page, "#row=4&beside=second")
    assert tab.texts("#whole") == ["second has no such trace under this row's number."]


def test_the_list_can_be_sorted_and_searched_down_to_the_texts_of_steps(tab: Tab, page: Path) -> None:
    def listed() -> str:
        return "".join(label.removeprefix("trace-") for label in tab.texts(".line-label"))

    for order, rows in {"row": "012345", "most": "430215", "failed": "150234", "long": "140235"}.items():
        tab.open(page, f"#row=0&sort={order}")
        assert listed() == rows, order
    tab.open(page, "#row=0")
    for query, rows in {
        "SO 3.": "023",
        "trace-4": "4",
        "<b>it</b>": "1",
        "a[i]": "023",
        "§": "",
        "How many?": "023",
    }.items():
        tab.evaluate(
            "(field => { field.value = QUERY; field.dispatchEvent(new Event('input')); })"
            "(document.getElementById('query'))".replace("QUERY", json.dumps(query))
        )
        tab.until(f"location.hash.includes(new URLSearchParams({{q: {json.dumps(query)}}}))")
        tab.until('/found$/.test(document.getElementById("found").textContent)')
        assert listed() == rows, query
    tab.open(page, "#row=0&q=wait")
    assert tab.texts(".step mark") == ["Wait"]


def test_keys_move_through_traces_and_steps(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=0")
    places = []
    for key in ["j", "j", "k", "k", "k", "ArrowDown", "ArrowDown", "End", "ArrowUp", "Home"]:
        tab.press(key)
        tab.until('document.getElementById("main").getAttribute("aria-busy") === "false"')
        tab.settle()
        places.append(tab.evaluate("location.hash"))
    rows = ["#row=1", "#row=2", "#row=1", "#row=0", "#row=0"]
    assert places == [*rows, *(f"#row=0&step={step}" for step in (1, 2, 4, 3, 1))]
    assert tab.evaluate("document.activeElement.id") == "step-1"
    tab.press("s")
    assert tab.evaluate("location.hash") == "#row=0&step=1&score=first_token_entropy"
    tab.press("/")
    assert tab.evaluate("document.activeElement.id") == "query"
    tab.press("j", "Escape", "?")  # a letter in a field is a letter
    assert tab.evaluate('[location.hash.includes("row=0"), document.getElementById("help").open]') == [True, True]


def test_an_address_leads_to_what_was_seen_and_an_unknown_one_to_the_first_trace(tab: Tab, page: Path) -> None:
    fragment = "#row=0&step=2&max_tokens=22&score=perplexity&beside=second&show=kept&sort=long"
    tab.open(page, fragment)
    assert tab.evaluate("location.hash") == fragment
    assert tab.evaluate('document.getElementById("score").value') == "perplexity"
    tab.open(page, "#row=99&step=x&max_tokens=-3&score=none&beside=nobody&sort=up")
    assert tab.texts("#label") == ["trace-0"]
    tab.evaluate('location.hash = "#row=3"')
    tab.until('document.getElementById("label").textContent === "trace-3"')


def test_of_a_thousand_traces_only_those_in_sight_are_in_the_page(tab: Tab, tmp_path: Path) -> None:
    steps = [f"Step {number} of many." for number in range(8)]
    pruning = two_stages(folders.trace_of(*steps), range(8), range(8), range(80, 0, -10), budget=40)
    folder = write_result(tmp_path / "out", [Case(pruning) for _ in range(1000)])
    write_page(open_results(folder), tmp_path / "page.html")
    tab.open(tmp_path / "page.html", "#row=700")
    labels = tab.texts(".line-label")
    assert "trace-700" in labels
    assert len(labels) < 30
    assert tab.evaluate("document.querySelectorAll('.step').length") == 8
    assert tab.texts("#totals")[0].startswith("1,000 traces, 100,000 → ")


def test_the_page_is_the_same_bytes_for_the_same_result_and_holds_no_folder_of_this_machine(tmp_path: Path) -> None:
    folder = write_result(tmp_path / "out", [Case(one_stage(SOURCE))])
    told = [write_page(open_results(folder), tmp_path / name) for name in ("one.html", "two.html")]
    one, two = ((tmp_path / name).read_bytes() for name in ("one.html", "two.html"))
    assert one == two
    assert told[0] == {"traces": 1, "alone": 0, "bytes": len(one)}
    assert str(tmp_path).encode() not in one
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["one.html", "two.html"]


def test_a_limit_shows_the_first_rows_and_no_row_is_no_page(tmp_path: Path) -> None:
    folder = write_result(tmp_path / "out", [Case(one_stage(SOURCE))] * 3)
    other = write_result(tmp_path / "other", [Case(one_stage(SOURCE))])
    told = write_page(open_results(folder, [other]), tmp_path / "page.html", limit=2)
    assert (told["traces"], told["alone"]) == (2, 1)
    empty = write_result(tmp_path / "empty", [])
    with pytest.raises(RunError, match="'empty' can be shown: it holds none"):
        write_page(open_results(empty), tmp_path / "page.html")
    with pytest.raises(RunError, match="the page .* cannot be written"):
        write_page(open_results(folder), tmp_path / "page.html" / "below.html")
