"""C3oT (Kang et al. 2025): an LLM writes the reasoning anew, shorter; a marker in the prompt says which it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import UsageError
from ..llm.generator import Completion, Failure, Generator, Request
from ..scoring.flops import CountedTrace
from ..traces.think_tags import holds_tag
from ..traces.trace import Trace
from .anchor_answers import final_answer, unfenced
from .asking import OnFailure, check_asking, failed, is_final, stop_if_nothing_ever_answers, user_message
from .base import Pruner, Pruning
from .cost import Cost
from .method import LLM, Method, Options
from .original import OriginalPruner
from .prompts import filled, prompt_text

# The authors' markers were not seen.
SHORT = "[short] "
LONG = "[long] "
# For estimates: what the prompt says beside the trace, and the share of the reasoning that a rewrite is taken to have.
_PROMPT_TOKENS = 200
_KEPT = 0.5


@dataclass(frozen=True)
class C3oTPruner(Pruner):
    """Let an LLM shorten each reasoning in its own words, keeping what the answer rests on.

    C3oT trains on every problem twice: with this pruner's short reasoning under one marker, and with the original
    under another (`OriginalPruner(before=LONG)`): train on both results together. The model is then asked with the
    short one.

    The text is the LLM's, so nothing certifies that it says what the original said; a rewrite that is longer than the
    original is refused. There is no token budget: the length is the LLM's choice. A trace that got no valid rewrite
    keeps its reasoning and has no marker. The authors' prompt and code were not at hand: the words are ours.

    Args:
        generator (`Generator`):
            The LLM; GPT-4 in the C3oT paper.
        before, after (`str`, *optional*, defaults to `"[short] "` and `""`):
            The marker: what the prompt says before and after the user's message.
        max_attempts (`int`, *optional*, defaults to 5):
            How often a rewrite is asked for, failures of every kind counted. The paper gives no bound.
        on_failure (`str`, *optional*, defaults to `"keep"`):
            A trace with no valid rewrite: `"keep"` it whole with a reason, `"drop"` its row, or stop with an
            `"error"`.
        temperature, top_p (`float`, *optional*, defaults to 1.0):
            Sampling, hot enough for another answer to another attempt. The paper does not give it.
        max_tokens (`int`, *optional*, defaults to 16384):
            Longest rewrite in tokens. The paper does not give it; 16,384 is ASAP's training length (Appendix A).
        first_attempt (`int`, *optional*, defaults to 0):
            Number of the first attempt: raise it to ask anew where earlier attempts are in the ledger.
        prompt (`str`, *optional*):
            The words to ask with. The text itself is the field, so that changing it changes the fingerprint.

    Example:
        >>> from asap_hf import C3oTPruner, EndpointGenerator
        >>> pruner = C3oTPruner(EndpointGenerator("gpt-4", base_url="http://localhost:8000"))
        >>> (pruner.name, pruner.before, pruner.conditions)
        ('c3ot', '[short] ', True)
    """

    generator: Generator
    before: str = SHORT
    after: str = ""
    max_attempts: int = 5
    on_failure: OnFailure = "keep"
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 16384
    first_attempt: int = 0
    prompt: str = field(default_factory=lambda: prompt_text("shorten_cot"))

    version = "2"

    def __post_init__(self) -> None:
        check_asking(self.max_attempts, self.on_failure)

    @property
    def name(self) -> str:
        return "c3ot"

    @property
    def conditions(self) -> bool:
        return bool(self.before or self.after)

    def cost(self, counted: CountedTrace) -> Cost:
        read = counted.question + counted.answer + counted.reasoning
        return Cost(1, read + _PROMPT_TOKENS, int(counted.reasoning * _KEPT))

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        prunings: dict[int, Pruning] = {}
        pending = list(range(len(traces)))
        for attempt in range(self.first_attempt, self.first_attempt + self.max_attempts):
            if not pending:
                break
            is_last = attempt + 1 == self.first_attempt + self.max_attempts
            outcomes = self.generator([self.request(traces[index], attempt) for index in pending])
            stop_if_nothing_ever_answers(self.generator, outcomes, self.name)
            for index, outcome in zip(pending, outcomes, strict=True):
                record = {"attempts": attempt + 1}
                text, reason = _rewrite_in(outcome, traces[index])
                if not reason:
                    rewritten = traces[index].rewritten([text])
                    record_of_text = {**record, "rewritten": [text]}
                    prunings[index] = Pruning(rewritten, "", record_of_text, conditioned=(self.before, self.after))
                elif is_last or (isinstance(outcome, Failure) and is_final(outcome)):
                    prunings[index] = failed(traces[index], self.name, reason, record, self.on_failure)
            pending = [index for index in pending if index not in prunings]
        return [prunings[index] for index in range(len(traces))]

    def request(self, trace: Trace, attempt: int) -> Request:
        """The question for a shorter reasoning."""
        content = filled(self.prompt, question=trace.question, reasoning=trace.reasoning, answer=trace.answer)
        return Request(user_message(content), self.temperature, self.top_p, self.max_tokens, attempt)


def _rewrite_in(outcome: Completion | Failure, trace: Trace) -> tuple[str, str]:
    """The rewritten reasoning, or (empty) the reason why there is none."""
    if isinstance(outcome, Failure):
        return "", outcome.reason
    text = unfenced(final_answer(outcome.text)).strip()
    if holds_tag(text):  # which no reasoning holds
        return "", "there is a <think> tag within the rewritten reasoning"
    if not text:
        return "", "the rewritten reasoning is empty"
    if len(text) > len(trace.reasoning):
        return (
            "",
            f"the rewritten reasoning is longer than the original by {len(text) - len(trace.reasoning)} characters",
        )
    return text, ""


def _short(options: Options) -> tuple[Pruner, ...]:
    """C3oT's short half.

    Raises:
        [`UsageError`]: if no LLM is named.
    """
    given = options.arguments
    if given.anchor_model is None:
        raise UsageError("c3ot has an LLM write the reasoning anew: name it with --anchor_model")
    return (
        C3oTPruner(
            options.generator(),
            max_attempts=given.max_attempts,
            on_failure=given.on_failure,
            max_tokens=given.anchor_max_tokens,
            first_attempt=options.first_attempt,
        ),
    )


METHODS = (
    Method(
        "c3ot",
        _short,
        "the short half of C3oT, which the paper does not compare: an LLM wrote the reasoning anew",
        settings=LLM,
        whole_steps=False,
        writes_text=True,
    ),
    Method(
        "c3ot_long",
        lambda _: (OriginalPruner(before=LONG),),
        "the long half of C3oT, which the paper does not compare: the traces as they are",
        whole_steps=False,
    ),
)
