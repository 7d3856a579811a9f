"""The memory that the recipes' comments promise is what arithmetic gives, and the arithmetic what PyTorch keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config

from asap_hf.recipes import recipe_path
from tests.training_memory import (
    FSDP2,
    LLAMA_8B,
    ONE_GPU,
    ONE_GPU_FLOAT32,
    QWEN_1_5B,
    QWEN_7B,
    TOKENS,
    Setting,
    gib,
    lora_parameters,
    parameters,
    saved_by_a_layer,
    table,
)

RECIPES: list[tuple[str, Any, tuple[Setting, ...]]] = [
    ("r1-distill-qwen-7b", QWEN_7B, (ONE_GPU, FSDP2)),
    ("r1-distill-llama-8b", LLAMA_8B, (ONE_GPU, FSDP2)),
    ("r1-distill-qwen-1.5b", QWEN_1_5B, (ONE_GPU_FLOAT32,)),
]


def words(name: str, kind: str = "train") -> str:
    """A recipe without its line breaks."""
    return " ".join(recipe_path(name, kind).read_text(encoding="utf-8").replace("#", " ").split())


@pytest.mark.parametrize(("name", "config", "settings"), RECIPES)
def test_the_table_is_the_arithmetics(name: str, config: Any, settings: tuple[Setting, ...]) -> None:
    assert f"\n{table(config, *settings)}\n" in recipe_path(name).read_text(encoding="utf-8") + "\n"


@pytest.mark.parametrize(("name", "config", "settings"), RECIPES)
def test_so_are_the_numbers_in_the_sentences(name: str, config: Any, settings: tuple[Setting, ...]) -> None:
    weights, layers, count = settings[0].weights, config.num_hidden_layers, parameters(config)
    layer = saved_by_a_layer(config, TOKENS, weights)
    inputs = gib(layers * TOKENS * config.hidden_size * weights.itemsize)
    logits = TOKENS * config.vocab_size
    said = words(name)
    assert (
        f"the {layers} layers would hold {gib(layers * layer)} GiB, not {inputs} and one layer's {gib(layer)}" in said
    )
    assert f"moves those {inputs} GiB to the host" in said
    assert f"the logits, 16,384 x {config.vocab_size:,}, never" in said
    assert f"({gib(2 * logits)} GiB in bfloat16, {gib(4 * logits)} in float32" in said
    assert f"saves {gib((2 * weights.itemsize - 2) * count)} GiB" in said
    assert f"with AdamW's moments takes {gib(3 * weights.itemsize * count)} GiB" in said
    if FSDP2 in settings:
        assert f"under FSDP2 {gib(3 * 4 * count)} " in said
        assert f"in float32 they and the gradients take {gib(16 * count)} GiB" in said


@pytest.mark.parametrize(("name", "rate"), [("r1-distill-qwen-7b", 4e-5), ("r1-distill-llama-8b", 2e-5)])
def test_as_many_weights_move_in_bfloat16_as_is_said(name: str, rate: float) -> None:
    peak, lowest = (f"{100 * moved(one):.0f} %" for one in (rate, rate / 10))
    assert f"with a spread of 0.02, {peak} move in a step at the peak rate and {lowest} at the lowest" in words(name)


def moved(rate: float) -> float:
    generator = torch.Generator().manual_seed(0)
    before = (0.02 * torch.randn(200_000, generator=generator)).bfloat16()
    weights = torch.nn.Parameter(before.clone())
    weights.grad = torch.randn(200_000, generator=generator).bfloat16()
    torch.optim.AdamW([weights], lr=rate, weight_decay=0.0).step()
    return (weights != before).float().mean().item()


def test_what_lora_takes() -> None:
    adapters, count = lora_parameters(QWEN_7B, 16), parameters(QWEN_7B)
    said = words("r1-distill-qwen-7b", "train-lora")
    assert f"{adapters:,} parameters, {100 * adapters / count:.1f} % of the model's" in said
    assert (
        f"Weights take {gib(2 * count)} GiB; adapters, their gradients and moments in float32 {gib(16 * adapters)}"
        in said
    )
    assert f"The full fine-tuning's are {gib(8 * count)}." in said


def test_a_checkpoint_of_the_small_one() -> None:
    small = LlamaConfig(
        num_hidden_layers=30,
        hidden_size=576,
        intermediate_size=1536,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=49152,
        tie_word_embeddings=True,
    )
    assert f"one with AdamW's moments takes {gib(12 * parameters(small))} GiB" in words("smollm2-135m")


@pytest.mark.parametrize("kind", [Qwen2Config, LlamaConfig])
@pytest.mark.parametrize("weights", [torch.bfloat16, torch.float32])
def test_a_layer_keeps_what_the_arithmetic_says(kind: type[PreTrainedConfig], weights: torch.dtype) -> None:
    """Under autocast, as the trainer has it, and with the attention that a recipe asks for."""
    config: Any = kind(
        num_hidden_layers=1,
        hidden_size=64,
        intermediate_size=192,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=100,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=weights, attn_implementation="sdpa").train()
    entering = torch.randn(1, 128, 64, dtype=weights, requires_grad=True)
    places = torch.arange(128)[None]
    rotation = model.model.rotary_emb(entering, places)
    known = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *rotation, entering)}
    kept: dict[int, torch.Tensor] = {}

    def keep(one: torch.Tensor) -> torch.Tensor:
        kept.setdefault(one.untyped_storage().data_ptr(), one)
        return one

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one), torch.autocast("cpu", torch.bfloat16):
        model.model.layers[0](entering, position_embeddings=rotation, position_ids=places)
    found = sum(one.untyped_storage().nbytes() for place, one in kept.items() if place not in known)
    assert found == saved_by_a_layer(config, 128, weights)
