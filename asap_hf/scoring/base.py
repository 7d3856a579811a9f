"""The base of every scorer that reads a causal language model: which model, the ledger, and the answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..models.placement import PlacedModel
from ..runtime.ledger import ledger_key, open_ledger
from ..traces.trace import Trace
from .flops import CountedTrace, ForwardPass
from .outcome import ScoringFailure

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import Context, TraceTokenizer


_CONTEXTS = ("chat", "raw")
# Default of `max_batch_tokens`; used for every text where scores may not depend on it.
BATCH_TOKENS = 16384


@dataclass(frozen=True)
class ModelScorer(PlacedModel, ABC):
    """A scorer whose scores come from a causal language model.

    The scores of a trace go to the ledger as soon as they are computed, under everything that they depend on: the
    trace, the model, the dtype, and every field of a subclass. A trace whose scores are there needs no model. The
    model is loaded on first use in the process that uses it, and never pickled.

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
            Give a trace the same scores to the last bit whichever traces are scored with it, before it or after it,
            and whatever the ledger holds: each text goes through the model alone, at its own length, and stored scores
            count only if they were made in the same way on such a machine ([`asap_hf.models.devices.machine`]).
            `max_batch_tokens` then has no effect. The paper does not give it.
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

    @abstractmethod
    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        """Scores of traces by their positions, as soon as they are computed, those of one forward pass at once: what
        the ledger stores (see `answer`), as JSON holds it, or a failure, which is not stored."""

    def __call__(self, traces: Sequence[Trace]) -> list[dict[str, Any]]:
        """Score traces: from the ledger where a trace was scored before, else with the model.

        Returns:
            One `dict` per trace, in order: `{"scores": {name: [one value per step]}, …anything for the record,
            "scorer"}`, or `{"reason", "scorer"}`; `scorer` is `fingerprint`.

        Raises:
            [`UsageError`]: if there is no such model, or it has no chat template for `context="chat"`.
            [`RunError`]: if the model or its tokenizer fails its check at loading, or does not fit on the device.
        """
        outcomes = self.stored_or_computed(traces)
        fingerprint = self.fingerprint if outcomes else {}
        return [
            {
                **({"reason": one.reason} if isinstance(one, ScoringFailure) else self.answer(one)),
                "scorer": fingerprint,
            }
            for one in outcomes
        ]

    def answer(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer of `__call__`, without `scorer`, from what the ledger stores: the same, but for scorers that
        store another form."""
        return stored

    def keys(self, trace: Trace) -> Sequence[str]:
        """Keys of the ledger under which the scores of a trace may stand. New ones are stored under the first."""
        seen = [trace.question, trace.steps, trace.closing, trace.answer]
        return [ledger_key(type(self).__name__, self.stored_under, *seen)]

    def stored_or_computed(self, traces: Sequence[Trace]) -> list[Mapping[str, Any] | ScoringFailure]:
        """What the ledger stores of each trace, in order; what it did not hold is computed first. Errors as in
        `__call__`."""
        ledger = open_ledger("scores")
        keys = [self.keys(trace) for trace in traces]
        outcomes: dict[int, Mapping[str, Any] | ScoringFailure] = {}
        for index, places in enumerate(keys):
            stored = next((value for key in places if (value := ledger.get(key)) is not None), None)
            if stored is not None:
                outcomes[index] = stored
        unknown = [index for index in range(len(traces)) if index not in outcomes]
        if unknown:
            for computed in self.compute([traces[index] for index in unknown], *self.load()):
                found = {unknown[place]: outcome for place, outcome in computed.items()}
                ledger.keep({keys[at][0]: one for at, one in found.items() if not isinstance(one, ScoringFailure)})
                outcomes |= found
        return [outcomes[index] for index in range(len(traces))]

    def forward_passes(self, counted: CountedTrace) -> Sequence[ForwardPass]:
        """The forward passes over one trace that nothing is stored of: one, with a distribution at every token."""
        return [ForwardPass(0, counted.question + counted.reasoning, head_rows=counted.reasoning)]

    def load(self) -> tuple[TraceTokenizer, ScoringModel]:
        """Tokenizer and model in this process."""
        from .steps import load

        identity, (device, dtype) = self.identity, self.placement()
        return load(identity.path, identity.commit, self.context, dtype, device, self.attn_implementation)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that the scores depend on, apart from the trace, as records hold it."""
        kernel = {"attn_implementation": self.attn_implementation} if self.attn_implementation else {}
        shared = {one.name for one in fields(ModelScorer)}
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in shared}
        return {**super().fingerprint, **kernel, "context": self.context, **own, "version": self.version}

    @property
    def batch_tokens(self) -> int:
        """Most tokens that share a forward pass, padding counted; with one, every text goes alone."""
        return 1 if self.deterministic else self.max_batch_tokens

    def __getstate__(self) -> dict[str, Any]:
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "version": self.version}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name != "version":
                object.__setattr__(self, name, value)
