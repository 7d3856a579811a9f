"""Small random models with real byte-level tokenizers, saved as `from_pretrained` expects them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

CORPUS = [
    "def solve(n):\n    for i in range(n):\n        if i % 2 == 0:\n            return i\n\n    return -1\n",
    "Okay, so I need to read n and print the answer. Wait, maybe it is simpler.\n\nLet me think again.",
    "\n\n    while left < right:\n        mid = (left + right) // 2\n\nHmm, é 数 🙂 that cannot be right.\n\n",
]
CHAT = (
    "{{ bos_token }}{% for message in messages %}<user>{{ message['content'] }}</user>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def byte_level_tokenizer(bos: bool = True, chat_template: str | None = CHAT) -> PreTrainedTokenizerFast:
    """A byte-level BPE of some 300 tokens, like GPT-2's; with `bos` its post-processor puts one in front."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS * 2, trainer)
    # trim_offsets as RoBERTa has it: offsets that leave out white space must not shift a step's first token.
    steps: list[Any] = [processors.ByteLevel(trim_offsets=True)]
    if bos:
        steps.append(processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)]))
    backend.post_processor = processors.Sequence(steps)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = chat_template
    return tokenizer


def tiny_llama(**changes: Any) -> LlamaConfig:
    sizes = {
        "vocab_size": 330,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
    }
    return LlamaConfig(**{**sizes, **changes})


def save_model(
    folder: Path, config: Any = None, tokenizer: PreTrainedTokenizerBase | None = None, sharpness: float = 40.0
) -> str:
    """Save a random model, its output layer scaled so that its distributions are far from flat."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config or tiny_llama(), dtype=torch.float32)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(sharpness)
    model.save_pretrained(folder)
    (tokenizer or byte_level_tokenizer()).save_pretrained(folder)
    return str(folder)
