"""First-token surprisal as the code that the paper's authors published computes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..traces.trace import Trace
from .outcome import ScoringFailure
from .scorer import ModelScorer

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import TraceTokenizer


@dataclass(frozen=True)
class ReferenceScorer(ModelScorer):
    """`first_token_surprisal` of every step, read where the authors' code reads it, in nats.

    It differs from [`SurprisalScorer`] in two things, both of which may change which steps are kept:

    - A step's first token is taken to be number n + 1, counted from 0, where n is the number of tokens of the text
      before the step when that is tokenised by itself, without special tokens. The 1 stands for a BOS. Where the
      tokenizer puts none in front, that is the step's *second* token, unless the white space between two steps makes
      fewer tokens at the end of a text than inside of it. A last step of one token has no second one, where their code
      fails; here the last token is taken.
    - Logits and log-probabilities are rounded to the model's own numbers. In bfloat16, theirs, many steps are tied.

    Every text before a step is tokenised, at a cost that grows with the square of the length.

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ScoringSetup`] has them; the authors' context is `"raw"`, their dtype `"bfloat16"`.
        max_context (`int`, *optional*):
            Most tokens that the model sees at once; its own context by default. A longer trace is seen in overlapping
            windows, which their code does not have.
    """

    max_context: int | None = None

    version = "1"

    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        from .reference import reference_surprisals

        return reference_surprisals(traces, tokenizer, model, self.max_context, self.batch_tokens)
