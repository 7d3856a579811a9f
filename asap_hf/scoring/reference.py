"""Where the authors' code reads a step's surprisal, and in which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..traces.trace import Trace
from .forward import ScoringModel
from .head import Head
from .outcome import ScoringFailure
from .token_scores import TokenScores, rounded, score_tokens
from .tokenization import TokenisedTrace, TraceTokenizer
from .windows import Indexes

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
    places = np.searchsorted(of_tokens.wanted, of_tokens.tokenised.first)
    scores = {"first_token_surprisal": list(rounded(of_tokens.surprisal[places]))}
    return {"scores": scores, "windows": of_tokens.windows, "question_cut": of_tokens.question_cut}


class _RoundingHead:
    """The output layer as the model itself has it: logits and log-probabilities in the numbers of its weights."""

    def __init__(self, head: Head):
        self._head = head

    def __call__(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """As [`Head`] has it, without the entropy, which is zero here."""
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
