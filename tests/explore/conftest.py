"""One browser for all tests of the page, and a page with a row of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asap_hf.dataset.records import Tokens
from asap_hf.explore.page import write_page
from asap_hf.explore.results import open_results
from tests.explore import folders
from tests.explore.chromium import CHROMIUM, Tab, chromium
from tests.explore.folders import Case, one_stage, two_stages, write_result

PROGRAM = "for i in range(3):\n\n    if a[i]:\n\tprint(i)"
SOURCE = folders.trace_of("Let me think.", PROGRAM, "Wait.", "So 3.", question="How many?\n\n```\n1 < 2\n```")
LONG = folders.trace_of("A long one.", "Nothing.", answer="```python\nprint(1)\n```\nDone.")


@pytest.fixture(scope="package")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six rows beside two other results: steps kept, a failure, other words for steps and for all, an unusable row."""
    root = tmp_path_factory.mktemp("page")
    prunings = [
        two_stages(SOURCE, [0, 1, 3], [2, 0, 1], [30, 22, 15], budget=22, overlap=[0.1, 0.9, 0.0, 0.5]),
        one_stage(LONG, "anchor", "anchor: no step of <b>it</b> matches"),
        one_stage(SOURCE.rewritten(["think\n\n", "3."], [0, 3]), "words", rewritten=["think\n\n", "3."]),
        one_stage(SOURCE.rewritten(["Three, in short."]), "c3ot", rewritten=["Three, in short."]),
        two_stages(LONG, [0], [0], [4], budget=4),
    ]
    sizes = [Tokens(60, 22, 9), Tokens(2000, 2000, 9), Tokens(60, 30, 9), Tokens(60, 6, 9), Tokens(2000, 4, 9)]
    cases = [Case(one, tokens=size) for one, size in zip(prunings, sizes, strict=True)]
    folder = write_result(root / "first", cases, [("no thinking", "no_think")])
    steps = [Case(one_stage(one.trace.source.select([1])), tokens=Tokens(60, 11, 9)) for one in prunings[:2]]
    other = write_result(root / "second", steps)
    words = write_result(root / "third", [Case(one_stage(SOURCE.rewritten(["In other words."])))])
    write_page(open_results(folder, [other, words]), root / "page.html")
    return root / "page.html"


@pytest.fixture(scope="package")
def browser() -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with chromium() as running:
        yield Tab(running)


@pytest.fixture
def tab(browser: Tab) -> Tab:
    """The tab as a desk shows it, with nothing of the test before."""
    browser.size(1300)
    browser.prefer("light")
    browser.forget()
    return browser
