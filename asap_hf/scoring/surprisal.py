"""One forward pass → a score for every step: Eq. 1, Eq. 2, and what else comes for free (§3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..runtime.ledger import ledger_key
from ..traces.trace import Trace
from .base import ModelScorer
from .flops import CountedTrace, ForwardPass, flops_per_trace, model_config
from .outcome import MEAN_SCORES, SCORES, ScoringFailure, StepScores

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import TraceTokenizer

__all__ = ["ScoringFailure", "StepScores", "SurprisalScorer", "flops_per_trace", "model_config"]

_LEAST_CONTEXT = 16


@dataclass(frozen=True)
class SurprisalScorer(ModelScorer):
    r"""Scores every step of a trace with one forward pass of a causal language model (§3.3).

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ModelScorer`] has them. Where memory runs out, batches are halved.
        all_scores (`bool`, *optional*, defaults to `True`):
            Compute all five scores. `False`: the first token's two, which needs a fraction of the output layer.
        max_context (`int`, *optional*):
            Score in windows of at most this many tokens, 16 or more; the model's own context by default. No trace is
            ever cut: a longer one is seen in overlapping windows, each beginning with the question, and `windows` says
            so.

    Example:
        >>> from asap_hf import SurprisalScorer, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Bananas are yellow.\n\n", "So 2 + 3 is 5."), "5")
        >>> [scores] = SurprisalScorer("embedded").score([trace])
        >>> first, second, third = scores.first_token_surprisal
        >>> second > third
        True
    """

    all_scores: bool = True
    max_context: int | None = None

    version = "1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_context is not None and self.max_context < _LEAST_CONTEXT:
            raise UsageError(f"max_context is {_LEAST_CONTEXT} or more, not {self.max_context}")

    def forward_passes(self, counted: CountedTrace) -> Sequence[ForwardPass]:
        rows = counted.reasoning if self.all_scores else len(counted.trace.steps)
        return [ForwardPass(0, counted.question + counted.reasoning, head_rows=rows)]

    def score(self, traces: Sequence[Trace]) -> list[StepScores | ScoringFailure]:
        """Score every trace, in order: what `__call__` does, as objects with one tuple per score.

        Raises:
            [`UsageError`], [`RunError`]: as [`ModelScorer`].
        """
        outcomes = self.stored_or_computed(traces)
        return [one if isinstance(one, ScoringFailure) else self._step_scores(one) for one in outcomes]

    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        from .steps import score_steps

        for found in score_steps(traces, tokenizer, model, self.all_scores, self.max_context, self.batch_tokens):
            yield {at: one if isinstance(one, ScoringFailure) else asdict(one) for at, one in found.items()}

    def answer(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        step_scores = self._step_scores(stored)
        scores = {name: list(values) for name in SCORES if (values := getattr(step_scores, name))}
        return {"scores": scores, "windows": step_scores.windows, "question_cut": step_scores.question_cut}

    def keys(self, trace: Trace) -> Sequence[str]:
        """Where only the first token's scores are wanted, all five serve too. Not where the last digit counts: it
        depends on how many rows go through the output layer together."""
        alternatives = (self.all_scores,) if self.all_scores or self.deterministic else (False, True)
        seen = [trace.question, trace.steps]
        return [ledger_key("scores", self.stored_under, all_scores, *seen) for all_scores in alternatives]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that the scores depend on, apart from the trace: not `all_scores`, which only says how many."""
        return {name: value for name, value in super().fingerprint.items() if name != "all_scores"}

    def _step_scores(self, stored: Mapping[str, Any]) -> StepScores:
        values: dict[str, Any] = {name: tuple(stored[name]) for name in SCORES}
        if not self.all_scores:
            values |= dict.fromkeys(MEAN_SCORES, ())
        return StepScores(**{**stored, **values})
