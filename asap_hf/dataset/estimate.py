"""What a run would take, before anything is spent: rows, tokens, LLM calls, money, floating-point operations, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from ..errors import UnusableTrace
from ..models.devices import matmul_speed
from ..models.placement import PlacedModel
from ..models.tokens import count_tokens
from ..pruners.anchor import AnchorPruner
from ..pruners.base import Sequential
from ..pruners.c3ot import C3oTPruner
from ..pruners.scored import ScoredPruner
from ..reporting.formatting import money
from ..scoring.surprisal import SurprisalScorer, flops_per_trace, model_config
from ..traces.rows import Columns, trace_of
from ..traces.sources import Source
from ..traces.trace import REASONS, Trace

# Share of a matrix product's speed that a transformer's forward reaches; measured on CPU by bench/score.py.
_EFFICIENCY = 0.5
# A direct chain of thought is some paragraphs; a rewrite writes out about the share that the paper's stage 1 keeps.
_DIRECT_TOKENS = 400
_KEPT_BY_REWRITE = 0.5


@dataclass
class Estimate:
    """Counted over the whole source; LLM figures assume that every first attempt is valid, and that the ledger holds
    no answer yet."""

    rows: int = 0
    finished: int = 0
    usable: int = 0
    steps: int = 0
    tokens: int = 0
    over_budget: int = 0
    flops: float = 0.0
    llm_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def estimate(
    source: Source, columns: Columns, pruner: Sequential, tokenizer: str, finished: Container[int] = ()
) -> tuple[Estimate, Counter[str]]:
    """Parse and count every row but those that a former run `finished`, by number. No model is loaded; of the scorer,
    only its config is read."""
    total, unusable = Estimate(), Counter[str]()
    fine = next((stage for stage in pruner.stages if isinstance(stage, ScoredPruner)), None)
    scorer = fine.scorer if fine is not None and isinstance(fine.scorer, SurprisalScorer) else None
    config = model_config(scorer.model_name_or_path, scorer.revision) if scorer is not None else None
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
            total.flops += flops_per_trace(config, reasoning + question) if config is not None else 0.0
            for stage in pruner.stages:
                _add_calls(total, stage, trace, reasoning, question)
    return total, unusable


def _add_calls(total: Estimate, stage: Any, trace: Trace, reasoning: int, question: int) -> None:
    """What an LLM reads and writes about one trace, if the stage asks one."""
    answer = len(trace.answer) // 3
    if isinstance(stage, AnchorPruner):
        total.llm_calls += 2
        total.prompt_tokens += question + answer + question + _DIRECT_TOKENS + reasoning + 500
        written = 3 * len(trace.steps) * _KEPT_BY_REWRITE if stage.mode == "select" else reasoning * _KEPT_BY_REWRITE
        total.completion_tokens += _DIRECT_TOKENS + int(written)
    elif isinstance(stage, C3oTPruner):
        total.llm_calls += 1
        total.prompt_tokens += question + answer + reasoning + 200
        total.completion_tokens += int(reasoning * _KEPT_BY_REWRITE)


def estimate_table(total: Estimate, unusable: Counter[str], pruner: Sequential) -> str:
    """The estimate as a person reads it."""
    lines = [f"{'rows':<22}{total.rows:>16,}   {total.usable:,} usable"]
    if total.finished:
        lines.append(f"{'  finished before':<22}{total.finished:>16,}   left as they are")
    for reason, count in unusable.most_common():
        lines.append(f"{'  not usable':<22}{count:>16,}   {REASONS[reason]}")
    lines.append(f"{'steps':<22}{total.steps:>16,}")
    over = any(isinstance(stage, ScoredPruner) for stage in pruner.stages)
    told = f"   {total.over_budget:,} rows over the budget" if over else ""
    lines.append(f"{'tokens of reasoning':<22}{total.tokens:>16,}{told}")
    for stage in pruner.stages:
        lines += ["", f"stage {stage.name}", *_stage_lines(stage, total)]
    return "\n".join(lines)


def _stage_lines(stage: Any, total: Estimate) -> list[str]:
    if isinstance(stage, (AnchorPruner, C3oTPruner)):
        return _llm_lines(stage, total)
    scorer = getattr(stage, "scorer", stage)
    if total.flops and isinstance(scorer, SurprisalScorer):
        device, dtype = scorer.placement()
        seconds = total.flops / (matmul_speed(device, dtype) * _EFFICIENCY)
        return [
            f"{'  scoring FLOPs':<22}{total.flops:>16.2e}   if nothing was scored before and stage 1 kept all",
            f"{'  about':<22}{_duration(seconds):>16}   on one {device} in {dtype}",
        ]
    if isinstance(scorer, PlacedModel):
        return [f"{'  time':<22}{'?':>16}   a model reads every row; how long that takes is not estimated"]
    return [f"{'  cost':<22}{'nothing':>16}   no model and no LLM"]


def _llm_lines(stage: AnchorPruner | C3oTPruner, total: Estimate) -> list[str]:
    generator = stage.generator
    parts = {
        "--prompt_price": total.prompt_tokens * generator.prompt_price / 1e6,
        "--completion_price": total.completion_tokens * generator.completion_price / 1e6,
    }
    missing = [flag for flag in parts if not getattr(generator, flag.removeprefix("--"))]
    told, cost = "", sum(parts.values())
    if missing:
        told = (
            f"   no prices were given: give {' and '.join(missing)}" if len(missing) == 2 else f"   {missing[0]} is 0"
        )
    elif generator.max_cost is not None and cost > generator.max_cost:
        told = f"   over --max_cost {generator.max_cost:g}: rows would be left without an answer"
    return [
        f"{'  LLM calls':<22}{total.llm_calls:>16,}   less the ledger's; at most {stage.max_attempts} attempts a row",
        f"{'  LLM tokens':<22}{total.prompt_tokens:>16,}   in, about {total.completion_tokens:,} out",
        f"{'  LLM cost':<22}{'?' if len(missing) == 2 else money(cost):>16}{told}",
    ]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
