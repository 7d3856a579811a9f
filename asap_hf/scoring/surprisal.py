"""One forward pass → a score for every step: Eq. 1, Eq. 2, and what else comes for free (§3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError
from ..runtime.ledger import ledger_key, open_ledger
from ..traces.trace import Trace
from .base import ScoringSetup
from .flops import CountedTrace, Reading, flops_per_trace, model_config
from .outcome import MEAN_SCORES, SCORES, ScoringFailure, StepScores

__all__ = ["ScoringFailure", "StepScores", "SurprisalScorer", "flops_per_trace", "model_config"]

_LEAST_CONTEXT = 16


@dataclass(frozen=True)
class SurprisalScorer(ScoringSetup):
    """Scores every step of a trace with one forward pass of a causal language model (§3.3).

    Finished scores go to the ledger batch by batch; a trace whose scores are there needs no model at all.

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ScoringSetup`] has them. Where memory runs out, batches are halved.
        all_scores (`bool`, *optional*, defaults to `True`):
            Compute all five scores. `False`: the first token's two, which needs a fraction of the output layer.
        max_context (`int`, *optional*):
            Score in windows of at most this many tokens, 16 or more; the model's own context by default. No trace is
            ever cut: a longer one is seen in overlapping windows, each beginning with the question, and `windows` says
            so.
    """

    all_scores: bool = True
    max_context: int | None = None

    version = "1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_context is not None and self.max_context < _LEAST_CONTEXT:
            raise UsageError(f"max_context is {_LEAST_CONTEXT} or more, not {self.max_context}")

    def __call__(self, traces: Sequence[Trace]) -> list[dict[str, Any]]:
        """Scores as a record holds them: `score`, told as plain values.

        Returns:
            One `dict` per trace, in order: `{"scores": {name: [one value per step]}, "windows", "question_cut",
            "scorer"}`, or `{"reason", "scorer"}`; `scorer` is `fingerprint`.
        """
        answers: list[dict[str, Any]] = []
        for outcome in self.score(traces):
            if isinstance(outcome, ScoringFailure):
                answers.append({"reason": outcome.reason, "scorer": self.fingerprint})
                continue
            scores = {name: list(values) for name in SCORES if (values := getattr(outcome, name))}
            seen = {"windows": outcome.windows, "question_cut": outcome.question_cut}
            answers.append({"scores": scores, **seen, "scorer": self.fingerprint})
        return answers

    def readings(self, counted: CountedTrace) -> Sequence[Reading]:
        rows = counted.reasoning if self.all_scores else len(counted.trace.steps)
        return [Reading(0, counted.question + counted.reasoning, head_rows=rows)]

    def score(self, traces: Sequence[Trace]) -> list[StepScores | ScoringFailure]:
        """Score every trace, in order: from the ledger where it was scored before, else with the model.

        Raises:
            [`UsageError`]: if there is no such model, or it has no chat template for `context="chat"`.
            [`RunError`]: if the model or its tokenizer fails its check at loading, or does not fit on the device.
        """
        outcomes: dict[int, StepScores | ScoringFailure] = {}
        for index, trace in enumerate(traces):
            known = self._recall(trace)
            if known is not None:
                outcomes[index] = known
        unknown = [index for index in range(len(traces)) if index not in outcomes]
        if unknown:
            for found in self._compute([traces[index] for index in unknown]):
                outcomes |= {unknown[place]: outcome for place, outcome in found.items()}
        return [outcomes[index] for index in range(len(traces))]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that the scores depend on beside the trace, as the record tells it."""
        return {**super().fingerprint, "max_context": self.max_context, "version": self.version}

    def _key(self, trace: Trace, all_scores: bool) -> str:
        return ledger_key("scores", self.stored_under, all_scores, trace.question, trace.steps)

    def _recall(self, trace: Trace) -> StepScores | None:
        """What the ledger holds for a trace; where only the first token's scores are wanted, all five serve too. Not
        where the last digit counts: how many rows go through the output layer together shows in it."""
        ledger = open_ledger("scores")
        for all_scores in (self.all_scores,) if self.all_scores or self.deterministic else (False, True):
            stored = ledger.get(self._key(trace, all_scores))
            if stored is not None:
                values: dict[str, Any] = {name: tuple(stored[name]) for name in SCORES}
                if not self.all_scores:
                    values |= dict.fromkeys(MEAN_SCORES, ())
                return StepScores(**{**stored, **values})
        return None

    def _compute(self, traces: Sequence[Trace]) -> Iterator[dict[int, StepScores | ScoringFailure]]:
        """Score with the model; the outcomes as soon as they are known, and stored."""
        from .steps import score_steps

        tokenizer, model = self.load()
        ledger = open_ledger("scores")
        for found in score_steps(traces, tokenizer, model, self.all_scores, self.max_context, self.batch_tokens):
            ledger.keep(
                {
                    self._key(traces[index], self.all_scores): asdict(outcome)
                    for index, outcome in found.items()
                    if isinstance(outcome, StepScores)
                }
            )
            yield found
