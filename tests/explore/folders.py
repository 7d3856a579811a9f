"""Result folders as `asap-hf prune` writes them, with decisions that a test chooses and no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Value

from asap_hf.dataset.records import SCORES, Row, Tokens
from asap_hf.dataset.tables import ResultWriter
from asap_hf.dataset.writer import DatasetWriter
from asap_hf.pruners.base import Pruning
from asap_hf.pruners.selection import removals_within
from asap_hf.traces.trace import Trace

SETTINGS = {"pruner": "asap", "splitter": "code", "score": "first_token_surprisal", "tokenizer": "t", "ratio": 0.25}


@dataclass
class Case:
    """One row: a trace and what was decided about it."""

    pruning: Pruning
    id: str = ""
    tokens: Tokens = field(default_factory=lambda: Tokens(100, 40, 10))


def trace_of(*steps: str, question: str = "What is asked?", answer: str = "The answer.") -> Trace:
    """A trace of these steps, a blank line between two of them."""
    return Trace(question, (*(f"{step}\n\n" for step in steps[:-1]), steps[-1]), answer)


def two_stages(
    trace: Trace, given: Sequence[int], order: Sequence[int], lengths: Sequence[int], budget: int, **more: Any
) -> Pruning:
    """Stage 1 leaves the positions `given`; stage 2 removes them in `order`, whose places they are counted by."""
    left = trace.select(given)
    removed = removals_within(lengths, budget)
    pruned = left.select(order[removed:])
    scores = {
        name: [0.5 + order.index(place) * (at + 1) for place in range(len(order))] for at, name in enumerate(SCORES)
    }
    fine = {"scores": scores, "order": list(order), "lengths": list(lengths), "budget": budget, "windows": 1}
    coarse = {"stage": "answer_anchor", "kept": list(left.kept), "reason": "", **more}
    record = [coarse, {"stage": "iterative", "kept": list(pruned.kept), "reason": "", "tokens_before": 0, **fine}]
    return Pruning(pruned, "", {"stages": record})


def one_stage(pruned: Trace, name: str = "wo", reason: str = "", **record: Any) -> Pruning:
    """A single stage that left `pruned`."""
    return Pruning(
        pruned, reason, {"stages": [{"stage": name, "kept": list(pruned.kept), "reason": reason, **record}]}
    )


def write_result(
    folder: Path,
    cases: Sequence[Case],
    unusable: Sequence[tuple[str, str]] = (),
    settings: dict[str, Any] | None = None,
    first: int = 0,
) -> Path:
    """Write a result; the unusable rows, completion and reason, come after the others."""
    with DatasetWriter(folder) as writer:
        result = ResultWriter(writer, {"id": Value("string")})
        for number, case in enumerate(cases, first):
            question = case.pruning.trace.question
            turns = [{"role": "user", "content": question}]
            row = Row(number, {"id": case.id or f"trace-{number}"}, f"{question}\n<think>\n", question, turns)
            result.add(row, case.pruning, case.tokens)
        for number, (completion, reason) in enumerate(unusable, first + len(cases)):
            result.add_unusable(Row(number, {"id": f"trace-{number}"}, "prompt"), completion, reason)
        told = {"asap_hf": "0.1.0", "source": "traces.jsonl", "source_revision": "", "source_license": ""}
        summary = result.summary.as_dict(seconds=0.0)
        writer.finish({**told, "settings": settings or SETTINGS, "summary": summary, "libraries": {}}, "card")
    return folder
