"""Check that a row is trained on as in the paper (Eq. 3): reasoning and answer in the loss, the question outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import UnusableTrace
from ..traces.sft import render_prompt
from ..traces.think_tags import CLOSING, OPENING, OPENING_TAG, canonical, without_open_end
from .preparation import Preparation
from .row_texts import RowTexts, answer_in, dense, last_text, reasoning_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Stands for a question where only what the template puts after it is of interest.
_QUESTION = "7f3e9a"


@dataclass(frozen=True)
class Expectation:
    """What every row must hold once TRL has prepared it.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            The model's.
        texts (`RowTexts`):
            Reads a row as TRL does.
        bos (`int`, *optional*):
            Token that the tokenizer puts in front of every text; `None` where it puts none.
        prompt_end (`str`, *optional*):
            How a prompt ends that was written with the model's chat template; `None` where there is no template.
    """

    tokenizer: PreTrainedTokenizerBase
    texts: RowTexts
    bos: int | None
    prompt_end: str | None

    @classmethod
    def of(cls, preparation: Preparation, text_field: str) -> Expectation:
        """What this tokenizer and this dataset require."""
        tokenizer = preparation.tokenizer
        added = tokenizer("x").input_ids[0] == tokenizer.bos_token_id
        bos, prompt_end = str(tokenizer.bos_token) if added else "", _prompt_end(tokenizer)
        texts = RowTexts(preparation.layout, text_field, partial(_decode, tokenizer), bos, prompt_end or "")
        return cls(tokenizer, texts, tokenizer.bos_token_id if added else None, prompt_end)

    def faults(self, row: Mapping[str, Any], inputs: Sequence[int], labels: Sequence[int]) -> list[str]:
        """The faults of a row: keys of `asap_hf.train.remedies.REMEDIES`; none where it is right.

        Args:
            row (`Mapping`):
                The dataset's columns.
            inputs (`Sequence[int]`), labels (`Sequence[int]`):
                What the model is given; -100 is not in the loss.
        """
        trained = [label for label in labels if label != -100]
        masked = [token for token, label in zip(inputs, labels, strict=True) if label == -100]
        found = self._completion_faults(row, inputs, self._decode(trained))
        if asking := self._asking_fault(row, inputs, trained, masked):
            found.append(asking)
        if asking not in ("prompt_trained", "no_prompt"):  # every turn may end in the loss there: one fault is enough
            found += self._end_faults(row, trained)
        return found + self._start_faults(row, inputs, asking)

    def _completion_faults(self, row: Mapping[str, Any], inputs: Sequence[int], trained: str) -> list[str]:
        """The faults of reasoning and answer."""
        completion = self.texts.completion(row, inputs)
        reasoning = reasoning_in(completion)
        if not reasoning:
            return ["no_reasoning"]
        if not self._holds(trained, reasoning):
            return [self._lost(row, inputs, reasoning)]
        if CLOSING not in trained:
            return ["unclosed"]
        answer = answer_in(completion, str(self.tokenizer.eos_token))
        if not answer:
            return ["no_answer"]
        found = [] if self._holds(trained.partition(CLOSING)[2], answer) else ["answer_masked"]
        if not all(self._holds(trained, earlier) for earlier in self.texts.earlier_reasonings(row)):
            found.append("reasoning_dropped")
        opened = dense(canonical(self._decode(inputs))).partition(dense(reasoning))[0]
        return found + (["two_openings"] if opened.endswith(OPENING * 2) else [])

    def _lost(self, row: Mapping[str, Any], inputs: Sequence[int], reasoning: str) -> str:
        """Why a reasoning that the row has is not in the loss."""
        if not self.texts.is_conversational(row) or self._holds(self._decode(inputs), reasoning):
            return "reasoning_masked"
        said = last_text(row["messages" if self.texts.layout == "messages" else "completion"])
        return "reasoning_dropped" if reasoning_in(said) else "reasoning_key_dropped"

    def _asking_fault(
        self, row: Mapping[str, Any], inputs: Sequence[int], trained: Sequence[int], masked: Sequence[int]
    ) -> str | None:
        """What is wrong with the prompt: that there is none, that it is in the loss, or that it holds the answer."""
        if self.texts.layout == "text":  # TRL has nothing by which it could keep any of it out of the loss
            return "prompt_trained"
        asked = self.texts.asked(row, inputs)
        if not asked and (self.texts.layout != "tokens" or OPENING_TAG.search(self._decode(inputs))):
            return "no_prompt"
        if self.texts.layout == "tokens":
            # A collator without padding masks the first token of every row.
            return "prompt_trained" if len(masked) < 2 or self._is_asked_in_loss(inputs, trained) else None
        inside, outside = self._decode(trained), self._decode(masked)
        if any(self._holds(inside, one) and not self._holds(outside, one) for one in asked):
            return "prompt_trained"
        conversation = row["prompt"] if self.texts.layout == "prompt" else ()
        return "answered_prompt" if isinstance(conversation, list) and _ends_answered(conversation) else None

    def _is_asked_in_loss(self, inputs: Sequence[int], trained: Sequence[int]) -> bool:
        """Whether words before the reasoning are in the loss, other than those that open the assistant's turn."""
        reasoning = dense(reasoning_in(self._decode(inputs)))
        before, found, _ = dense(self._decode(trained)).partition(reasoning)
        return bool(reasoning and found) and not dense(f"{self.prompt_end or ''}{OPENING}").endswith(before)

    def _end_faults(self, row: Mapping[str, Any], trained: list[int]) -> list[str]:
        answers = 1
        if self.texts.layout == "messages":
            answers = sum(turn["role"] == "assistant" for turn in row["messages"])
        end = len(trained)
        while end and not self._decode(trained[end - 1 : end]).strip():  # ChatML ends a turn with a line break
            end -= 1
        if not end or trained[end - 1] != self.tokenizer.eos_token_id:
            return ["no_eos"]
        return ["two_eos"] if trained.count(self.tokenizer.eos_token_id) > answers else []

    def _start_faults(self, row: Mapping[str, Any], inputs: Sequence[int], asking: str | None) -> list[str]:
        found = []
        if self.bos is not None and (count := inputs.count(self.bos)) != 1:
            # Without one, a chat template decides, at inference too.
            if count:
                found.append("two_bos" if inputs[1] == self.bos else "bos_inside")
            elif not self.texts.is_conversational(row):
                found.append("no_bos")
        if self.texts.layout == "prompt" and not self.texts.is_conversational(row) and asking != "no_prompt":
            ends = without_open_end(row["prompt"]).rstrip()
            if self.prompt_end is not None and not ends.endswith(self.prompt_end):
                found.append("foreign_prompt")
        return found

    def _decode(self, ids: Sequence[int]) -> str:
        return _decode(self.tokenizer, ids)

    def _holds(self, text: str, part: str) -> bool:
        """Whether one text is in another, white space aside; also where the tokenizer writes its letters otherwise."""
        if dense(part) in dense(text):
            return True
        return dense(self._decode(self.tokenizer(part, add_special_tokens=False).input_ids)) in dense(text)


def _decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _ends_answered(conversation: Sequence[Mapping[str, Any]]) -> bool:
    return bool(conversation) and conversation[-1]["role"] == "assistant"


def _prompt_end(tokenizer: PreTrainedTokenizerBase) -> str | None:
    if not tokenizer.chat_template:
        return None
    try:
        rendered = render_prompt([{"role": "user", "content": _QUESTION}], tokenizer)
    except UnusableTrace:
        return None
    return without_open_end(rendered.partition(_QUESTION)[2]).rstrip()
