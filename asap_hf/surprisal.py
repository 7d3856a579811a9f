"""One forward pass → a score for every step: Eq. 1, Eq. 2, and what else comes for free (§3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .ledger import ledger_key, open_ledger
from .scoring.flops import flops_per_trace, model_config
from .scoring.identity import ModelIdentity, model_identity
from .scoring.outcome import MEAN_SCORES, SCORES, ScoringFailure, StepScores
from .trace import Trace

if TYPE_CHECKING:
    from .scoring.tokenization import Context

__all__ = ["ScoringFailure", "StepScores", "SurprisalScorer", "flops_per_trace", "model_config"]

_DTYPES = ("auto", "bfloat16", "float16", "float32")
_LEAST_CONTEXT = 16


@dataclass(frozen=True)
class SurprisalScorer:
    """Scores every step of a trace with one forward pass of a causal language model (§3.3).

    Frozen hyperparameters. The model is loaded on first use in the process that uses it and never pickled. Finished
    scores go to the ledger batch by batch; a trace whose scores are there needs no model at all.

    Args:
        model_name_or_path (`str`):
            Hub id, folder, or `"embedded"`. The paper's is `deepseek-ai/DeepSeek-R1-Distill-Qwen-7B` (Appendix A).
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub. Recorded as the commit it stands for.
        context (`str`, *optional*, defaults to `"chat"`):
            What stands before the reasoning. `"chat"` renders the question as a user's message in the model's chat
            template, which is how a chat or reasoning model met it in training; `"raw"` is the bare question, as in
            the authors' code. The paper does not give it.
        all_scores (`bool`, *optional*, defaults to `True`):
            Compute all five scores. `False`: the first token's two, which needs a fraction of the output layer.
        dtype (`str`, *optional*, defaults to `"auto"`):
            `"bfloat16"`, `"float16"`, `"float32"`, or `"auto"`: bfloat16 where the hardware multiplies in it, else
            float32. Logits are float32 in any case. The paper does not give it.
        device (`str`, *optional*):
            A GPU by default if there is one; see also `to_rank`.
        max_batch_tokens (`int`, *optional*, defaults to 16384):
            Most tokens in one forward pass, padding counted; a longer trace goes alone. Halved when memory runs out.
            The paper does not give it.
        max_context (`int`, *optional*):
            Score in windows of at most this many tokens, 16 or more; the model's own context by default. No trace is
            ever cut: a longer one is seen in overlapping windows, each beginning with the question, and `windows` says
            so.
        attn_implementation (`str`, *optional*):
            As `from_pretrained` takes it; PyTorch's scaled dot product by default.
    """

    model_name_or_path: str
    revision: str | None = None
    context: Context = "chat"
    all_scores: bool = True
    dtype: str = "auto"
    device: str | None = None
    max_batch_tokens: int = 16384
    max_context: int | None = None
    attn_implementation: str | None = None

    version = "1"
    _rank = None

    def __post_init__(self) -> None:
        if self.context not in ("chat", "raw"):
            raise UsageError(f"context is 'chat' or 'raw', not {self.context!r}")
        if self.dtype not in _DTYPES:
            raise UsageError(f"dtype is one of {', '.join(_DTYPES)}, not {self.dtype!r}")
        if self.max_batch_tokens < 1:
            raise UsageError(f"max_batch_tokens is 1 or more, not {self.max_batch_tokens}")
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
            for place, outcome in self._compute([traces[index] for index in unknown]):
                outcomes[unknown[place]] = outcome
        return [outcomes[index] for index in range(len(traces))]

    def to_rank(self, rank: int | None) -> None:
        """Take the GPU of this rank (`cuda:{rank % n}`), unless `device` names another. Holds for this object in this
        process; it is no part of its identity or pickled state."""
        object.__setattr__(self, "_rank", rank)

    def placement(self) -> tuple[str, str]:
        """Device and dtype that this process scores with."""
        from .scoring.forward import pick_device, pick_dtype

        device = pick_device(self.device, self._rank)
        return device, pick_dtype(self.dtype, device)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that the scores depend on beside the trace, as the record tells it."""
        identity = self._identity
        return {
            "model": identity.name,
            "revision": identity.revision,
            "dtype": self.placement()[1],
            "context": self.context,
            "max_context": self.max_context,
            "version": self.version,
        }

    @property
    def _identity(self) -> ModelIdentity:
        return model_identity(self.model_name_or_path, self.revision)

    def _key(self, trace: Trace, all_scores: bool) -> str:
        made_with = {**self.fingerprint, "model": self._identity.key}
        return ledger_key("scores", made_with, all_scores, trace.question, trace.steps)

    def _recall(self, trace: Trace) -> StepScores | None:
        """What the ledger holds for a trace; where only the first token's scores are wanted, all five serve too."""
        ledger = open_ledger("scores")
        for all_scores in (True,) if self.all_scores else (False, True):
            stored = ledger.get(self._key(trace, all_scores))
            if stored is not None:
                values: dict[str, Any] = {name: tuple(stored[name]) for name in SCORES}
                if not self.all_scores:
                    values |= dict.fromkeys(MEAN_SCORES, ())
                return StepScores(**{**stored, **values})
        return None

    def _compute(self, traces: Sequence[Trace]) -> Iterator[tuple[int, StepScores | ScoringFailure]]:
        """Score with the model; each outcome as soon as it is known, and stored."""
        from .scoring import steps

        identity, (device, dtype) = self._identity, self.placement()
        tokenizer, model = steps.load(
            identity.path, identity.commit, self.context, dtype, device, self.attn_implementation
        )
        ledger = open_ledger("scores")
        for index, outcome in steps.score_steps(
            traces, tokenizer, model, self.all_scores, self.max_context, self.max_batch_tokens
        ):
            if isinstance(outcome, StepScores):
                ledger.put(self._key(traces[index], self.all_scores), asdict(outcome))
            yield index, outcome

    def __getstate__(self) -> dict[str, Any]:
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "version": self.version}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name != "version":
                object.__setattr__(self, name, value)
