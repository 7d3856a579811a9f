"""Tags are tags however they are written, in every place that looks for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asap_hf.pruners.anchor_answers import read_rewrite, without_thinking
from asap_hf.traces.rows import Columns, trace_of
from asap_hf.traces.sft import render_completion, render_prompt
from asap_hf.traces.think_tags import (
    answer_in,
    at_first_closing,
    at_last_closing,
    begins_open,
    canonical,
    ends_open,
    holds_tag,
    without_open_end,
)

OPENINGS = (
    "<think>",
    "<THINK>",
    "<Think >",
    '<think type="deep">',
    "<think budget=5 mode='slow'>",
    "< think\ta:b = c >",
)
CLOSINGS = ("</think>", "</THINK>", "</Think >", "< / think>")
NO_TAGS = (
    "<thinking>",
    "<think about it>",
    "<think\n>",
    "think>",
    "<think",
    "</thinks>",
    "<think <b>",
    "&lt;think&gt;",
)


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_any_form_is_a_tag(opening: str, closing: str) -> None:
    assert holds_tag(f"a{opening}b")
    assert holds_tag(f"a{closing}b")
    assert begins_open(f" \n{opening}a")
    assert ends_open(f"a {opening} \n")
    assert without_open_end(f"a {opening} \n") == "a "
    assert at_first_closing(f"a{closing}b{closing}c") == ("a", closing, f"b{closing}c")
    assert at_last_closing(f"a{closing}b{closing}c") == (f"a{closing}b", closing, "c")
    assert canonical(f"a{opening}b{closing}c") == "a<think>b</think>c"
    assert answer_in(f"{opening}a{closing}b") == answer_in(f"a{closing}b") == "b"
    assert answer_in(f"{opening}a") is None


@pytest.mark.parametrize("text", NO_TAGS)
def test_what_only_looks_like_a_tag_is_none(text: str) -> None:
    assert not holds_tag(text)
    assert answer_in(text) == text
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x = '</think>'\n", "x = '</think>'\n"),
        ('x = "<think>" + "</THINK>"\n', 'x = "<think>" + "</THINK>"\n'),
        ("<think>\nIt ends in `</think>`.\n</think>\nx = 1", "\nx = 1"),
        ("<think>\nHm.\n</think>\nx = '</think>'", "\nx = '</think>'"),
        ("Hm.\n</think>\nx = '</think>'", "\nx = '</think>'"),
        ("<think>`</think>`", "`"),
    ],
)
def test_a_tag_in_quotes_is_spoken_of(text: str, answer: str) -> None:
    assert answer_in(text) == answer


@given(st.lists(st.sampled_from([*OPENINGS, *CLOSINGS, *NO_TAGS, "'", " ", "\n", "a"])).map("".join))
def test_an_answer_is_the_end_of_the_text(text: str) -> None:
    answer = answer_in(text)
    assert answer is None or text.endswith(answer)


@pytest.mark.parametrize(("part", "is_tag"), [(" a=b", True), (" ", True), (" a=", False), (" a='b", False)])
def test_a_very_long_tag_is_judged_in_the_end(part: str, is_tag: bool) -> None:
    assert holds_tag(f"<think{part * 50_000}>") is is_tag


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_no_tag_becomes_training_text(opening: str, closing: str) -> None:
    row = {"prompt": f"How many?\n{opening}\n", "completion": f"{opening}\nFirst.\n\nThen.\n{closing}\n\nIt is 5."}
    columns = Columns("prompt", "completion")
    trace = trace_of(row, columns)
    assert (trace.question.strip(), trace.texts, trace.completion) == (
        "How many?",
        ("First.", "Then."),
        row["completion"],
    )
    assert render_completion(trace) == "First.\n\nThen.\n</think>\n\nIt is 5."
    rendered = render_prompt(f"<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n{opening}\n", _Bare())
    assert rendered == "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n<think>\n"


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_no_tag_of_an_anchor_becomes_a_step(opening: str, closing: str) -> None:
    trace = trace_of(
        {"prompt": "How many?", "completion": "<think>\nFirst.\n\nThen.\n</think>\n\n5"},
        Columns("prompt", "completion"),
    )
    assert without_thinking(f"{opening}\nHm.\n{closing}\nFirst.") == "\nFirst."
    assert read_rewrite(trace, f"{opening}\nHm.\n{closing}\nFirst.", 0.6).kept == (0,)
    assert "<think> tag" in read_rewrite(trace, f"First. {opening} Then.", 0.6).reason


class _Bare:
    """What `render_prompt` reads of a tokenizer without a template and without a BOS."""

    chat_template: Any = None
    bos_token: Any = None
