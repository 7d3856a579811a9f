"""LLMs behind one interface. Importing this loads no engine and no library of one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .base import Completion, Failure, Generator, Request
from .purse import Purse, Usage

if TYPE_CHECKING:
    from .endpoint import EndpointGenerator
    from .local import TransformersGenerator
    from .vllm import VLLMGenerator

__all__ = [
    "Completion",
    "EndpointGenerator",
    "Failure",
    "Generator",
    "Purse",
    "Request",
    "TransformersGenerator",
    "Usage",
    "VLLMGenerator",
]

_HOMES = {"EndpointGenerator": "endpoint", "TransformersGenerator": "local", "VLLMGenerator": "vllm"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
