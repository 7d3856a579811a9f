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
    "EndpointGenerator": "generation.endpoint",
    "IterativePruner": "pruners.iterative",
    "Pruner": "pruners.base",
    "Pruning": "pruners.base",
    "Sequential": "pruners.base",
    "SurprisalScorer": "surprisal",
    "Trace": "trace",
    "TransformersGenerator": "generation.local",
    "VLLMGenerator": "generation.vllm",
    "asap": "pruners.asap",
    "is_ordered_match": "matching",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
