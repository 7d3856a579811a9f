"""What a fine-tuned model is on the Hub: its weights, its tokenizer, its card, and what was measured of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..hub.publication import Publication
    from ..results import BenchmarkResult

logger = logging.getLogger(__name__)

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
_STATE_FILE = "trainer_state.json"


def model_publication(
    folder: Path,
    repo_id: str,
    dataset: str | None = None,
    base_model: str | None = None,
    train_config: Path | None = None,
    results: Path | None = None,
    license: str | None = None,
    **how: Any,
) -> Publication:
    """Everything that goes to the Hub for a checkpoint that `trl sft` wrote.

    Args:
        folder (`Path`):
            The checkpoint.
        repo_id (`str`):
            The model's id on the Hub.
        dataset (`str`, *optional*):
            Hub id of the dataset that it was trained on; the card then names its newest commit.
        base_model (`str`, *optional*):
            Hub id of the model that it was trained from; by default what TRL's own card or the adapter names.
        train_config (`Path`, *optional*):
            The YAML file that `trl sft --config` was given.
        results (`Path`, *optional*):
            A folder that `asap-hf evaluate` wrote, or one of such folders.
        license (`str`, *optional*):
            Licence of the checkpoint.
        how (`Any`):
            The other fields of a `Publication`: `private`, `tag`, `create_pr`, `revision`, `overwrite`.

    Raises:
        `UsageError`: if the folder is no checkpoint, or nothing says what it was trained from.
    """
    from ..cards.model_facts import ModelFacts
    from ..cards.rendering import model_card
    from ..cards.result_formats import eval_result_files
    from ..hub.publication import Publication

    if not (folder / "config.json").exists() and not (folder / "adapter_config.json").exists():
        raise UsageError(f"{str(folder)!r} is no checkpoint: it holds no config.json and no adapter_config.json")
    files: dict[str, Path | bytes] = {path.name: path for path in _parts(folder)}
    if not any(name.endswith(".safetensors") for name in files):
        raise UsageError(f"{str(folder)!r} holds no weights in safetensors")
    base_model = base_model or _base_model(folder)
    if base_model is None:
        raise UsageError("say what the model was trained from with --base_model: nothing in its folder does")
    if "adapter_config.json" in files:
        files["adapter_config.json"] = _adapter_config(folder, base_model)
    facts = ModelFacts(
        repo_id,
        base_model,
        dataset=dataset or "",
        dataset_revision=_head(dataset) if dataset else "",
        license=license or "",
        settings=_settings(train_config) if train_config else {},
        state=_state(folder),
        library_name="peft" if "adapter_config.json" in files else "transformers",
        results=_results(results) if results else (),
    )
    files |= eval_result_files(facts.own_results)
    files["README.md"] = model_card(facts).encode()
    return Publication(repo_id, "model", files, f"{base_model.rpartition('/')[2]} fine-tuned", **how)


def _results(folder: Path) -> list[BenchmarkResult]:
    """What was measured; a warning tells of verdicts that this version of the grader may not give."""
    from ..results import older_verdicts, read_results

    found = read_results(folder)
    if told := older_verdicts(found):
        logger.warning(
            "the results in %r were %s: their verdicts may be others now; `asap-hf grade FOLDER --output_dir NEW` "
            "grades the answers of an evaluation again, without generating any",
            folder.name,
            told,
        )
    return found


def _parts(folder: Path) -> Iterator[Path]:
    seen = {path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file()}
    yield from sorted(seen)


def _base_model(folder: Path) -> str | None:
    """The Hub id of the base model that an adapter's config or the card beside the checkpoint names."""
    from huggingface_hub import ModelCard

    from ..markdown import is_hub_id

    named: list[Any] = []
    if (folder / "adapter_config.json").exists():
        named.append(_json(folder / "adapter_config.json").get("base_model_name_or_path"))
    if (folder / "README.md").exists():
        named.append(ModelCard.load(folder / "README.md").data.to_dict().get("base_model"))
    return next((one for one in named if isinstance(one, str) and is_hub_id(one) and not Path(one).exists()), None)


def _adapter_config(folder: Path, base_model: str) -> bytes:
    """The adapter's config with the base model's Hub id, where training put the folder that it was loaded from."""
    config = {**_json(folder / "adapter_config.json"), "base_model_name_or_path": base_model}
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()


def _head(dataset: str) -> str:
    """The commit that the dataset stands at, so that the card names what was trained on; empty where it cannot be
    seen."""
    from ..sources import on_the_hub

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
    """What the trainer noted beside the model or, if it was only saved at the end, in its last checkpoint."""
    checkpoints = sorted(folder.glob(f"checkpoint-*/{_STATE_FILE}"), key=lambda path: int(path.parent.name[11:]))
    found = [path for path in (*checkpoints[-1:], folder / _STATE_FILE) if path.exists()]
    return _json(found[-1]) if found else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name!r} of the checkpoint cannot be read: {error}") from error
    return read if isinstance(read, dict) else {}
