"""Measure retention: how likely the answer still is after a pruned reasoning."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..models.placement import PlacedModel
from ..pruners.answer_anchor import answer_code
from ..traces.fences import find_blocks
from ..traces.trace import Trace

if TYPE_CHECKING:
    from ..scoring.forward import ScoringModel
    from ..scoring.tokenization import TraceTokenizer
    from ..scoring.windows import Window


@dataclass(frozen=True)
class Judgement:
    """What [`Judge`] found."""

    nats: float
    """Mean negative log-likelihood of the answer in nats per token; lower is better."""
    tokens: int
    """How many tokens were read for it: question, reasoning and answer."""


@dataclass(frozen=True)
class Judge(PlacedModel):
    """A causal language model that gives the likelihood of the answer after a question and a reasoning. Not in the
    paper.

    Where the answer holds fenced code, its code alone is judged, after the line that opens the first block; else all
    of it. The measure favours steps that contain the code.

    Each text goes through the model by itself and whole: padding and a reused prefix change the last digits in
    bfloat16, and a result must not depend on what was judged in the same batch. Nor are they faster on a CPU: of
    1,500 tokens with 400 of them reused, PyTorch's masked attention takes as much longer as the rest is shorter.

    Args:
        model_name_or_path (`str`, *optional*, defaults to `"embedded"`):
            A causal language model: Hub id, folder, or the one that comes with the tool.
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub.
        dtype (`str`, *optional*, defaults to `"auto"`):
            As [`SurprisalScorer`] has it. Of the embedded model, bfloat16 and float32 differ by some 0.01 nats.
        device (`str`, *optional*):
            A GPU by default if there is one.
    """

    model_name_or_path: str = "embedded"
    revision: str | None = None
    dtype: str = "auto"
    device: str | None = None

    version = "1"

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that a judgement depends on besides the texts."""
        model = {"judge": self.identity.name, "judge_revision": self.identity.revision}
        return {**model, "judge_dtype": self.placement()[1], "judge_version": self.version}

    def length(self, trace: Trace, reasoning: str) -> int:
        """Tokens of question, reasoning and answer."""
        return len(self._window(trace, reasoning))

    def fits(self, trace: Trace, reasoning: str) -> bool:
        """Whether the text fits into the model's context."""
        limit = self._loaded[1].limit(None)
        return limit is None or self.length(trace, reasoning) <= limit

    def __call__(self, trace: Trace, reasoning: str) -> Judgement:
        """How likely the answer of `trace` is after its question and this reasoning, which may be empty.

        Raises:
            [`RunError`]: if it does not fit into memory, or the model gives no number.
        """
        window = self._window(trace, reasoning)
        (((_, scores),),) = self._loaded[1].score_all([window], len(window))
        name = self.identity.name
        if scores is None:
            raise RunError(f"{len(window):,} tokens do not fit into memory beside {name!r}: choose a smaller judge")
        nats = float(scores[0].mean())
        if not isfinite(nats):
            raise RunError(f"{name!r} gives no likelihood in {self.placement()[1]}: choose another dtype")
        return Judgement(nats, len(window))

    @property
    def _loaded(self) -> tuple[TraceTokenizer, ScoringModel]:
        """Loaded and checked once per process."""
        from ..scoring.steps import load

        device, dtype = self.placement()
        return load(self.identity.path, self.identity.commit, "chat", dtype, device, None)

    def _window(self, trace: Trace, reasoning: str) -> Window:
        """The text as tokens. What is judged counts from the first token that holds a character of it."""
        import numpy as np

        from ..scoring.windows import Window

        code, lines = answer_code(trace.answer), trace.answer.split("\n")
        opening = next((f"{lines[block.start]}\n" for block in find_blocks(lines) if block.closed), "")
        before = f"{reasoning}\n</think>\n\n{opening}"
        (tokenised,) = self._loaded[0]([Trace(trace.question, (before, code.strip() + "\n"), answer="")])
        if tokenised is None:
            raise RunError("a trace holds text that is no valid Unicode, and cannot be judged")
        wanted = np.arange(tokenised.first[1], len(tokenised.ids))
        return Window(0, tokenised.ids, wanted - 1, tokenised.ids[wanted], slice(0, len(wanted)))
