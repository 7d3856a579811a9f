"""Is a row trained on as the paper trains (Eq. 3): reasoning and answer in the loss, the question outside?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UnusableTrace
from ..rows import Columns, question_of
from ..sft import render_prompt
from .preparation import Preparation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COLUMNS = {"prompt": Columns(prompt="prompt", completion="completion"), "messages": Columns(messages="messages")}
# Stands for a question where only what the template puts after it is of interest.
_QUESTION = "7f3e9a"


@dataclass(frozen=True)
class Expectation:
    """What every row must be like once TRL has prepared it.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            The model's.
        layout (`str`):
            What TRL reads of a row, as in [`Preparation`].
        text_field (`str`):
            Column that TRL reads where the layout is `"text"`.
        bos (`int`, *optional*):
            Token that the tokenizer puts in front of every text; `None` where it puts none.
        prompt_end (`str`, *optional*):
            How a prompt ends that was written with the model's chat template; `None` where there is no template.
    """

    tokenizer: PreTrainedTokenizerBase
    layout: str
    text_field: str
    bos: int | None
    prompt_end: str | None

    @classmethod
    def of(cls, preparation: Preparation, text_field: str) -> Expectation:
        """What this tokenizer and this dataset ask for."""
        tokenizer = preparation.tokenizer
        added = tokenizer("x").input_ids[0] == tokenizer.bos_token_id
        bos = tokenizer.bos_token_id if added else None
        return cls(tokenizer, preparation.layout, text_field, bos, _prompt_end(tokenizer))

    def faults(self, row: Mapping[str, Any], inputs: Sequence[int], labels: Sequence[int]) -> list[str]:
        """What is wrong with a row: keys of `asap_hf.training.remedies.REMEDIES`, none where all is well.

        Args:
            row (`Mapping`):
                The dataset's columns.
            inputs (`Sequence[int]`), labels (`Sequence[int]`):
                What the model is given; -100 is not in the loss.
        """
        trained = [label for label in labels if label != -100]
        masked = [token for token, label in zip(inputs, labels, strict=True) if label == -100]
        found = self._reasoning_faults(row, inputs, self._decode(trained))
        if self._prompt_is_trained(row, trained, masked):
            found.append("prompt_trained")
        else:  # the end of every turn is in the loss then: one fault is enough
            found += self._end_faults(row, trained)
        return found + self._start_faults(row, inputs)

    def _reasoning_faults(self, row: Mapping[str, Any], inputs: Sequence[int], trained: str) -> list[str]:
        reasoning = _reasoning_in(self._completion(row, inputs))
        if not reasoning:
            return ["no_reasoning"]
        if not self._holds(trained, reasoning):
            if not self._is_conversational(row) or self._holds(self._decode(inputs), reasoning):
                return ["reasoning_masked"]
            said = _last_content(row["messages" if self.layout == "messages" else "completion"])
            return ["reasoning_dropped" if _reasoning_in(said) else "reasoning_key_dropped"]
        return [] if "</think>" in trained else ["unclosed"]

    def _prompt_is_trained(self, row: Mapping[str, Any], trained: Sequence[int], masked: Sequence[int]) -> bool:
        if self.layout == "tokens":
            return len(masked) < 2  # a collator without padding masks the first token of every row
        inside, outside = self._decode(trained), self._decode(masked)
        return any(self._holds(inside, one) and not self._holds(outside, one) for one in self._asked(row))

    def _end_faults(self, row: Mapping[str, Any], trained: list[int]) -> list[str]:
        answers = 1
        if self.layout == "messages":
            answers = sum(turn["role"] == "assistant" for turn in row["messages"])
        end = len(trained)
        while end and not self._decode(trained[end - 1 : end]).strip():  # ChatML ends a turn with a line break
            end -= 1
        if not end or trained[end - 1] != self.tokenizer.eos_token_id:
            return ["no_eos"]
        return ["two_eos"] if trained.count(self.tokenizer.eos_token_id) > answers else []

    def _start_faults(self, row: Mapping[str, Any], inputs: Sequence[int]) -> list[str]:
        found = []
        if self.bos is not None and (count := inputs.count(self.bos)) != 1:
            # Without one, a chat template decides, at inference too.
            if count:
                found.append("two_bos" if inputs[1] == self.bos else "bos_inside")
            elif not self._is_conversational(row):
                found.append("no_bos")
        if self.layout == "prompt" and not self._is_conversational(row) and self.prompt_end is not None:
            ends = row["prompt"].rstrip().removesuffix("<think>").rstrip()
            if not ends.endswith(self.prompt_end):
                found.append("foreign_prompt")
        return found

    def _is_conversational(self, row: Mapping[str, Any]) -> bool:
        return self.layout == "messages" or (self.layout == "prompt" and not isinstance(row["prompt"], str))

    def _completion(self, row: Mapping[str, Any], inputs: Sequence[int]) -> str:
        if self.layout == "tokens":
            return self._decode(inputs)
        return str(row[self.text_field]) if self.layout == "text" else _COLUMNS[self.layout].completion_text(row)

    def _asked(self, row: Mapping[str, Any]) -> list[str]:
        """What the user said, turn by turn."""
        if self.layout == "text":
            before, opening, _ = row[self.text_field].partition("<think>")
            return [question_of(before)] if opening else []
        try:
            prompt = _COLUMNS[self.layout].prompt_messages(row)
        except UnusableTrace:  # no words: there is nothing that could be trained on
            return []
        if isinstance(prompt, str):
            return [question_of(prompt)]
        return [message["content"] for message in prompt if message["role"] == "user"]

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _holds(self, text: str, part: str) -> bool:
        """Whether one text is in another, white space aside; also where the tokenizer writes its letters otherwise."""
        if _dense(part) in _dense(text):
            return True
        return _dense(self._decode(self.tokenizer(part, add_special_tokens=False).input_ids)) in _dense(text)


def _prompt_end(tokenizer: PreTrainedTokenizerBase) -> str | None:
    if not tokenizer.chat_template:
        return None
    try:
        rendered = render_prompt([{"role": "user", "content": _QUESTION}], tokenizer)
    except UnusableTrace:
        return None
    return rendered.partition(_QUESTION)[2].rstrip().removesuffix("<think>").rstrip()


def _reasoning_in(completion: str) -> str:
    before, closing, _ = completion.partition("</think>")
    return before.rpartition("<think>")[2].strip() if closing else ""


def _last_content(turns: Any) -> str:
    return str(turns[-1].get("content") or "") if not isinstance(turns, str) else turns


def _dense(text: str) -> str:
    return "".join(text.split())
