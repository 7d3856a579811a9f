"""Nothing that a conversation holds vanishes from a row that is ok: what is no text makes it unusable, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from asap_hf.cli import main
from asap_hf.dataset.writer import table_rows
from asap_hf.errors import UnusableTrace
from asap_hf.traces.conversations import as_text, holds_words
from asap_hf.traces.rows import Columns, trace_of
from asap_hf.traces.sft import render_prompt
from asap_hf.traces.trace import REASONS

REASONING = "First.\n\nThen."
COMPLETION = f"<think>\n{REASONING}\n</think>\n\nIt is 5."
USER: dict[str, Any] = {"role": "user", "content": "How many?"}
ANSWER: dict[str, Any] = {"role": "assistant", "content": COMPLETION}
APART: dict[str, Any] = {"role": "assistant", "content": "It is 5.", "reasoning_content": REASONING}
CALL = [{"id": "c1", "type": "function", "function": {"name": "count", "arguments": "{}"}}]
SAID: dict[str, Any] = {"role": "assistant", "content": "Of what?"}
MORE: dict[str, Any] = {"role": "user", "content": "Apples."}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}

LOST: dict[str, tuple[list[dict[str, Any]], str]] = {
    "an earlier call": ([USER, {**SAID, "tool_calls": CALL}, MORE, ANSWER], "tool_call"),
    "an earlier call, content null": (
        [USER, {**SAID, "content": None, "tool_calls": CALL}, MORE, ANSWER],
        "tool_call",
    ),
    "a call beside an earlier reasoning": (
        [USER, {**SAID, "reasoning_content": "Hm.", "tool_calls": CALL}, MORE, ANSWER],
        "tool_call",
    ),
    "a call in the last turn": ([USER, {**ANSWER, "tool_calls": CALL}], "tool_call"),
    "a call of the old form": ([USER, {**ANSWER, "function_call": {"name": "count", "arguments": "{}"}}], "tool_call"),
    "an answer to a call": ([USER, {"role": "tool", "content": "5", "tool_call_id": "c1"}, ANSWER], "tool_call"),
    "a call among the parts": (
        [USER, {**SAID, "content": [{"type": "tool_use", "name": "count", "input": {}}]}, MORE, ANSWER],
        "tool_call",
    ),
    "tools in the system's turn": ([{"role": "system", "content": "s", "tools": CALL}, USER, ANSWER], "tool_call"),
    "an image": ([{**USER, "content": [{"type": "text", "text": "How many?"}, IMAGE]}, ANSWER], "not_only_text"),
    "an image with a caption": (
        [{**USER, "content": [{"type": "image", "text": "How many?", "image": "a.png"}]}, ANSWER],
        "not_only_text",
    ),
    "images under a key": ([{**USER, "images": ["a.png"]}, ANSWER], "not_only_text"),
    "parts under another key": (
        [{**USER, "content": [{"type": "text", "value": "How many?"}]}, ANSWER],
        "not_only_text",
    ),
    "thoughts among the parts": (
        [USER, {**SAID, "content": [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "It is 5."}]}],
        "not_only_text",
    ),
    "parts written as JSON": (
        [{**USER, "content": json.dumps([{"type": "text", "text": "How many?"}])}, ANSWER],
        "not_only_text",
    ),
    "a refusal": ([USER, {**SAID, "refusal": "I will not."}, MORE, ANSWER], "not_only_text"),
    "an earlier reasoning": ([USER, {**SAID, "thinking": "Of what, then?"}, MORE, ANSWER], "other_reasoning"),
    "a second reasoning": ([USER, {**APART, "reasoning": "Another."}], "other_reasoning"),
    "a reasoning that is no text": ([USER, {**APART, "reasoning_content": [REASONING]}], "other_reasoning"),
    "a reasoning under another name": ([USER, {**ANSWER, "thought": "Another."}], "other_reasoning"),
    "a name": ([{**USER, "name": "Ada"}, ANSWER], "named_speaker"),
    "from and value": (
        [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": COMPLETION}],
        "no_conversation",
    ),
}
KEPT: dict[str, list[dict[str, Any]]] = {
    "keys that hold nothing": [
        {**USER, "tool_calls": None, "name": None, "reasoning_content": ""},
        {**ANSWER, "tool_calls": [], "function_call": {"name": None, "arguments": None}, "images": np.array([])},
    ],
    "what is about a message": [
        {**USER, "info": {"source": "x", "think_content": "y"}, "weight": 1.0, "timestamp": "today"},
        {**ANSWER, "finish_reason": "stop", "reasoning_tokens": 12, "reasoning_effort": "high"},
    ],
    "the same reasoning twice": [USER, {**APART, "reasoning": REASONING}],
    "a name that is the role": [{**USER, "name": "user"}, ANSWER],
    "text parts": [
        {**USER, "content": [{"type": "text", "text": "How many?", "cache_control": {"type": "x"}}]},
        ANSWER,
    ],
    "several turns": [{"role": "system", "content": "Be brief."}, USER, SAID, MORE, ANSWER],
}


@pytest.mark.parametrize(("messages", "reason"), LOST.values(), ids=LOST)
def test_what_is_no_text_makes_a_row_unusable(messages: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(UnusableTrace) as raised:
        trace_of({"messages": messages}, Columns(messages="messages"))
    assert raised.value.reason == reason
    assert reason in REASONS


@pytest.mark.parametrize("messages", KEPT.values(), ids=KEPT)
def test_what_is_all_there_stays_usable(messages: list[dict[str, Any]]) -> None:
    trace = trace_of({"messages": messages}, Columns(messages="messages"))
    assert trace.completion == COMPLETION
    assert trace.question.startswith("How many?")


LEAKS: list[tuple[Any, Any]] = [
    ([USER, {**SAID, "content": "It is 5."}], COMPLETION),
    ([USER, ANSWER], COMPLETION),
    ([USER, ANSWER], [ANSWER]),
    (np.array([USER, SAID], dtype=object), COMPLETION),
    (f"How many?\n\n{COMPLETION}", COMPLETION),
    ([{**USER, "content": f"How many? {REASONING}"}], COMPLETION),
]


@pytest.mark.parametrize(("prompt", "completion"), LEAKS)
def test_a_prompt_that_holds_the_answer_is_refused(prompt: Any, completion: Any) -> None:
    with pytest.raises(UnusableTrace, match="answer_in_prompt"):
        trace_of({"p": prompt, "c": completion}, Columns("p", "c"))
    with pytest.raises(UnusableTrace, match="answer_in_prompt"):
        trace_of({"messages": [USER, SAID, ANSWER]}, Columns(messages="messages"))


def test_a_completion_of_several_messages_is_refused_where_the_prompt_does_not_hold_the_others() -> None:
    columns = Columns("p", "c")
    assert trace_of({"p": "How many? ", "c": [USER, ANSWER]}, columns).completion == COMPLETION
    assert trace_of({"p": [USER, SAID, MORE], "c": [MORE, ANSWER]}, columns).completion == COMPLETION
    for several in ([{"role": "system", "content": "s"}, USER, ANSWER], [USER, SAID, MORE, ANSWER], [SAID, ANSWER]):
        with pytest.raises(UnusableTrace, match="several_turns"):
            trace_of({"p": "How many?", "c": several}, columns)


@pytest.mark.parametrize("name", ["p", "c"])
def test_a_conversation_as_json_text_is_refused(name: str) -> None:
    told = json.dumps([USER, {"role": "assistant", "content": f"{REASONING}\n</think>\n\nIt is 5."}])
    row = {"p": "How many?", "c": COMPLETION, name: told}
    with pytest.raises(UnusableTrace, match="no_conversation"):
        trace_of(row, Columns("p", "c"))
    with pytest.raises(UnusableTrace, match="no_conversation"):
        trace_of({"messages": told}, Columns(messages="messages"))


@pytest.mark.parametrize("question", ["-", " – ", "...", "?", "_\n"])
def test_a_question_of_punctuation_alone_is_none(question: str) -> None:
    with pytest.raises(UnusableTrace, match="no_question"):
        trace_of({"p": question, "c": COMPLETION}, Columns("p", "c"))


@pytest.mark.parametrize("question", ["∑?", "🐍", "5", "数"])
def test_a_question_of_one_sign_is_one(question: str) -> None:
    assert trace_of({"p": question, "c": COMPLETION}, Columns("p", "c")).question == question


def test_one_column_named_twice_is_a_conversation_that_ends_in_the_completion() -> None:
    columns = Columns.recognise(["id", "talk", "prompt", "completion"], prompt="talk", completion="talk")
    assert columns == Columns(messages="talk")


DROPPING = "{% for m in messages %}{% if m.role == 'user' %}<u>{{ m.content }}</u>{% endif %}{% endfor %}<a>"
WITHOUT_THOUGHTS = "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}{% endfor %}<assistant>"


def test_a_template_that_leaves_words_out_makes_the_row_unusable(embedded_model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    tokenizer.chat_template = DROPPING
    assert render_prompt([USER], tokenizer).startswith("<u>How many?</u>")
    for lost in ({"role": "developer", "content": "Be brief."}, {"role": "system", "content": "Be brief."}):
        with pytest.raises(UnusableTrace, match="prompt_cut"):
            render_prompt([lost, USER], tokenizer)
    tokenizer.chat_template = WITHOUT_THOUGHTS
    assert render_prompt([USER, SAID, MORE], tokenizer).startswith("<user>How many?<assistant>Of what?<user>Apples.")
    with pytest.raises(UnusableTrace, match="prompt_cut"):
        render_prompt([USER, ANSWER, MORE], tokenizer)


def test_an_unusable_row_is_kept_with_all_that_it_held(tmp_path: Path) -> None:
    rows = [{"id": number, "messages": messages} for number, (messages, _) in enumerate(LOST.values())]
    rows.append({"id": len(rows), "messages": [USER, ANSWER]})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ("--pruner", "keep_last", "--ratio", "0.5", "--output_dir", str(tmp_path / "out"))
    assert main(["prune", str(tmp_path / "rows.jsonl"), *settings]) == 0
    assert [row["id"] for row in table_rows(tmp_path / "out", "default", "train")] == [len(LOST)]
    unusable = list(table_rows(tmp_path / "out", "default", "unusable"))
    assert [row["reason"] for row in unusable] == [reason for _, reason in LOST.values()]
    for row, (messages, _) in zip(unusable, LOST.values(), strict=True):
        told = json.loads(row["prompt"])
        assert [{name: turn[name] for name in was} for turn, was in zip(told, messages, strict=True)] == messages


def test_whether_a_cell_says_anything() -> None:
    for nothing in (None, "", " \n", [], {}, [None, ""], {"a": None, "b": [{"c": ""}]}, 5, 1.5, True, np.array([])):
        assert not holds_words(nothing), nothing
    for something in ("a", ["", "a"], {"a": [{"b": "c"}]}, np.array(["a"]), b"a"):
        assert holds_words(something), something


def test_a_cell_as_text() -> None:
    assert as_text(None) == ""
    assert as_text("a") == "a"
    assert json.loads(as_text(np.array([{"role": "user", "content": np.array(["é"])}], dtype=object))) == [
        {"role": "user", "content": ["é"]}
    ]
