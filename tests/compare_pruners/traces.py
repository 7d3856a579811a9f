"""Traces with a program in the answer, a judge that weighs nothing, and conditions on both."""

from __future__ import annotations

from pathlib import Path

from asap_hf.compare_pruners.conditions import UNBUDGETED, Condition, conditions_of
from asap_hf.pruners.keep_last import keep_last
from asap_hf.pruners.random_steps import random_steps
from asap_hf.traces.trace import Trace
from tests.tiny_models import save_model

PROGRAM = "n = int(input())\nfor i in range(n):\n    print(i * i)\n"


def trace(number: int = 0) -> Trace:
    steps = "\n\n".join(f"Step {place} of trace {number}: look at the sample again." for place in range(8))
    return Trace.parse(f"Print {number} squares.", f"<think>\n{steps}\n</think>\n\nHere:\n\n```python\n{PROGRAM}```\n")


def rows(count: int) -> list[dict[str, str]]:
    return [{"prompt": trace(number).question, "completion": trace(number).completion} for number in range(count)]


def small_model(folder: Path) -> str:
    """Folder of a random model; it is its own tokenizer."""
    return save_model(folder / "model")


def conditions(tokenizer: str, ratios: tuple[float, ...] = (0.5, 0.25)) -> list[Condition]:
    makers = {"random": random_steps, "keep_last": keep_last}
    names = (*makers, *(one.name for one in UNBUDGETED))
    return conditions_of(names, ratios, lambda name, ratio: makers[name](tokenizer, ratio=ratio))
