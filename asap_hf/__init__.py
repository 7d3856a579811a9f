"""Prune long chains of thought to the steps that matter, and train on what is left.

Importing this loads nothing heavy: each name is imported when it is first used. Type checkers read the imports below.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .llm.endpoint import EndpointGenerator as EndpointGenerator
    from .llm.generator import Generator as Generator
    from .llm.outcomes import Completion as Completion
    from .llm.outcomes import Failure as Failure
    from .llm.outcomes import Request as Request
    from .llm.transformers import TransformersGenerator as TransformersGenerator
    from .llm.vllm import VLLMGenerator as VLLMGenerator
    from .pruners.anchor import AnchorPruner as AnchorPruner
    from .pruners.answer_anchor import AnswerAnchorPruner as AnswerAnchorPruner
    from .pruners.asap import asap as asap
    from .pruners.base import Pruner as Pruner
    from .pruners.base import Pruning as Pruning
    from .pruners.base import Sequential as Sequential
    from .pruners.c3ot import C3oTPruner as C3oTPruner
    from .pruners.iterative import IterativePruner as IterativePruner
    from .pruners.keep_last import keep_last as keep_last
    from .pruners.knapsack import KnapsackPruner as KnapsackPruner
    from .pruners.llmlingua2 import LLMLingua2Pruner as LLMLingua2Pruner
    from .pruners.matching import is_ordered_match as is_ordered_match
    from .pruners.original import OriginalPruner as OriginalPruner
    from .pruners.pir import pir as pir
    from .pruners.random_steps import random_steps as random_steps
    from .pruners.reference import ReferencePruner as ReferencePruner
    from .pruners.scored import ScoredPruner as ScoredPruner
    from .pruners.scored import Scorer as Scorer
    from .pruners.selective_context import SelectiveContextPruner as SelectiveContextPruner
    from .pruners.spirit import spirit_loo as spirit_loo
    from .pruners.spirit import spirit_own as spirit_own
    from .pruners.step_entropy import StepEntropyPruner as StepEntropyPruner
    from .pruners.tokenskip import TokenSkipPruner as TokenSkipPruner
    from .scoring.leave_one_out import LeaveOneOutScorer as LeaveOneOutScorer
    from .scoring.outcome import ScoringFailure as ScoringFailure
    from .scoring.outcome import StepScores as StepScores
    from .scoring.reference import ReferenceScorer as ReferenceScorer
    from .scoring.step_entropy import StepEntropyScorer as StepEntropyScorer
    from .scoring.surprisal import SurprisalScorer as SurprisalScorer
    from .traces.rows import Columns as Columns
    from .traces.splitting import Splitter as Splitter
    from .traces.splitting import split_steps as split_steps
    from .traces.trace import Trace as Trace
    from .train.efficiency_callback import EfficiencyCallback as EfficiencyCallback

__version__ = "0.1.0"

_MODULES = {
    "AnchorPruner": "pruners.anchor",
    "AnswerAnchorPruner": "pruners.answer_anchor",
    "C3oTPruner": "pruners.c3ot",
    "Columns": "traces.rows",
    "Completion": "llm.outcomes",
    "EfficiencyCallback": "train.efficiency_callback",
    "EndpointGenerator": "llm.endpoint",
    "Failure": "llm.outcomes",
    "Generator": "llm.generator",
    "IterativePruner": "pruners.iterative",
    "KnapsackPruner": "pruners.knapsack",
    "LLMLingua2Pruner": "pruners.llmlingua2",
    "LeaveOneOutScorer": "scoring.leave_one_out",
    "OriginalPruner": "pruners.original",
    "Pruner": "pruners.base",
    "Pruning": "pruners.base",
    "ReferencePruner": "pruners.reference",
    "ReferenceScorer": "scoring.reference",
    "Request": "llm.outcomes",
    "ScoredPruner": "pruners.scored",
    "Scorer": "pruners.scored",
    "ScoringFailure": "scoring.outcome",
    "SelectiveContextPruner": "pruners.selective_context",
    "Sequential": "pruners.base",
    "Splitter": "traces.splitting",
    "StepEntropyPruner": "pruners.step_entropy",
    "StepEntropyScorer": "scoring.step_entropy",
    "StepScores": "scoring.outcome",
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
    "split_steps": "traces.splitting",
}

__all__ = [*sorted(_MODULES), "__version__"]


if not TYPE_CHECKING:  # to a type checker, a module with `__getattr__` has every name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
