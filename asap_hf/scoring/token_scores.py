"""Traces → scores of their tokens: tokenise, cut into windows, run the model, join the windows' scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..runtime.progress import tick
from ..traces.trace import Trace
from .forward import Scores, ScoringModel
from .outcome import ScoringFailure
from .tokenization import TokenisedTrace
from .windows import Indexes, Window, cut

Values = NDArray[np.float64]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class TokenScores:
    """Surprisal and entropy of tokens of one trace.

    Args:
        tokenised (`TokenisedTrace`):
            Its tokens.
        wanted (`NDArray` of shape `(wanted,)`):
            Positions of the scored ones, ascending.
        surprisal (`NDArray` of shape `(wanted,)`):
            -log p of each given everything before it, in nats.
        entropy (`NDArray` of shape `(wanted,)`):
            Entropy over the vocabulary of the distribution that each was drawn from, in nats.
        windows, question_cut (`int`):
            As [`StepScores`] has them.
    """

    tokenised: TokenisedTrace
    wanted: Indexes
    surprisal: Values
    entropy: Values
    windows: int
    question_cut: int


def all_of_reasoning(tokenised: TokenisedTrace) -> Indexes:
    """Positions of all tokens of the reasoning."""
    return np.arange(tokenised.start, len(tokenised.ids))


def score_tokens(
    traces: Sequence[Trace],
    tokenise: Callable[[Sequence[Trace]], Sequence[TokenisedTrace | None]],
    model: ScoringModel,
    wanted: Callable[[TokenisedTrace], Indexes],
    answer: Callable[[TokenScores], Answer],
    max_context: int | None,
    max_batch_tokens: int,
) -> Iterator[dict[int, Answer | ScoringFailure]]:
    """Answers by the trace's position in `traces`, those of one forward pass at once. The longest traces go first, so
    that memory runs out at once if at all.

    The last digits of a score depend on the other traces in its batch. A caller that stores each `dict` at once, and
    after an interruption asks for the rest alone, gets the numbers of an uninterrupted run: the next batch begins
    where the last one ended, and a trace of several windows shares no batch with others.

    Args:
        traces (`Sequence[Trace]`):
            What to score.
        tokenise (`Callable[[Sequence[Trace]], Sequence[TokenisedTrace | None]]`):
            A [`TraceTokenizer`], or a function like it.
        model (`ScoringModel`):
            From [`asap_hf.scoring.steps.load`].
        wanted (`Callable[[TokenisedTrace], NDArray]`):
            Positions of the tokens to score, ascending, such as [`all_of_reasoning`].
        answer (`Callable[[TokenScores], Answer]`):
            Makes a trace's answer of the scores of its tokens.
        max_context, max_batch_tokens:
            As [`SurprisalScorer`] has them.
    """
    pending: dict[int, _Pending] = {}
    limit = model.limit(max_context)
    for index, tokenised in enumerate(tokenise(traces)):
        if tokenised is None:
            yield {index: ScoringFailure("not_encodable")}
        elif tokenised.start == 0:
            yield {index: ScoringFailure("nothing_before")}
        else:
            pending[index] = _Pending(index, tokenised, wanted(tokenised), limit)
    longest_first = sorted(pending.values(), key=lambda one: -len(one.tokenised.ids))
    split = [one.cut.windows for one in longest_first if len(one.cut.windows) > 1]
    whole = [window for one in longest_first if len(one.cut.windows) == 1 for window in one.cut.windows]
    for windows in (*split, whole):
        for batch in model.score_all(windows, max_batch_tokens):
            for window, scores in batch:
                tick("scored tokens", len(window))
                pending[window.trace].take(window, scores)
            if done := {window.trace: pending[window.trace] for window, _ in batch if pending[window.trace].is_done}:
                yield {index: one.outcome(answer) for index, one in done.items()}


class _Pending:
    """A trace whose windows are on their way through the model."""

    def __init__(self, number: int, tokenised: TokenisedTrace, wanted: Indexes, limit: int | None):
        self.tokenised, self.wanted = tokenised, wanted
        self.cut = cut(number, tokenised.ids, tokenised.start, wanted, limit)
        self.surprisal: Values = np.full(len(wanted), np.nan)
        self.entropy: Values = np.full(len(wanted), np.nan)
        self.scored_windows = 0
        self.fits = True

    def take(self, window: Window, scores: Scores | None) -> None:
        self.scored_windows += 1
        if scores is None:
            self.fits = False
        else:
            self.surprisal[window.slots], self.entropy[window.slots] = scores

    @property
    def is_done(self) -> bool:
        return self.scored_windows == len(self.cut.windows)

    def outcome(self, answer: Callable[[TokenScores], Answer]) -> Answer | ScoringFailure:
        if not self.fits:
            return ScoringFailure("out_of_memory")
        if not (np.isfinite(self.surprisal).all() and np.isfinite(self.entropy).all()):
            return ScoringFailure("not_finite")
        windows, question_cut = self.cut.count, self.cut.question_cut
        return answer(TokenScores(self.tokenised, self.wanted, self.surprisal, self.entropy, windows, question_cut))


def rounded(values: Values) -> tuple[float, ...]:
    """Seven digits: what float32 holds. The rest would only take room in every record."""
    return tuple(float(f"{value:.7g}") for value in values)
