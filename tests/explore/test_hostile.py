"""Nothing that a dataset says acts in the page, and the page lets nothing in and nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asap_hf.explore.page import write_page
from asap_hf.explore.results import open_results
from tests.explore import folders
from tests.explore.chromium import Tab
from tests.explore.folders import Case, one_stage, two_stages, write_result

HOSTILE = [
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "</textarea></title></style><svg onload=window.ran=1>",
    "'\"><iframe srcdoc='<script>parent.ran=1</script>'>",
    "javascript:window.ran=1",
    "\u2028window.ran=1\u2029 \u202e gnp.exe \u2066",
    "\x00\x01\x1b[31m \ufeff \ud7ff\ue000 \U0010ffff",
    "${window.ran=1} {{7*7}} {% raw %} <!--",
    "__proto__",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    everywhere = "\n".join(HOSTILE)
    cases = []
    for attack in [*HOSTILE, "x" * (1 << 20), "<b>" * 4000]:
        trace = folders.trace_of(
            attack, "```\n" + attack + "\n```", attack, question=attack + everywhere, answer=attack
        )
        pruning = two_stages(trace, [0, 1, 2], [2, 1, 0], [9, 6, 3], budget=6, anchor=everywhere)
        cases.append(Case(pruning, id=attack[:500]))
    failed = one_stage(folders.trace_of("One."), HOSTILE[0], everywhere, scores={HOSTILE[1]: [1.0]})
    folder = write_result(
        root / "</title><script>window.ran=1<\u2044script>",
        [*cases, Case(failed)],
        [(everywhere, "no_think")],
        {**folders.SETTINGS, "scorer": everywhere, HOSTILE[0]: HOSTILE[1]},
    )
    write_page(open_results(folder, [folder]), root / "page.html")
    return root / "page.html"


@pytest.mark.parametrize("policy", [True, False])
def test_nothing_that_a_dataset_says_acts_in_the_page(tab: Tab, hostile: Path, tmp_path: Path, policy: bool) -> None:
    page = hostile
    if not policy:  # the escaping alone must hold
        page = tmp_path / "page.html"
        page.write_text(
            hostile.read_text(encoding="utf-8").replace("Content-Security-Policy", "none"), encoding="utf-8"
        )
    tab.open(page, "#row=0&step=1&q=%3C")
    for row in range(len(HOSTILE) + 4):
        tab.until(f'location.hash.startsWith("#row={row}")')
        if row < len(HOSTILE):
            assert tab.evaluate('document.querySelector(".step .text").textContent') == HOSTILE[row].rstrip()
        tab.press("b", "s", "[", "j")
        assert tab.evaluate("window.ran ?? null") is None
    tab.press("?")
    assert HOSTILE[0] in tab.texts("#settings dt")
    odd = tab.evaluate(
        '[...document.querySelectorAll("img, iframe, script:not([id]), a[href]:not(.skip), b, form[action]")].length'
    )
    assert odd == 1  # the page's own script
    assert tab.complaints == []
    assert {address.partition("#")[0] for address in tab.requests} <= {f"file://{page}", "about:blank"}


def test_a_step_of_a_million_letters_opens_with_a_button(tab: Tab, hostile: Path) -> None:
    tab.open(hostile, f"#row={len(HOSTILE)}")
    length = 'document.querySelector(".step .text").textContent.length'
    assert tab.evaluate(length) < 7000
    tab.evaluate('document.querySelector(".step .more").click()')
    assert tab.evaluate(length) == 1 << 20


def test_the_policy_lets_nothing_in_and_nothing_out(tab: Tab, page: Path) -> None:
    tab.open(page)
    for attempt in [
        "fetch('https://example.org/').then(() => 'sent', () => 'refused')",
        "new Promise(done => { const made = new Image(); made.onload = () => done('sent');"
        " made.onerror = () => done('refused'); made.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; })",
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'sent'; } catch { return 'refused'; } })()",
        "(() => { const made = document.createElement('a'); made.setAttribute('style', 'color: red');"
        " document.body.append(made);"
        " return getComputedStyle(made).color === 'rgb(255, 0, 0)' ? 'sent' : 'refused'; })()",
    ]:
        assert tab.evaluate(attempt) == "refused", attempt
    html = page.read_text(encoding="utf-8")
    assert "unsafe" not in re.findall(r'Content-Security-Policy" content="([^"]*)"', html)[0]
    assert "innerHTML" not in html
