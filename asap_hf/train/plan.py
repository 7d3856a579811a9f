"""Estimate a training: optimiser steps, tokens, floating-point operations, time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from ..errors import RunError
from ..models.devices import matmul_speed, pick_dtype
from ..scoring.flops import flops_per_trace, model_config
from .arguments import SftArguments
from .verdict import CheckResult

# Share of a device's matrix speed that training reaches: an assumption, named wherever a time is printed.
UTILISATION = 0.4
# NVIDIA's data sheet of the H100 SXM: bfloat16, dense. What is assumed where there is no GPU to measure.
H100 = 989e12
_MEASURE = """
import sys, torch
from asap_hf.models.devices import matmul_speed
print(torch.cuda.get_device_name(), matmul_speed("cuda", sys.argv[1]), sep="\\n")
"""


@dataclass(frozen=True)
class Hardware:
    """The device of one training process.

    Args:
        name (`str`):
            As it stands in a sentence.
        speed (`float`):
            FLOP/s of a matrix product.
        source (`str`):
            Where that number is from.
        here (`bool`, *optional*, defaults to `True`):
            Whether this machine has it.
        remedy (`str`, *optional*):
            What would make it faster.
    """

    name: str
    speed: float
    source: str
    here: bool = True
    remedy: str = ""


@dataclass(frozen=True)
class Plan:
    """Steps, tokens and operations of a training on a checked set.

    Args:
        steps (`int`), steps_per_epoch (`int`):
            Optimiser steps.
        batch (`int`):
            Sequences per optimiser step, on all processes together.
        processes (`int`):
            Training processes, one device each.
        tokens_per_epoch (`int`), trained_per_epoch (`int`):
            Tokens the model reads, and how many of them are in the loss.
        flops (`float`):
            Of the whole training: forward and backward (6 × parameters × tokens, and attention), without what
            activation checkpointing computes again.
        context (`int`, *optional*):
            The most tokens that the model's configuration provides for.
    """

    steps: int
    steps_per_epoch: int
    batch: int
    processes: int
    tokens_per_epoch: int
    trained_per_epoch: int
    flops: float
    context: int | None

    def hours(self, hardware: Hardware) -> float:
        """How long one process on such hardware would have to work, at the assumed [`UTILISATION`]."""
        return self.flops / (hardware.speed * UTILISATION) / 3600

    @property
    def epochs(self) -> float:
        """How often every row is seen."""
        return self.steps / self.steps_per_epoch


def plan_of(verdict: CheckResult) -> Plan:
    """Count what was checked, scaled to the whole split where only some rows were.

    Raises:
        [`UsageError`], [`RunError`]: if the model's configuration cannot be read.
    """
    arguments, sft = verdict.arguments, verdict.arguments.sft
    config = model_config(str(arguments.model.model_name_or_path), arguments.model.model_revision)
    scale = max(verdict.preparation.total, len(verdict.lengths)) / len(verdict.lengths)
    processes = 1 if arguments.asked["use_cpu"] else arguments.processes or _gpus() or 1
    batches = round(len(verdict.preparation.trained) * scale) / (sft.per_device_train_batch_size * processes)
    batches = floor(batches) if sft.dataloader_drop_last else ceil(batches)
    steps_per_epoch = max(1, ceil(batches / sft.gradient_accumulation_steps))
    steps = sft.max_steps if sft.max_steps > 0 else ceil(sft.num_train_epochs * steps_per_epoch)
    return Plan(
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        batch=sft.per_device_train_batch_size * processes * sft.gradient_accumulation_steps,
        processes=processes,
        tokens_per_epoch=round(scale * verdict.kept),
        trained_per_epoch=round(scale * verdict.kept_trained),
        flops=scale * _flops(verdict, config) * steps / steps_per_epoch,
        context=getattr(config.get_text_config(), "max_position_embeddings", None),
    )


def _flops(verdict: CheckResult, config: Any) -> float:
    """Forward and backward over every checked row, once."""
    sft = verdict.arguments.sft
    splits = sft.packing and sft.packing_strategy != "bfd"
    limit = max(verdict.lengths) if splits else sft.max_length or max(verdict.lengths)
    forward: float = sum(
        flops_per_trace(config, min(length, limit), min(trained, limit))  # TRL computes no logits outside the loss
        for length, trained in zip(verdict.lengths, verdict.trained, strict=True)
    )
    # The gradients of the weights are a third of the work, and adapters need next to none of it.
    return forward * (2 if verdict.arguments.model.use_peft else 3)


def hardware(arguments: SftArguments) -> Hardware:
    """This machine's GPU, or its CPU where that is asked for; an H100 by its data sheet where there is no GPU.

    Raises:
        `RunError`: if there is a GPU and it does not work.
    """
    asked = arguments.asked
    dtype = "float16" if asked["fp16"] else "float32" if asked["bf16"] is False else "bfloat16"  # TRL's own default
    if asked["use_cpu"]:
        return _cpu(dtype)
    if not _gpus():
        return Hardware("an H100", H100, "bfloat16, dense", here=False)
    # In a process of its own: one that has used a GPU holds some of its memory to its end.
    done = subprocess.run([sys.executable, "-c", _MEASURE, dtype], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"the GPU could not be measured: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    name, speed = done.stdout.splitlines()[-2:]
    return Hardware(name, float(speed), f"{dtype}, as measured")


def _cpu(dtype: str) -> Hardware:
    """This CPU; without instructions for bfloat16 it takes many times as long as in float32."""
    speed, remedy = matmul_speed("cpu", dtype), ""
    if dtype == "bfloat16" and pick_dtype("auto", "cpu") == "float32":
        times = matmul_speed("cpu", "float32") / speed
        remedy = f"this CPU has no bfloat16; --bf16 false is about {times:,.0f} times as fast" if times >= 2 else ""
    return Hardware("this CPU", speed, f"{dtype}, as measured", remedy=remedy)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
