"""A loaded model that scores windows: the body once, the head only where it is needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import RunError, UsageError
from ..models.devices import is_out_of_memory
from .head import OutputLayer
from .windows import Window, context_limit, next_batch, rope_parameters

logger = logging.getLogger(__name__)

Scores = tuple[NDArray[np.float64], NDArray[np.float64]]

# By what share of the largest logit ours may differ from the model's own, which are rounded to its dtype.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 3e-2}


class ScoringModel:
    """A causal language model on one device. Load it with [`load_model`]."""

    def __init__(self, model: Any, device: torch.device):
        self.model, self.body, self.device = model, model.base_model, device
        self.head = OutputLayer(model)
        self.config = model.config
        # These two scale the rotary embeddings by the longest sequence of a batch, so that neighbours would matter.
        scaling = rope_parameters(model.config.get_text_config()).get("rope_type")
        self.mixes_lengths = scaling not in ("dynamic", "longrope")

    def limit(self, max_context: int | None) -> int | None:
        """Most tokens in a window."""
        return context_limit(self.config, max_context)

    @torch.inference_mode()
    def check(self, ids: Sequence[int]) -> None:
        """Hold body and head against the model's own logits on a short text.

        Raises:
            [`RunError`]: if they differ, that is, if the model does something between the two that is not known here.
        """
        batch = torch.tensor([list(ids)], device=self.device)
        own = self.model(input_ids=batch, use_cache=False).logits[0].float()
        ours = self.head.logits(self._hidden(batch)[0], 0, len(self.head.weight))
        tolerance = _TOLERANCE[self.head.weight.dtype] * own.abs().max()
        if ours.shape != own.shape or not (ours - own).abs().max() <= tolerance:
            raise RunError(
                f"{type(self.model).__name__} makes logits of its hidden states in a way that is not known here: its "
                "scores would be wrong; score with another model"
            )

    @torch.inference_mode()
    def score(self, windows: Sequence[Window]) -> list[Scores]:
        """Surprisal and entropy, in nats, of the wanted tokens of each window, all in one forward pass.

        Shorter windows are padded on the right and no attention mask is given: in a causal model nothing attends
        to the right, and without a mask the fast attention kernels apply.
        """
        ids = np.zeros((len(windows), max(map(len, windows))), dtype=np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window.ids
        counts = [len(window.rows) for window in windows]
        hidden = self._hidden(torch.from_numpy(ids).to(self.device))
        batch_rows = torch.from_numpy(np.repeat(np.arange(len(windows)), counts)).to(self.device)
        rows = torch.from_numpy(np.concatenate([window.rows for window in windows])).to(self.device)
        targets = torch.from_numpy(np.concatenate([window.targets for window in windows])).to(self.device)
        surprisal, entropy = self.head(hidden[batch_rows, rows], targets)
        ends = np.cumsum(counts)[:-1]
        return list(zip(np.split(surprisal.numpy(), ends), np.split(entropy.numpy(), ends), strict=True))

    def score_all(
        self, windows: Sequence[Window], max_batch_tokens: int, fixed: bool = False
    ) -> Iterator[list[tuple[Window, Scores | None]]]:
        """Score the windows in the order given, which is longest first: a list from each forward pass, with `None`
        for a window that does not fit into memory even alone.

        Running out of memory halves the token budget of what is still to come, unless batches are `fixed`: then none
        of the batch fits.
        """
        place, budget = 0, max_batch_tokens
        while place < len(windows):
            batch = next_batch(windows, place, budget, self.mixes_lengths)
            scores = self._score_if_it_fits(batch)
            if scores is None and len(batch) > 1 and not fixed:
                budget = len(batch) * max(map(len, batch)) // 2
                logger.warning("out of memory; going on with at most %d tokens at once", budget)
                continue
            yield list(zip(batch, scores or repeat(None), strict=False))
            place += len(batch)

    def _score_if_it_fits(self, batch: Sequence[Window]) -> list[Scores] | None:
        try:
            return self.score(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _hidden(self, ids: Tensor) -> Tensor:
        hidden: Tensor = self.body(input_ids=ids, use_cache=False).last_hidden_state
        return hidden


@lru_cache(maxsize=2)
def load_model(
    path: str, revision: str | None, dtype: str, device: str, attn_implementation: str | None
) -> ScoringModel:
    """The model in this process; the last two are kept, since a run may compare two.

    Raises:
        [`UsageError`]: if it cannot be loaded as a causal language model.
        [`RunError`]: if it does not fit on the device.
    """
    from transformers import AutoModelForCausalLM

    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, revision=revision, dtype=getattr(torch, dtype), attn_implementation=attn_implementation
        )
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"{path!r} could not be loaded as a causal language model: {reason}") from error
    try:
        model = model.to(device).eval()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(f"{path!r} does not fit on {device} in {dtype}: score with a smaller one") from error
    return ScoringModel(model, torch.device(device))


# A forked child has none of its parent's OpenMP threads, and its first parallel product would wait for them for ever:
# what `Dataset.map(num_proc=…)` does after a model has run in the same process. One thread each is right there anyway.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
