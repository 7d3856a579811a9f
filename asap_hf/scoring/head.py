"""Hidden states → surprisal and entropy, without ever holding a trace's logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from ..errors import RunError

# Logits are made in tiles of this many float32 values (64 MiB), whatever the length of the text.
_TILE = 2**24
_TILE_ROWS = 8192
# Softmax takes several passes over a tile: on a CPU in slices that stay in its cache (1 MiB), elsewhere at once.
_CPU_SLICE = 2**18
# The precision of float32 products is one setting for the whole process.
_PRECISION = Lock()


class OutputLayer:
    """The output layer of a causal language model, in float32 from the product on, whatever the weights are in.

    The vocabulary goes by in tiles. Of each, the target's log-probability, the log-normaliser and the entropy within
    the tile are kept; the chain rule of entropy joins them at the end. Nothing is rounded to bfloat16, whose steps are
    0.125 at a logit of 20.

    Args:
        model (`PreTrainedModel`):
            With a plain linear output layer. Logit scaling as Cohere, Granite and Falcon-H1 have it and capping as
            Gemma 2 has it are applied.
    """

    def __init__(self, model: Any):
        layer = model.get_output_embeddings()
        weight = getattr(layer, "weight", None)
        if weight is None or weight.ndim != 2 or not weight.is_floating_point():
            raise RunError(f"{type(model).__name__} has no plain output layer, and so cannot be scored with")
        self.weight: Tensor = weight.detach()
        self.bias: Tensor | None = None if getattr(layer, "bias", None) is None else layer.bias.detach().float()
        config = model.config.get_text_config()
        scale = getattr(config, "logit_scale", None) or getattr(config, "lm_head_multiplier", None) or 1.0
        self.scale = float(scale) / float(getattr(config, "logits_scaling", None) or 1.0)
        self.cap: float | None = getattr(config, "final_logit_softcapping", None)
        self._mixed_product = _has_mixed_product(self.weight)

    def __call__(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Surprisal of each target (Eq. 2) and entropy of each distribution (Eq. 1).

        Args:
            hidden (`Tensor` of shape `(rows, hidden_size)`):
                Hidden states, each the one before its target.
            targets (`Tensor` of shape `(rows,)`):
                Token ids, on the same device.

        Returns:
            Two float64 tensors of shape `(rows,)` on the CPU, in nats.
        """
        with _exact_products(self.weight):
            parts = [
                self._score(hidden[at : at + _TILE_ROWS], targets[at : at + _TILE_ROWS])
                for at in range(0, len(hidden), _TILE_ROWS)
            ]
        surprisals, entropies = zip(*parts, strict=True)
        return torch.cat(surprisals), torch.cat(entropies)

    def logits(self, hidden: Tensor, begin: int, end: int) -> Tensor:
        """Float32 logits of the vocabulary's tokens `begin` to `end`, of shape `(rows, end - begin)`."""
        weight = self.weight[begin:end]
        if self._mixed_product:
            logits = torch.mm(hidden, weight.T, out_dtype=torch.float32)
        else:
            logits = hidden.float() @ weight.float().T
        if self.bias is not None:
            logits += self.bias[begin:end]
        if self.scale != 1.0:
            logits *= self.scale
        if self.cap is not None:
            logits.div_(self.cap).tanh_().mul_(self.cap)
        return logits

    def _score(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        rows, vocabulary = len(hidden), len(self.weight)
        width = max(1, _TILE // rows)
        if not self._mixed_product:  # a tile of the weights is cast to float32, too
            width = min(width, max(1, _TILE // hidden.shape[1]))
        normalisers, entropies = [], []
        target_log_p = hidden.new_zeros(rows, dtype=torch.float32)
        target_normaliser = torch.zeros_like(target_log_p)
        for begin in range(0, vocabulary, width):
            logits = self.logits(hidden, begin, min(begin + width, vocabulary))
            inside = targets - begin
            found = (inside >= 0) & (inside < logits.shape[1])
            log_p, normaliser, entropy = _softmax_of(logits, inside.clamp(0, logits.shape[1] - 1))
            target_log_p = torch.where(found, log_p, target_log_p)
            target_normaliser = torch.where(found, normaliser, target_normaliser)
            normalisers.append(normaliser)
            entropies.append(entropy)
        log_z, tile_entropy = _on_cpu(torch.stack(normalisers)), _on_cpu(torch.stack(entropies))
        log_share = log_z - log_z.logsumexp(0)
        surprisal = log_z.logsumexp(0) - _on_cpu(target_normaliser) - _on_cpu(target_log_p)
        return surprisal, (log_share.exp() * (tile_entropy - log_share)).sum(0)


def _on_cpu(values: Tensor) -> Tensor:
    """As float64, which some accelerators do not have."""
    return values.cpu().double()


def _softmax_of(logits: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row: log-probability of the chosen column, log-normaliser, entropy, within these columns alone."""
    slice_rows = max(1, _CPU_SLICE // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    parts = []
    for begin in range(0, len(logits), slice_rows):
        here = logits[begin : begin + slice_rows]
        log_p = here.log_softmax(-1)
        normaliser = here[:, 0] - log_p[:, 0]
        chosen_log_p = log_p.gather(1, chosen[begin : begin + slice_rows, None])[:, 0]
        parts.append((chosen_log_p, normaliser, -torch.linalg.vecdot(log_p.exp(), log_p)))
    chosen_log_p, normaliser, entropy = (torch.cat(column) for column in zip(*parts, strict=True))
    return chosen_log_p, normaliser, entropy


def _has_mixed_product(weight: Tensor) -> bool:
    """Whether this device multiplies 16-bit matrices into float32."""
    if weight.dtype == torch.float32:
        return False
    try:
        torch.mm(weight[:8], weight[:8].T, out_dtype=torch.float32)
    except (RuntimeError, TypeError):  # not for this device; not in this version of torch
        return False
    return True


@contextmanager
def _exact_products(weight: Tensor) -> Iterator[None]:
    """Let a CPU multiply float32 matrices through its bfloat16 units while they hold nothing but bfloat16 values.

    The products are then exact and their sums float32: the same numbers as a float32 product, some five times sooner.
    """
    matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if weight.dtype != torch.bfloat16 or weight.device.type != "cpu" or not hasattr(matmul, "fp32_precision"):
        yield
        return
    with _PRECISION:
        before = matmul.fp32_precision
        matmul.fp32_precision = "bf16"
        try:
            yield
        finally:
            matmul.fp32_precision = before
