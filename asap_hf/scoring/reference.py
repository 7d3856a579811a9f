"""First-token surprisal as the code that the paper's authors published computes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from ..traces.trace import Trace
from .base import ModelScorer
from .outcome import ScoringFailure

if TYPE_CHECKING:
    from torch import Tensor

    from .forward import ScoringModel
    from .head import OutputLayer
    from .token_scores import TokenScores
    from .tokenization import TokenisedTrace, TraceTokenizer
    from .windows import Indexes


@dataclass(frozen=True)
class ReferenceScorer(ModelScorer):
    r"""`first_token_surprisal` of every step, read where the authors' code reads it, in nats.

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
            As [`ModelScorer`] has them; the authors' context is `"raw"`, their dtype `"bfloat16"`.
        max_context (`int`, *optional*):
            Most tokens that the model sees at once; its own context by default. A longer trace is seen in overlapping
            windows, which their code does not have.

    Example:
        >>> from asap_hf import ReferenceScorer, Trace
        >>> scorer = ReferenceScorer("embedded", context="raw")
        >>> [answer] = scorer([Trace("What is 2 + 3?", ("Let me add.\n\n", "That is 5."), "5")])
        >>> len(answer["scores"]["first_token_surprisal"])
        2
    """

    max_context: int | None = None

    version = "1"

    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        return reference_surprisals(traces, tokenizer, model, self.max_context, self.batch_tokens)


_TILE = 2**24  # float32 logits at once


def reference_surprisals(
    traces: Sequence[Trace],
    tokenizer: TraceTokenizer,
    model: ScoringModel,
    max_context: int | None,
    max_batch_tokens: int,
) -> Iterator[dict[int, dict[str, Any] | ScoringFailure]]:
    """Answers as [`ReferenceScorer`] gives them, by the trace's position in `traces`.

    Args:
        traces (`Sequence[Trace]`):
            What to score.
        tokenizer (`TraceTokenizer`), model (`ScoringModel`):
            From [`asap_hf.scoring.steps.load`].
        max_context, max_batch_tokens:
            As [`SurprisalScorer`] has them.
    """
    from .token_scores import score_tokens

    rounding = copy(model)
    rounding.head = _RoundingHead(model.head)  # type: ignore[assignment]

    def tokenise(asked: Sequence[Trace]) -> list[TokenisedTrace | None]:
        found = zip(asked, tokenizer(asked), strict=True)
        return [one and replace(one, first=_positions(tokenizer, trace, one)) for trace, one in found]

    return score_tokens(traces, tokenise, rounding, _read, _answer, max_context, max_batch_tokens)


def _positions(tokenizer: TraceTokenizer, trace: Trace, tokenised: TokenisedTrace) -> Indexes:
    """The position that is read for each step: one after the tokens of the text before it."""
    prefixes = [*accumulate(trace.steps[:-1], initial=tokenizer.prefix(trace.question))]
    positions = np.array(tokenizer.lengths(prefixes), dtype=np.int64) + 1
    return np.minimum(positions, len(tokenised.ids) - 1)


def _read(tokenised: TokenisedTrace) -> Indexes:
    return np.unique(tokenised.first)


def _answer(of_tokens: TokenScores) -> dict[str, Any]:
    from .token_scores import rounded

    places = np.searchsorted(of_tokens.wanted, of_tokens.tokenised.first)
    scores = {"first_token_surprisal": list(rounded(of_tokens.surprisal[places]))}
    return {"scores": scores, "windows": of_tokens.windows, "question_cut": of_tokens.question_cut}


class _RoundingHead:
    """The output layer as the model itself has it: logits and log-probabilities in the numbers of its weights."""

    def __init__(self, head: OutputLayer):
        self._head = head

    def __call__(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """As [`OutputLayer`] has it, without the entropy, which is zero here."""
        import torch

        at_once = max(1, _TILE // len(self._head.weight))
        parts = [
            self._surprisal(hidden[at : at + at_once], targets[at : at + at_once])
            for at in range(0, len(hidden), at_once)
        ]
        surprisal = torch.cat(parts).cpu().double()
        return surprisal, torch.zeros_like(surprisal)

    def _surprisal(self, hidden: Tensor, targets: Tensor) -> Tensor:
        logits = self._head.logits(hidden, 0, len(self._head.weight)).to(hidden.dtype)
        return -logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
