"""A causal language model that scores: which one, in what numbers, where; and the way to it, loaded when needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..models.placement import PlacedModel
from ..runtime.ledger import ledger_key, open_ledger
from ..traces.trace import Trace
from .flops import CountedTrace, Reading
from .outcome import ScoringFailure

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import Context, TraceTokenizer


_CONTEXTS = ("chat", "raw")
# Tokens in one forward pass where nothing else is asked for, and wherever the numbers may not depend on it.
BATCH_TOKENS = 16384


@dataclass(frozen=True)
class ScoringSetup(PlacedModel):
    """Frozen hyperparameters; the model is loaded on first use in the process that uses it and never pickled.

    Args:
        model_name_or_path (`str`):
            Hub id, folder, or `"embedded"`. The paper's is `deepseek-ai/DeepSeek-R1-Distill-Qwen-7B` (Appendix A).
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub. Recorded as the commit it stands for.
        context (`str`, *optional*, defaults to `"chat"`):
            What stands before the reasoning. `"chat"` renders the question as a user's message in the model's chat
            template, which is how a chat or reasoning model met it in training; `"raw"` is the bare question, as in
            the authors' code. The paper does not give it.
        dtype (`str`, *optional*, defaults to `"auto"`):
            `"bfloat16"`, `"float16"`, `"float32"`, or `"auto"`: bfloat16 where the hardware multiplies in it, else
            float32. Logits are float32 in any case. The paper does not give it.
        device (`str`, *optional*):
            A GPU by default if there is one; see also `to_rank`.
        max_batch_tokens (`int`, *optional*, defaults to 16384):
            Most tokens in one forward pass, padding counted; a longer trace goes alone. The paper does not give it.
        attn_implementation (`str`, *optional*):
            As `from_pretrained` takes it; PyTorch's scaled dot product by default.
        deterministic (`bool`, *optional*, defaults to `False`):
            Give a trace the same scores to the last bit whatever is scored beside it, before it or after it, and
            whatever the ledger holds: each text goes through the model alone, at its own length, and stored scores
            count only if they were made in the same way on such a machine ([`asap_hf.models.devices.machine`]).
            `max_batch_tokens` then has no say. The paper does not give it.
    """

    model_name_or_path: str
    revision: str | None = None
    context: Context = "chat"
    dtype: str = "auto"
    device: str | None = None
    max_batch_tokens: int = BATCH_TOKENS
    attn_implementation: str | None = None
    deterministic: bool = field(default=False, kw_only=True)

    version = "1"

    def __post_init__(self) -> None:
        if self.context not in _CONTEXTS:
            raise UsageError(f"context is 'chat' or 'raw', not {self.context!r}")
        self.check_dtype()
        if self.max_batch_tokens < 1:
            raise UsageError(f"max_batch_tokens is 1 or more, not {self.max_batch_tokens}")

    @property
    def fingerprint(self) -> dict[str, Any]:
        kernel = {"attn_implementation": self.attn_implementation} if self.attn_implementation else {}
        return {**super().fingerprint, **kernel, "context": self.context}

    @property
    def batch_tokens(self) -> int:
        """Most tokens that share a forward pass, padding counted; with one, every text goes alone."""
        return 1 if self.deterministic else self.max_batch_tokens

    def readings(self, counted: CountedTrace) -> Sequence[Reading]:
        """The forward passes over one trace that nothing is stored of: one, with a distribution at every token."""
        return [Reading(0, counted.question + counted.reasoning, head_rows=counted.reasoning)]

    def load(self) -> tuple[TraceTokenizer, ScoringModel]:
        """Tokenizer and model in this process."""
        from .steps import load

        identity, (device, dtype) = self.identity, self.placement()
        return load(identity.path, identity.commit, self.context, dtype, device, self.attn_implementation)

    def __getstate__(self) -> dict[str, Any]:
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "version": self.version}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name != "version":
                object.__setattr__(self, name, value)


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
