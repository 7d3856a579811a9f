"""What scoring costs, read off a model's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..models.identity import model_identity
from ..traces.trace import Trace


@dataclass(frozen=True)
class CountedTrace:
    """A trace and the tokens of its parts, which the costs of a run are estimated from.

    Args:
        trace ([`Trace`]):
            The trace.
        question, reasoning, answer (`int`):
            Tokens of each part.
    """

    trace: Trace
    question: int
    reasoning: int
    answer: int

    @cached_property
    def steps(self) -> list[int]:
        """Tokens of each step: its share of the reasoning's characters, at least 1."""
        return self.shares(self.trace.texts)

    def shares(self, texts: Sequence[str]) -> list[int]:
        """Tokens of texts that are parts of the reasoning, by their characters; at least 1 each."""
        whole = max(1, len(self.trace.reasoning))
        return [max(1, round(self.reasoning * len(text) / whole)) for text in texts]


@dataclass(frozen=True)
class ForwardPass:
    """One forward pass of a causal language model over a part of a text.

    Args:
        start, end (`int`):
            The tokens that are read; those before `start` are in a KV cache.
        head_rows (`int`, *optional*, defaults to 0):
            Tokens whose distribution over the vocabulary is computed.
    """

    start: int
    end: int
    head_rows: int = 0

    def flops(self, config: Any) -> float:
        """Floating-point operations with a model of this configuration."""
        return flops_per_trace(config, self.end, self.head_rows) - flops_per_trace(config, self.start)


def model_config(model_name_or_path: str, revision: str | None = None) -> Any:
    """The configuration of a model; its weights are not touched.

    Raises:
        [`UsageError`], [`RunError`]: as [`model_identity`].
    """
    from transformers import AutoConfig

    identity = model_identity(model_name_or_path, revision)
    return AutoConfig.from_pretrained(identity.path, revision=identity.commit)


def flops_per_trace(config: Any, n_tokens: int, head_rows: int = 0) -> float:
    """Floating-point operations of one forward pass over `n_tokens` in a transformer.

    Two per parameter and token without the embeddings, plus causal attention, plus the output layer for the rows that
    need it. Assumes gated MLPs where the configuration names an `intermediate_size` (Llama, Qwen, Mistral, Gemma, …);
    of experts, those that are used per token count.

    Args:
        config (`PretrainedConfig`):
            From [`model_config`].
        n_tokens (`int`):
            Tokens of question and reasoning, seen at once.
        head_rows (`int`, *optional*, defaults to 0):
            Tokens whose distribution over the vocabulary is computed.
    """
    config = config.get_text_config()
    hidden, layers, heads = config.hidden_size, config.num_hidden_layers, config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or hidden // heads
    key_values = getattr(config, "num_key_value_heads", None) or heads
    attention = 2 * hidden * head_size * (heads + key_values)
    weights = layers * (attention + _mlp_weights(config))
    scores_and_sums = 2 * layers * heads * head_size * n_tokens**2
    return float(2 * weights * n_tokens + scores_and_sums + 2 * hidden * config.vocab_size * head_rows)


def _mlp_weights(config: Any) -> int:
    hidden = config.hidden_size
    experts = getattr(config, "num_experts_per_tok", None)
    if experts:
        return int(experts * 3 * hidden * (getattr(config, "moe_intermediate_size", None) or config.intermediate_size))
    inner = getattr(config, "intermediate_size", None)
    return int(3 * hidden * inner if inner else 8 * hidden * hidden)
