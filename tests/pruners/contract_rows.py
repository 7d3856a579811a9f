"""Rows and pruners of the contract tests; a module of its own, so that other processes can import them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.pruners.anchor import AnchorPruner
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner
from asap_hf.pruners.base import Pruner, Sequential
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.knapsack import KnapsackPruner
from asap_hf.pruners.method import Options
from asap_hf.pruners.original import OriginalPruner
from asap_hf.pruners.registry import BUILT_IN
from asap_hf.pruners.step_entropy import StepEntropyPruner
from asap_hf.traces.trace import Trace

from .scripted import Scripted, every_second_step


@dataclass(frozen=True)
class Checksums:
    """A deterministic scorer that costs nothing: each step's score is a checksum of its text."""

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [
            {"scores": {"checksum": [float(zlib.crc32(step.encode())) for step in trace.steps]}} for trace in traces
        ]


def methods(embedded: str) -> dict[str, Pruner]:
    """The methods of the registry at 40 tokens, where they have a budget: those that select steps or words, and need
    no model beside the embedded one. (`c3ot` writes, `llmlingua2` and `tokenskip` need a classifier: tests of their
    own.)"""
    found: dict[str, Pruner] = {}
    for method in BUILT_IN.values():
        if method.writes_text or "compressor" in method.settings:
            continue
        budget = {} if method.budget is None else {"max_tokens": 40}
        arguments = PruneArguments("rows.jsonl", pruner=method.name, scorer="embedded", **budget)
        stages = method.stages(Options(arguments, budget, embedded, lambda: Scripted(answer=every_second_step)))
        if any(not isinstance(stage, OriginalPruner) for stage in stages):
            found[method.name] = stages[0] if len(stages) == 1 else Sequential(stages)
    return found


def pruners(embedded: str) -> dict[str, Pruner]:
    """Every pruner, by name: the methods of the registry, and what they are made of where that says more."""
    llm = Scripted(answer=every_second_step)
    cheap = IterativePruner(Checksums(), embedded, max_tokens=40, score="checksum")
    parts: dict[str, Pruner] = {
        "answer_anchor": AnswerAnchorPruner(),
        "iterative": cheap,
        "rewrite": AnchorPruner(llm),
        "select": AnchorPruner(llm, mode="select"),
        "sequential": Sequential((AnchorPruner(llm, mode="select"), cheap), "paper"),
        "knapsack": KnapsackPruner(Checksums(), embedded, max_tokens=40, score="checksum"),
        "step_entropy_share": StepEntropyPruner(Checksums(), 0.5, "", score="checksum"),
    }
    named = {name: one for name, one in methods(embedded).items() if one not in parts.values()}
    return {**parts, **named}


_UNBUDGETED = ("answer_anchor", "rewrite", "select", "step_entropy_share")
BUDGETED = [
    name
    for name in pruners("embedded")
    if name not in _UNBUDGETED and (name not in BUILT_IN or BUILT_IN[name].budget is not None)
]

_SAYINGS = (
    "Okay, there are baskets and the task is to count all apples in them.",
    "Wait.",
    "A basket may be empty, the statement says so; that adds nothing to the sum.",
    "So read every number and add it to the total.",
    "Wait.",
    "Check with the example: 2 + 3 = 5, which is what it says.",
    "The program reads n, then a line of n numbers, and prints sum(numbers).",
)
_ANSWER = "```python\nn = int(input())\nnumbers = map(int, input().split())\nprint(sum(numbers))\n```"


def good_row(number: int) -> dict[str, Any]:
    """A small usable row, another one for each number."""
    steps = [f"This is basket {number}.", *_SAYINGS[: 1 + number % len(_SAYINGS)], *_SAYINGS[number % 3 :: 2]]
    completion = "<think>\n" + "\n\n".join(steps) + f"\n</think>\n\n{_ANSWER}"
    return {"id": f"row-{number}", "prompt": f"How many apples are in {number} baskets?", "completion": completion}


BAD_COMPLETIONS = (None, "", "no tags at all", "<think>\nnever closed", "<think></think>5", "<think>a</think>")


def bad_row(number: int) -> dict[str, Any]:
    """A row that no pruner can use."""
    return {**good_row(number), "completion": BAD_COMPLETIONS[number % len(BAD_COMPLETIONS)]}


def mixed_rows() -> list[dict[str, Any]]:
    """Usable rows, every kind of bad one, one without a prompt."""
    rows = [good_row(number) for number in range(4)]
    rows += [bad_row(number) for number in range(len(BAD_COMPLETIONS))]
    return [*rows, {**good_row(4), "prompt": None}, good_row(5)]
