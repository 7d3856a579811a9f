"""A vLLM engine in this process: started with clear errors, and gone when its holder is."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UsageError
from ..runtime.child_guard import ChildGuard
from .embedded import resolve_model

if TYPE_CHECKING:
    from vllm import LLM


def start_vllm(model: str, **options: Any) -> LLM:
    """vLLM's `LLM` of a model.

    Args:
        model (`str`):
            Hub id, folder, or `"embedded"`.
        options:
            As `vllm.LLM` takes them.

    Raises:
        [`UsageError`]: if vLLM is not installed, or refuses the model or the options.
        [`RunError`]: if the engine does not start.
    """
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # its log is no part of what a command prints
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError as error:
        raise UsageError(
            f"vLLM cannot be imported ({error}): `pip install 'asap-hf[vllm]'`, or let something else generate"
        ) from error
    # On a CPU, vLLM 0.32 dies of a seeded request whose prompt is read in more than one step.
    chunked = False if current_platform.is_cpu() else None
    try:
        return LLM(model=str(resolve_model(model)), enable_chunked_prefill=chunked, **options)
    except (OSError, ValueError) as error:
        raise UsageError(f"vLLM refuses to load {model}: {' '.join(str(error).split())[:400]}") from error
    except RuntimeError as error:
        raise RunError(f"vLLM did not start with {model}: {error}") from error


def guard_children() -> ChildGuard:
    """Guard the child processes of this one, which an engine has started."""
    return ChildGuard(child.pid for child in multiprocessing.active_children() if child.pid is not None)


def stop_vllm(llm: LLM) -> None:
    """Give the engine's memory back."""
    llm.llm_engine.engine_core.shutdown()
