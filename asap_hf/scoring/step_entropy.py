"""Step entropy: how uncertain a model is in writing a step, as the paper of that name has it and as released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..traces.trace import Trace
from .base import ModelScorer
from .outcome import ScoringFailure

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .token_scores import TokenScores, Values
    from .tokenization import TraceTokenizer


_LEAST_CONTEXT = 16


@dataclass(frozen=True)
class StepEntropyScorer(ModelScorer):
    r"""Two scores of every step from one forward pass, both in nats and the lower the sooner to be pruned:

    - `step_entropy`: the *sum* over the step's tokens of the entropy over the vocabulary, as the step-entropy paper
      defines it. ([`SurprisalScorer`]'s `mean_entropy` is the mean of the same.)
    - `step_entropy_released`: the *mean* over the step's tokens of -p ln p of the token that stands there, which is
      what its authors' code computes.

    Each token belongs to the step that holds its last character; a step that owns none scores 0.

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ModelScorer`] has them.
        max_context (`int`, *optional*):
            Most tokens that the model sees at once, 16 or more; its own context by default. A longer trace is seen in
            overlapping windows.

    Example:
        >>> from asap_hf import StepEntropyScorer, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "That is 5."), "5")
        >>> [answer] = StepEntropyScorer("embedded")([trace])
        >>> list(answer["scores"])
        ['step_entropy', 'step_entropy_released']
    """

    max_context: int | None = None

    version = "2"  # 2: traces share a batch, which moves the last digits

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_context is not None and self.max_context < _LEAST_CONTEXT:
            raise UsageError(f"max_context is {_LEAST_CONTEXT} or more, not {self.max_context}")

    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        from .token_scores import all_of_reasoning, score_tokens

        return score_tokens(
            traces, tokenizer, model, all_of_reasoning, step_entropies, self.max_context, self.batch_tokens
        )


def step_entropies(of_tokens: TokenScores) -> dict[str, Any]:
    """Both scores of one trace, all of whose reasoning was scored, as [`StepEntropyScorer`] describes them."""
    from .token_scores import rounded

    owner, count = of_tokens.tokenised.owner, len(of_tokens.tokenised.first)
    owned = np.maximum(np.bincount(owner, minlength=count), 1)
    surprisal = of_tokens.surprisal
    sums: Values = np.bincount(owner, of_tokens.entropy, minlength=count).astype(np.float64)
    means = np.bincount(owner, surprisal * np.exp(-surprisal), minlength=count) / owned
    scores = {"step_entropy": list(rounded(sums)), "step_entropy_released": list(rounded(means))}
    return {"scores": scores, "windows": of_tokens.windows, "question_cut": of_tokens.question_cut}
