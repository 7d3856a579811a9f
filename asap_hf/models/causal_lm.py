"""A causal language model that `transformers` runs in this process, and a random stream for each of its answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from .devices import pick_device, pick_dtype
from .embedded import resolve_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


logger = logging.getLogger(__name__)


class CausalLM(NamedTuple):
    """A loaded model that takes the likeliest token unless a logits processor says otherwise."""

    model: PreTrainedModel
    context: float  # tokens
    ends: list[int]  # ids of the tokens that end an answer


def load_tokenizer_of(name: str, revision: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model for `generate`, fast or not.

    Raises:
        [`UsageError`]: if it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(resolve_model(name), revision=revision)
    except (OSError, ValueError) as error:
        raise UsageError(f"transformers cannot load {name}: {error}") from error


def load_causal_lm(
    name: str, revision: str | None, dtype: str, device: str | None, tokenizer: PreTrainedTokenizerBase
) -> CausalLM:
    """Load a model for `generate`; onto the accelerator if there is one and no other `device` is named. `dtype="auto"`
    is what the weights are stored in, or float32 on a CPU without instructions for bfloat16, which would take many
    times as long in it.

    Raises:
        [`UsageError`]: if the model cannot be loaded, or there is no such device.
    """
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    place = torch.device(pick_device(device, None)) if device or accelerator is None else accelerator
    if place.type == "cpu" and pick_dtype("auto", "cpu") == "float32":
        if dtype == "bfloat16":
            logger.warning("this CPU has no instructions for bfloat16: float32 would be many times as fast (dtype)")
        dtype = "float32" if dtype == "auto" else dtype
    try:
        model = AutoModelForCausalLM.from_pretrained(resolve_model(name), revision=revision, dtype=dtype)
    except (OSError, ValueError, AttributeError) as error:  # of torch, which has no such dtype
        raise UsageError(f"transformers cannot load {name}: {error}") from error
    named = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])} - {None}
    # A fresh one: what the model's own says of temperature, top-k or repetition would come on top of the request.
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=sorted(ends), pad_token_id=min(ends), bos_token_id=tokenizer.bos_token_id
    )
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None) or float("inf")
    return CausalLM(model.to(place).eval(), context, sorted(ends))  # type: ignore[arg-type]


def continuations(
    lm: CausalLM, prompts: Sequence[Any], processors: Sequence[Any], limit: int, criteria: Sequence[Any] = ()
) -> list[list[int]]:
    """New token ids after each prompt of one batch (token ids, as a tensor or not), at most `limit`, padding and all.

    Raises:
        `torch.OutOfMemoryError`: if the batch does not fit.
    """
    import torch

    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), lm.ends[0])
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.as_tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    device = lm.model.device
    with torch.inference_mode():
        out = lm.model.generate(  # type: ignore[operator]
            ids.to(device),
            attention_mask=mask.to(device),
            logits_processor=list(processors),
            stopping_criteria=list(criteria),
            max_new_tokens=limit,
        )
    answers: list[list[int]] = out[:, longest:].tolist()  # waits for the device
    return answers


class GumbelNoise:
    """A logits processor that makes the likeliest token after it a random draw: adding Gumbel noise to
    log-probabilities and taking the largest is drawing from them. Each row has a stream of its own, which batched
    sampling does not offer."""

    def __init__(self, seeds: Sequence[int], device: torch.device):
        import torch

        self._streams = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores and result: (rows, vocabulary), float32."""
        import torch

        noise = torch.empty_like(scores)
        for row, stream in zip(noise, self._streams, strict=True):
            row.exponential_(generator=stream)
        return scores - noise.clamp_min(torch.finfo(noise.dtype).tiny).log()


def sampling_processors(temperature: float, top_p: float, seeds: Sequence[int], device: torch.device) -> list[Any]:
    """Logits processors for one batch: none at temperature 0, where the likeliest token is taken."""
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    if temperature == 0:
        return []
    nucleus = [TopPLogitsWarper(top_p)] if top_p < 1 else []
    return [TemperatureLogitsWarper(temperature), *nucleus, GumbelNoise(seeds, device)]
