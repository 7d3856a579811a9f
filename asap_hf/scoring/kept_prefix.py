"""A KV cache that can be cropped and extended: the beginning of a text is read once, what follows it several times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import RunError
from ..models.devices import is_out_of_memory
from ..runtime.progress import tick
from .forward import ScoringModel
from .windows import Indexes

Values = NDArray[np.float64]

# Share of the largest hidden state that two ways of computing one may differ by: bfloat16 has three digits.
_TOLERANCE = 0.05


class KeptPrefix:
    """The keys and values that one model computed for the tokens read so far (a KV cache).

    Args:
        model (`ScoringModel`):
            From [`asap_hf.scoring.forward.load_model`].
        max_tokens (`int`):
            Most tokens in one forward pass; longer texts are read in pieces.
    """

    def __init__(self, model: ScoringModel, max_tokens: int):
        self._model, self._max_tokens = model, max_tokens
        self.length = 0
        self.back_to(0)

    def back_to(self, length: int) -> None:
        """Crop the cache to the first `length` tokens, which are at most as many as were read."""
        if length == 0:
            from transformers import DynamicCache

            # Made without the model's config every layer keeps everything, also where its attention slides: the masks
            # take care of that, and a sliding cache could not be cut back.
            self._cache: Any = DynamicCache()
        elif length < self.length:
            self._cache.crop(length - self.length)
        self.length = length

    @torch.inference_mode()
    def surprisals(self, ids: Indexes, first: int) -> Values | None:
        """-log p of the tokens `ids[first:]`, in nats, each given all that was read before it; `None` if they do not
        fit into memory. All but the last of `ids` are read by that; `first` is 1 or more."""
        parts = [np.empty(0)]
        try:
            for begin in range(0, len(ids) - 1, self._max_tokens):
                end = min(begin + self._max_tokens, len(ids) - 1)
                hidden = self._read(ids[begin:end])
                if first <= end:
                    targets = torch.from_numpy(ids[max(begin + 1, first) : end + 1]).to(self._model.device)
                    parts.append(self._model.head(hidden[-len(targets) :], targets)[0].numpy())
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        tick("scored tokens", len(ids))
        return np.concatenate(parts)

    @torch.inference_mode()
    def check(self, ids: Sequence[int]) -> None:
        """Compare a short text that is read in two pieces, the second one twice, with the same text read at once.

        Raises:
            [`RunError`]: if they differ, or the model cannot do it at all.
        """
        array, half = np.asarray(ids, dtype=np.int64), len(ids) // 2
        own = self._model.body(input_ids=self._batch(array), use_cache=False).last_hidden_state[0].float()
        self.back_to(0)
        try:
            self._read(array[:half])
            self._read(array[half:])
            self.back_to(half)
            ours = self._read(array[half:]).float()
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise RunError(f"{self._refusal} ({error})") from error
        close = torch.allclose(ours, own[half:], rtol=0, atol=float(_TOLERANCE * own.abs().max()))
        if not close or self._cache.get_seq_length() != len(ids) or not self._model.mixes_lengths:
            raise RunError(self._refusal)

    @property
    def _refusal(self) -> str:
        return (
            f"{type(self._model.model).__name__} cannot go on from a text's beginning as if it read the whole anew, "
            "which leaving out steps one by one needs: score with another model"
        )

    def _read(self, ids: Indexes) -> Tensor:
        out = self._model.body(input_ids=self._batch(ids), past_key_values=self._cache, use_cache=True)
        self.length += len(ids)
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

    def _batch(self, ids: Indexes) -> Tensor:
        return torch.from_numpy(ids)[None].to(self._model.device)
