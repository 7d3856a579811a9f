"""One training step of each recipe at its full length: the memory it takes, held against the recipe's arithmetic."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from asap_hf.recipes import recipe_path
from asap_hf.scoring.flops import flops_per_trace

from .machine import Machine
from .models import random_model, shape, tokenizer
from .report import Table
from .scoring import peak_flops

RECIPES = (
    ("r1-distill-qwen-7b", "train", "qwen2-7b"),
    ("r1-distill-qwen-7b", "train-lora", "qwen2-7b"),
    ("r1-distill-llama-8b", "train", "llama-3-8b"),
    ("r1-distill-qwen-1.5b", "train", "qwen2-1.5b"),
)
STEPS = 3  # the optimiser's moments come with the first; the last one is timed
_IN_ALL = re.compile(r"^#   in all +([\d.]+)", re.MULTILINE)


def training(machine: Machine) -> Iterator[Table]:
    """Through TRL's own trainer, from the recipe's YAML, with a model of its shape and random weights."""
    length = 16384 if not machine.smallest else 128
    table = Table(
        f"TRL's SFTTrainer, one row of {length:,} tokens a step, by the recipes' YAML",
        ["recipe", "peak GiB", "GiB by the YAML's arithmetic", "s a step", "of the peak FLOP/s"],
        notes=[
            "FLOPs: forward and backward, without what activation checkpointing computes again; the LoRA recipe adds "
            "up weights and adapters alone"
        ],
    )
    for name, kind, size in RECIPES:
        path = recipe_path(name, kind)
        config = shape(size, machine)
        try:
            seconds, peak = _train(machine, path, config, length)
        except torch.OutOfMemoryError:
            table.rows.append([f"{name} {kind}", "does not fit", _arithmetic(path), None, None])
            continue
        finally:
            machine.forget()
        share = 3 * flops_per_trace(config, length, length) / seconds / peak_flops(machine)
        table.rows.append([f"{name} {kind}", peak, _arithmetic(path), seconds, share])
    yield table


def _arithmetic(path: Path) -> float | None:
    found = _IN_ALL.search(path.read_text(encoding="utf-8"))
    return float(found.group(1)) if found else None


def _train(machine: Machine, path: Path, config: Any, length: int) -> tuple[float, float | None]:
    """Seconds of the last step, and GiB at the peak of all, weights included."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback
    from transformers.utils import logging
    from trl.scripts.sft import make_parser
    from trl.trainer.sft_trainer import SFTTrainer
    from trl.trainer.utils import get_peft_config

    disable_progress_bars()
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "output_dir": folder,
            "max_steps": STEPS,
            "gradient_accumulation_steps": 1,
            "save_strategy": "no",
            "disable_tqdm": True,
            "max_length": length,
            "use_cpu": not machine.on_gpu,
        }
        config_file = Path(folder, path.name)
        config_file.write_text(_as_this_version_names_it(path.read_text(encoding="utf-8")), encoding="utf-8")
        flags = (part for name, value in given.items() for part in (f"--{name}", str(value)))
        _, arguments, of_model, *_ = make_parser().parse_args_and_config(["--config", str(config_file), *flags])
        model = random_model(config, machine.device, getattr(torch, of_model.dtype)).train()
        ids = [2 + place % 2000 for place in range(length)]
        row = {"input_ids": ids, "completion_mask": [0] * (length // 8) + [1] * (length - length // 8)}
        clock = _Clock(machine)
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list([row] * STEPS),
            processing_class=tokenizer(),
            peft_config=get_peft_config(of_model),
            callbacks=[clock.callback()],
        )
        trainer.remove_callback(PrinterCallback)
        if machine.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        trainer.train()
        assert trainer.state.global_step == STEPS and all(
            one["loss"] > 0 for one in trainer.state.log_history if "loss" in one
        )
        peak = torch.cuda.max_memory_allocated() / 2**30 if machine.on_gpu else None
        return clock.seconds[-1], peak


def _as_this_version_names_it(recipe: str) -> str:
    """The recipe for this version of transformers: 5.17 knows activation checkpointing by its former name."""
    from transformers import TrainingArguments

    today = "activation_checkpointing"
    return recipe if hasattr(TrainingArguments, today) else recipe.replace(f"{today}:", "gradient_checkpointing:")


class _Clock:
    """Seconds of every step, as the device has them behind it."""

    def __init__(self, machine: Machine):
        self._machine = machine
        self.seconds: list[float] = []

    def callback(self) -> Any:
        import time

        from transformers import TrainerCallback

        clock = self

        class Clock(TrainerCallback):
            def on_step_begin(self, *_: Any, **__: Any) -> None:
                clock._machine.synchronize()
                clock._begun = time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                clock._machine.synchronize()
                clock.seconds.append(time.perf_counter() - clock._begun)

        return Clock()

    _begun = 0.0
