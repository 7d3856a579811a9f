"""A scorer that runs a causal language model, with the ledger around its work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..runtime.ledger import ledger_key, open_ledger
from ..traces.trace import Trace
from .outcome import ScoringFailure
from .setup import ScoringSetup

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import TraceTokenizer


@dataclass(frozen=True)
class ModelScorer(ScoringSetup, ABC):
    """The scores of a trace go to the ledger as soon as they are known, under everything that they depend on: the
    trace, the model, the numbers it computes in, and every field of a subclass. A trace that is there needs no model.

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ScoringSetup`] has them.
    """

    @abstractmethod
    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        """The answers about traces by their positions, as soon as they are known, those of one forward pass at once:
        `{"scores": {name: [one value per step]}, …anything for the record}` as JSON holds it, or a failure."""

    def __call__(self, traces: Sequence[Trace]) -> list[dict[str, Any]]:
        """Answers in order, each with `scorer`, the `fingerprint`: from the ledger where a trace was scored before.

        Raises:
            [`UsageError`]: if there is no such model, or it has no chat template for `context="chat"`.
            [`RunError`]: if the model or its tokenizer fails its check at loading, or does not fit on the device.
        """
        ledger = open_ledger("scores")
        keys = [self._key(trace) for trace in traces]
        answers = {index: answer for index, key in enumerate(keys) if (answer := ledger.get(key)) is not None}
        unknown = [index for index in range(len(traces)) if index not in answers]
        if unknown:
            for outcomes in self.compute([traces[index] for index in unknown], *self.load()):
                found = {unknown[place]: outcome for place, outcome in outcomes.items()}
                failed = {at: {"reason": one.reason} for at, one in found.items() if isinstance(one, ScoringFailure)}
                scored = {at: one for at, one in found.items() if not isinstance(one, ScoringFailure)}
                ledger.keep({keys[index]: answer for index, answer in scored.items()})
                answers |= failed | scored
        return [{**answers[index], "scorer": self.fingerprint} for index in range(len(traces))]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that the scores depend on beside the trace, as the record tells it."""
        shared = {one.name for one in fields(ScoringSetup)}
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in shared}
        return {**super().fingerprint, **own, "version": self.version}

    def _key(self, trace: Trace) -> str:
        seen = [trace.question, trace.steps, trace.closing, trace.answer]
        return ledger_key(type(self).__name__, self.stored_under, *seen)
