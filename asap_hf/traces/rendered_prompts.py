"""Text prompts that already went through a chat template (ChatML, Llama 3's, DeepSeek-R1's): their turns, told by the
structure of the whole text, not by a mark that a question may merely mention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Where an assistant's turn is left open for the model to go on, nothing but the tag stands in it, or what follows it.
_LEFT_OPEN = re.compile(r"\s*(?:<think>.*)?\Z", re.DOTALL)
_BOS = re.compile(r"\s*(?:<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|\[gMASK\]<sop>)?\s*")
# How a turn opens, with its role, and what closes it.
_MARKUPS = (
    (re.compile(r"<\|im_start\|>(\w+)\n"), re.compile(r"<\|im_end\|>\s*(?=<\|im_start\|>\w+\n|\Z)")),
    (
        re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n"),
        re.compile(r"<\|eot_id\|>\s*(?=<\|start_header_id\|>\w+<\|end_header_id\|>|\Z)"),
    ),
)
_USER, _ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
_START, _END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"


@dataclass(frozen=True)
class RenderedTurn:
    """A turn of a rendered prompt: its role, its text without the marks around it, and whether it is closed."""

    role: str
    words: str
    closed: bool


def rendered_turns(prompt: str) -> list[RenderedTurn]:
    """The turns of a text that is a rendered conversation from its first character to its last; none for any other.

    It may begin with a BOS. It ends where the last turn is closed, or in an assistant's turn that is left open and
    holds nothing, or the `<think>` tag. A text that quotes such a conversation and says something about it is none.
    """
    for opening, closing in _MARKUPS:
        turns = list(_turns(prompt, opening, closing))
        if turns:
            return turns if _is_whole(turns[-1]) else []
    return _deepseek_turns(prompt)


def _turns(prompt: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> Iterator[RenderedTurn]:
    start = _BOS.match(prompt)
    found = opening.match(prompt, start.end() if start else 0)
    while found:
        end = closing.search(prompt, found.end())
        yield RenderedTurn(found[1], prompt[found.end() : end.start() if end else None], end is not None)
        found = opening.match(prompt, end.end()) if end else None


def _is_whole(last: RenderedTurn) -> bool:
    return last.closed or (last.role == "assistant" and _LEFT_OPEN.match(last.words) is not None)


def _deepseek_turns(prompt: str) -> list[RenderedTurn]:
    """DeepSeek-R1's, where the system's words follow the BOS without a mark, and only the assistant's turn ends in
    one."""
    system, mark, rest = prompt.lstrip().partition(_USER)
    if not mark or (system and not system.startswith(_START)):
        return []
    turns: list[RenderedTurn] = []
    *answered, asked = f"{mark}{rest}".split(_END)
    for exchange in answered:
        said, mark, answer = exchange.strip().removeprefix(_USER).partition(_ASSISTANT)
        if not mark or not exchange.strip().startswith(_USER):
            return []
        turns += [RenderedTurn("user", said, True), RenderedTurn("assistant", answer, True)]
    if asked.strip():
        said, mark, answer = asked.strip().removeprefix(_USER).rpartition(_ASSISTANT)
        if not mark or not asked.strip().startswith(_USER) or not _LEFT_OPEN.match(answer):
            return []
        turns += [RenderedTurn("user", said, True), RenderedTurn("assistant", answer, False)]
    return turns
