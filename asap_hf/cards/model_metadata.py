"""What is on record about a fine-tuned model, for its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..benchmarks.results import BenchmarkResult

# Flags of TRL that decide what comes out, and hold no path of a machine.
_TRAINED_WITH = (
    "dataset_config",
    "max_length",
    "assistant_only_loss",
    "packing",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "lr_scheduler_kwargs",
    "warmup_steps",
    "weight_decay",
    "optim",
    "max_grad_norm",
    "dtype",
    "bf16",
    "seed",
)


@dataclass(frozen=True)
class ModelMetadata:
    """A fine-tuned model, as far as it is on record."""

    repo_id: str
    """Where it will be."""
    base_model: str
    """Hub id of the model that it was trained from."""
    dataset: str = ""
    """Hub id of the dataset that it was trained on."""
    dataset_revision: str = ""
    """Commit of that dataset."""
    revision_is_newest: bool = False
    """Whether that is only the newest one, since none is on record."""
    license: str = ""
    """An identifier of the Hub."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What it was trained with, by the names of TRL's flags."""
    settings_file: str = ""
    """Name of the YAML file that these stand in; empty where the trainer itself noted them."""
    command: Mapping[str, Any] = field(default_factory=dict)
    """Flags of the `trl sft` that ran; empty where they are not on record."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """What `trainer_state.json` holds."""
    library_name: str = "transformers"
    """What loads it: `peft` for an adapter."""
    results: Sequence[BenchmarkResult] = ()
    """Of this model."""
    base_results: Sequence[BenchmarkResult] = ()
    """Of the base model, measured under the same conditions."""
    claimed: str = ""
    """Name under which results of this model were measured for which only its publisher's word stands; empty if there
    are none."""

    @property
    def shown_settings(self) -> dict[str, Any]:
        """The settings that a card shows, numbers as numbers: YAML reads `4e-5` as text. Of epochs and steps only the
        one that ended the training."""
        found = {name: _number(self.settings[name]) for name in _TRAINED_WITH if self.settings.get(name) is not None}
        steps = found.get("max_steps", -1)
        idle = "num_train_epochs" if isinstance(steps, (int, float)) and steps > 0 else "max_steps"
        return {name: value for name, value in found.items() if name != idle}

    @property
    def training_numbers(self) -> str:
        """How long it was trained and the loss at both ends, as far as `trainer_state.json` tells."""
        losses = [entry["loss"] for entry in self.state.get("log_history", ()) if "loss" in entry]
        numbers = [f"{self.state['global_step']:,} steps"] if "global_step" in self.state else []
        numbers += [f"{self.state['epoch']:g} epochs"] if self.state.get("epoch") else []
        numbers += [f"loss {losses[0]:g} at the first report and {losses[-1]:g} at the last"] if losses else []
        return ", ".join(numbers)


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
