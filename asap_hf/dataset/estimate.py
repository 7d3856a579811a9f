"""What a run would take, before anything is spent: rows, tokens, LLM calls, money, floating-point operations, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..errors import UnusableTrace
from ..models.devices import matmul_speed
from ..models.tokens import count_tokens
from ..pruners.base import Sequential
from ..pruners.cost import Cost
from ..pruners.scored import ScoredPruner
from ..reporting.formatting import duration, money
from ..reporting.terminal import labelled
from ..scoring.flops import CountedTrace
from ..traces.rows import Columns, trace_of
from ..traces.sources import Source
from ..traces.trace import REASONS

# Share of a matrix product's speed that a transformer's forward reaches; measured on CPU by bench/score.py.
_EFFICIENCY = 0.5
_line = partial(labelled, width=16)


@dataclass
class RunEstimate:
    """Counted over the whole source, as if no ledger held anything and stage 1 kept all."""

    rows: int = 0
    finished: int = 0
    usable: int = 0
    steps: int = 0
    tokens: int = 0
    over_budget: int = 0
    costs: list[Cost | None] = field(default_factory=list)
    """Of each stage; `None` where a pruner does not say."""

    @property
    def whole(self) -> Cost:
        """Of all stages that say what they cost."""
        return sum((one for one in self.costs if one is not None), Cost())


def estimate(
    source: Source, columns: Columns, pruner: Sequential, tokenizer: str, finished: Container[int] = ()
) -> tuple[RunEstimate, Counter[str]]:
    """Parse and count every row but those that a former run `finished`, by number, and ask each stage for its cost. No
    model is loaded; of a scorer, only its config is read."""
    total, unusable = RunEstimate(costs=[Cost() for _ in pruner.stages]), Counter[str]()
    fine = next((stage for stage in pruner.stages if isinstance(stage, ScoredPruner)), None)
    for rows in source.batches(64):
        traces = []
        for number, row in enumerate(rows, source.first + total.rows):
            if number in finished:
                total.finished += 1
                continue
            try:
                traces.append(trace_of(row, columns))
            except UnusableTrace as error:
                unusable[error.reason] += 1
        total.rows += len(rows)
        total.usable += len(traces)
        counts = count_tokens(tokenizer, [text for trace in traces for text in (trace.reasoning, trace.question)])
        for trace, reasoning, question in zip(traces, counts[::2], counts[1::2], strict=True):
            total.steps += len(trace.steps)
            total.tokens += reasoning
            total.over_budget += fine is not None and reasoning > fine.budget(reasoning)
            counted = CountedTrace(trace, question, reasoning, len(trace.answer) // 3)
            costs = [stage.cost(counted) for stage in pruner.stages]
            total.costs = [_both(*pair) for pair in zip(total.costs, costs, strict=True)]
    return total, unusable


def _both(one: Cost | None, other: Cost | None) -> Cost | None:
    return None if one is None or other is None else one + other


def estimate_table(total: RunEstimate, unusable: Counter[str], pruner: Sequential) -> str:
    """The estimate as a person reads it."""
    budgeted = any(isinstance(stage, ScoredPruner) for stage in pruner.stages)
    over = f"{total.over_budget:,} rows over the budget" if budgeted else ""
    lines = [
        _line("rows", f"{total.rows:,}", f"{total.usable:,} usable"),
        *([_line("  finished before", f"{total.finished:,}", "left as they are")] if total.finished else []),
        *(_line("  not usable", f"{count:,}", REASONS[reason]) for reason, count in unusable.most_common()),
        _line("steps", f"{total.steps:,}"),
        _line("tokens of reasoning", f"{total.tokens:,}", over),
    ]
    for stage, cost in zip(pruner.stages, total.costs, strict=True):
        lines += ["", f"stage {stage.name}", *_stage_lines(stage, cost)]
    return "\n".join(lines)


def _stage_lines(stage: Any, cost: Cost | None) -> list[str]:
    if cost is None:
        return [_line("  cost", "?", "this pruner does not say what it costs")]
    lines = _llm_lines(stage, cost) if cost.llm_calls else []
    lines += _scoring_lines(getattr(stage, "scorer", stage), cost) if cost.passes else []
    return lines or [_line("  cost", "nothing", "no model and no LLM")]


def _scoring_lines(placed: Any, cost: Cost) -> list[str]:
    read = f"a model reads every row, {cost.tokens_read:,} tokens in all"
    lines = [_line("  forward passes", f"{cost.passes:,}", read)]
    if not cost.flops:
        return [*lines, _line("  time", "?", "how long that takes is not estimated")]
    device, dtype = placed.placement()
    seconds = cost.flops / (matmul_speed(device, dtype) * _EFFICIENCY)
    return [
        *lines,
        _line("  scoring FLOPs", f"{cost.flops:.2e}", "if no row was scored before and stage 1 kept all"),
        _line("  about", duration(seconds), f"on one {device} in {dtype}"),
    ]


def _llm_lines(stage: Any, cost: Cost) -> list[str]:
    generator = stage.generator
    parts = {
        "--prompt_price": cost.prompt_tokens * generator.prompt_price / 1e6,
        "--completion_price": cost.completion_tokens * generator.completion_price / 1e6,
    }
    missing = [flag for flag in parts if not getattr(generator, flag.removeprefix("--"))]
    note, price = "", sum(parts.values())
    if missing:
        note = f"no prices were given: give {' and '.join(missing)}" if len(missing) == 2 else f"{missing[0]} is 0"
    elif generator.max_cost is not None and price > generator.max_cost:
        note = f"over --max_cost {generator.max_cost:g}: rows would be left without an answer"
    return [
        _line("  LLM calls", f"{cost.llm_calls:,}", f"less the ledger's; at most {stage.max_attempts} attempts a row"),
        _line("  LLM tokens", f"{cost.prompt_tokens:,}", f"in, about {cost.completion_tokens:,} out"),
        _line("  LLM cost", "?" if len(missing) == 2 else money(price), note),
    ]
