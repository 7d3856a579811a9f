"""Stage 1 (§3.2): an LLM writes a direct chain of thought and prunes the original by it; Algorithm 1 checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import UsageError
from ..llm.generator import Completion, Failure, Generator, Request
from ..scoring.flops import CountedTrace
from ..traces.trace import Trace
from .anchor_answers import REWRITE, SELECT, Decision, Mode, final_answer
from .asking import OnFailure, check_asking, failed, is_final, stop_if_nothing_ever_answers, user_message
from .base import Pruner, Pruning
from .cost import Cost
from .prompts import filled, prompt_text

_MODES: dict[str, Mode] = {"rewrite": REWRITE, "select": SELECT}
# For estimates: a direct chain of thought is some paragraphs; a rewrite writes out about the share that the paper's
# stage 1 keeps; what both prompts say beside the trace.
_DIRECT_TOKENS = 400
_KEPT = 0.5
_PROMPT_TOKENS = 500
_FORMER_DIRECT_MAX_TOKENS = 2048


@dataclass(frozen=True)
class AnchorPruner(Pruner):
    r"""Anchor-guided pruning.

    The LLM first writes a direct chain of thought from question and answer, then says which of the original steps that
    anchor needs. An answer that is empty, was cut, or is not accepted by Algorithm 1 is asked for again, with sampling
    hot enough to bring another one.

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
            so the authors' code. See [`asap_hf.pruners.matching`] for what that costs.
        max_attempts (`int`, *optional*, defaults to 5):
            How many attempts a trace has, failures of every kind and of both steps counted: one in which the LLM
            writes no direct chain of thought is used up. The paper gives no bound.
        on_failure (`str`, *optional*, defaults to `"keep"`):
            A trace with no valid pruning: `"keep"` it whole with a reason, `"drop"` its row, or stop with an
            `"error"`. The paper does not say.
        keep_llm_text (`bool`, *optional*, defaults to `False`):
            `"rewrite"` only: keep the LLM's own text, as published, in place of the original text of the steps that it
            was matched to. Then an invented character can reach the training set.
        direct_temperature, prune_temperature, top_p (`float`, *optional*, defaults to 0.0, 2.0 and 1.0):
            Appendix A.
        direct_retry_temperature (`float`, *optional*, defaults to 1.0):
            Of further attempts at a direct chain of thought: at 0.0 the same prompt mostly brings the same failure.
            The paper does not give it.
        direct_max_tokens (`int`, *optional*, defaults to 16384):
            Longest direct chain of thought in tokens, with the thoughts of an LLM that thinks. The paper does not give
            it; as `prune_max_tokens`.
        prune_max_tokens (`int`, *optional*, defaults to 16384):
            Longest answer to the pruning prompt in tokens. The paper does not give it; 16,384 is its training length.
        first_attempt (`int`, *optional*, defaults to 0):
            Number of the first attempt: raise it to ask anew where earlier attempts are in the ledger.
        direct_prompt, prune_prompt (`str`, *optional*):
            The words to ask with. The text itself is the field, so that changing it changes the fingerprint. An empty
            `prune_prompt` stands for the mode's own.

    Example:
        >>> from asap_hf import AnchorPruner, EndpointGenerator, Trace
        >>> pruner = AnchorPruner(EndpointGenerator("deepseek-chat", base_url="http://localhost:8000"), mode="select")
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "That is 5."), "5")
        >>> request = pruner.direct_request(trace)
        >>> (pruner.name, request.temperature, trace.question in request.messages[0]["content"])
        ('anchor_select', 0.0, True)
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
    direct_max_tokens: int = 16384
    prune_max_tokens: int = 16384
    first_attempt: int = 0
    direct_prompt: str = field(default_factory=lambda: prompt_text("direct_cot"))
    prune_prompt: str = ""
    direct_retry_temperature: float = field(default=1.0, kw_only=True)

    version = "2"

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

    def cost(self, counted: CountedTrace) -> Cost:
        steps, read = len(counted.trace.steps), 2 * counted.question + counted.answer + counted.reasoning
        written = 3 * steps * _KEPT if self.mode == "select" else counted.reasoning * _KEPT
        return Cost(2, read + _DIRECT_TOKENS + _PROMPT_TOKENS, _DIRECT_TOKENS + int(written))

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        prunings: dict[int, Pruning] = {}
        anchors = self._anchors_from_before(traces)
        pending = list(range(len(traces)))
        for attempt in range(self.first_attempt, self.first_attempt + self.max_attempts):
            if not pending:
                break
            is_last = attempt + 1 == self.first_attempt + self.max_attempts
            for index, decision in self._attempt(traces, pending, anchors, attempt).items():
                anchor = {"anchor": anchors.texts[index]} if index in anchors.texts else {}
                record = {**anchor, "attempts": attempt + 1, **decision.record}
                if decision.kept:
                    prunings[index] = self._succeeded(traces[index], decision, record)
                elif decision.final or is_last:
                    prunings[index] = self._failed(traces[index], decision.reason, record)
            pending = [index for index in pending if index not in prunings]
        return [prunings[index] for index in range(len(traces))]

    def _attempt(
        self, traces: Sequence[Trace], pending: Sequence[int], anchors: _Anchors, attempt: int
    ) -> dict[int, Decision]:
        """Ask once for each pending trace: for the anchor, where there is none yet, and for the pruning by it."""
        decisions: dict[int, Decision] = {}
        wanted = [index for index in pending if index not in anchors.texts]
        outcomes = self.generator(
            [self.direct_request(traces[index], attempt, index in anchors.answered) for index in wanted]
        )
        stop_if_nothing_ever_answers(self.generator, outcomes, "stage 1")
        for index, outcome in zip(wanted, outcomes, strict=True):
            if reason := anchors.take(index, outcome):
                final = isinstance(outcome, Failure) and is_final(outcome)
                decisions[index] = Decision(reason=f"no direct CoT ({reason})", final=final)
        asked = [index for index in pending if index in anchors.texts]
        outcomes = self.generator([self.prune_request(traces[i], anchors.texts[i], attempt) for i in asked])
        judged = [self._judge(traces[index], outcome) for index, outcome in zip(asked, outcomes, strict=True)]
        return {**decisions, **dict(zip(asked, judged, strict=True))}

    def direct_request(self, trace: Trace, attempt: int = 0, again: bool = False) -> Request:
        """The question for the anchor: how does one get from Q to A? `again` after an answer that is of no use."""
        content = filled(self.direct_prompt, question=trace.question, answer=trace.answer)
        temperature = self.direct_retry_temperature if again else self.direct_temperature
        return Request(user_message(content), temperature, self.top_p, self.direct_max_tokens, attempt)

    def _anchors_from_before(self, traces: Sequence[Trace]) -> _Anchors:
        """What attempts before `first_attempt` brought, and an earlier version under its lower limit: an answer that
        is whole there is so under any higher one."""
        anchors = _Anchors()
        if self.direct_max_tokens > _FORMER_DIRECT_MAX_TOKENS:
            requests = [replace(self.direct_request(trace), max_tokens=_FORMER_DIRECT_MAX_TOKENS) for trace in traces]
            anchors.look_up(self.generator, requests)
            anchors.answered.clear()  # what was cut there may be whole now
        for attempt in range(self.first_attempt):
            for again in (False, True):
                anchors.look_up(self.generator, [self.direct_request(trace, attempt, again) for trace in traces])
        return anchors

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
        return _MODES[self.mode].read(trace, outcome.text, self.threshold, self.autojunk)

    def _succeeded(self, trace: Trace, decision: Decision, record: dict[str, Any]) -> Pruning:
        if self.keep_llm_text:
            return Pruning(trace.rewritten(decision.steps, decision.kept), record=record)
        return Pruning(trace.select(decision.kept), record=record)

    def _failed(self, trace: Trace, reason: str, record: dict[str, Any]) -> Pruning:
        return failed(trace, self.name, reason, record, self.on_failure)


@dataclass
class _Anchors:
    """The direct chains of thought of some traces, by their places."""

    texts: dict[int, str] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    """Where the LLM has answered, and never with one."""

    def take(self, index: int, outcome: Completion | Failure) -> str:
        """Take what an answer holds; returns the reason why it holds none, or nothing."""
        anchor = "" if isinstance(outcome, Failure) else final_answer(outcome.text).strip()
        if anchor:
            self.texts[index] = anchor
            return ""
        if isinstance(outcome, Failure):
            self.answered |= {index} if outcome.answered else set()
            return outcome.reason
        self.answered.add(index)
        return "empty: the answer holds nothing but thoughts"

    def look_up(self, generator: Generator, requests: Sequence[Request]) -> None:
        """Take what is stored of these, one per trace, where there is none yet."""
        missing = [index for index in range(len(requests)) if index not in self.texts]
        for index, outcome in zip(missing, generator.stored([requests[i] for i in missing]), strict=True):
            if outcome is not None and not self.take(index, outcome):
                generator.account.count(from_ledger=1)


def numbered(trace: Trace) -> str:
    """The steps as `select` shows them: `[1] …`, an empty line between two."""
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(trace.texts, start=1))
