"""Counting tokens: one tokenizer per name and process, loaded on first use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import UsageError
from .embedded import resolve_model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@lru_cache(maxsize=8)
def load_tokenizer(model_name_or_path: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The fast tokenizer of a model; `"embedded"` names the model that comes with the tool.

    Raises:
        `UsageError`: if there is no such tokenizer, or it has no fast implementation (offsets are needed).
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve_model(model_name_or_path), revision=revision)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no tokenizer could be loaded for {model_name_or_path!r}: give a Hub id or a local folder that holds one "
            f"({str(error).splitlines()[0]})"
        ) from error
    if not tokenizer.is_fast:
        raise UsageError(f"the tokenizer of {model_name_or_path!r} is not a fast one, and offsets are needed")
    return tokenizer


def count_tokens(model_name_or_path: str, texts: Sequence[str], revision: str | None = None) -> list[int]:
    """Tokens of each whole text, special tokens not counted."""
    tokenizer = load_tokenizer(model_name_or_path, revision).backend_tokenizer
    # Either may be set in tokenizer.json, or by other code that used this tokenizer.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [len(encoding) for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
