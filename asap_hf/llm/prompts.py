"""Messages → the prompt as the model sees it, with its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UnusableTrace, UsageError
from ..traces.rows import Message
from ..traces.sft import render_prompt
from .engine import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, think: bool, seed: int = 0) -> Prompt:
    """The prompt for some chat messages.

    Args:
        messages (`Sequence[dict[str, str]]`):
            With `role` and `content`.
        tokenizer (`PreTrainedTokenizerBase`):
            Of the model that is asked.
        think (`bool`):
            End in the open `<think>` tag (the paper's default); otherwise where the chat template has the answer
            begin, thinking switched off where the template knows how.
        seed (`int`, *optional*, defaults to 0):
            Of the prompt's random stream.

    Raises:
        [`UsageError`]: if the chat template refuses the messages, or there is none and `think` is false.
    """
    text = _thinking(messages, tokenizer) if think else _answering(messages, tokenizer)
    return Prompt(tuple(messages), text, tuple(tokenizer(text).input_ids), seed)


def _thinking(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> str:
    try:
        return render_prompt(list(messages), tokenizer)
    except UnusableTrace as error:
        raise _refused(tokenizer) from error


def _answering(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> str:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise UsageError(f"{tokenizer.name_or_path} has no chat template: name a model tuned to follow instructions")
    try:
        text = tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, tokenize=False, enable_thinking=False, thinking=False
        )
    except TemplateError as error:
        raise _refused(tokenizer) from error
    bos, plain = tokenizer.bos_token, str(text)
    if bos and plain.startswith(bos) and tokenizer(plain).input_ids[:2] == [tokenizer.bos_token_id] * 2:
        return plain.removeprefix(bos)  # the tokenizer writes it too
    return plain


def _refused(tokenizer: PreTrainedTokenizerBase) -> UsageError:
    return UsageError(f"the chat template of {tokenizer.name_or_path} refuses the benchmark's messages: name another")
