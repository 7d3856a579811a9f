"""Build the publication of a fine-tuned model: weights, tokenizer, card and benchmark results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .trained import Trained, read_object, trained

if TYPE_CHECKING:
    from ..cards.model_metadata import ModelMetadata
    from ..hub.publication import Publication
    from .measured import Measured

# What a model is loaded from. Everything else that training leaves behind stays here: the optimiser's state is of no
# use to others, and `training_args.bin` is a pickle that holds folders of this machine and, if one was given, a token.
_PATTERNS = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "chat_template*.jinja",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "preprocessor_config.json",
    "LICENSE*",
    "NOTICE*",
)


def model_publication(
    folder: Path,
    repo_id: str,
    dataset: str | None = None,
    base_model: str | None = None,
    train_config: Path | None = None,
    results: Path | None = None,
    results_model: str | None = None,
    license: str | None = None,
    **how: Any,
) -> Publication:
    """The files to publish for a checkpoint that `trl sft` wrote.

    Args:
        folder (`Path`):
            The checkpoint.
        repo_id (`str`):
            The model's id on the Hub.
        dataset (`str`, *optional*):
            Hub id of the dataset that it was trained on; by default the one on record.
        base_model (`str`, *optional*):
            Hub id of the model that it was trained from; by default what TRL's own card or the adapter names.
        train_config (`Path`, *optional*):
            The YAML file that `trl sft --config` was given, for a checkpoint without the trainer's own
            `training_args.bin`.
        results (`Path`, *optional*):
            A folder that `asap-hf evaluate` wrote, or one of such folders.
        results_model (`str`, *optional*):
            Name under which the checkpoint was evaluated, where nothing else proves that it was this one.
        license (`str`, *optional*):
            Licence of the checkpoint.
        how (`Any`):
            The other fields of a `Publication`: `private`, `tag`, `create_pr`, `revision`, `overwrite`.

    Raises:
        `UsageError`: if the folder is no checkpoint, or nothing says what it was trained from.
    """
    from ..cards.rendering import model_card
    from ..cards.result_formats import eval_result_files
    from ..hub.publication import Publication

    checkpoint = _files(folder)
    base_model = base_model or _base_model(folder)
    if base_model is None:
        raise UsageError("say what the model was trained from with --base_model: nothing in its folder does")
    if results_model and not results:
        raise UsageError("--results_model names a model in --results: give both")
    training = trained(folder, base_model, dataset, train_config)
    found = _measured(checkpoint, folder, repo_id, base_model, results, results_model)
    metadata = _metadata(repo_id, base_model, license, "adapter_config.json" in checkpoint, training, found)
    files: dict[str, Path | bytes] = {**checkpoint, **eval_result_files(found.own)}
    if "adapter_config.json" in checkpoint:
        files["adapter_config.json"] = _adapter_config(folder, base_model)
    files["README.md"] = model_card(metadata).encode()
    return Publication(repo_id, "model", files, f"{base_model.rpartition('/')[2]} fine-tuned", **how)


def _measured(
    checkpoint: Mapping[str, Path],
    folder: Path,
    repo_id: str,
    base_model: str,
    results: Path | None,
    results_model: str | None,
) -> Measured:
    """The benchmark results in `results`, the checkpoint's and its base model's; none without such a folder."""
    from .measured import Measured, measured

    if results is None:
        return Measured()
    weights = {name: path for name, path in checkpoint.items() if name.endswith(".safetensors")}
    return measured(results, weights, folder, repo_id, base_model, results_model or "")


def _metadata(
    repo_id: str, base_model: str, license: str | None, is_adapter: bool, training: Trained, found: Measured
) -> ModelMetadata:
    """What the card is rendered from."""
    from ..cards.model_metadata import ModelMetadata

    return ModelMetadata(
        repo_id,
        base_model,
        license=license or "",
        library_name="peft" if is_adapter else "transformers",
        **vars(training),
        results=found.own,
        base_results=found.base,
        claimed=found.claimed,
    )


def _files(folder: Path) -> dict[str, Path]:
    """The files that a model is loaded from, by name."""
    if not (folder / "config.json").exists() and not (folder / "adapter_config.json").exists():
        raise UsageError(f"{str(folder)!r} is no checkpoint: it holds no config.json and no adapter_config.json")
    files = {path.name: path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file()}
    if not any(name.endswith(".safetensors") for name in files):
        raise UsageError(f"{str(folder)!r} holds no weights in safetensors")
    return dict(sorted(files.items()))


def _base_model(folder: Path) -> str | None:
    """The Hub id of the base model that an adapter's config or the checkpoint's card names."""
    from huggingface_hub import ModelCard

    from ..reporting.markdown import is_hub_id

    named: list[Any] = []
    if (folder / "adapter_config.json").exists():
        named.append(read_object(folder / "adapter_config.json").get("base_model_name_or_path"))
    if (folder / "README.md").exists():
        named.append(ModelCard.load(folder / "README.md").data.to_dict().get("base_model"))
    return next((one for one in named if isinstance(one, str) and is_hub_id(one) and not Path(one).exists()), None)


def _adapter_config(folder: Path, base_model: str) -> bytes:
    """The adapter's config with the base model's Hub id, where training put the folder that it was loaded from."""
    config = {**read_object(folder / "adapter_config.json"), "base_model_name_or_path": base_model}
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
