"""The knapsack finds what trying every subset finds, and what it keeps fits the budget as one text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from asap_hf.pruners.packing import Knapsack, non_negative, select_by_value


def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def best_by_trying(values: Sequence[float], weights: Sequence[int], capacity: int) -> float:
    subsets = (subset for size in range(len(values) + 1) for subset in combinations(range(len(values)), size))
    fitting = (subset for subset in subsets if sum(weights[item] for item in subset) <= capacity)
    return max(sum(values[item] for item in subset) for subset in fitting)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), min_size=1, max_size=9),
    st.integers(0, 40),
)
def test_no_subset_is_worth_more(items: list[tuple[int, int]], capacity: int) -> None:
    values, weights = [float(value) for value, _ in items], [weight for _, weight in items]
    table = Knapsack(np.array(values), weights, 40)
    kept = table.best(capacity)
    assert sum(weights[item] for item in kept) <= capacity
    assert sum(values[item] for item in kept) == best_by_trying(values, weights, capacity)
    assert list(kept) == sorted(set(kept))


KEPT = {
    # steps, scores, budget → kept, tokens (characters here), value
    "everything fits": (("aaa ", "bb ", "c"), (1.0, 2.0, 3.0), 8, (0, 1, 2), 8, 6.0),
    "it fits without the blanks after the last step": (("aaa ", "c   "), (1.0, 2.0), 5, (0, 1), 5, 3.0),
    "one long step for two short ones": (("aaaaaa ", "bb ", "cc "), (3.0, 2.0, 2.0), 7, (1, 2), 5, 4.0),
    "two short steps for a long one": (("aaaaaa ", "bb ", "cc "), (5.0, 2.0, 2.0), 7, (0,), 6, 5.0),
    "of equals the later one": (("aaa ", "bbb ", "ccc "), (1.0, 1.0, 1.0), 4, (2,), 3, 1.0),
    "nothing is worth anything": (("aaa ", "bbb ", "ccc "), (0.0, 0.0, 0.0), 9, (1, 2), 7, 0.0),
    "below zero: raised until the lowest is 0": (("aaa ", "bbb ", "cc "), (-4.0, -1.0, -2.0), 7, (1, 2), 6, 5.0),
    "none fits: the highest score, the later one": (("aaaa", "bbbbb", "cccccc"), (1.0, 2.0, 2.0), 3, (2,), 6, 2.0),
    "a step worth nothing fills what is left": (("aaa ", "bb ", "cccc "), (5.0, 0.0, 1.0), 7, (0, 1), 6, 5.0),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name: str) -> None:
    steps, scores, budget, kept, tokens, value = KEPT[name]
    packing = select_by_value(steps, scores, budget, characters)
    assert (packing.kept, packing.tokens, packing.value) == (kept, tokens, value)


def test_scores_are_values_as_they_are_unless_one_is_below_zero() -> None:
    assert non_negative([0.5, 3.0, 0.0]).tolist() == [0.5, 3.0, 0.0]
    assert non_negative([0.5, -3.0, 0.0]).tolist() == [3.5, 0.0, 3.0]


def test_a_text_that_joining_makes_longer_is_repaired() -> None:
    def longer_where_two_meet(texts: Sequence[str]) -> list[int]:
        return [len(text) + 2 * text.rstrip().count(" ") for text in texts]

    steps, scores = ("aaaa ", "bbb ", "ccc ", "dd "), (4.0, 3.0, 3.0, 2.0)
    for budget in range(1, 30):
        packing = select_by_value(steps, scores, budget, longer_where_two_meet)
        text = "".join(steps[position] for position in packing.kept).rstrip()
        assert longer_where_two_meet([text]) == [packing.tokens]
        assert packing.tokens <= budget or packing.kept == (0,)
    assert select_by_value(steps, scores, 9, longer_where_two_meet).kept == (0, 3)  # (0, 1) would weigh 10


def test_real_tokens_never_pass_the_budget(embedded_model: str) -> None:
    tokenizer = Tokenizer.from_file(str(Path(embedded_model) / "tokenizer.json"))

    def count(texts: Sequence[str]) -> list[int]:
        return [len(one) for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    rng = random.Random(3)
    pieces = ["Wait.\n\n", "    x = 1\n\n", "So\n", "  \n\n", "```\n\n", " and", "é 数\r\n\r\n", "\t\treturn\n\n\n"]
    for _ in range(150):
        steps = [rng.choice(pieces) + rng.choice(["", rng.choice(pieces)]) for _ in range(rng.randint(1, 20))]
        scores = [rng.choice([0.0, rng.random(), -rng.random()]) for _ in steps]
        budget = rng.randint(1, 40)
        packing = select_by_value(steps, scores, budget, count)
        assert count(["".join(steps[position] for position in packing.kept).rstrip()]) == [packing.tokens]
        assert packing.tokens <= budget or len(packing.kept) == 1


def test_a_long_trace_takes_little_memory() -> None:
    rng = random.Random(1)
    weights = [rng.randint(1, 150) for _ in range(500)]
    table = Knapsack(np.array([rng.random() for _ in weights]), weights, 16384)
    assert table._taken.nbytes <= 500 * (16384 // 8 + 1)
    kept = table.best(16384)
    assert 16384 - 150 < sum(weights[item] for item in kept) <= 16384


@pytest.mark.parametrize(("scores", "budget"), [((1.0,), 5), ((1.0, 2.0, 3.0), 5), ((1.0, 2.0), 0)])
def test_arguments_that_make_no_sense(scores: tuple[float, ...], budget: int) -> None:
    with pytest.raises(ValueError, match="need as many scores|at least 1 token"):
        select_by_value(("a", "b"), scores, budget, characters)
    with pytest.raises(ValueError, match="0 steps"):
        select_by_value((), (), 5, characters)
