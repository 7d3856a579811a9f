"""Chat messages as datasets hold them: their turns, their text, and what they hold besides text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UnusableTrace

# Under these keys chat formats keep the reasoning apart from an assistant's `content`.
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_REASONING = "other_reasoning"
# What a message holds under other keys, by their names. Any other key besides role and content is about the message
# (a source, a weight, a time), and no part of its text.
_BESIDE_WORDS = (
    (re.compile(r"tool|function"), "tool_call"),
    (
        re.compile(r"(.*_)?(reasoning|thinking|thoughts?|chain_of_thought|cot)(_(content|text|details|steps))?\Z"),
        _REASONING,
    ),
    (re.compile(r"((image|audio|video|file)(s|_urls?|_data|_ids?)?|attachments?|media|refusal)\Z"), "not_only_text"),
    (re.compile(r"(name|speaker|author)\Z"), "named_speaker"),
)
_TEXT_PARTS = (None, "", "text", "input_text", "output_text")
_ABOUT_A_PART = {"type", "text", "cache_control", "annotations", "logprobs", "index", "id"}


def turns_of(value: Any) -> list[Mapping[str, Any]]:
    """A conversation in the shapes that `datasets` hands out: a list of messages, an array of them, or (of features
    made with `Sequence`) one dict of columns. Empty for anything else."""
    if isinstance(value, Mapping):
        columns = [_listed(column) for column in value.values()]
        value = [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=False)]
    turns = _listed(value)
    return turns if all(isinstance(turn, Mapping) for turn in turns) else []


def text_of(content: Any) -> str | None:
    """A message's words: a text, or a list of text parts; `None` for anything else."""
    if isinstance(content, str):
        return content
    parts = _listed(content)
    texts = [text for part in parts if isinstance(part, Mapping) and isinstance(text := part.get("text"), str)]
    return "".join(texts) if texts and len(texts) == len(parts) else None


def reasoning_of(turn: Mapping[str, Any]) -> str | None:
    """The reasoning that a message holds under a key of its own; `None` where it holds none, or no text."""
    reasoning = next((turn[key] for key in REASONING_KEYS if turn.get(key)), None)
    return reasoning if isinstance(reasoning, str) else None


def refuse_losses(turn: Mapping[str, Any], reasoning: str | None = None) -> None:
    """Refuse a message that holds content besides its text, which would be lost.

    Args:
        turn (`Mapping`):
            The message.
        reasoning (`str`, *optional*):
            The reasoning that is read from it in addition to `content`.

    Raises:
        `UnusableTrace`: `no_conversation`, `tool_call`, `not_only_text`, `other_reasoning` or `named_speaker`.
    """
    if not turn.keys() & {"role", "content"}:
        raise UnusableTrace("no_conversation")
    beside = [
        key.lower()
        for key, value in turn.items()
        if key not in ("role", "content") and holds_words(value) and not _is_one_of(value, reasoning, turn.get("role"))
    ]
    for name, reason in _BESIDE_WORDS:
        if any(map(name.match, beside)):
            raise UnusableTrace(reason)
    refuse_other_parts(turn.get("content"))


def _is_one_of(value: Any, *texts: Any) -> bool:
    return isinstance(value, str) and value in texts


def refuse_other_parts(content: Any) -> None:
    """Refuse a content that is not words alone.

    Raises:
        `UnusableTrace`: `tool_call` or `not_only_text`.
    """
    if isinstance(content, str):
        if _is_json_list(content, {"type"}):
            raise UnusableTrace("not_only_text")
        return
    kinds = [part.get("type") for part in _listed(content) if isinstance(part, Mapping)]
    if any(re.search(r"tool|function", str(kind)) for kind in kinds):
        raise UnusableTrace("tool_call")
    if holds_words(content) and not all(map(_is_text_part, _listed(content) or [content])):
        raise UnusableTrace("not_only_text")


def _is_text_part(part: Any) -> bool:
    if not isinstance(part, Mapping) or part.get("type") not in _TEXT_PARTS or not isinstance(part.get("text"), str):
        return False
    return not any(holds_words(value) for key, value in part.items() if key not in _ABOUT_A_PART)


def holds_words(value: Any) -> bool:
    """Whether a cell holds content: no missing value, no number, no empty list, and no struct of nothing else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, float)):
        return False
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, Mapping):
        return any(map(holds_words, value.values()))
    return any(map(holds_words, value)) if isinstance(value, Sequence) and not isinstance(value, bytes) else True


def is_conversation_as_json(text: str) -> bool:
    """Whether a text is a conversation that was written as JSON."""
    return _is_json_list(text, {"role", "content"}) or _is_json_list(text, {"from", "value"})


def as_text(value: Any) -> str:
    """A cell as it came: a text as it is, anything else as JSON; empty for a missing one."""
    if value is None or isinstance(value, str):
        return value or ""
    listed = value.tolist() if hasattr(value, "tolist") else value
    return json.dumps(listed, ensure_ascii=False, default=_told)


def _told(value: Any) -> Any:
    """What JSON has no word for, as text; an array as a list."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _is_json_list(text: str, keys: set[str]) -> bool:
    """Whether a text is a JSON list of objects that all have these keys."""
    if not text.lstrip().startswith("["):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(value, list) and bool(value) and all(isinstance(one, dict) and keys <= one.keys() for one in value)
    )


def _listed(value: Any) -> list[Any]:
    """A list or an array as a list; empty for anything else, such as a missing value."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
