"""Stage 1 (§3.2): an LLM writes a direct chain of thought and prunes the original by it; Algorithm 1 checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import UsageError
from ..generation.base import Completion, Failure, Generator, Request
from ..prompts import filled, prompt_text
from ..trace import Trace
from .anchor_answers import REWRITE, SELECT, Decision, Mode, without_thinking
from .asking import OnFailure, check_asking, failed, is_final, stop_if_nothing_ever_answers, user_message
from .base import Pruner, Pruning

_MODES: dict[str, Mode] = {"rewrite": REWRITE, "select": SELECT}


@dataclass(frozen=True)
class AnchorPruner(Pruner):
    """Anchor-guided pruning.

    The LLM first writes a direct chain of thought from question and answer, then says which of the original steps that
    anchor needs. An answer that Algorithm 1 does not accept is asked for again, with sampling hot enough to bring
    another one.

    Args:
        generator (`Generator`):
            The LLM; DeepSeek-V3 in Appendix A.
        mode (`str`, *optional*, defaults to `"rewrite"`):
            `"rewrite"`: the LLM writes the shortened reasoning out (the paper's way). `"select"`: it answers with the
            numbers of the steps to keep (ours): the same decision for a few per cent of the output tokens.
        threshold (`float`, *optional*, defaults to 0.6):
            τ of Algorithm 1 (Appendix A). `"rewrite"` only.
        autojunk (`bool`, *optional*, defaults to `False`):
            Let the similarity pass over frequent characters of long steps, as `difflib` does unless told otherwise and
            so the authors' code. See [`asap_hf.matching`] for what that costs.
        max_attempts (`int`, *optional*, defaults to 5):
            How often a pruning is asked for, failures of every kind counted. The paper gives no bound.
        on_failure (`str`, *optional*, defaults to `"keep"`):
            A trace with no valid pruning: `"keep"` it whole with a reason, `"drop"` its row, or stop with an
            `"error"`. The paper does not say.
        keep_llm_text (`bool`, *optional*, defaults to `False`):
            `"rewrite"` only: keep the LLM's own text, as published, in place of the original text of the steps that it
            was matched to. Then an invented character can reach the training set.
        direct_temperature, prune_temperature, top_p (`float`, *optional*, defaults to 0.0, 2.0 and 1.0):
            Appendix A.
        direct_max_tokens (`int`, *optional*, defaults to 2048):
            Longest direct chain of thought in tokens. The paper does not give it.
        prune_max_tokens (`int`, *optional*, defaults to 16384):
            Longest answer to the pruning prompt in tokens. The paper does not give it; 16,384 is its training length.
        first_attempt (`int`, *optional*, defaults to 0):
            Number of the first attempt: raise it to ask anew where earlier attempts are in the ledger.
        direct_prompt, prune_prompt (`str`, *optional*):
            The words to ask with. The text itself is the field, so that changing it changes the fingerprint. An empty
            `prune_prompt` stands for the mode's own.
    """

    generator: Generator
    mode: Literal["rewrite", "select"] = "rewrite"
    threshold: float = 0.6
    autojunk: bool = False
    max_attempts: int = 5
    on_failure: OnFailure = "keep"
    keep_llm_text: bool = False
    direct_temperature: float = 0.0
    prune_temperature: float = 2.0
    top_p: float = 1.0
    direct_max_tokens: int = 2048
    prune_max_tokens: int = 16384
    first_attempt: int = 0
    direct_prompt: str = field(default_factory=lambda: prompt_text("direct_cot"))
    prune_prompt: str = ""

    version = "1"

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise UsageError(f"mode is one of {', '.join(_MODES)}; got {self.mode!r}")
        if not 0 < self.threshold <= 1:
            raise UsageError(f"threshold is a similarity over 0 and at most 1; got {self.threshold}")
        check_asking(self.max_attempts, self.on_failure)
        if self.keep_llm_text and self.mode != "rewrite":
            raise UsageError("keep_llm_text needs mode='rewrite': in 'select' the LLM writes no text")

    @property
    def name(self) -> str:
        return f"anchor_{self.mode}"

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        prunings: dict[int, Pruning] = {}
        anchors: dict[int, str] = {}
        outcomes = self.generator([self.direct_request(trace) for trace in traces])
        stop_if_nothing_ever_answers(self.generator, outcomes, "stage 1")
        for index, outcome in enumerate(outcomes):
            anchors[index], reason = _anchor_in(outcome)
            if reason:
                prunings[index] = self._failed(traces[index], f"no direct CoT ({reason})", {"attempts": 0})
        pending = [index for index in anchors if index not in prunings]
        for attempt in range(self.first_attempt, self.first_attempt + self.max_attempts):
            if not pending:
                break
            is_last = attempt + 1 == self.first_attempt + self.max_attempts
            outcomes = self.generator([self.prune_request(traces[i], anchors[i], attempt) for i in pending])
            for index, outcome in zip(pending, outcomes, strict=True):
                decision = self._judge(traces[index], outcome)
                record = {"anchor": anchors[index], "attempts": attempt + 1, **decision.record}
                if decision.kept:
                    prunings[index] = self._succeeded(traces[index], decision, record)
                elif decision.final or is_last:
                    prunings[index] = self._failed(traces[index], decision.reason, record)
            pending = [index for index in pending if index not in prunings]
        return [prunings[index] for index in range(len(traces))]

    def direct_request(self, trace: Trace) -> Request:
        """The question for the anchor: how does one get from Q to A?"""
        content = filled(self.direct_prompt, question=trace.question, answer=trace.answer)
        return Request(user_message(content), self.direct_temperature, self.top_p, self.direct_max_tokens)

    def prune_request(self, trace: Trace, anchor: str, attempt: int) -> Request:
        """The question for the pruning, by the anchor."""
        mode = _MODES[self.mode]
        content = filled(
            self.prune_prompt or prompt_text(mode.prompt),
            question=trace.question,
            anchor=anchor,
            reasoning=trace.reasoning,
            steps=numbered(trace),
        )
        limit = self.prune_max_tokens
        if not mode.writes_text:
            limit = min(limit, max(512, 8 * len(trace.steps)))
        return Request(user_message(content), self.prune_temperature, self.top_p, limit, attempt, mode.schema)

    def _judge(self, trace: Trace, outcome: Completion | Failure) -> Decision:
        if isinstance(outcome, Failure):
            return Decision(reason=outcome.reason, final=is_final(outcome))
        if outcome.finish_reason == "length":
            return Decision(reason="the answer was cut at the token limit")
        return _MODES[self.mode].read(trace, outcome.text, self.threshold, self.autojunk)

    def _succeeded(self, trace: Trace, decision: Decision, record: dict[str, Any]) -> Pruning:
        if self.keep_llm_text:
            return Pruning(trace.rewritten(decision.steps, decision.kept), record=record)
        return Pruning(trace.select(decision.kept), record=record)

    def _failed(self, trace: Trace, reason: str, record: dict[str, Any]) -> Pruning:
        return failed(trace, self.name, reason, record, self.on_failure)


def _anchor_in(outcome: Completion | Failure) -> tuple[str, str]:
    """The direct chain of thought, or (empty) the reason why there is none."""
    if isinstance(outcome, Failure):
        return "", outcome.reason
    anchor = without_thinking(outcome.text).strip()
    return anchor, "" if anchor else "empty answer"


def numbered(trace: Trace) -> str:
    """The steps as `select` shows them: `[1] …`, an empty line between two."""
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(trace.texts, start=1))
