"""How stage 1's two modes read an LLM's answer: which steps does it keep, or why is it not valid?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..traces.fences import find_blocks
from ..traces.splitting import split_steps
from ..traces.think_tags import after_last_opening, at_last_closing, begins_open, holds_tag
from ..traces.trace import Trace
from .matching import align

_FENCE = re.compile(r"^```[^\n]*$", re.MULTILINE)
_TAGS = re.compile(r"\A\s*<chain_of_thought>[^\S\n]*\n?(.*)</chain_of_thought>\s*\Z", re.DOTALL)
_RANGE = re.compile(r"(\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?")


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
    read: Callable[[Trace, str, float, bool], Decision]
    writes_text: bool
    schema: dict[str, Any] | None = None


def without_thinking(answer: str) -> str:
    """The answer of an LLM that thinks in its text, without the thoughts; empty where it never stops thinking.

    The opening tag may be missing, as where the prompt ended in it. Of an answer that is one `<think>` block and
    nothing else, what stands in it. Half a surrogate pair, which no file takes, becomes a question mark.
    """
    block, _, after = at_last_closing(answer.encode(errors="replace").decode())
    text = after if after.strip() else after_last_opening(block)
    return "" if begins_open(text) else text


def final_answer(answer: str) -> str:
    """What an LLM says after its thoughts; empty where it says nothing else, or never stops thinking.

    As [`without_thinking`], but for answers that nothing checks: thoughts must not be taken for what was asked for.
    """
    return without_thinking(answer) if at_last_closing(answer)[2].strip() else ""


def unfenced(text: str) -> str:
    """What stands in the one fence around a whole text; the text itself where there is none.

    A bare fence comes first inside only where the text begins with one block and ends with another.
    """
    stripped = text.strip()
    lines = stripped.split("\n")
    match find_blocks(lines):
        case [block] if block.closed and block.end - block.start == len(lines):
            return "\n".join(block.content)
    fences = list(_FENCE.finditer(stripped))
    if len(fences) < 2 or fences[0].start() > 0 or fences[-1].end() < len(stripped) or fences[-1][0].strip() != "```":
        return text
    if len(fences) > 2 and fences[1][0].strip() == "```":
        return text
    return stripped[fences[0].end() + 1 : max(fences[-1].start() - 1, fences[0].end() + 1)]


def read_rewrite(trace: Trace, answer: str, threshold: float, autojunk: bool = False) -> Decision:
    """Match the LLM's shortened reasoning to the original's steps (Algorithm 1, both split the same way)."""
    text = without_thinking(answer)
    if wrapped := _TAGS.match(text):
        text = wrapped[1]
    text = unfenced(text).rstrip().lstrip("\r\n")
    if holds_tag(text):  # which no reasoning holds, and which `keep_llm_text` must not let in
        return Decision(reason="there is a <think> tag within the pruned reasoning")
    steps = split_steps(text, trace.splitter)
    if not steps:
        return Decision(reason="the pruned reasoning is empty")  # which Algorithm 1 would accept
    alignment = align(trace.texts, [step.rstrip() for step in steps], threshold, autojunk)
    if not alignment.valid:
        record = {"failed_step": alignment.failed_step, "best_similarity": round(alignment.best_similarity, 4)}
        return Decision(
            reason=f"step {(alignment.failed_step or 0) + 1} of {len(steps)} is not in the original "
            f"(best similarity {alignment.best_similarity:.2f})",
            record=record,
        )
    similarities = [round(similarity, 4) for similarity in alignment.similarities]
    return Decision(alignment.matched, steps=steps, record={"similarities": similarities})


def read_select(trace: Trace, answer: str, threshold: float, autojunk: bool = False) -> Decision:
    """Read step numbers out of `{"keep": "1-4,7"}`; a list of numbers under `keep` is understood too, and words around
    the JSON do no harm.

    `threshold` and `autojunk` do not matter: original steps are kept, so there is nothing to match.
    """
    keep = _keep_in(without_thinking(answer))
    parts = keep.split(",") if isinstance(keep, str) else keep
    if not isinstance(parts, list):
        return Decision(reason="the answer is not the JSON asked for")
    kept: set[int] = set()
    for part in parts:
        text = str(part).strip()
        found = _RANGE.fullmatch(text)
        if text and not found:
            return Decision(reason=f"the answer is not the JSON asked for: {text[:20]!r} is no step")
        if not found:
            continue
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last <= len(trace.steps):
            return Decision(reason=f"step {text} was selected, there are {len(trace.steps)}")
        kept.update(range(first - 1, last))
    return Decision(tuple(sorted(kept)), reason="" if kept else "no step was selected")


def _keep_in(text: str) -> Any:
    """What stands under `keep` in the last JSON object of a text that has it; `None` where none has."""
    keep = None
    for start in (found.start() for found in re.finditer(r"\{\s*\"", text)):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        keep = value.get("keep", keep)
    return keep


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
