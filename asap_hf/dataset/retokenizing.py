"""Convert a result for another model to be trained: prompts in its chat template, lengths in its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import UnusableTrace, UsageError
from ..models.embedded import resolve_model
from ..models.tokens import count_tokens, load_tokenizer
from ..traces.sft import render_prompt
from ..traces.trace import Trace
from .records import Row, Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Retokenizing:
    """What another tokenizer changes about a row.

    Args:
        tokenizer (`str`):
            The model whose chat template renders the prompts and whose tokens are counted.
        former (`str`):
            The one of the former run, by the name in its run.json.
    """

    tokenizer: str
    former: str

    def row(self, row: Row) -> Row:
        """The row with its prompt rendered from its messages.

        Raises:
            [`UsageError`]: if the prompt is not what the former template makes of those: it came rendered, and what it
                held besides the user's text is not recorded.
            [`UnusableTrace`]: if the new template refuses the messages.
        """
        turns = list(row.turns)
        if self._former_tokenizer is not None and _rendered(turns, self._former_tokenizer) != row.prompt:
            raise UsageError(
                f"the prompt of row {row.number} came rendered by some chat template, and is kept as it came: give "
                f"prompts as text or messages, and prune the traces anew with --tokenizer {self.tokenizer}"
            )
        return replace(row, prompt=render_prompt(turns, load_tokenizer(self.tokenizer)))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return count_tokens(self.tokenizer, texts)

    def tokens(self, row: Row, trace: Trace) -> Tokens:
        """Lengths of a row whose prompt is rendered."""
        texts = [trace.source.reasoning, trace.reasoning, row.prompt, trace.closing + trace.answer]
        return Tokens.of(*self.count(texts))

    @cached_property
    def _former_tokenizer(self) -> PreTrainedTokenizerBase | None:
        """The former run's tokenizer, where its name says where it is; of a folder run.json holds only the name."""
        if "/" not in self.former and resolve_model(self.former) == self.former:
            return None
        return load_tokenizer(self.former)


def _rendered(turns: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase) -> str | None:
    try:
        return render_prompt([dict(turn) for turn in turns], tokenizer)
    except UnusableTrace:
        return None
