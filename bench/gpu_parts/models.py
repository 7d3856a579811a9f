"""Models of real shapes with random weights, and traces to put through them: no download is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asap_hf.traces.trace import Trace

from .machine import Machine

SAMPLES = Path(__file__).resolve().parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"
VOCABULARY = 2048  # of the tokenizer that is trained here; ids stay far below those of the real models

# Sizes as config.json of the models on the Hub has them.
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2-7b": (
        "Qwen2Config",
        {
            "num_hidden_layers": 28,
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
        },
    ),
    "llama-3-8b": (
        "LlamaConfig",
        {
            "num_hidden_layers": 32,
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128256,
        },
    ),
    "qwen2-1.5b": (
        "Qwen2Config",
        {
            "num_hidden_layers": 28,
            "hidden_size": 1536,
            "intermediate_size": 8960,
            "num_attention_heads": 12,
            "num_key_value_heads": 2,
            "vocab_size": 151936,
        },
    ),
    "smollm2-135m": (
        "LlamaConfig",
        {
            "num_hidden_layers": 30,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "vocab_size": 49152,
        },
    ),
}
_SMALLEST = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
}


def shape(name: str, machine: Machine) -> Any:
    """The configuration of a model, or of the smallest one of its kind."""
    import transformers

    kind, sizes = SHAPES[name]
    sizes = _SMALLEST if machine.smallest else sizes
    return getattr(transformers, kind)(**sizes, max_position_embeddings=131072, tie_word_embeddings=False)


def random_model(config: Any, device: str, dtype: torch.dtype = torch.bfloat16, attention: str = "sdpa") -> Any:
    """A model with random weights, drawn from the same seed on the device itself; weights are not zero, on which
    products run faster than they ever will on a real model."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    assert {one.dtype for one in model.parameters()} == {dtype}
    return model.eval()


def drawn_lengths(count: int, machine: Machine) -> list[int]:
    """Lengths in tokens as open-r1/codeforces-cots has them: a log-normal draw between 1K and 24K, mean 9.3K, median
    7.6K, with a seed. Longest first, as the scorer sorts them."""
    drawn = np.exp(np.random.default_rng(1).normal(8.94, 0.75, count)).clip(1000, 24000).astype(int)
    return sorted((int(length) // (64 if machine.smallest else 1) for length in drawn), reverse=True)


@cache
def tokenizer() -> Any:
    """A byte-level tokenizer, trained in a second on the samples that come with the package."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>", "<|pad|>"],
        show_progress=False,
    )
    backend.train_from_iterator([row["completion"] for row in _sample_rows()], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>")


def traces_of(lengths: Sequence[int]) -> list[Trace]:
    """Traces of about these many tokens, made of the samples' own steps in a drawn order."""
    steps = [
        step
        for row in _sample_rows()
        for step in Trace.parse(row["prompt"], row["completion"], "paper").steps
        if step.endswith("\n\n")
    ]
    sizes = [len(ids) for ids in tokenizer()(steps).input_ids]
    draw = np.random.default_rng(2)
    return [_trace(length, steps, sizes, draw) for length in lengths]


def _trace(length: int, steps: list[str], sizes: list[int], draw: np.random.Generator) -> Trace:
    chosen: list[str] = []
    while length > 0:
        place = int(draw.integers(len(steps)))
        chosen.append(steps[place])
        length -= sizes[place]
    return Trace.parse("Solve the problem.", f"<think>\n{''.join(chosen)}</think>\n\nDone.", "paper")


@cache
def _sample_rows() -> list[dict[str, str]]:
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
