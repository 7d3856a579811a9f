"""What a run would take, before anything is spent: rows, tokens, LLM calls, money, floating-point operations, time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .errors import UnusableTrace
from .pruners.anchor import AnchorPruner
from .pruners.base import Sequential
from .pruners.iterative import IterativePruner
from .rows import Columns, trace_of
from .sources import Source
from .surprisal import SurprisalScorer, flops_per_trace, model_config
from .tokens import count_tokens
from .trace import REASONS, Trace

# Share of a matrix product's speed that a transformer's forward reaches; measured on CPU by bench/score.py.
_EFFICIENCY = 0.5
# A direct chain of thought is some paragraphs; a rewrite writes out about the share that the paper's stage 1 keeps.
_DIRECT_TOKENS = 400
_KEPT_BY_REWRITE = 0.5


@dataclass
class Estimate:
    """Counted over the whole source; LLM figures assume that every first attempt is valid."""

    rows: int = 0
    usable: int = 0
    steps: int = 0
    tokens: int = 0
    over_budget: int = 0
    flops: float = 0.0
    llm_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def estimate(source: Source, columns: Columns, pruner: Sequential, tokenizer: str) -> tuple[Estimate, Counter[str]]:
    """Parse and count every row. No model is loaded; of the scorer, only its config is read."""
    total, unusable = Estimate(), Counter[str]()
    anchor = next((stage for stage in pruner.stages if isinstance(stage, AnchorPruner)), None)
    fine = next((stage for stage in pruner.stages if isinstance(stage, IterativePruner)), None)
    scorer = fine.scorer if fine is not None and isinstance(fine.scorer, SurprisalScorer) else None
    config = model_config(scorer.model_name_or_path, scorer.revision) if scorer is not None else None
    for rows in source.batches(64):
        traces = []
        for row in rows:
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
            if anchor is not None:
                _add_calls(total, anchor, trace, reasoning, question)
    return total, unusable


def _add_calls(total: Estimate, anchor: AnchorPruner, trace: Trace, reasoning: int, question: int) -> None:
    total.llm_calls += 2
    total.prompt_tokens += question + len(trace.answer) // 3 + question + _DIRECT_TOKENS + reasoning + 500
    written = 3 * len(trace.steps) * _KEPT_BY_REWRITE if anchor.mode == "select" else reasoning * _KEPT_BY_REWRITE
    total.completion_tokens += _DIRECT_TOKENS + int(written)


def matmul_speed(device: str, dtype: str) -> float:
    """FLOP/s of a square matrix product on this device, measured for a fraction of a second."""
    import torch

    # A GPU is waited for once in ten products: the waiting takes about as long as one of them.
    size, at_once = (8192, 10) if device.startswith("cuda") else (1024, 1)
    a = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    done = 0
    (a @ a).sum().item()
    started = time.perf_counter()
    while time.perf_counter() - started < 0.3:
        products = [a @ a for _ in range(at_once)]
        products[-1].sum().item()
        done += at_once
    return done * 2 * size**3 / (time.perf_counter() - started)


def estimate_table(total: Estimate, unusable: Counter[str], pruner: Sequential) -> str:
    """The estimate as a person reads it."""
    lines = [f"{'rows':<22}{total.rows:>16,}   {total.usable:,} usable"]
    for reason, count in unusable.most_common():
        lines.append(f"{'  not usable':<22}{count:>16,}   {REASONS[reason]}")
    lines.append(f"{'steps':<22}{total.steps:>16,}")
    lines.append(f"{'tokens of reasoning':<22}{total.tokens:>16,}   {total.over_budget:,} rows over the budget")
    for stage in pruner.stages:
        lines += _stage_lines(stage, total)
    return "\n".join(lines)


def _stage_lines(stage: Any, total: Estimate) -> list[str]:
    lines = ["", f"stage {stage.name}"]
    if isinstance(stage, AnchorPruner):
        generator = stage.generator
        cost = total.prompt_tokens * generator.prompt_price + total.completion_tokens * generator.completion_price
        lines.append(
            f"{'  LLM calls':<22}{total.llm_calls:>16,}   at least; up to {stage.max_attempts} prunings a row"
        )
        lines.append(f"{'  LLM tokens':<22}{total.prompt_tokens:>16,}   in, about {total.completion_tokens:,} out")
        priced = f"{cost / 1e6:>16,.2f}" if cost else f"{'?':>16}   give --prompt_price and --completion_price"
        return [*lines, f"{'  LLM cost':<22}{priced}"]
    if isinstance(stage, IterativePruner) and total.flops and isinstance(stage.scorer, SurprisalScorer):
        device, dtype = stage.scorer.placement()
        seconds = total.flops / (matmul_speed(device, dtype) * _EFFICIENCY)
        lines.append(f"{'  scoring FLOPs':<22}{total.flops:>16.2e}   all rows, as if stage 1 kept everything")
        lines.append(f"{'  about':<22}{_duration(seconds):>16}   on one {device} in {dtype}")
        return lines
    return [*lines, f"{'  cost':<22}{'nothing':>16}"]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
