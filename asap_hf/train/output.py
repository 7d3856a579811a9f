"""Check where a training may write: into a folder of its own, or into one that a training has written."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..errors import UsageError
from ..publish.training_run import RECORD_FILE
from ..runtime.own_folders import read_metadata, real_folder, refuse_inputs

# What a training writes beside its checkpoints, whatever stood there under that name.
_WRITTEN = ("README.md", "config.json", "generation_config.json", "tokenizer*", "chat_template.jinja", "*.safetensors")
_OF_A_TRAINING = ("training_args.bin", RECORD_FILE, "checkpoint-*/trainer_state.json")
_OURS = ("run.json", "summary.json")


def refuse_to_train_over(output_dir: Path, inputs: Collection[Path]) -> None:
    """Check that a training replaces nothing but an earlier training's files.

    Args:
        output_dir (`Path`):
            The training's.
        inputs (`Collection[Path]`):
            Folders and files that it reads.

    Raises:
        `UsageError`: with what is in the way.
    """
    real, shown = real_folder(output_dir), repr(str(output_dir))
    refuse_inputs(output_dir, inputs)
    if real.exists() and not real.is_dir():
        raise UsageError(f"{shown} is a file: choose another --output_dir")
    if any(read_metadata(real / name) for name in _OURS):
        raise UsageError(f"{shown} holds a result of asap-hf: choose another --output_dir")
    if any(next(real.glob(name), None) for name in _OF_A_TRAINING):
        return
    if foreign := next((path for name in _WRITTEN for path in sorted(real.glob(name))), None):
        raise UsageError(
            f"{shown} holds {foreign.name!r}, which no training left there, and a training would write over it: choose"
            " another --output_dir"
        )


STATE_FILE = "trainer_state.json"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint; `None` if there is none.

    This is what `trl sft --resume_from_checkpoint` wants to be given: it takes a folder and no `true`, and the newest
    one of a training that was killed may lack half its files. `trainer_state.json` is what a trainer writes last.
    """
    whole = {
        int(path.parent.name.removeprefix("checkpoint-")): path.parent
        for path in folder.glob(f"checkpoint-*/{STATE_FILE}")
        if path.parent.name.removeprefix("checkpoint-").isdecimal()
    }
    return whole[max(whole)] if whole else None
