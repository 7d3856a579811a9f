"""Read what a training cost per sample and per step (§4.5, Table 3) from its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError
from ..reporting.markdown import one_line
from ..runtime.files import write_whole
from .output import STATE_FILE, last_checkpoint
from .trainer_logs import efficiency_of_logs, saved_numbers

EFFICIENCY_FILE = "training_efficiency.json"
_ARGUMENTS_FILE = "training_args.bin"


@dataclass(frozen=True)
class TrainingEfficiency:
    """The two numbers of Table 3 for one training, and the counts behind them."""

    name: str
    """Its folder's name, on one line."""
    model: str
    """What was trained; empty if not known."""
    hardware: str
    """What it was trained on; empty if not known."""
    rows: int
    """Samples of an epoch, without those that the trainer dropped; of a stream, those of the whole run."""
    tokens_per_sample: float
    """Mean tokens of a sample as the model is given it: prompt, reasoning and answer, without padding."""
    samples_per_step: float
    """Samples that an optimiser step takes, over all processes."""
    steps: int
    """Optimiser steps since the training began, those before an interruption included."""
    seconds_per_step: float | None
    """Mean seconds of an optimiser step; `None` if it was not measured."""
    timed_steps: int
    """Steps that this is the mean of."""

    @property
    def tokens_per_step(self) -> float:
        """Mean tokens of an optimiser step."""
        return self.tokens_per_sample * self.samples_per_step


def holds_training(folder: Path) -> bool:
    """Whether [`read_efficiency`] can read a folder."""
    return (folder / EFFICIENCY_FILE).is_file() or _last_state(folder) is not None


def read_efficiency(folder: Path) -> TrainingEfficiency:
    """What the training in a folder cost: from the file of [`EfficiencyCallback`], else from the trainer's logs in
    `trainer_state.json` there or in the last checkpoint, as `trl sft` leaves them.

    TRL logs the time only with `--include_num_input_tokens_seen true`. It is the time between two logs, less
    evaluation; saving and fetching batches are in it, which [`EfficiencyCallback`] leaves out. The logs do not say how
    many rows there were: that is counted in batches of one device, so it can be off by less than one such batch.

    Args:
        folder (`Path`):
            Output folder of a training, finished or not, or a checkpoint.

    Raises:
        `UsageError`: if there is no training in it, or its logs tell too little.
    """
    name = one_line(folder.resolve().name)
    if (folder / EFFICIENCY_FILE).is_file():
        return _recorded(folder / EFFICIENCY_FILE, name)
    path = _last_state(folder)
    if path is None:
        raise UsageError(
            f"{str(folder)!r} holds neither {EFFICIENCY_FILE} nor a checkpoint with {STATE_FILE}: name the output_dir"
            " of a training that has saved one"
        )
    return _logged(path, name)


def _logged(path: Path, name: str) -> TrainingEfficiency:
    state = _read_object(path)
    saved = saved_numbers(path.with_name(_ARGUMENTS_FILE), ("gradient_accumulation_steps", "num_processes", "packing"))
    if saved.get("packing"):
        raise UsageError(
            f"the training of {name!r} packed its rows, and its logs do not say how many samples these hold: train"
            " with EfficiencyCallback"
        )
    try:
        at_once = state["train_batch_size"] * saved["num_processes"]
        accumulation = saved["gradient_accumulation_steps"]
        logged = efficiency_of_logs(state["log_history"], at_once, accumulation)
        steps = int(state["global_step"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{str(path)!r} is not what a trainer writes ({error!r}): name another folder") from error
    except ValueError as error:
        raise UsageError(f"{str(path)!r} {error}, or with EfficiencyCallback") from error
    return TrainingEfficiency(
        name=name,
        model="",
        hardware="",
        rows=logged.rows,
        tokens_per_sample=logged.tokens_per_sample,
        samples_per_step=at_once * accumulation,
        steps=steps,
        seconds_per_step=logged.seconds_per_step,
        timed_steps=logged.timed_steps,
    )


def write_efficiency(efficiency: TrainingEfficiency, folder: Path) -> None:
    """Write `training_efficiency.json`, whole or not at all. The name is left out: it is the folder's."""
    record = {"asap_hf": __version__, **asdict(efficiency)}
    del record["name"]
    write_whole(folder / EFFICIENCY_FILE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _recorded(path: Path, name: str) -> TrainingEfficiency:
    record = _read_object(path)
    wanted = [one.name for one in fields(TrainingEfficiency) if one.name != "name"]
    if missing := [one for one in wanted if one not in record]:
        raise UsageError(f"{str(path)!r} has no {missing[0]!r}: remove it, and the trainer's logs are read")
    return TrainingEfficiency(name=name, **{one: record[one] for one in wanted})


def _last_state(folder: Path) -> Path | None:
    place = folder if (folder / STATE_FILE).is_file() else last_checkpoint(folder)
    return place / STATE_FILE if place else None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is not JSON ({error}): remove it") from error
    if not isinstance(content, dict):
        raise UsageError(f"{str(path)!r} holds no object: remove it")
    return content
