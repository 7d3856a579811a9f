"""`EfficiencyCallback`: measure what a training costs (§4.5, Table 3). Imports transformers."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..models.devices import processor
from .efficiency import EFFICIENCY_FILE, TrainingEfficiency, write_efficiency
from .trainer_logs import efficiency_of_logs

logger = logging.getLogger(__name__)


class EfficiencyCallback(TrainerCallback):
    """Times every optimiser step and counts the samples' tokens; at the end of the training it writes
    `training_efficiency.json` into `output_dir`, which `asap-hf compare` reads.

    A step is timed from its first forward pass to the end of the optimiser's work, by a clock that never goes back;
    the accelerator is waited for. Fetching batches, logging, evaluation and saving are not in it. Where the training
    was resumed, only the steps since then are timed.

    Tokens are those of the trainer's prepared dataset, every row once. A packed row counts as the samples in it. Of a
    stream they come from TRL's logs.

    Args:
        warmup_steps (`int`, *optional*, defaults to 1):
            First steps that are not timed, as they also allocate and compile. The paper does not give it.

    Example:
        >>> from asap_hf import EfficiencyCallback
        >>> callback = EfficiencyCallback(warmup_steps=2)  # SFTTrainer(…, callbacks=[callback])
        >>> callback.warmup_steps
        2
    """

    def __init__(self, warmup_steps: int = 1):
        self.warmup_steps = warmup_steps

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Reset the measurement and delete the file of an earlier training, which would stay if this one is killed."""
        self._seconds: list[float] = []
        if state.is_world_process_zero:
            (Path(str(args.output_dir)) / EFFICIENCY_FILE).unlink(missing_ok=True)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock."""
        _wait_for_accelerator()
        self._begun = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop the clock."""
        _wait_for_accelerator()
        self._seconds.append(time.monotonic() - self._begun)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **around: Any
    ) -> None:
        """Write the file, in rank 0. What cannot be counted is a warning and does not stop the training."""
        if not state.is_world_process_zero:
            return
        at_once = args.train_batch_size * args.world_size
        dataset = around["train_dataloader"].dataset
        try:
            samples = _prepared(dataset) or _streamed(state, at_once, args.gradient_accumulation_steps)
        except ValueError as error:
            logger.warning("no %s is written: the trainer's log %s", EFFICIENCY_FILE, error)
            return
        timed = self._seconds[self.warmup_steps :]
        efficiency = TrainingEfficiency(
            name=Path(str(args.output_dir)).name,
            model=around["model"].config.name_or_path,
            hardware=_hardware(args),
            rows=samples.rows,
            tokens_per_sample=samples.tokens_per_sample,
            samples_per_step=at_once * args.gradient_accumulation_steps * samples.per_row,
            steps=state.global_step,
            seconds_per_step=sum(timed) / len(timed) if timed else None,
            timed_steps=len(timed),
        )
        write_efficiency(efficiency, Path(str(args.output_dir)))


class _Samples(NamedTuple):
    rows: int
    tokens_per_sample: float
    per_row: float  # of the prepared dataset; over 1 where they are packed


def _prepared(dataset: Any) -> _Samples | None:
    """The samples of a dataset that TRL has tokenised; `None` if it is none, or a stream."""
    import pyarrow.compute as pc
    from datasets import Dataset

    if not isinstance(dataset, Dataset) or "input_ids" not in dataset.column_names or not len(dataset):
        return None
    packed = "seq_lengths" in dataset.column_names
    tokens = rows = 0
    for table in dataset.with_format("arrow").iter(batch_size=1000):
        tokens += pc.sum(pc.list_value_length(table["input_ids"])).as_py()
        rows += pc.sum(pc.list_value_length(table["seq_lengths"])).as_py() if packed else len(table)
    return _Samples(rows, tokens / rows, rows / len(dataset))


def _streamed(state: TrainerState, at_once: int, accumulation: int) -> _Samples:
    logged = efficiency_of_logs(state.log_history, at_once, accumulation)
    return _Samples(logged.rows, logged.tokens_per_sample, 1.0)


def _hardware(args: TrainingArguments) -> str:
    if args.device.type == "cuda":
        return f"{args.world_size * max(1, args.n_gpu)} × {torch.cuda.get_device_name(args.device)}"
    return processor()


def _wait_for_accelerator() -> None:
    """Wait for queued work: without this, a step's time would count for whatever reads a number next."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
