"""Algorithm 1 against the paper's pseudocode over `difflib`: verdict, alignment, similarities, diagnostics."""

from __future__ import annotations

import difflib
import gzip
import json
import math
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asap_hf.errors import UnusableTrace
from asap_hf.pruners.matching import Alignment, _CoarseStep, align, gestalt_similarity, is_ordered_match
from asap_hf.traces.trace import Trace

REAL_TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"


def difflib_ratio(a: str, b: str, autojunk: bool) -> float:
    return difflib.SequenceMatcher(None, a, b, autojunk=autojunk).ratio()


def pattern_match(origin: Sequence[str], coarse: Sequence[str], threshold: float, autojunk: bool) -> Alignment:
    """Algorithm 1, line by line, noting down what it finds."""
    matched, similarities = [], []
    origin_idx = 0
    for number, s_coarse in enumerate(coarse):
        found_match = False
        scores: list[float] = []
        while origin_idx < len(origin):
            s_origin = origin[origin_idx]
            score = difflib_ratio(s_origin, s_coarse, autojunk)
            if score >= threshold:
                found_match = True
                matched.append(origin_idx)
                similarities.append(score)
                origin_idx += 1
                break
            scores.append(score)
            origin_idx += 1
        if not found_match:
            best = max(scores, default=0.0)
            return Alignment(tuple(matched), tuple(similarities), number, best)
    return Alignment(tuple(matched), tuple(similarities))


# Short steps over few characters, so that similarities near any threshold are common; and steps of over 200, where
# autojunk sets in, with frequent and rare characters.
SHORT = st.text("ab c.", max_size=14) | st.sampled_from(["", "Wait.", "so a b c", "n = 1"])
WORDS = ["the tree", "sort it", "a set", "note that", "Then", "x = 7", "(mod 9)", "so", "Q"]
LONG = st.lists(st.sampled_from(WORDS), min_size=45, max_size=60).map(" ".join)
STRANGE = st.text("aé漢😀🧵\u0301\ud800\x00", max_size=12)
STEP = SHORT | LONG | STRANGE


@st.composite
def edited(draw: st.DrawFn, step: str) -> str:
    """The step with a stretch cut out and something else put in its place, either of them often nothing."""
    start = draw(st.integers(0, len(step)))
    stop = min(len(step), start + draw(st.integers(0, 9)))
    return step[:start] + draw(st.text("ab c.", max_size=4)) + step[stop:]


@st.composite
def reasonings(draw: st.DrawFn) -> tuple[list[str], list[str], float, bool]:
    """Original steps; edited copies of some, mostly in order, at times with a stranger; a threshold; autojunk."""
    origin = draw(st.lists(STEP, max_size=7))
    copied = sorted(draw(st.sets(st.integers(0, len(origin) - 1)))) if origin else []
    if draw(st.integers(0, 3)) == 0:
        copied = draw(st.permutations(copied))
    coarse = [draw(edited(origin[position])) for position in copied]
    if draw(st.integers(0, 3)) == 0:
        coarse.insert(draw(st.integers(0, len(coarse))), draw(STEP))
    autojunk = draw(st.booleans())
    threshold = draw(st.sampled_from([0.6, 0.6, 0.3, 0.9, 1, 0, -1.0, 1.01]))
    if origin and coarse and draw(st.booleans()):  # the similarity of some pair, or the next float above or below it
        exact = difflib_ratio(draw(st.sampled_from(origin)), draw(st.sampled_from(coarse)), autojunk)
        threshold = draw(st.sampled_from([exact, math.nextafter(exact, 2.0), math.nextafter(exact, -1.0)]))
    return origin, coarse, threshold, autojunk


@settings(max_examples=600, deadline=None, derandomize=True)
@given(reasonings())
def test_it_finds_what_the_paper_finds(case: tuple[list[str], list[str], float, bool]) -> None:
    origin, coarse, threshold, autojunk = case
    expected = pattern_match(origin, coarse, threshold, autojunk)
    assert align(origin, coarse, threshold, autojunk) == expected
    assert is_ordered_match(origin, coarse, threshold, autojunk) is expected.valid


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STEP.flatmap(lambda step: st.tuples(st.just(step), edited(step) | STEP)), st.booleans())
def test_bounds_come_down_to_the_similarity(pair: tuple[str, str], autojunk: bool) -> None:
    a, b = pair
    expected = difflib_ratio(a, b, autojunk)
    bounds = list(_CoarseStep(b, autojunk).bounds(a))
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == expected == gestalt_similarity(a, b, autojunk)


def test_bounds_do_not_depend_on_other_comparisons_in_between() -> None:
    step = _CoarseStep("sum the even ones, then halve it", autojunk=False)
    texts = ["then halve the sum of all even numbers", "sum every one; halve it then", "no such thing here, is it"]
    one_by_one = [list(step.bounds(text)) for text in texts]
    in_turns = zip(*zip_longest(*map(step.bounds, texts)), strict=True)
    assert [[bound for bound in bounds if bound is not None] for bounds in in_turns] == one_by_one


@pytest.mark.parametrize(
    ("a", "b", "similarity"),
    [
        ("abcd", "bcde", 0.75),
        ("tide", "diet", 0.25),
        ("diet", "tide", 0.5),  # not symmetric
        ("", "", 1.0),
        ("", "x", 0.0),
        ("x", "", 0.0),
        ("😀🧵a", "😀🧵b", 2 / 3),  # one character each, also outside the basic plane
        ("\ud800a", "\ud800b", 0.5),
    ],
)
def test_similarity_of_known_pairs(a: str, b: str, similarity: float) -> None:
    assert gestalt_similarity(a, b) == similarity == difflib_ratio(a, b, autojunk=False)


def test_autojunk_loses_long_copies_and_is_off_by_default() -> None:
    step = "the tree has the same sort of note set " * 6
    copy = step.removeprefix("the ")
    assert gestalt_similarity(step, copy, autojunk=True) == difflib_ratio(step, copy, True) < 0.01
    assert gestalt_similarity(step, copy) == difflib_ratio(step, copy, False) > 0.98
    assert is_ordered_match([step], [copy])
    assert not is_ordered_match([step], [copy], autojunk=True)


def test_the_first_step_that_reaches_the_threshold_is_taken_and_not_the_best() -> None:
    origin = ["count the odd numbers", "count the even numbers"]
    found = align(origin, ["count the even numbers"])
    assert found.matched == (0,)
    assert 0.6 <= found.similarities[0] < 1.0


def test_a_matched_step_is_consumed() -> None:
    assert align(["Wait.", "so", "Wait."], ["Wait.", "Wait."]).matched == (0, 2)
    assert align(["Wait.", "so"], ["Wait.", "Wait."]).failed_step == 1


def test_order_matters() -> None:
    origin = ["read n", "sort all", "print the sum"]
    assert align(origin, ["sort all", "print the sum"]).matched == (1, 2)
    assert align(origin, ["print the sum", "sort all"]) == Alignment((2,), (1.0,), failed_step=1)
    assert not is_ordered_match(origin, ["print the sum", "sort all"])


def test_a_failing_step_says_what_it_is_closest_to() -> None:
    origin = ["sort the numbers", "xyz", "sort numbers", "the sums", "sort numbers"]
    found = align(origin, ["sort the numbers", "sort the numbers"], threshold=0.9)
    assert found.matched == (0,)
    assert found.failed_step == 1
    assert found.best_similarity == difflib_ratio("sort numbers", "sort the numbers", False) < 0.9


def test_similarity_at_the_threshold_is_enough() -> None:
    assert align(["abcxx"], ["abcyy"], threshold=0.6).similarities == (0.6,)
    assert not is_ordered_match(["abcxx"], ["abcyy"], threshold=math.nextafter(0.6, 1.0))


@pytest.mark.parametrize("threshold", [1.01, math.inf, math.nan])
def test_nothing_reaches_a_threshold_above_one(threshold: float) -> None:
    found = align(["b", "a"], ["a"], threshold)
    assert (found.valid, found.failed_step, found.best_similarity) == (False, 0, 1.0)


@pytest.mark.parametrize("threshold", [0, -1.0])
def test_everything_reaches_a_threshold_of_zero(threshold: float) -> None:
    assert align(["x", "y"], ["a", ""], threshold) == Alignment((0, 1), (0.0, 0.0))
    assert align(["x"], ["a", "b"], threshold).failed_step == 1


def test_no_coarse_step_is_valid_as_in_the_paper() -> None:
    assert is_ordered_match(["a"], [])
    assert align([], []) == Alignment((), ())


def test_no_original_step_matches_nothing() -> None:
    assert align([], ["a"]) == Alignment((), (), failed_step=0, best_similarity=0.0)


@pytest.mark.parametrize("arguments", [("a text", ["a"]), (["a"], "a text")])
def test_a_text_is_no_sequence_of_steps(arguments: tuple) -> None:
    with pytest.raises(TypeError, match="split it first"):
        align(*arguments)
    with pytest.raises(TypeError, match="split it first"):
        is_ordered_match(*arguments)


def test_nothing_heavy_is_imported() -> None:
    heavy = "{'torch', 'numpy', 'transformers', 'datasets'}"
    code = f"import sys, asap_hf.pruners.matching; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def real_steps(count: int, longest: int = 300) -> list[tuple[str, ...]]:
    """The first traces with at most `longest` steps, so that difflib is done in time."""
    found: list[tuple[str, ...]] = []
    with gzip.open(REAL_TRACES, "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                steps = Trace.parse("", json.loads(line)["response"], splitter="paper").texts
            except UnusableTrace:
                continue
            if 30 <= len(steps) <= longest:
                found.append(steps)
            if len(found) == count:
                break
    return found


def drop_word(step: str, rng: random.Random) -> str:
    words = step.split(" ")
    if len(words) >= 6:
        del words[rng.randrange(len(words))]
    return " ".join(words)


@pytest.mark.skipif(not REAL_TRACES.exists(), reason="no real traces beside the project")
@pytest.mark.parametrize("autojunk", [False, True])
def test_real_traces(autojunk: bool) -> None:
    rng = random.Random(3)
    verdicts = []
    for steps in real_steps(8):
        positions = sorted(rng.sample(range(len(steps)), len(steps) // 4))
        coarse = [drop_word(steps[position], rng) for position in positions]
        swapped = [*coarse[1:-1], coarse[0], coarse[-1]]
        invented = [*coarse[:5], "Nothing of this kind was ever said in the reasoning above.", *coarse[5:]]
        for attempt in (coarse, swapped, invented, list(steps)):
            expected = pattern_match(steps, attempt, 0.6, autojunk)
            assert align(steps, attempt, autojunk=autojunk) == expected
            verdicts.append(expected.valid)
        assert align(steps, steps).matched == tuple(range(len(steps)))
    assert {True, False} == set(verdicts)
