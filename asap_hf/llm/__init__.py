"""LLMs behind one interface. Importing this loads no engine and no library of one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .account import Account
from .account_store import Usage
from .generator import Completion, Failure, Generator, Request
from .run_account import run_account

if TYPE_CHECKING:
    from .endpoint import EndpointGenerator
    from .transformers import TransformersGenerator
    from .vllm import VLLMGenerator

__all__ = [
    "Account",
    "Completion",
    "EndpointGenerator",
    "Failure",
    "Generator",
    "Request",
    "TransformersGenerator",
    "Usage",
    "VLLMGenerator",
    "run_account",
]

_HOMES = {"EndpointGenerator": "endpoint", "TransformersGenerator": "transformers", "VLLMGenerator": "vllm"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
