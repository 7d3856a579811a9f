"""The memory that training takes, by arithmetic: what the comments in the training recipes are compared with.

A row of 16,384 tokens, a batch of one, activation checkpointing, TRL's fused loss and SDPA, as in the recipes. What
kernels need while they run is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig, Qwen2Config

TOKENS = 16384
GPUS = 8
# TRL's fused loss, `trl.kernels.chunked_logprob` and its caller: tokens and words of the vocabulary in a tile.
TILE = 4096 * 32768

# config.json of the models on the Hub, as far as sizes go.
QWEN_7B = Qwen2Config(
    num_hidden_layers=28,
    hidden_size=3584,
    intermediate_size=18944,
    num_attention_heads=28,
    num_key_value_heads=4,
    vocab_size=152064,
    tie_word_embeddings=False,
)
QWEN_1_5B = Qwen2Config(
    num_hidden_layers=28,
    hidden_size=1536,
    intermediate_size=8960,
    num_attention_heads=12,
    num_key_value_heads=2,
    vocab_size=151936,
    tie_word_embeddings=False,
)
LLAMA_8B = LlamaConfig(
    num_hidden_layers=32,
    hidden_size=4096,
    intermediate_size=14336,
    num_attention_heads=32,
    num_key_value_heads=8,
    vocab_size=128256,
    tie_word_embeddings=False,
)


def parameters(config: PretrainedConfig) -> int:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config).num_parameters()


def lora_parameters(config: Any, rank: int) -> int:
    """Two thin matrices beside each of a layer's seven linear ones."""
    hidden, inner = config.hidden_size, config.intermediate_size
    both_ends = 2 * (hidden + hidden) + 2 * (hidden + _key_value_size(config)) + 3 * (hidden + inner)
    return int(config.num_hidden_layers * rank * both_ends)


def saved_by_a_layer(config: Any, tokens: int, weights: torch.dtype) -> int:
    """Bytes that one decoder layer keeps for its backward pass, its own input left out.

    Weights in float32 are cast to bfloat16 for each product (autocast), and the casts are kept too.
    """
    hidden, inner, keys = config.hidden_size, config.intermediate_size, _key_value_size(config)
    # queries, keys, values and the result of the attention, one float32 per head; gate, its activation, up, product
    common = 2 * (2 * hidden + 2 * keys) + 4 * config.num_attention_heads + 8 * inner
    if weights is torch.bfloat16:
        # twice: the norm's input and scale in float32, its result before and after its own weights
        return int(tokens * (common + 2 * (4 * hidden + 4 + 2 * hidden + 2 * hidden)))
    # the two norms, of which the first one's input is the layer's; then their results once more for each of 5 products
    norms = 4 * hidden + 4 + 8 * hidden + 4 + 5 * 2 * hidden
    casts = 2 * (2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * inner)
    return int(tokens * (common + norms) + casts)


def _key_value_size(config: Any) -> int:
    return int(config.hidden_size // config.num_attention_heads * config.num_key_value_heads)


@dataclass(frozen=True)
class Setting:
    """How a model is held."""

    title: str
    weights: torch.dtype
    gpus: int = 1


ONE_GPU = Setting("one GPU", torch.bfloat16)
ONE_GPU_FLOAT32 = Setting("one GPU", torch.float32)
FSDP2 = Setting("each of 8", torch.float32, GPUS)


def items(config: Any, setting: Setting) -> dict[str, float]:
    """Bytes on a GPU, by what they are for."""
    count, hidden, vocab = parameters(config), config.hidden_size, config.vocab_size
    share = count * setting.weights.itemsize / setting.gpus
    # FSDP2 computes with weights that were cast when they were gathered.
    at_work = torch.bfloat16 if setting.gpus > 1 else setting.weights
    layer = (count - 2 * vocab * hidden - hidden) / config.num_hidden_layers
    gathered = {
        "gathered: output layer, 2 others": 2 * (vocab * hidden + 2 * layer),
        "gradients not yet exchanged": 2 * count,
    }
    return {
        "weights": share,
        "gradients": share,
        "AdamW's two moments": 2 * share,
        **(gathered if setting.gpus > 1 else dict.fromkeys(gathered, 0)),
        f"inputs of the {config.num_hidden_layers} layers": (
            config.num_hidden_layers * TOKENS * hidden * at_work.itemsize
        ),
        "one layer, computed again": saved_by_a_layer(config, TOKENS, at_work),
        "loss (gradients in float32, tile)": 4 * (vocab * hidden + TOKENS * hidden) + 2 * TILE,
    }


def gib(size: float) -> str:
    return f"{size / 2**30:.1f}"


def table(config: Any, *settings: Setting) -> str:
    """The comment in a recipe."""
    columns = [items(config, setting) for setting in settings]
    lines = [_line("", [setting.title for setting in settings])]
    lines += [_line(name, [gib(column[name]) if column[name] else "-" for column in columns]) for name in columns[0]]
    lines.append(_line("in all", [gib(sum(column.values())) for column in columns]))
    return "\n".join(line for line in lines if not line.rstrip().endswith(" -"))


def _line(name: str, values: list[str]) -> str:
    return f"#   {name:<34}" + "".join(f"{value:>12}" for value in values)
