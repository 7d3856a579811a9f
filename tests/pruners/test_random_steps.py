"""Chance that stays the same: by seed and by the trace's own text, whatever stands beside it."""

from __future__ import annotations

from collections import Counter

from asap_hf.pruners.random_steps import RandomScorer, random_steps
from asap_hf.traces.trace import Trace

TRACES = [
    Trace.parse(
        f"How many {n}?", "<think>\n" + "\n\n".join(f"Step {k} says so." for k in range(8)) + "\n</think>\n\n5"
    )
    for n in range(60)
]


def drawn(seed: int, trace: Trace) -> list[float]:
    scores: list[float] = RandomScorer(seed)([trace])[0]["scores"]["random"]
    return scores


def test_the_numbers_are_these_ones_for_ever() -> None:
    assert drawn(42, Trace("q", ("a\n\n", "b"), "c")) == [0.15984581824293598, 0.9994491403224743]


def test_a_trace_draws_the_same_alone_and_in_any_batch() -> None:
    together = [answer["scores"]["random"] for answer in RandomScorer()(TRACES)]
    assert together == [drawn(42, trace) for trace in TRACES]
    assert [answer["scores"]["random"] for answer in RandomScorer()(TRACES[::-1])] == together[::-1]


def test_another_seed_question_or_step_draws_others() -> None:
    trace = Trace("q", ("a\n\n", "b"), "c")
    others = [
        drawn(43, trace),
        drawn(42, Trace("r", trace.steps, "c")),
        drawn(42, Trace("q", ("a\n\n", "B"), "c")),
        drawn(42, Trace("q", ("a\n\nb", ""), "c")),
    ]
    assert drawn(42, trace) not in others
    assert len({tuple(one) for one in others}) == 4


def test_every_step_goes_first_about_as_often(embedded_model: str) -> None:
    pruner = random_steps(embedded_model, ratio=0.5)
    assert (pruner.name, pruner.score, pruner.scorer) == ("random", "random", RandomScorer(42))
    first = Counter(pruning.record["order"][0] for pruning in pruner.prune(TRACES))
    assert set(first) == set(range(8))
    assert max(first.values()) < 20
