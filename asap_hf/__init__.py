"""Prune long chains of thought to the steps that matter, and train on what is left.

Importing this costs nothing heavy: names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "AnchorPruner": "pruners.anchor",
    "AnswerAnchorPruner": "pruners.answer_anchor",
    "C3oTPruner": "pruners.c3ot",
    "EfficiencyCallback": "train.efficiency_callback",
    "EndpointGenerator": "llm.endpoint",
    "IterativePruner": "pruners.iterative",
    "KnapsackPruner": "pruners.knapsack",
    "LLMLingua2Pruner": "pruners.llmlingua2",
    "LeaveOneOutScorer": "scoring.leave_one_out",
    "OriginalPruner": "pruners.original",
    "Pruner": "pruners.base",
    "Pruning": "pruners.base",
    "ReferencePruner": "pruners.reference",
    "ReferenceScorer": "scoring.reference",
    "SelectiveContextPruner": "pruners.selective_context",
    "Sequential": "pruners.base",
    "StepEntropyPruner": "pruners.step_entropy",
    "StepEntropyScorer": "scoring.step_entropy",
    "SurprisalScorer": "scoring.surprisal",
    "TokenSkipPruner": "pruners.tokenskip",
    "Trace": "traces.trace",
    "TransformersGenerator": "llm.transformers",
    "VLLMGenerator": "llm.vllm",
    "asap": "pruners.asap",
    "is_ordered_match": "pruners.matching",
    "keep_last": "pruners.keep_last",
    "pir": "pruners.pir",
    "random_steps": "pruners.random_steps",
    "spirit_loo": "pruners.spirit",
    "spirit_own": "pruners.spirit",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
