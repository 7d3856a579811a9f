"""What leaving a step out does to the rest, and to the answer: SPIRIT's and PIR's measures of importance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..traces.trace import Trace
from .outcome import ScoringFailure
from .scorer import ModelScorer
from .setup import BATCH_TOKENS

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .tokenization import TraceTokenizer


@dataclass(frozen=True)
class LeaveOneOutScorer(ModelScorer):
    """Leaves out each step of a trace in turn, once, and looks at the likelihood of the rest. Nothing is scored again
    after a removal: with hundreds of steps a trace that would be out of reach, and the ASAP paper does not either
    (Appendix A, "Baseline Details").

    Three scores come from the same forward passes, higher meaning more important:

    - `spirit_loo`: PPL(w | without the step) - PPL(w | all), where w is everything but the step. SPIRIT's idea, that a
      step matters if the rest becomes less likely without it, on the same tokens under both contexts.
    - `spirit_chain`: PPL(everything but the step) - PPL(everything), SPIRIT's formula to the letter. The step's own
      tokens are in the second term alone, so that a step that is itself surprising counts as unimportant.
    - `pir`: log PPL(A | without the step) - log PPL(A | all), where A is the answer. LIMOPro's own formula was not
      seen; it also spares steps by their type, which is not done here.

    A step is left out as token ids, of one tokenisation of the whole text: the tokens whose last character it holds.
    What is left is not tokenised again, so that both contexts predict the same tokens. A step without tokens scores 0.

    Question, reasoning and answer are read once, and their keys and values kept. For each step, from the last to the
    first, only what follows it is read again: half the work of reading everything anew. The model must see the whole
    text at once: a longer trace has no scores, and the reason says so.

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ScoringSetup`] has them.
        window (`int`, *optional*):
            Look at only so many tokens of reasoning after the step, with the answer right behind them (under both
            contexts); by default at all. A rough approximation, which the record names: it may rank the steps
            otherwise, and saves time only where far more reasoning follows than the window and the answer, which it
            reads twice. Not in either paper.
        include_answer (`bool`, *optional*, defaults to `True`):
            Whether `</think>` and the answer are part of what follows. Inferred: the papers do not say. Without it
            there is no `pir`.
    """

    window: int | None = None
    include_answer: bool = True

    version = "1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None and self.window < 1:
            raise UsageError(f"window is a number of tokens, 1 or more, not {self.window}")

    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        from .left_out import leave_one_out

        # A text goes alone as it is, but the pieces that a long one is read in show in the last digits.
        at_once = BATCH_TOKENS if self.deterministic else self.max_batch_tokens
        found = leave_one_out(traces, tokenizer, model, self.window, self.include_answer, at_once)
        return ({index: outcome} for index, outcome in found)
