"""Read and write the record of a training: the trainer's own arguments, and what `asap-hf train` recorded."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from .. import __version__
from ..runtime.files import disk_errors, write_whole

logger = logging.getLogger(__name__)

RECORD_FILE = "asap_training.json"
ARGUMENTS_FILE = "training_args.bin"
# Flags of TRL that say where something is stored or reported, and do not change the trained model.
UNCOMPARED_FLAGS = {
    *("model_name_or_path", "dataset_name", "output_dir", "config", "resume_from_checkpoint", "run_name", "project"),
    *("hub_model_id", "hub_token", "hub_strategy", "hub_private_repo", "hub_always_push", "hub_revision"),
    *("push_to_hub", "report_to", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
    *("disable_tqdm", "log_level", "log_level_replica", "dataset_num_proc", "dataloader_num_workers"),
}
# Flags that the trainer itself sets to what the machine and the other flags ask for.
_DERIVED = {"use_cpu", "dataloader_pin_memory", "debug", "pad_to_multiple_of"}


@dataclass(frozen=True)
class TrainingRecord:
    """What `asap-hf train` records in `output_dir` before the training begins."""

    model: str
    """What was trained: a Hub id, or the name of a folder."""
    dataset: str
    """On what: a Hub id, or the name of a folder; empty for a mixture of datasets."""
    dataset_revision: str
    """Commit of a dataset on the Hub; empty where there is none or the Hub did not tell."""
    processes: int | None
    """Training processes; `None` where `accelerate launch` counted the GPUs."""
    values: Mapping[str, Any]
    """Every flag of `trl sft` that was not TRL's default, from the YAML file or the command line."""
    before: tuple[str, ...] = ()
    """SHA-256 of each `training_args.bin` that lay there already: of another training."""
    asap_hf: str = field(default=__version__)
    """Version of the tool that wrote this."""


def write_record(output_dir: Path, given: Mapping[str, Any], processes: int | None, revision: str = "") -> None:
    """Record what is about to be trained. The same training started again after a kill leaves the record as it is.

    Args:
        output_dir (`Path`):
            Where the training writes to; made if need be.
        given (`Mapping[str, Any]`):
            Every flag that is not TRL's default.
        processes (`int`, *optional*):
            Training processes.
        revision (`str`, *optional*, defaults to `""`):
            Commit of the dataset, where it is on the Hub.

    Raises:
        [`RunError`]: if the folder cannot be written.
    """
    record = TrainingRecord(
        _as_json(given.get("model_name_or_path", "")),
        _as_json(given.get("dataset_name", "")),
        revision,
        processes,
        {name: _as_json(value) for name, value in given.items() if name not in UNCOMPARED_FLAGS},
    )
    former = _read(output_dir)
    if former is not None and _compared(former) == _compared(record):
        return
    saved = [*output_dir.glob(ARGUMENTS_FILE), *output_dir.glob(f"checkpoint-*/{ARGUMENTS_FILE}")]
    metadata = asdict(record) | {"before": sorted({_sha256(path) for path in saved})}
    with disk_errors(repr(str(output_dir)), "choose another --output_dir"):
        output_dir.mkdir(parents=True, exist_ok=True)
        write_whole(output_dir / RECORD_FILE, json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")


def record_of(checkpoint: Path, arguments: Mapping[str, Any]) -> TrainingRecord | None:
    """The record of the training that wrote a checkpoint; `None` where none is certainly of this one: the trainer's
    own arguments must be the same.

    Args:
        checkpoint (`Path`):
            The folder of a training, or a checkpoint in it.
        arguments (`Mapping[str, Any]`):
            What [`saved_arguments`] found.
    """
    record = _read(checkpoint) or _read(checkpoint.resolve().parent)
    if record is None or not arguments or _sha256(checkpoint / ARGUMENTS_FILE) in record.before:
        return None
    for name, default in _defaults().items():
        expected = record.values.get(name, default)
        if (
            name not in UNCOMPARED_FLAGS | _DERIVED
            and expected is not None
            and not same_value(arguments.get(name), expected)
        ):
            return None
    return record


def saved_arguments(checkpoint: Path) -> dict[str, Any]:
    """The arguments of a trainer, read from its `training_args.bin`: TRL's flags and their values, `dtype` with them.
    Empty where there is no such file, or it holds anything but such arguments: nothing of it is run.
    """
    import torch

    path = checkpoint / ARGUMENTS_FILE
    if not path.is_file():
        return {}
    try:
        with torch.serialization.safe_globals(_classes()):
            saved = torch.load(path, map_location="cpu", weights_only=True)
        arguments = saved.to_dict()
    except Exception as error:  # a pickle may hold anything, and fail in any way; it is reported and left aside
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        logger.warning(
            "%s cannot be read, so the card does not tell how the model was trained (%s)", path.name, reason
        )
        return {}
    dtype = (arguments.get("model_init_kwargs") or {}).get("dtype")
    return {**arguments, "dtype": dtype} if isinstance(dtype, str) else arguments


def _classes() -> list[Any]:
    """The classes that a `training_args.bin` may hold: plain classes and enums."""
    from accelerate.state import PartialState
    from accelerate.utils import dataclasses as accelerates
    from transformers import trainer_pt_utils, trainer_utils, training_args
    from trl.trainer.sft_config import SFTConfig

    modules = (accelerates, trainer_utils, training_args)
    found = [one for module in modules for one in vars(module).values() if isinstance(one, type)]
    words = [one for one in found if issubclass(one, Enum)]
    return [SFTConfig, PartialState, trainer_pt_utils.AcceleratorConfig, *words]


def _defaults() -> dict[str, Any]:
    """TRL's defaults of the flags whose value does not depend on other flags or the machine."""
    from trl.trainer.sft_config import SFTConfig

    return {one.name: one.default for one in fields(SFTConfig) if isinstance(one.default, (bool, int, float, str))}


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of a flag are equal: `4e-5` is text in YAML, and a text may be the value of an enum."""
    try:
        return float(one) == float(other)
    except (TypeError, ValueError):
        pass
    return str(getattr(one, "value", one)) == str(getattr(other, "value", other))


def _as_json(value: Any) -> Any:
    """A value as JSON; a path of this machine by its name alone."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str) and value and Path(value).exists():
        return Path(value).resolve().name
    return value


def _compared(record: TrainingRecord) -> Any:
    compared = asdict(record) | {"before": None, "asap_hf": None, "dataset_revision": None}
    return json.loads(json.dumps(compared))


def _read(folder: Path) -> TrainingRecord | None:
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        return TrainingRecord(**{**record, "values": dict(record["values"]), "before": tuple(record["before"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
