"""The outcome of scoring a trace: its steps' scores, or a failure."""

from __future__ import annotations

from dataclasses import dataclass

SCORES = ("first_token_surprisal", "first_token_entropy", "mean_surprisal", "mean_entropy", "perplexity")
# Those that need the distributions of all tokens.
MEAN_SCORES = SCORES[2:]


@dataclass(frozen=True)
class StepScores:
    """Scores of one trace's steps, each a tuple with one value per step, in the order of the steps.

    Args:
        first_token_surprisal (`tuple[float, ...]`):
            -log p of the step's first token given everything before it, in nats (Eq. 2).
        first_token_entropy (`tuple[float, ...]`):
            Entropy over the vocabulary of the distribution that this token was drawn from, in nats (Eq. 1).
        mean_surprisal (`tuple[float, ...]`):
            Mean of -log p over the step's tokens, in nats; empty if it was not asked for, as the next two. A token
            counts for the step that holds its last character, so that each counts once. A step that holds no token's
            last character has its first token's value.
        mean_entropy (`tuple[float, ...]`):
            Mean entropy over the step's tokens, in nats.
        perplexity (`tuple[float, ...]`):
            exp(mean_surprisal): the step's perplexity given everything before it.
        tokens (`int`):
            Tokens of the reasoning.
        windows (`int`):
            Windows that the trace was seen in; 1 if the model saw it at once.
        question_cut (`int`):
            Tokens in the middle of the question that the model did not see; above 0 only where the trace is longer
            than the context and the question fills more than half of it.

    Example:
        >>> from asap_hf import StepScores
        >>> scores = StepScores((0.5, 2.0), (1.0, 1.5), (), (), (), tokens=12, windows=1)
        >>> scores.first_token_surprisal[1]
        2.0
    """

    first_token_surprisal: tuple[float, ...]
    first_token_entropy: tuple[float, ...]
    mean_surprisal: tuple[float, ...]
    mean_entropy: tuple[float, ...]
    perplexity: tuple[float, ...]
    tokens: int
    windows: int
    question_cut: int = 0


@dataclass(frozen=True)
class ScoringFailure:
    r"""Why a trace has no scores. Never stored, so that running again tries again.

    Args:
        reason (`str`):
            `not_encodable` (the text is no valid Unicode), `out_of_memory` (the trace does not fit even alone),
            `not_finite` (the model gave NaN or infinity) or `nothing_before` (the first token has no context).

    Example:
        >>> from asap_hf import ScoringFailure, SurprisalScorer, Trace
        >>> SurprisalScorer("embedded").score([Trace("What is 2 + 3?", ("half a pair: \ud800",), "5")])
        [ScoringFailure(reason='not_encodable')]
    """

    reason: str
