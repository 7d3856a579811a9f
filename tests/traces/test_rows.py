"""Rows as people have them: which columns hold the trace, and what each shape of a cell comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features, Sequence, Value

from asap_hf.errors import UnusableTrace, UsageError
from asap_hf.traces.rows import Columns, is_rendered, question_of, trace_of

COMPLETION = "<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5."
TURNS = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": COMPLETION}]
APART = {"role": "assistant", "content": "It is 5.", "reasoning_content": "First.\n\nThen."}

PROMPTS: dict[str, Any] = {
    "text": "How many?",
    "messages": TURNS[:1],
    "messages as a tuple": tuple(TURNS[:1]),
    "messages as an array": np.array(TURNS[:1], dtype=object),
    "one dict of columns": {"role": ["user"], "content": ["How many?"]},
    "one dict of arrays": {"role": np.array(["user"]), "content": np.array(["How many?"])},
    "content in parts": [
        {"role": "user", "content": [{"type": "text", "text": "How "}, {"type": "text", "text": "many?"}]}
    ],
    "with a system's turn": [{"role": "system", "content": "Be brief."}, *TURNS[:1]],
    "ending in the tag": "How many?\n<think>\n",
    "rendered as ChatML": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n",
    "rendered for DeepSeek-R1": "<｜begin▁of▁sentence｜>Be brief.<｜User｜>How many?<｜Assistant｜><think>\n",
    "rendered for Llama": "<|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>",
}
COMPLETIONS: dict[str, Any] = {
    "text": COMPLETION,
    "messages": TURNS[1:],
    "reasoning apart": [APART],
    "reasoning apart, other keys empty": [{**APART, "reasoning": None, "tool_calls": None}],
    "an array": np.array([APART], dtype=object),
    "one dict of columns": {name: [value] for name, value in APART.items()},
    "content in parts": [{**APART, "content": [{"type": "text", "text": "It is 5."}]}],
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("completion", COMPLETIONS.values(), ids=COMPLETIONS)
def test_shapes_of_a_trace(prompt: Any, completion: Any) -> None:
    trace = trace_of({"prompt": prompt, "completion": completion}, Columns("prompt", "completion"))
    assert trace.question.strip() == "How many?"
    assert trace.texts == ("First.", "Then.")
    assert trace.completion == COMPLETION


@pytest.mark.parametrize(
    "messages", [TURNS, np.array(TURNS, dtype=object), {name: [turn[name] for turn in TURNS] for name in TURNS[0]}]
)
def test_a_conversation_ends_in_the_completion(messages: Any) -> None:
    columns = Columns.recognise(["id", "messages"])
    assert trace_of({"messages": messages}, columns).completion == COMPLETION
    assert columns.prompt_messages({"messages": messages}) == TURNS[:1]


def test_every_user_turn_is_the_question() -> None:
    turns = [TURNS[0], {"role": "assistant", "content": "Of what?"}, {"role": "user", "content": "Apples."}]
    assert question_of(turns) == "How many?\n\nApples."
    assert question_of([{"role": "system", "content": "How many?"}]) == "How many?"


NOTHING = [None, "", " \n", [], {}, float("nan"), 5, np.array([]), [None], ["How many?"], [{"role": "user"}]]
NO_PROMPT = [
    *NOTHING,
    [{"role": "user", "content": None}],
    [{"role": "user", "content": " "}],
]
NO_PROMPT += ["<think>\n", "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n", {"role": None, "content": None}]
NO_COMPLETION = [
    *NOTHING,
    TURNS[:1],
    {"role": ["assistant"], "content": [None]},
    [{"role": "assistant", "content": None}],
]
NO_COMPLETION += [[*TURNS, {"role": "tool", "content": "ok"}]]


@pytest.mark.parametrize("prompt", NO_PROMPT, ids=repr)
def test_no_question(prompt: Any) -> None:
    with pytest.raises(UnusableTrace, match="no_question"):
        trace_of({"prompt": prompt, "completion": COMPLETION}, Columns("prompt", "completion"))


@pytest.mark.parametrize("completion", NO_COMPLETION, ids=repr)
def test_no_completion(completion: Any) -> None:
    row, columns = {"prompt": "How many?", "completion": completion}, Columns("prompt", "completion")
    assert not columns.completion_text(row).strip()
    with pytest.raises(UnusableTrace, match="not_text"):
        trace_of(row, columns)


@pytest.mark.parametrize("messages", [None, [], TURNS[:1], TURNS[1:], " ", [None, None]], ids=repr)
def test_no_conversation(messages: Any) -> None:
    with pytest.raises(UnusableTrace, match=r"no_question|not_text"):
        trace_of({"messages": messages}, Columns(messages="messages"))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["id", "prompt", "generation", "messages"], ("prompt", "generation")),  # open-r1/codeforces-cots
        (["prompt", "completion"], ("prompt", "completion")),
        (["completion", "prompt", "generation"], ("prompt", "generation")),
        (["question", "response"], ("question", "response")),
        (["problem", "solution"], ("problem", "solution")),
        (["question", "solution"], ("question", "solution")),
        (["messages"], ("messages",)),
        (["messages", "prompt"], ("messages",)),
    ],
)
def test_recognised_columns(names: list[str], found: tuple[str, ...]) -> None:
    columns = Columns.recognise(names, splitter="paper")
    assert columns.names == found
    assert columns.splitter == "paper"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"prompt": "ask", "completion": "told"}, ("ask", "told")),
        ({"completion": "told"}, ("prompt", "told")),
        ({"prompt": "ask"}, ("ask", "generation")),
    ],
)
def test_named_columns_go_first(named: dict[str, str], found: tuple[str, str]) -> None:
    assert Columns.recognise(["prompt", "generation", "messages", "ask", "told"], **named).names == found


@pytest.mark.parametrize(
    ("names", "named", "message"),
    [
        (["text", "label"], {}, "no prompt and completion among the columns.*text, label"),
        ([], {}, "none"),
        (["prompt", "completion"], {"completion": "told"}, "no column 'told'.*prompt, completion"),
        (["messages", "told"], {"completion": "told"}, "no prompt and completion"),
    ],
)
def test_columns_that_are_not_there(names: list[str], named: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Columns.recognise(names, **named)


def test_a_rendered_prompt_stays_text_and_any_other_becomes_a_message() -> None:
    columns = Columns("prompt", "completion")
    for name, prompt in PROMPTS.items():
        if isinstance(prompt, str):
            messages = columns.prompt_messages({"prompt": prompt})
            assert is_rendered(prompt) == name.startswith("rendered")
            assert messages == prompt if is_rendered(prompt) else messages[0]["role"] == "user"


CONVERSATIONS = {
    "list of messages": None,
    "dict of columns": Features(
        {"messages": Sequence({"role": Value("string"), "content": Value("string")}), "id": Value("int64")}
    ),
}


@pytest.mark.parametrize("features", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("format_name", [None, "numpy", "pandas"])
def test_rows_as_datasets_hands_them_out(features: Features | None, format_name: str | None, tmp_path: Path) -> None:
    columns_of_turns = {name: [turn[name] for turn in TURNS] for name in TURNS[0]}
    messages = [TURNS, None] if features is None else [columns_of_turns, None]
    rows = Dataset.from_dict({"messages": messages, "id": [1, 2]}, features=features)
    rows.to_parquet(tmp_path / "rows.parquet")
    rows = Dataset.from_parquet(str(tmp_path / "rows.parquet"), features=features, cache_dir=str(tmp_path))
    batch = rows.with_format(format_name)[:2]
    columns = Columns.recognise(list(batch))
    there, missing = batch["messages"]
    assert trace_of({"messages": there}, columns).completion == COMPLETION
    with pytest.raises(UnusableTrace):
        trace_of({"messages": missing}, columns)


def test_json_lines_with_missing_keys(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(
            json.dumps(row) for row in [{"prompt": "How many?", "completion": COMPLETION}, {"prompt": "How many?"}]
        )
    )
    rows = Dataset.from_json(str(tmp_path / "rows.jsonl"), cache_dir=str(tmp_path))
    columns = Columns.recognise(rows.column_names)
    assert trace_of(rows[0], columns).completion == COMPLETION
    with pytest.raises(UnusableTrace, match="not_text"):
        trace_of(rows[1], columns)
