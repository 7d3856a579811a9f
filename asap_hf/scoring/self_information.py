"""Self-information of the tokens of sentences that stand alone: what Selective Context scores by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import UsageError
from ..runtime.progress import tick
from .forward import ScoringModel
from .token_scores import rounded
from .windows import cut

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class SentenceTokens(NamedTuple):
    """The tokens of a sentence."""

    ids: list[int]
    spans: list[tuple[int, int]]
    """Begin and end of each token's characters in the sentence."""


def tokenise(tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str]) -> list[SentenceTokens]:
    """The tokens of each sentence, special tokens not counted."""
    backend = tokenizer.backend_tokenizer
    # Either may be set in tokenizer.json, or by other code that used this tokenizer.
    backend.no_truncation()
    backend.no_padding()
    encodings = backend.encode_batch(list(sentences), add_special_tokens=False)
    return [SentenceTokens(list(encoding.ids), list(encoding.offsets)) for encoding in encodings]


def start_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of what stands before a sentence: the token that begins a text, else, as for GPT-2, the one that ends it.

    Raises:
        [`UsageError`]: if there is neither.
    """
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if isinstance(token, int):
            return token
    raise UsageError(f"the tokenizer of {str(tokenizer.name_or_path)!r} has no token that begins or ends a text")


def self_information(
    sentences: Sequence[Sequence[int]], start: int, model: ScoringModel, max_batch_tokens: int, fixed: bool = False
) -> list[list[float]] | None:
    """-log p of each token given the tokens before it in its sentence, in nats; `None` if a sentence does not fit into
    memory.

    Args:
        sentences (`Sequence[Sequence[int]]`):
            Token ids, at least one each. A sentence that is longer than the model's context is seen in windows, where
            the authors' code fails.
        start (`int`):
            Id of what stands before each.
        model (`ScoringModel`):
            From [`asap_hf.scoring.steps.load`].
        max_batch_tokens (`int`):
            Most tokens in one forward pass, padding counted.
        fixed (`bool`, *optional*, defaults to `False`):
            Go on with no smaller batches where memory runs out, which would show in the last digits.
    """
    information = [np.full(len(sentence), np.nan) for sentence in sentences]
    windows = [
        window
        for number, ids in enumerate(sentences)
        for window in cut(
            number, np.array([start, *ids], dtype=np.int64), 1, np.arange(1, len(ids) + 1), model.limit(None)
        ).windows
    ]
    batches = model.score_all(sorted(windows, key=len, reverse=True), max_batch_tokens, fixed)
    for window, scores in chain.from_iterable(batches):
        if scores is None:
            return None
        tick("scored tokens", len(window))
        information[window.trace][window.slots] = scores[0]
    return [list(rounded(values)) for values in information]
