"""Rows as people have them → `Trace` and chat messages. Knows column names and message shapes; opens no files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import UnusableTrace, UsageError
from .splitting import DEFAULT_SPLITTER
from .think_tags import without_open_end
from .trace import Trace

Message = dict[str, str]

# Recognised pairs, first match wins. codeforces-cots also carries `messages`; its prompt and generation say the same.
_PAIRS = [
    (prompt, completion)
    for prompt in ("prompt", "question", "problem")
    for completion in ("generation", "completion", "response", "solution")
]
# Under these keys chat formats keep the reasoning apart from an assistant's `content`.
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
# How a prompt looks that was already rendered for some model, and where the user's last words stand in it.
_RENDERED = {
    "<|im_start|>": re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", re.DOTALL),
    "<｜User｜>": re.compile(r"<｜User｜>(.*?)(?:<｜Assistant｜>|\Z)", re.DOTALL),
    "<|start_header_id|>": re.compile(r"<\|start_header_id\|>user<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>", re.DOTALL),
}


@dataclass(frozen=True)
class Columns:
    """Where a dataset keeps its prompts and completions.

    Args:
        prompt (`str`, *optional*):
            Column with the prompt: text, or chat messages. `None` where `messages` holds both.
        completion (`str`, *optional*):
            Column with `<think> … </think> answer`: text, or chat messages.
        messages (`str`, *optional*):
            Column with a conversation that ends in the assistant's completion.
        splitter (`str`, *optional*, defaults to `"code"`):
            How reasoning is cut into steps.
    """

    prompt: str | None = None
    completion: str | None = None
    messages: str | None = None
    splitter: str = DEFAULT_SPLITTER

    @classmethod
    def recognise(
        cls,
        names: Sequence[str],
        prompt: str | None = None,
        completion: str | None = None,
        splitter: str = DEFAULT_SPLITTER,
    ) -> Columns:
        """Find the columns among `names`; named ones go before recognised ones.

        Raises:
            `UsageError`: if a named column is not there, or none is named and none is recognised.
        """
        found = ", ".join(names) or "none"
        for name in (prompt, completion):
            if name is not None and name not in names:
                raise UsageError(f"there is no column {name!r}; the columns are: {found}")
        pairs = [(prompt or one, completion or two) for one, two in _PAIRS]
        for one, two in pairs:
            if one in names and two in names:
                return cls(prompt=one, completion=two, splitter=splitter)
        if "messages" in names and prompt is None and completion is None:
            return cls(messages="messages", splitter=splitter)
        raise UsageError(
            f"no prompt and completion among the columns ({found}); name them with prompt_column and completion_column"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that hold the trace; every other one belongs to the dataset's owner."""
        return tuple(name for name in (self.prompt, self.completion, self.messages) if name)

    def prompt_messages(self, row: Mapping[str, Any]) -> list[Message] | str:
        """The prompt as chat messages; as text where it was already rendered with some chat template.

        Raises:
            `UnusableTrace`: `no_question`.
        """
        value = row.get(self.messages or self.prompt or "")
        if isinstance(value, str) and not self.messages:
            # A prompt for a model that is to think may end in the tag, which its completion then lacks.
            text = without_open_end(value)
            if text.strip():
                return value if is_rendered(value) else [{"role": "user", "content": text}]
        turns = _turns(value)
        messages = [_message(turn) for turn in (turns[:-1] if self.messages else turns)]
        if not messages:
            raise UnusableTrace("no_question")
        return messages

    def completion_text(self, row: Mapping[str, Any]) -> str:
        """The completion as text, reasoning in `<think>` tags; empty where the row has none. Never raises for data."""
        value = row.get(self.messages or self.completion or "")
        if isinstance(value, str):
            return value
        turns = _turns(value)
        if not turns or turns[-1].get("role") != "assistant":
            return ""
        content = _text_of(turns[-1].get("content")) or ""
        reasoning = next((turns[-1][key] for key in _REASONING_KEYS if turns[-1].get(key)), None)
        return f"<think>\n{reasoning}\n</think>\n\n{content}" if isinstance(reasoning, str) else content


def trace_of(row: Mapping[str, Any], columns: Columns) -> Trace:
    """The row's trace.

    Raises:
        `UnusableTrace`: with one of `asap_hf.trace.REASONS`.
    """
    question = question_of(columns.prompt_messages(row))
    if not question.strip():
        raise UnusableTrace("no_question")
    return Trace.parse(question, columns.completion_text(row), columns.splitter)


def question_of(prompt: list[Message] | str) -> str:
    """What was asked, as plain text: the user's (last) words, without another model's chat markup around them."""
    if isinstance(prompt, str):
        for marker, user_turn in _RENDERED.items():
            if marker in prompt and (turns := user_turn.findall(prompt)):
                return str(turns[-1]).strip()
        return prompt
    asked = [message["content"] for message in prompt if message["role"] == "user"]
    return "\n\n".join(asked or [message["content"] for message in prompt])


def is_rendered(prompt: str) -> bool:
    """Whether a text prompt already went through a chat template (ChatML, DeepSeek-R1's, Llama 3's)."""
    return any(marker in prompt for marker in _RENDERED)


def _turns(value: Any) -> list[Mapping[str, Any]]:
    """A conversation in the shapes that `datasets` hands out: a list of messages, an array of them, or (of features
    made with `Sequence`) one dict of columns. Empty for anything else."""
    if isinstance(value, Mapping):
        columns = [_listed(column) for column in value.values()]
        value = [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=False)]
    turns = _listed(value)
    return turns if all(isinstance(turn, Mapping) for turn in turns) else []


def _listed(value: Any) -> list[Any]:
    """A list or an array as a list; empty for anything else, such as a missing value."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def _message(turn: Mapping[str, Any]) -> Message:
    content = _text_of(turn.get("content"))
    if content is None:
        raise UnusableTrace("no_question")
    return {"role": str(turn.get("role") or "user"), "content": content}


def _text_of(content: Any) -> str | None:
    """A message's words: a text, or a list of text parts; `None` for anything else."""
    if isinstance(content, str):
        return content
    parts = _listed(content)
    texts = [text for part in parts if isinstance(part, Mapping) and isinstance(text := part.get("text"), str)]
    return "".join(texts) if texts and len(texts) == len(parts) else None
