"""Rows of a dataset → `Trace` and chat messages, by column names and shapes of messages. Opens no files."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UnusableTrace, UsageError
from .conversations import as_text, is_conversation_as_json, reasoning_of, refuse_losses, text_of, turns_of
from .rendered_prompts import rendered_turns
from .splitting import DEFAULT_SPLITTER
from .think_tags import without_open_end
from .trace import Trace, is_encodable

Message = dict[str, str]

# Recognised pairs, first match wins. codeforces-cots also carries `messages`; its prompt and generation say the same.
_PAIRS = [
    (prompt, completion)
    for prompt in ("prompt", "question", "problem")
    for completion in ("generation", "completion", "response", "solution")
]

_OF_A_PROMPT = ("system", "system_prompt", "instruction", "input", "context", "tools")


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

    Example:
        >>> from asap_hf import Columns
        >>> columns = Columns.recognise(["id", "question", "response"])
        >>> (columns.prompt, columns.completion)
        ('question', 'response')
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
        """Find the columns among `names`; named ones go before recognised ones. A column that is named as both holds
        conversations that end in the assistant's turn.

        Raises:
            `UsageError`: if a named column is not there, or none is named and none is recognised.
        """
        found = ", ".join(names) or "none"
        for name in (prompt, completion):
            if name is not None and name not in names:
                raise UsageError(f"there is no column {name!r}; the columns are: {found}")
        if prompt is not None and prompt == completion:
            return cls(messages=prompt, splitter=splitter)
        pairs = [(prompt or one, completion or two) for one, two in _PAIRS]
        for one, two in pairs:
            if one in names and two in names:
                return cls(prompt=one, completion=two, splitter=splitter)
        if "messages" in names and prompt is None and completion is None:
            return cls(messages="messages", splitter=splitter)
        raise UsageError(
            f"no prompt and completion among the columns ({found}): name them with --prompt_column and "
            "--completion_column, a conversation that ends in the assistant's turn with both"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that hold the trace; every other one belongs to the dataset's owner."""
        return tuple(name for name in (self.prompt, self.completion, self.messages) if name)

    def unread(self, names: Sequence[str]) -> list[str]:
        """The columns among `names` that by their name belong in a prompt, and are not read."""
        return [name for name in names if name in _OF_A_PROMPT and name not in self.names]

    def prompt_messages(self, row: Mapping[str, Any]) -> list[Message] | str:
        """The prompt as chat messages; as text where it was already rendered with some chat template.

        Raises:
            `UnusableTrace`: `no_question` or `not_encodable`.
        """
        value = row.get(self.messages or self.prompt or "")
        if isinstance(value, str) and not self.messages:
            # A prompt for a model that is to think may end in the tag, which its completion then lacks.
            text = without_open_end(value)
            if text.strip():
                _check_encodable(text)
                return value if is_rendered(value) else [{"role": "user", "content": text}]
        turns = turns_of(value)
        messages = [_message(turn) for turn in (turns[:-1] if self.messages else turns)]
        if not messages:
            raise UnusableTrace("no_question")
        return messages

    def completion_text(self, row: Mapping[str, Any]) -> str:
        """The completion as text, reasoning in `<think>` tags; empty where the row has none. Never raises for data."""
        value = row.get(self.messages or self.completion or "")
        if isinstance(value, str):
            return value
        turns = turns_of(value)
        if not turns or turns[-1].get("role") != "assistant":
            return ""
        content = text_of(turns[-1].get("content")) or ""
        reasoning = reasoning_of(turns[-1])
        return content if reasoning is None else f"<think>\n{reasoning}\n</think>\n\n{content}"

    def as_it_came(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Prompt and completion as they stand in the row, conversations as JSON: what is kept of a row that cannot be
        read. A conversation that holds both is all prompt. Never raises for data."""
        return as_text(row.get(self.messages or self.prompt or "")), as_text(row.get(self.completion or ""))

    def refuse_losses(self, row: Mapping[str, Any]) -> None:
        """Refuse a row of which something would be lost that is no text, or whose prompt holds the answer.

        Raises:
            `UnusableTrace`: `answer_in_prompt`, `several_turns`, or what
                [`asap_hf.traces.conversations.refuse_losses`] raises.
        """
        whole = row.get(self.messages or self.completion or "")
        if isinstance(whole, str) and (self.messages is not None or is_conversation_as_json(whole)) and whole.strip():
            raise UnusableTrace("no_conversation")
        turns = turns_of(whole)
        earlier, last = turns[:-1], turns[-1] if turns else None
        before = earlier if self.messages else self._prompt_turns(row)
        for turn in before if self.messages else (*earlier, *before):
            refuse_losses(turn)
        if last is not None:
            refuse_losses(last, reasoning_of(last))
        if last is not None and last.get("role") != "assistant":
            return  # there is no completion
        if before and before[-1].get("role") == "assistant":
            raise UnusableTrace("answer_in_prompt")
        if earlier and not self.messages and _said(earlier) != _said(before)[-len(earlier) :]:
            raise UnusableTrace("several_turns")

    def _prompt_turns(self, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The turns of the prompt's column; of a text, those that a chat template rendered, or the one it is."""
        value = row.get(self.prompt or "")
        if not isinstance(value, str):
            return turns_of(value)
        if is_conversation_as_json(value):
            raise UnusableTrace("no_conversation")
        rendered = [turn for turn in rendered_turns(value) if turn.closed]
        return [{"role": turn.role, "content": turn.words} for turn in rendered] or [
            {"role": "user", "content": value}
        ]


def trace_of(row: Mapping[str, Any], columns: Columns) -> Trace:
    """The row's trace.

    Raises:
        `UnusableTrace`: with one of `asap_hf.traces.trace.REASONS`.
    """
    columns.refuse_losses(row)
    prompt = columns.prompt_messages(row)
    question = question_of(prompt)
    if not _says_anything(question):
        raise UnusableTrace("no_question")
    trace = Trace.parse(question, columns.completion_text(row), columns.splitter)
    before = [prompt] if isinstance(prompt, str) else [message["content"] for message in prompt]
    # One step may well stand in a question by chance; a conversation may come to the same reasoning twice.
    if not columns.messages and len(trace.steps) > 1 and any(trace.reasoning in text for text in before):
        raise UnusableTrace("answer_in_prompt")
    return trace


def question_of(prompt: list[Message] | str) -> str:
    """What was asked, as plain text: the user's (last) words, without another model's chat markup around them."""
    if isinstance(prompt, str):
        asked = [turn.words for turn in rendered_turns(prompt) if turn.role == "user"]
        return asked[-1].strip() if asked else prompt
    asked = [message["content"] for message in prompt if message["role"] == "user"]
    return "\n\n".join(asked or [message["content"] for message in prompt])


def is_rendered(prompt: str) -> bool:
    """Whether a text prompt already went through a chat template (ChatML, DeepSeek-R1's, Llama 3's)."""
    return bool(rendered_turns(prompt))


def _message(turn: Mapping[str, Any]) -> Message:
    content = text_of(turn.get("content"))
    if content is None:
        raise UnusableTrace("no_question")
    _check_encodable(content)
    return {"role": str(turn.get("role") or "user"), "content": content}


def _check_encodable(text: str) -> None:
    if not is_encodable(text):
        raise UnusableTrace("not_encodable")


def _said(turns: Sequence[Mapping[str, Any]]) -> list[tuple[Any, str]]:
    """Role and text of each turn, without the white space around the text."""
    return [(turn.get("role"), (text_of(turn.get("content")) or "").strip()) for turn in turns]


def _says_anything(question: str) -> bool:
    """Whether a question holds more than punctuation: a lone dash stands where a dataset left its questions out."""
    return any(unicodedata.category(letter)[0] not in "PZC" for letter in question)
