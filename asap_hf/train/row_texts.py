"""Read question, reasoning and answer of a row in the layout in which TRL reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..traces.rendered_prompts import rendered_turns
from ..traces.rows import Columns, question_of
from ..traces.think_tags import OPENING_TAG, after_last_opening, at_first_closing, without_open_end

_COLUMNS = {"prompt": Columns(prompt="prompt", completion="completion"), "messages": Columns(messages="messages")}


@dataclass(frozen=True)
class RowTexts:
    """Question, reasoning and answer of rows in one layout.

    Args:
        layout (`str`):
            What TRL reads of a row, as in [`Preparation`].
        text_field (`str`):
            Column that TRL reads where the layout is `"text"`.
        decode (`Callable`):
            From token ids to the text of them all, special tokens too.
        bos (`str`):
            What the tokenizer puts in front of every text; empty where it puts nothing.
        prompt_end (`str`):
            How a prompt ends that was written with the model's chat template; empty where there is no template.
    """

    layout: str
    text_field: str
    decode: Callable[[Sequence[int]], str]
    bos: str
    prompt_end: str

    def is_conversational(self, row: Mapping[str, Any]) -> bool:
        """Whether the model's chat template renders this row."""
        return self.layout == "messages" or (self.layout == "prompt" and not isinstance(row["prompt"], str))

    def completion(self, row: Mapping[str, Any], inputs: Sequence[int]) -> str:
        """The completion; the whole row where nothing tells it from the prompt."""
        if self.layout == "tokens":
            return self.decode(inputs)
        return str(row[self.text_field]) if self.layout == "text" else _COLUMNS[self.layout].completion_text(row)

    def earlier_reasonings(self, row: Mapping[str, Any]) -> list[str]:
        """The assistant's reasonings before its last turn, where those turns are trained on too."""
        turns = row["messages"][:-1] if self.layout == "messages" else []
        said = [_content_of(turn) for turn in turns if turn["role"] == "assistant"]
        return [reasoning for one in said if (reasoning := reasoning_in(one))]

    def asked(self, row: Mapping[str, Any], inputs: Sequence[int]) -> list[str]:
        """The user's messages, turn by turn; empty where there is none."""
        if self.layout in ("text", "tokens"):
            text = self.completion(row, inputs)
            opening = OPENING_TAG.search(text)
            found = [self._question(text[: opening.start()])] if opening else []
        elif not self.is_conversational(row):
            found = [self._question(row["prompt"])]
        else:
            turns = row["prompt"] if self.layout == "prompt" else row["messages"]
            found = [_content_of(turn) for turn in turns if turn["role"] == "user"]
        return [one for one in found if one.strip()]

    def _question(self, prompt: str) -> str:
        """The user's words in a prompt of text; empty where there is only what a template puts around them."""
        if turns := rendered_turns(prompt) or rendered_turns(prompt.removeprefix(self.bos)):
            return next((turn.words for turn in reversed(turns) if turn.role == "user"), "")
        question = question_of(without_open_end(prompt).strip().removeprefix(self.bos))
        return "" if dense(self.prompt_end).endswith(dense(question)) else question


def reasoning_in(completion: str) -> str:
    """The text before the first `</think>`, without an opening tag; empty where there is none."""
    before, closing, _ = at_first_closing(completion)
    return after_last_opening(before).strip() if closing else ""


def answer_in(completion: str, eos: str) -> str:
    """What follows the first `</think>`, up to the end of sequence."""
    return at_first_closing(completion)[2].partition(eos)[0].strip()


def last_text(turns: Any) -> str:
    """The text of the last of some chat messages; a text is returned as it is."""
    return turns if isinstance(turns, str) else _content_of(turns[-1])


def dense(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


def _content_of(turn: Mapping[str, Any]) -> str:
    """A message's content: a text, or the texts among its parts."""
    content = turn.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return str(content or "")
