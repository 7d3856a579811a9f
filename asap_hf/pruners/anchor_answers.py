"""How stage 1's two modes read an LLM's answer: which steps does it keep, or why is it not valid?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..matching import align
from ..splitting import split_steps
from ..trace import Trace

_FENCE_AROUND = re.compile(r"\A\s*```[^\n]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_TAGS = re.compile(r"\A\s*<(chain_of_thought|think)>\s*\n?(.*?)\s*</\1>\s*\Z", re.DOTALL)
_RANGE = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?\Z")


@dataclass(frozen=True)
class Decision:
    """What an answer says: positions to keep, or (none kept) why it is not valid."""

    kept: tuple[int, ...] = ()
    reason: str = ""
    final: bool = False
    """Asking again would fail the same way."""
    steps: tuple[str, ...] = ()
    """The LLM's own steps, as many as `kept`; `rewrite` only."""
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mode:
    """One way of asking for a pruning."""

    prompt: str
    read: Callable[[Trace, str, float], Decision]
    writes_text: bool
    schema: dict[str, Any] | None = None


def read_rewrite(trace: Trace, answer: str, threshold: float) -> Decision:
    """Match the LLM's shortened reasoning to the original's steps (Algorithm 1, both split the same way)."""
    text = _THINKING.sub("", answer)
    for around in (_TAGS, _FENCE_AROUND):
        text = found[found.lastindex or 0] if (found := around.match(text)) else text
    text = text.strip("\r\n")
    steps = split_steps(text, trace.splitter) if text.strip() else ()
    if not steps:
        return Decision(reason="the pruned reasoning is empty")  # which Algorithm 1 would accept
    alignment = align(trace.texts, [step.rstrip() for step in steps], threshold)
    if not alignment.valid:
        record = {"failed_step": alignment.failed_step, "best_similarity": round(alignment.best_similarity, 4)}
        return Decision(
            reason=f"step {(alignment.failed_step or 0) + 1} of {len(steps)} is not in the original "
            f"(best similarity {alignment.best_similarity:.2f})",
            record=record,
        )
    similarities = [round(similarity, 4) for similarity in alignment.similarities]
    return Decision(alignment.matched, steps=steps, record={"similarities": similarities})


def read_select(trace: Trace, answer: str, threshold: float) -> Decision:
    """Read step numbers out of `{"keep": "1-4,7"}`; a list of numbers under `keep` is understood too.

    `threshold` does not matter: original steps are kept, so there is nothing to match.
    """
    text = _THINKING.sub("", answer)
    if found := _FENCE_AROUND.match(text):
        text = found[1]
    try:
        keep = json.loads(text[text.index("{") : text.rindex("}") + 1])["keep"]
        parts = keep.split(",") if isinstance(keep, str) else [str(number) for number in keep]
        numbers = [number for part in parts if part.strip() for number in _range(part.strip())]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return Decision(reason=f"the answer is not the JSON asked for ({type(error).__name__})")
    if not numbers:
        return Decision(reason="no step was selected")
    if numbers[0] < 1 or max(numbers) > len(trace.steps):
        return Decision(reason=f"step {max(numbers)} was selected, there are {len(trace.steps)}")
    return Decision(tuple(sorted({number - 1 for number in numbers})))


def _range(part: str) -> range:
    found = _RANGE.match(part)
    if found is None:
        raise ValueError(part)
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first or last - first > 1_000_000:
        raise ValueError(part)
    return range(first, last + 1)


REWRITE = Mode("prune_cot", read_rewrite, writes_text=True)
SELECT = Mode(
    "select_steps",
    read_select,
    writes_text=False,
    schema={
        "type": "object",
        "properties": {"keep": {"type": "string", "pattern": r"^\d+(-\d+)?(,\d+(-\d+)?)*$"}},
        "required": ["keep"],
        "additionalProperties": False,
    },
)
