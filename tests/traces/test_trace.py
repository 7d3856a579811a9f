"""A completion is a usable trace, or it has a reason; what is usable comes back byte for byte."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asap_hf.errors import UnusableTrace
from asap_hf.traces.splitting import SPLITTERS
from asap_hf.traces.think_tags import holds_tag
from asap_hf.traces.trace import REASONS, Trace

TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces"
REAL = ["codeforces_cots_py.jsonl.gz", "qwen3_thinking_humaneval.jsonl.gz"]

THINKS = "<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5."

USABLE = {
    "plain": THINKS,
    "opening implied by the template": "First.\n\nThen.\n</think>\n\nIt is 5.",
    "opening implied, a line break left": "\nFirst.\n\nThen.\n</think>\n\nIt is 5.",
    "opening doubled": "<think>\n<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5.",
    "white space before the opening": " \n<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5.",
    "no line breaks at the tags": "<think>First.\n\nThen.</think>It is 5.",
    "many blank lines at the tags": "<think>\n\n \n\nFirst.\n\nThen.\n\n \n</think>\n\n\n\nIt is 5.",
    "CRLF": "<think>\r\nFirst.\r\n\r\nThen.\r\n</think>\r\n\r\nIt is 5.\r\n",
    "white space after the answer": "<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5. \n\n",
    "capitals": "<THINK>\nFirst.\n\nThen.\n</Think>\n\nIt is 5.",
    "attributes": '<think type="deep" budget=5>\nFirst.\n\nThen.\n</think>\n\nIt is 5.',
    "white space in the tags": "< think >\nFirst.\n\nThen.\n</ think >\n\nIt is 5.",
    "another opening than the prompt's": "<think>\n<Think mode='slow'>\nFirst.\n\nThen.\n</think>\n\nIt is 5.",
}

UNUSABLE = {
    "not_text": ["", "  \n", None, 5, ["<think>"], b"<think>a</think>b"],
    "not_encodable": [THINKS + "\ud800", THINKS.replace("First", "\udfff"), json.loads('"<think>a\\ud83d</think>b"')],
    "no_think": ["It is 5.", "<thinking>a</thinking>b", "<think about it>a b", "<thinker>a</thinker>b"],
    "unclosed_think": ["<think>\nFirst.", "<think>", "\n<think>\n<think>\n", "<think>a<think>b", "<think>a</think"],
    "several_think_tags": [
        THINKS + "\n<think>\nOnce more.\n</think>\nStill 5.",
        THINKS + "\n</think>",
        THINKS + " It says <think> first.",
        "<think>a <think>b</think> c</think> d",
        "<think>a <think>b</think> c",
        "a</think>b</think>c",
        "a</think>b</THINK>c",
        "<think>a <THINK>b</think> c",
        "<think>First. <think type='deep'>Then.</think>It is 5.",
    ],
    "text_before_think": [
        "Sure! " + THINKS,
        "```\n<think>\na\n</think>\nb\n```",
        "Sure! <think>",
        "Sure! <Think a=b>a</think>b",
    ],
    "empty_reasoning": [
        "<think></think>5",
        "<think>\n\n</think>\n\n5",
        "</think>5",
        "\n \n</think>5",
        "<think> <think> </think>5",
    ],
    "no_answer": ["<think>\nFirst.\n</think>", "<think>\nFirst.\n</think>\n \n", "First.</think>"],
    "loop": [f"<think>\n{'Wait, let me think about that once more. ' * 40}\n</think>\n\n5"],
}


@pytest.mark.parametrize("name", USABLE)
def test_usable(name: str) -> None:
    trace = Trace.parse("How many?", USABLE[name])
    assert trace.texts == ("First.", "Then.")
    assert trace.answer.strip() == "It is 5."
    assert trace.completion == USABLE[name]
    assert trace.question == "How many?"
    assert trace.kept == (0, 1)


@pytest.mark.parametrize(
    ("reason", "completion"), [(reason, one) for reason, many in UNUSABLE.items() for one in many]
)
def test_unusable(reason: str, completion: str) -> None:
    with pytest.raises(UnusableTrace) as raised:
        Trace.parse("How many?", completion)
    assert raised.value.reason == reason


def test_a_question_that_nothing_can_encode() -> None:
    with pytest.raises(UnusableTrace, match="not_encodable"):
        Trace.parse("How \ud800?", THINKS)


def test_indentation_belongs_to_the_steps() -> None:
    trace = Trace.parse("q", "<think>\n\n    return 1\n\n\tx = 1\n</think>\n\n    5", "paper")
    assert trace.steps == ("    return 1\n\n", "\tx = 1")
    assert (trace.opening, trace.closing, trace.answer) == ("<think>\n\n", "\n</think>\n\n", "    5")


def test_an_answer_needs_no_code_and_unicode_is_nothing_special() -> None:
    text = "<think>\n数一数：é 🧮\n\nDonc…\n</think>\n\nC'est 5 ✓"
    trace = Trace.parse("Combien\u202f?", text)
    assert (trace.texts, trace.answer, trace.completion) == (("数一数：é 🧮", "Donc…"), "C'est 5 ✓", text)


PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<THINK>",
        "<think a='b'>",
        "\n",
        "\n\n",
        "\r\n\r\n",
        " ",
        "\t",
        "\u2028",
        "\x0c",
        "Wait.",
        "x = 1",
        "```",
        "é",
        "\ud800",
    ]
)
COMPLETIONS = st.one_of(
    st.lists(PIECES, max_size=20).map("".join),
    st.builds("<think>{}\n</think>{}".format, st.lists(PIECES, max_size=15).map("".join), st.text(max_size=5)),
    st.builds("<think>\n{}</think>\n\n{}".format, st.text(), st.text(min_size=1)),
)


@given(COMPLETIONS, st.sampled_from(list(SPLITTERS)))
def test_any_text_is_usable_and_lossless_or_has_a_known_reason(completion: str, splitter: str) -> None:
    trace: Trace | UnusableTrace
    try:
        trace = Trace.parse("q", completion, splitter)
    except UnusableTrace as unusable:
        trace = unusable
    if isinstance(trace, UnusableTrace):
        assert trace.reason in REASONS
        return
    assert trace.completion == completion
    assert "".join(trace.steps) == trace.reasoning
    assert trace.reasoning == trace.reasoning.rstrip()
    assert trace.reasoning.split("\n")[0].strip()
    assert all(trace.texts)
    assert trace.answer.strip()
    assert not holds_tag(trace.reasoning)
    assert not holds_tag(trace.answer)


STEPS = st.lists(
    st.tuples(st.sampled_from(["Wait.", "So n = 5", "  x = 1", "é"]), st.sampled_from(["\n\n", "\r\n\r\n", "\n \n"])),
    min_size=1,
    max_size=9,
)


def trace_of(parts: list[tuple[str, str]]) -> Trace:
    return Trace.parse("q", "<think>\n" + "".join(text + blank for text, blank in parts) + "</think>\n\n5", "paper")


@given(STEPS, st.data())
def test_selections_are_by_position_in_the_source(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    trace = trace_of(parts)
    everything = range(len(trace.steps))
    assert trace.select(everything) is trace
    once = data.draw(st.sets(st.sampled_from(everything), min_size=1))
    first = trace.select(once)
    again = data.draw(st.sets(st.sampled_from(range(len(first.steps))), min_size=1))
    second = first.select(again)
    for selected, kept in ((first, tuple(sorted(once))), (second, tuple(sorted(once)[one] for one in sorted(again)))):
        assert selected.kept == kept
        assert selected.source is trace
        assert selected.texts == tuple(trace.texts[position] for position in kept)
        assert selected.steps[:-1] == tuple(trace.steps[position] for position in kept[:-1])
        assert selected.reasoning == selected.reasoning.rstrip()
        assert selected.completion == f"<think>\n{selected.reasoning}{trace.closing}5"
        assert (selected.question, selected.answer, selected.splitter) == (trace.question, trace.answer, "paper")
        assert Trace.parse("q", selected.completion, "paper").texts == selected.texts


@pytest.mark.parametrize("kept", [[], [-1], [3], [0, 9]])
def test_a_selection_is_never_empty_nor_beyond_the_steps(kept: list[int]) -> None:
    trace = trace_of([("a", "\n\n"), ("b", "\n\n"), ("c", "\n\n")])
    with pytest.raises(ValueError, match="positions 0 to 2"):
        trace.select(kept)


def test_equal_steps_are_kept_apart() -> None:
    trace = trace_of([("Wait.", "\n\n"), ("So n = 5", "\n\n"), ("Wait.", "\n\n")])
    assert trace.select([2]).kept == (2,)
    assert trace.select([0, 2]).kept == (0, 2)
    assert trace.select([2, 0, 2]).texts == ("Wait.", "Wait.")


def test_thousands_of_steps_and_a_very_long_trace() -> None:
    completion = (
        "<think>\n"
        + "\n\n".join(f"Case {number}: compare it with the one before." for number in range(9000))
        + "\n</think>\n\n5"
    )
    trace = Trace.parse("q", completion)
    assert len(trace.steps) == 9000
    assert trace.completion == completion
    half = trace.select(range(0, 9000, 2))
    assert half.select(range(0, 4500, 3)).kept == tuple(range(0, 9000, 6))


def test_a_trace_survives_pickling() -> None:
    trace = Trace.parse("q", THINKS).select([1])
    assert pickle.loads(pickle.dumps(trace)) == trace


@pytest.mark.skipif(not TRACES.exists(), reason="needs the shared traces")
@pytest.mark.parametrize("name", REAL)
def test_real_traces_are_usable_if_they_are_closed(name: str) -> None:
    reasons: dict[str, int] = {}
    with gzip.open(TRACES / name, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            try:
                trace = Trace.parse("q", row["response"], "paper")
            except UnusableTrace as error:
                reasons[error.reason] = reasons.get(error.reason, 0) + 1
                assert "</think>" not in row["response"]
                continue
            assert trace.completion == row["response"]
    assert set(reasons) <= {"unclosed_think"}


def test_a_reasoning_in_other_words_stands_for_the_steps_it_carries() -> None:
    trace = Trace.parse("q", "<think>\nfirst step\n\nsecond step\n\nthird step\n</think>\n\n5", "paper")
    halves = trace.select([0, 2]).rewritten(["first\n\n", "third"], [0, 1])
    assert (halves.kept, halves.reasoning, halves.source) == ((0, 2), "first\n\nthird", trace)
    assert halves.completion == "<think>\nfirst\n\nthird\n</think>\n\n5"
    assert trace.rewritten(["all in one"]).kept == ()


@pytest.mark.parametrize(("steps", "kept"), [([], []), ([" \n"], [0]), (["word"], [3]), (["word"], [-1])])
def test_other_words_are_never_none_nor_for_a_step_that_is_not_there(steps: list[str], kept: list[int]) -> None:
    trace = Trace.parse("q", "<think>\na\n\nb\n\nc\n</think>\n\n5", "paper")
    with pytest.raises(ValueError, match=r"emptied|positions"):
        trace.rewritten(steps, kept)
