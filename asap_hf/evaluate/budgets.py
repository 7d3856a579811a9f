"""Read one generation under several budgets: where it is cut, where its reasoning ends, what its answer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..llm.engine import Generation
from ..traces.think_tags import CLOSING, CLOSING_TAG, at_first_closing, begins_open

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def parse_budgets(text: str) -> tuple[int, ...]:
    """`"2048,4096"` → ascending numbers of tokens, each once.

    Raises:
        [`UsageError`]: if one is not a whole number over 0.
    """
    parts = [part.strip().replace("_", "") for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--budget is one or more numbers of tokens, as in 2048,4096,6144; got {text!r}")
    return tuple(sorted({int(part) for part in parts}))


@dataclass(frozen=True)
class Reading:
    """A generation cut to a budget.

    Args:
        finish_reason (`str`):
            `length` where the budget cut it.
        reasoning_tokens (`int`):
            Those before the closing tag; all of them where it never comes.
        answer_tokens (`int`):
            Those after it, without the one that ends the answer.
        generated_tokens (`int`):
            All of them, the tag and the last one included.
        answer (`str`, *optional*):
            The text after the first closing tag; `None` where the reasoning never ends.
    """

    finish_reason: str
    reasoning_tokens: int
    answer_tokens: int
    generated_tokens: int
    answer: str | None


class Reader:
    """Reads generations under budgets.

    A language model chooses each token by those before it, and knows nothing of the budget. So the first tokens of a
    generation are what the same decoding had produced when it was that long, greedy or sampled from a random stream
    of its own: cutting it gives exactly that. A second run with the smaller budget is another run: as sums are rounded
    differently in other batches, it may choose otherwise where two tokens are nearly equally likely, just as a second
    run with the same budget may.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            Of the model.
        think (`bool`):
            Whether the prompt opened the reasoning. If not, an answer without reasoning is one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, think: bool):
        self._tokenizer = tokenizer
        self._think = think

    def text(self, generation: Generation) -> str:
        """All that was generated, without the token that ended it."""
        ids = generation.token_ids
        return self._decoded(self._body(ids, generation.finish_reason)) if ids else generation.text

    def read(self, generation: Generation, budgets: Sequence[int]) -> list[Reading]:
        """One reading per budget. The largest is the one that it was generated under, and cuts nothing. Where there
        are no token ids, the text is tokenised anew, and counts and cuts are as near as that comes."""
        text = self.text(generation)
        ids = generation.token_ids or self._tokens(text, generation.finish_reason)
        tag = self._tag(ids) if CLOSING_TAG.search(text) else None
        opened = self._think or begins_open(text)
        readings = []
        for budget in budgets:
            whole = len(ids) <= budget or budget == max(budgets)
            reason = generation.finish_reason if whole else "length"
            body = self._body(ids if whole else ids[:budget], reason)
            said = text if whole else self._decoded(body)
            if tag is not None and tag[1] <= len(body):
                parts = tag[0], len(body) - tag[1]
                answer: str | None = at_first_closing(said)[2]
            else:
                parts = (len(body), 0) if opened else (0, len(body))
                answer = None if opened else said
            readings.append(Reading(reason, *parts, min(len(ids), budget), answer))
        return readings

    def _tokens(self, text: str, finish_reason: str) -> tuple[int, ...]:
        ids = self._tokenizer(text, add_special_tokens=False).input_ids if text else []
        end = self._tokenizer.eos_token_id
        return (*ids, end) if finish_reason == "stop" and end is not None else tuple(ids)

    def _body(self, ids: Sequence[int], finish_reason: str) -> Sequence[int]:
        """The tokens without the one that ended the generation, which is a special one."""
        if finish_reason != "stop" or not ids or self._decoded(ids[-1:]) == CLOSING:
            return ids
        return ids if self._tokenizer.decode(list(ids[-1:]), skip_special_tokens=True) else ids[:-1]

    def _decoded(self, ids: Sequence[int]) -> str:
        # `</think>` is a special token for some models.
        text = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    def _tag(self, ids: Sequence[int]) -> tuple[int, int]:
        """Where the first closing tag begins and ends, in tokens; for many models it is several."""
        low, high = 1, len(ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if CLOSING_TAG.search(self._decoded(ids[:middle])) else (middle + 1, high)
        start = low - 1
        while start > 0 and not CLOSING_TAG.search(self._decoded(ids[start:low])):
            start -= 1
        return start, low
