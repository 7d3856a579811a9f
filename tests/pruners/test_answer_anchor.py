"""AnswerAnchorPruner on literals; on real traces it is measured by bench/retention.py."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asap_hf.errors import UsageError
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner, answer_code, answer_overlap
from asap_hf.traces.trace import Trace

PROGRAM = "n = int(input())\nprint(n * 2)\n"
ANSWER = f"Double it.\n\n```python\n{PROGRAM}```\n\nThat is all."


def trace_of(*steps: str, answer: str = ANSWER) -> Trace:
    return Trace.parse("Double n.", "<think>\n" + "\n\n".join(steps) + "\n</think>\n\n" + answer, splitter="paper")


def size(trace: Trace) -> int:
    return len(re.findall(r"\w+|[^\w\s]", trace.reasoning))


def kept_by(trace: Trace, keep: float) -> tuple[int, ...]:
    return AnswerAnchorPruner(keep).prune([trace])[0].trace.kept


def test_overlap_is_the_share_of_a_steps_words_that_stand_in_the_answers_code() -> None:
    trace = trace_of("print n now", "n 2 input int", "3 apples", "+ - =", "double it", "n n n m")
    # Words of the code: n, int, input, print, 2. "double it" stands in the answer, but not in its code.
    assert answer_overlap(trace) == [2 / 3, 1.0, 0.0, 0.0, 0.0, 3 / 4]


def test_words_are_whole_identifiers_and_numbers() -> None:
    trace = trace_of("printed", "n2", "22", "int2 int", "Print")
    assert answer_overlap(trace) == [0.0, 0.0, 0.0, 1 / 2, 0.0]


def test_an_answer_without_a_fence_is_the_anchor_as_a_whole() -> None:
    assert answer_code("Twice the number") == "Twice the number"
    assert answer_overlap(trace_of("the number", "half of it", answer="Twice the number")) == [1.0, 0.0]


def test_code_of_several_blocks_is_joined_and_prose_between_them_is_left_out() -> None:
    assert answer_code("a\n```python\nx = 1\n```\nb\n~~~\ny = 2\n~~~\n") == "x = 1\n\ny = 2\n"


def test_a_fence_that_never_closes_counts_as_none() -> None:
    assert answer_code("see\n```python\nx = 1\n") == "see\n```python\nx = 1\n"


def test_the_lowest_overlap_goes_first_until_the_share_of_words_and_signs_holds() -> None:
    trace = trace_of("aaaa bbbb", "print(n*2)", "cccc n dd", "int(input)")  # overlaps 0, 1, 1/3, 1; sizes 2, 6, 3, 4
    assert kept_by(trace, 1.0) == (0, 1, 2, 3)
    assert kept_by(trace, 0.99) == (1, 2, 3)
    assert kept_by(trace, 0.87) == (1, 2, 3)  # 13 of 15
    assert kept_by(trace, 0.86) == (1, 3)
    assert kept_by(trace, 0.67) == (1, 3)  # 10 of 15
    assert kept_by(trace, 0.66) == (3,)


def test_blank_lines_indentation_and_word_length_weigh_nothing() -> None:
    short = trace_of("a b", "n", "c")
    long = trace_of("    abracadabra    beta", "    n", "\t\tgammagammagamma")
    assert [kept_by(trace, 0.5) for trace in (short, long)] == [(1, 2), (1, 2)]


def test_one_step_stays_where_even_one_is_too_long() -> None:
    trace = trace_of("nothing here", "print(n)" * 20, "nor here")
    pruned = AnswerAnchorPruner(0.01).prune([trace])[0].trace
    assert pruned.kept == (1,)
    assert pruned.reasoning == "print(n)" * 20


def test_a_single_step_stays_as_it_is() -> None:
    trace = trace_of("hm")
    assert AnswerAnchorPruner(0.01).prune([trace])[0].trace is trace


def test_of_equal_overlaps_the_earlier_goes_first() -> None:
    trace = trace_of(*["Wait."] * 8)
    assert kept_by(trace, 0.5) == (4, 5, 6, 7)


def test_equal_steps_are_told_apart_by_position() -> None:
    trace = trace_of("print(n)", "Wait.", "print(n)", "Wait.")
    pruned = AnswerAnchorPruner(0.7).prune([trace])[0].trace
    assert pruned.kept == (0, 2)
    assert pruned.steps == ("print(n)\n\n", "print(n)")


def test_positions_are_those_of_the_uncut_trace_also_after_another_stage() -> None:
    trace = trace_of("one", "print(n)", "two", "int(n)", "three").select([1, 2, 3])
    pruned = AnswerAnchorPruner(0.9).prune([trace])[0].trace
    assert pruned.kept == (1, 3)
    assert pruned.source.texts == ("one", "print(n)", "two", "int(n)", "three")


def test_the_record_holds_the_overlap_of_every_step() -> None:
    pruning = AnswerAnchorPruner(0.5).prune([trace_of("print n now", "no", "n")])[0]
    assert dict(pruning.record) == {"overlap": [0.6667, 0.0, 1.0]}
    assert pruning.reason == ""
    assert not pruning.dropped


def test_decides_trace_by_trace_and_in_order() -> None:
    one, other = trace_of("print n", "so", "n"), trace_of("so", "so", "int n")
    together = AnswerAnchorPruner(0.5).prune([one, other, one])
    assert [pruning.trace.kept for pruning in together] == [kept_by(one, 0.5), kept_by(other, 0.5), kept_by(one, 0.5)]
    assert AnswerAnchorPruner(0.5).prune([]) == []


@given(
    st.lists(st.sampled_from(["n", "Wait.", "print(n * 2)", "so it goes on", "…", "    m = int(n)", "2"]), min_size=1),
    st.floats(0.01, 1.0),
)
def test_what_is_left_is_an_ordered_part_within_the_share(steps: list[str], keep: float) -> None:
    trace = trace_of(*steps)
    pruned = AnswerAnchorPruner(keep).prune([trace])[0].trace
    assert list(pruned.kept) == sorted(set(pruned.kept))
    assert pruned.texts == tuple(trace.texts[position] for position in pruned.kept)
    assert size(pruned) <= max(1, int(keep * size(trace))) or len(pruned.kept) == 1
    overlaps = answer_overlap(trace)
    gone = [overlap for position, overlap in enumerate(overlaps) if position not in pruned.kept]
    assert max(gone, default=0.0) <= min(overlaps[position] for position in pruned.kept)


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.01, float("nan")])
def test_refuses_a_share_that_is_none(keep: float) -> None:
    with pytest.raises(UsageError, match="over 0 and at most 1"):
        AnswerAnchorPruner(keep)


def test_is_its_hyperparameters() -> None:
    assert AnswerAnchorPruner(0.5).name == "answer_anchor"
    assert AnswerAnchorPruner() == AnswerAnchorPruner() != AnswerAnchorPruner(0.5)
    assert pickle.loads(pickle.dumps(AnswerAnchorPruner(0.5))) == AnswerAnchorPruner(0.5)
