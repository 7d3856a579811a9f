"""A scorer that runs a causal language model: its hyperparameters, and the ledger around its work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..ledger import ledger_key, open_ledger
from ..trace import Trace
from .identity import model_identity
from .outcome import ScoringFailure

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import Context, TraceTokenizer

_CONTEXTS = ("chat", "raw")
_DTYPES = ("auto", "bfloat16", "float16", "float32")


@dataclass(frozen=True)
class ModelScorer(ABC):
    """Frozen hyperparameters; the model is loaded on first use in the process that uses it and never pickled.

    The scores of a trace go to the ledger as soon as they are known, under everything that they depend on: the trace,
    the model, the numbers it computes in, and every field of a subclass. A trace that is there needs no model.

    Args:
        model_name_or_path (`str`):
            Hub id, folder, or `"embedded"`. The paper's is `deepseek-ai/DeepSeek-R1-Distill-Qwen-7B` (Appendix A).
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub. Recorded as the commit it stands for.
        context (`str`, *optional*, defaults to `"chat"`):
            What stands before the reasoning: see [`SurprisalScorer`].
        dtype (`str`, *optional*, defaults to `"auto"`):
            `"bfloat16"`, `"float16"`, `"float32"`, or `"auto"`: bfloat16 where the hardware multiplies in it, else
            float32. The paper does not give it.
        device (`str`, *optional*):
            A GPU by default if there is one; see also `to_rank`.
        max_batch_tokens (`int`, *optional*, defaults to 16384):
            Most tokens in one forward pass. The paper does not give it.
        attn_implementation (`str`, *optional*):
            As `from_pretrained` takes it; PyTorch's scaled dot product by default.
    """

    model_name_or_path: str
    revision: str | None = None
    context: Context = "chat"
    dtype: str = "auto"
    device: str | None = None
    max_batch_tokens: int = 16384
    attn_implementation: str | None = None

    version = "1"
    _rank = None

    def __post_init__(self) -> None:
        if self.context not in _CONTEXTS:
            raise UsageError(f"context is 'chat' or 'raw', not {self.context!r}")
        if self.dtype not in _DTYPES:
            raise UsageError(f"dtype is one of {', '.join(_DTYPES)}, not {self.dtype!r}")
        if self.max_batch_tokens < 1:
            raise UsageError(f"max_batch_tokens is 1 or more, not {self.max_batch_tokens}")

    @abstractmethod
    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[tuple[int, Mapping[str, Any] | ScoringFailure]]:
        """The answer about each trace with its position, as soon as it is known: `{"scores": {name: [one value per
        step]}, …anything for the record}` as JSON holds it, or a failure."""

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
            for place, outcome in self._compute([traces[index] for index in unknown]):
                index = unknown[place]
                if isinstance(outcome, ScoringFailure):
                    answers[index] = {"reason": outcome.reason}
                else:
                    ledger.put(keys[index], outcome)
                    answers[index] = outcome
        return [{**answers[index], "scorer": self.fingerprint} for index in range(len(traces))]

    def to_rank(self, rank: int | None) -> None:
        """Take the GPU of this rank (`cuda:{rank % n}`), unless `device` names another. Holds for this object in this
        process; it is no part of its identity or pickled state."""
        object.__setattr__(self, "_rank", rank)

    def placement(self) -> tuple[str, str]:
        """Device and dtype that this process scores with."""
        from .forward import pick_device, pick_dtype

        device = pick_device(self.device, self._rank)
        return device, pick_dtype(self.dtype, device)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that the scores depend on beside the trace, as the record tells it."""
        identity = model_identity(self.model_name_or_path, self.revision)
        shared = {one.name for one in fields(ModelScorer)}
        return {
            "model": identity.name,
            "revision": identity.revision,
            "dtype": self.placement()[1],
            "context": self.context,
            **{one.name: getattr(self, one.name) for one in fields(self) if one.name not in shared},
            "version": self.version,
        }

    def _key(self, trace: Trace) -> str:
        made_with = {**self.fingerprint, "model": model_identity(self.model_name_or_path, self.revision).key}
        seen = [trace.question, trace.steps, trace.closing, trace.answer]
        return ledger_key(type(self).__name__, made_with, *seen)

    def _compute(self, traces: Sequence[Trace]) -> Iterator[tuple[int, Mapping[str, Any] | ScoringFailure]]:
        from .steps import load

        identity, (device, dtype) = model_identity(self.model_name_or_path, self.revision), self.placement()
        loaded = load(identity.path, identity.commit, self.context, dtype, device, self.attn_implementation)
        yield from self.compute(traces, *loaded)

    def __getstate__(self) -> dict[str, Any]:
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "version": self.version}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name != "version":
                object.__setattr__(self, name, value)
