"""What counts as a torn fence and as code that was kept whole."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from asap_hf.compare_pruners.measures import code_kept_whole, opens_a_fence, programs
from asap_hf.traces.fences import ends_in_block
from asap_hf.traces.trace import Trace

TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = Path(__file__).resolve().parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"

FENCED = "So:\n\n```python\nx = f(1)\n```\n\nDone."
FENCES = [
    ("no fence at all", False),
    (FENCED, False),
    ("So:\n\n```python\nx = f(1)", True),
    ("x = f(1)\n```\n\nDone.", True),
    ("~~~\n```\n~~~", False),
    ("```\n~~~\n", True),
    ("````\n```\n", True),
    ("```\nx\n````", False),
    ("```\n```python\n", True),
    ("a line with ```code``` in it", False),
    ("```one line```", False),
    ("    ```\n    x\n    ```", False),
]


@pytest.mark.parametrize(("text", "inside"), FENCES)
def test_a_fence_is_open_until_a_bare_line_of_its_signs(text: str, inside: bool) -> None:
    assert ends_in_block(text.split("\n")) is inside


@pytest.mark.parametrize(
    ("before", "after", "torn"),
    [
        (FENCED, FENCED, False),
        (FENCED, "Done.", False),
        (FENCED, "So:\n\n```python\nDone.", True),
        (FENCED, "x = f(1)\n```", True),
        ("```\nnever closed", "```\nnever", False),
        ("```\nnever closed", "never", False),
    ],
)
def test_only_a_fence_that_pruning_left_open_is_torn(before: str, after: str, torn: bool) -> None:
    assert opens_a_fence(before, after) is torn


FIRST = "total = sum(a)\n\nfor x in a:\n\n    total -= f(x)\n\nprint(total)"
SECOND = "best = max(a)\n\nprint(best)"
BEFORE = f"Let me write it down.\n\n{FIRST}\n\nWait, there is a simpler way.\n\n{SECOND}\n\nThat should be right."
KEPT = [
    (BEFORE, 6),
    ("", 0),
    ("Wait, there is a simpler way.", 0),
    (FIRST, 4),
    (SECOND, 2),
    (f"{FIRST}\n\n{SECOND}", 6),
    (FIRST.replace("\n\n", "\n"), 4),
    (FIRST.replace("    total -= f(x)\n\n", ""), 0),
    (FIRST.removesuffix("print(total)"), 0),
    (FIRST.removeprefix("total = sum(a)\n\n"), 0),
    (FIRST.replace("    total", "  total"), 0),
    (FIRST.replace("f(x)", "f("), 0),
    (f"{FIRST.removesuffix('print(total)')}{SECOND}", 2),
    (f"{SECOND}\n\n{SECOND}\n\n{SECOND}\n\n{SECOND}", 6),
]


@pytest.mark.parametrize(("after", "whole"), KEPT)
def test_a_program_with_a_hole_or_half_a_line_counts_with_none_of_its_lines(after: str, whole: int) -> None:
    assert code_kept_whole(BEFORE, after) == (6, whole)


def test_words_beside_code_are_no_program() -> None:
    assert programs("Take n = 5.\n\nn = 5\n\nSo it is 5.") == []
    assert programs("First,\n\nn = 5\n\nprint(n)  \n\nso it is 5.") == [("n = 5", "print(n)")]
    assert code_kept_whole("Only words here.", "Only words.") == (0, 0)


def test_the_code_splitter_keeps_real_programs_whole_where_the_papers_tears_them() -> None:
    """Half of the steps of real traces at random: whole steps lose whole programs, single lines tear them."""
    source = TRACES if TRACES.exists() else SAMPLES
    with (gzip.open if source.suffix == ".gz" else open)(source, "rt") as lines:
        completions = [row.get("response") or row.get("completion") for row in map(json.loads, lines)]
    kept = {"code": 0, "paper": 0}
    in_all = 0
    for completion in [one for one in completions if "</think>" in one][:20]:
        for splitter in kept:
            trace = Trace.parse("?", completion, splitter)
            chance = random.Random(0)
            positions = [at for at in range(len(trace.steps)) if chance.random() < 0.5] or [0]
            lines_before, whole = code_kept_whole(trace.reasoning, trace.select(positions).reasoning)
            assert code_kept_whole(trace.reasoning, trace.reasoning) == (lines_before, lines_before)
            kept[splitter] += whole
            in_all += lines_before if splitter == "code" else 0
    if source == TRACES:
        assert kept["code"] > 0.3 * in_all > 3 * kept["paper"]
    else:
        assert kept["code"] >= kept["paper"]
