"""Collect what is on record about the training of a checkpoint, for its card."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .training_run import UNCOMPARED_FLAGS, TrainingRecord, record_of, same_value, saved_arguments

logger = logging.getLogger(__name__)

_STATE_FILE = "trainer_state.json"


@dataclass(frozen=True)
class Trained:
    """How a checkpoint was trained, as far as it is on record."""

    dataset: str = ""
    """Hub id of what it was trained on."""
    dataset_revision: str = ""
    """Commit of that dataset."""
    revision_is_newest: bool = False
    """Whether that is only the newest commit, since none is on record."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By the names of TRL's flags."""
    settings_file: str = ""
    """Name of the YAML file that the settings stand in; empty where the trainer itself noted them."""
    command: Mapping[str, Any] = field(default_factory=dict)
    """Flags of the `trl sft` that ran; empty where they are not on record."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """What `trainer_state.json` holds."""


def trained(folder: Path, base_model: str, dataset: str | None, train_config: Path | None) -> Trained:
    """Collect what is on record.

    Args:
        folder (`Path`):
            The checkpoint.
        base_model (`str`):
            Hub id of the model that it was trained from.
        dataset (`str`, *optional*):
            Hub id of the dataset, as the user has it.
        train_config (`Path`, *optional*):
            The YAML file of `trl sft`: it tells the settings where the trainer's own `training_args.bin` does not.

    Raises:
        `UsageError`: if the YAML file cannot be read, or the training is on record with another dataset on the Hub.
    """
    from ..reporting.markdown import is_hub_id

    arguments = saved_arguments(folder)
    record = record_of(folder, arguments)
    noted = record.dataset if record is not None and is_hub_id(record.dataset) else ""
    if dataset and noted and dataset != noted:
        raise UsageError(f"the training is on record with the dataset {noted!r}, not {dataset!r}: leave --dataset out")
    name = dataset or noted
    revision = record.dataset_revision if record is not None and name == noted else ""
    file = _settings(train_config) if train_config else {}
    if train_config and arguments:
        _warn_of_differences(train_config.name, file, arguments)
    settings = arguments or file
    if record is not None:
        settings = {**settings, **{key: record.values[key] for key in ("dataset_config",) if key in record.values}}
    return Trained(
        name,
        revision or (_head(name) if name else ""),
        not revision,
        settings,
        train_config.name if train_config and not arguments else "",
        _command(record, base_model, name) if record is not None else {},
        _state(folder),
    )


def _warn_of_differences(name: str, file: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    both = file.keys() & arguments.keys() - UNCOMPARED_FLAGS
    different = {key for key in both if not same_value(file[key], arguments[key])}
    if different:
        logger.warning(
            "%s has other values than the trainer noted itself, which are those that the card tells: %s",
            name,
            ", ".join(sorted(different)),
        )


def _command(record: TrainingRecord, base_model: str, dataset: str) -> dict[str, Any]:
    if "datasets" in record.values:  # a mixture, which no flag can name
        return {}
    several = {"num_processes": record.processes} if record.processes else {}
    where = {"model_name_or_path": base_model, "dataset_name": dataset or record.dataset}
    return {**where, **record.values, **several, "output_dir": "out"}


def _head(dataset: str) -> str:
    """The dataset's newest commit; empty where the Hub does not say."""
    from ..traces.sources import on_the_hub

    return on_the_hub(dataset)[0]


def _settings(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name!r} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise UsageError(f"{path.name!r} is no file for `trl sft --config`: it holds no settings")
    return settings


def _state(folder: Path) -> Mapping[str, Any]:
    """The trainer's state next to the model or, if it was only saved at the end, in the last checkpoint."""
    checkpoints = sorted(folder.glob(f"checkpoint-*/{_STATE_FILE}"), key=lambda path: int(path.parent.name[11:]))
    found = [path for path in (*checkpoints[-1:], folder / _STATE_FILE) if path.exists()]
    return read_object(found[-1]) if found else {}


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a checkpoint; empty where it holds something else.

    Raises:
        `UsageError`: if it cannot be read.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name!r} of the checkpoint cannot be read: {error}") from error
    return read if isinstance(read, dict) else {}
