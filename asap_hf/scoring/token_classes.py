"""A loaded token classifier: token ids → how likely each token is to be kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch

from ..errors import RunError, UsageError

logger = logging.getLogger(__name__)

_KEEP = 1  # the class; 0 is to drop it
_BATCH = 50  # windows at once, as LLMLingua-2's release has it


class TokenClassifier:
    """A token classification model of two classes on one device. Load it with [`load_classifier`]."""

    def __init__(self, model: Any, device: str):
        self.model, self.device = model, device
        weight = model.get_input_embeddings().weight
        self._vocabulary = len(weight)
        self._mean_embedding = weight.detach().float().mean(0).to(weight.dtype)

    @torch.inference_mode()
    def __call__(self, windows: Sequence[Sequence[int]], fixed: bool = False) -> list[list[float]]:
        """The probability of being kept of each token of each window, both ends of the frame included.

        An id beyond the vocabulary stands for a token that the model lacks; its embedding is the mean of all
        embeddings: what a vocabulary that was made larger for it would begin with.

        Running out of memory halves the batches that are still to come, unless they are `fixed`.

        Raises:
            [`RunError`]: if a batch that cannot be halved does not fit.
        """
        return list(self._in_batches(windows, fixed))

    def _in_batches(self, windows: Sequence[Sequence[int]], fixed: bool) -> Iterator[list[float]]:
        place, size = 0, _BATCH
        while place < len(windows):
            batch = windows[place : place + size]
            try:
                yield from self._probabilities(batch)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1 or fixed:
                    raise RunError(
                        f"{len(batch)} windows of at most {max(map(len, batch))} tokens do not fit on {self.device}"
                    ) from error
                size = len(batch) // 2
                logger.warning("out of memory; going on with %d windows at once", size)
                continue
            place += len(batch)

    def _probabilities(self, windows: Sequence[Sequence[int]]) -> list[list[float]]:
        lengths = [len(window) for window in windows]
        padding = self.model.config.pad_token_id or 0
        ids = torch.full((len(windows), max(lengths)), padding)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = torch.tensor(window)
            mask[row, : len(window)] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        unknown = ids >= self._vocabulary
        if unknown.any():
            embeddings = self.model.get_input_embeddings()(ids.where(~unknown, padding))
            embeddings[unknown] = self._mean_embedding
            logits = self.model(inputs_embeds=embeddings, attention_mask=mask).logits
        else:
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        kept = logits.float().softmax(-1)[..., _KEEP].cpu()
        return [row[:length].tolist() for row, length in zip(kept, lengths, strict=True)]


@lru_cache(maxsize=2)
def load_classifier(path: str, revision: str | None, dtype: str, device: str) -> TokenClassifier:
    """The classifier in this process.

    Raises:
        [`UsageError`]: if it cannot be loaded as a token classifier of two classes.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    try:
        config = AutoConfig.from_pretrained(path, revision=revision)
        trained = any("ForTokenClassification" in name for name in config.architectures or ())
        if not trained or config.num_labels != 2:
            raise ValueError("it has no head for two classes of tokens")
        model: Any = AutoModelForTokenClassification.from_pretrained(
            path, revision=revision, dtype=getattr(torch, dtype)
        )
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"{path!r} could not be loaded as a classifier of tokens to keep: {reason}") from error
    return TokenClassifier(model.to(device).eval(), device)
