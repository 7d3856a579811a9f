"""The page's budget keeps what `asap-hf prune` keeps of the same result."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from asap_hf.commands.prune import main as prune
from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.dataset.rebudget import Rebudget
from asap_hf.dataset.records import Tokens
from asap_hf.errors import UsageError
from asap_hf.explore.page import write_page
from asap_hf.explore.results import open_results
from tests.explore import folders
from tests.explore.chromium import Tab
from tests.explore.folders import Case, one_stage, two_stages, write_result

_SET = """(async (unit, amounts) => {
  const painted = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const unitOf = document.getElementById("unit"), amountOf = document.getElementById("amount");
  unitOf.value = unit;
  unitOf.dispatchEvent(new Event("change"));
  const found = [];
  for (const amount of amounts) {
    amountOf.value = amount;
    amountOf.dispatchEvent(new Event("input"));
    await painted();
    const steps = [...document.querySelectorAll(".step")];
    found.push(steps.flatMap((step, at) => step.dataset.state === "kept" ? [at] : []));
  }
  return found;
})"""


def cases() -> list[Case]:
    """Lengths that fall, that rise in between, that never fit, and rows without scores."""
    rng = random.Random(6)
    steps = [f"Step {number}." for number in range(40)]
    order = rng.sample(range(30), 30)
    falling = sorted(rng.sample(range(3, 400), 30), reverse=True)
    long = two_stages(folders.trace_of(*steps), sorted(rng.sample(range(40), 30)), order, falling, budget=120)
    bumpy = two_stages(
        folders.trace_of(*steps[:7]), range(7), [3, 0, 6, 1, 5, 2, 4], [50, 40, 45, 30, 31, 30, 12], budget=35
    )
    single = two_stages(folders.trace_of("Alone."), [0], [0], [9], budget=4)
    unscored = one_stage(folders.trace_of("One.", "Two."), "iterative", "scoring: too_long", budget=5, tokens=8)
    sizes = (421, 53, 9, 8)
    return [
        Case(pruning, tokens=Tokens(size, 8, 5))
        for pruning, size in zip((long, bumpy, single, unscored), sizes, strict=True)
    ]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_result(tmp_path_factory.mktemp("budgets") / "out", cases(), [("<think>", "unclosed_think")])


@pytest.fixture(scope="module")
def page(result: Path) -> Path:
    write_page(open_results(result), result.parent / "page.html")
    return result.parent / "page.html"


def kept_by_prune(result: Path, number: int, **budget: Any) -> list[int]:
    record = list(open_results(result)[0].rows())[number]
    rebudget = Rebudget("t", "first_token_surprisal", "first_token_surprisal", **budget)
    return list(rebudget.prune(record).trace.kept)


TOKENS = [1, 3, 8, 9, 11, 12, 13, 29, 30, 31, 39, 40, 44, 45, 49, 50, 51, 119, 120, 121, 200, 399, 400, 10_000]
SHARES = [0.01, 0.07, 0.1, 0.14, 0.15, 0.25, 0.28, 0.29, 0.3, 0.55, 0.57, 0.58, 0.94, 0.999, 1]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(("unit", "amounts"), [("max_tokens", TOKENS), ("ratio", SHARES)])
def test_every_budget_keeps_the_steps_that_prune_keeps(
    tab: Tab, page: Path, result: Path, number: int, unit: str, amounts: list[float]
) -> None:
    tab.open(page, f"#row={number}")
    expected = [kept_by_prune(result, number, **{unit: amount}) for amount in amounts]
    assert tab.evaluate(f"{_SET}('{unit}', {amounts})") == expected
    assert number == 2 or len({tuple(kept) for kept in expected}) >= 3


def test_a_row_without_scores_keeps_the_same_at_any_budget(tab: Tab, page: Path, result: Path) -> None:
    tab.open(page, "#row=3&max_tokens=1")
    states = tab.evaluate('[...document.querySelectorAll(".step")].map(step => step.dataset.state)')
    assert states == ["kept"] * len(kept_by_prune(result, 3, max_tokens=1)) == ["kept", "kept"]
    assert "no budget changes what is kept" in tab.evaluate('document.getElementById("told").textContent')


def test_the_sum_over_all_traces_is_that_of_the_result_that_prune_writes(
    tab: Tab, page: Path, result: Path, tmp_path: Path
) -> None:
    prune(PruneArguments(str(result), output_dir=str(tmp_path / "out"), max_tokens=35))
    rows = [row for row in open_results(tmp_path / "out")[0].rows() if not row.get("unusable")]
    tab.open(page, "#row=1&max_tokens=35")
    totals = tab.evaluate('document.getElementById("totals").textContent')
    assert f"→ {sum(row['tokens_after'] for row in rows)} tokens" in totals
    kept = tab.evaluate("document.querySelectorAll('.step[data-state=\"kept\"]').length")
    assert kept == len(rows[1]["kept"])


def test_the_page_offers_no_larger_share_than_prune_takes(tab: Tab, tmp_path: Path) -> None:
    settings = {**folders.SETTINGS, "answer_keep": 0.25}
    folder = write_result(tmp_path / "out", cases(), settings=settings)
    write_page(open_results(folder), tmp_path / "page.html")
    with pytest.raises(UsageError, match="more than stage 1 left"):
        prune(PruneArguments(str(folder), output_dir=str(tmp_path / "more"), ratio=0.3))
    tab.open(tmp_path / "page.html", "#row=0&ratio=0.9")
    told = "document.getElementById('told').textContent"
    for amounts in ([0.25], [0.1, 0.9], [0.1, 1]):
        (*_, kept) = tab.evaluate(f"{_SET}('ratio', {amounts})")
        assert kept == kept_by_prune(folder, 0, ratio=0.25)
        assert "stage 1 left no more" in tab.evaluate(told)
        assert "--ratio 0.25 " in tab.evaluate("document.getElementById('command').textContent")
    tab.evaluate(f"{_SET}('ratio', [0.1])")
    assert "stage 1 left no more" not in tab.evaluate(told)


def test_keys_go_to_every_length_at_which_the_loop_can_stop(tab: Tab, page: Path) -> None:
    tab.open(page, "#row=1")
    amounts = []
    for key in ["]"] * 3 + ["["] * 5 + ["0"]:
        tab.press(key)
        amounts.append(tab.evaluate("location.hash.replace(/.*max_tokens=/, '')"))
    assert amounts == ["40", "50", "50", "40", "30", "12", "12", "12", "#row=1"]


FIXED = [
    ({"keep_llm_text": True}, "the LLM's own words"),
    ({"score": None}, "no step was scored"),
]


@pytest.mark.parametrize(("settings", "said"), FIXED)
def test_where_prune_refuses_another_budget_the_page_has_none(
    tab: Tab, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    told = {name: value for name, value in {**folders.SETTINGS, **settings}.items() if value is not None}
    folder = write_result(tmp_path / "out", cases()[:1], settings=told)
    write_page(open_results(folder), tmp_path / "page.html")
    tab.open(tmp_path / "page.html", "#row=0&max_tokens=3")
    assert said in tab.evaluate('document.getElementById("told").textContent')
    disabled = tab.evaluate('["slider", "amount", "unit"].map(id => document.getElementById(id).disabled)')
    assert disabled == [True, True, True]
    kept = tab.evaluate("document.querySelectorAll('.step[data-state=\"kept\"]').length")
    assert kept == len(cases()[0].pruning.trace.kept) > 1
