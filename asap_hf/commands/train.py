"""`asap-hf train`: the checks of `asap-hf check-sft`, then `trl sft` itself."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..models.embedded import resolve_model
from ..publish.training_run import write_record
from ..recipes import recipe_kinds, recipe_path
from ..reporting.markdown import is_hub_id
from ..train.output import refuse_to_train_over
from .check_sft import CheckArguments, check_or_refuse, read
from .prune_arguments import option
from .unused_flags import Rule, refuse_unused


@dataclass
class TrainArguments(CheckArguments):
    """Arguments of `asap-hf train`; every other flag, `--config` too, is one of `trl sft`."""

    recipe: str | None = option(None, "train with this recipe (asap-hf recipe list), not with a file after --config")
    kind: str = option("train", "which file of the recipe, train-lora for example")
    dry_run: bool = option(False, "check, print the command, and leave it there")


def run(argv: list[str]) -> int:
    """Check, print the command of `trl sft`, and replace this process by it: output, signals and exit code are its
    own."""
    arguments, flags = read(TrainArguments, argv, "asap-hf train")
    flags = flags_of(arguments, flags)
    environment = dict(os.environ)  # the check leaves settings of its own behind
    checked = check_or_refuse(flags, arguments)
    asked, output_dir = checked.asked, checked.asked["output_dir"] or "trainer_output"  # as transformers has it
    refuse_to_train_over(Path(output_dir), checked.read)
    flags = resumed(flags, output_dir)
    program = _trl()
    print(f"\n{shlex.join([_spelt(program), 'sft', *flags])}", flush=True)
    if arguments.dry_run:
        return 0
    if not asked["use_cpu"] and not _has_accelerator():
        raise UsageError("there is no GPU here: give --use_cpu true to train on the CPU all the same")
    write_record(Path(output_dir), checked.given, checked.processes, _commit(checked.given))
    return _become([program, "sft", *flags], environment)


def flags_of(arguments: TrainArguments, flags: Sequence[str]) -> list[str]:
    """The flags for `trl sft`, in which names of ours have become files and folders.

    Raises:
        `UsageError`: if there is no such recipe, or a `--config` is given as well.
    """
    flags = list(flags)
    for place, (flag, value) in enumerate(pairwise(flags), start=1):
        if flag == "--model_name_or_path":
            flags[place] = resolve_model(value)
        elif flag == "--accelerate_config" and value in recipe_kinds("accelerate"):
            flags[place] = str(recipe_path("accelerate", value))
    if arguments.recipe is None:
        refuse_unused(arguments, [Rule(["kind"], lambda _: False, "with --recipe")])
        return flags
    if "--config" in flags:
        raise UsageError("--recipe and --config both name a file: give one of them")
    return ["--config", str(recipe_path(arguments.recipe, arguments.kind)), *flags]


def resumed(flags: Sequence[str], output_dir: str) -> list[str]:
    """The flags with the newest whole checkpoint in the place of `--resume_from_checkpoint true`, which `trl sft` does
    not take.

    Raises:
        `UsageError`: if there is none.
    """
    from ..train.output import last_checkpoint

    flags = list(flags)
    for place, pair in enumerate(pairwise(flags), start=1):
        if pair == ("--resume_from_checkpoint", "true"):
            checkpoint = last_checkpoint(Path(output_dir))
            if checkpoint is None:
                raise UsageError(f"there is no whole checkpoint in {output_dir!r}: leave --resume_from_checkpoint out")
            flags[place] = str(checkpoint)
    return flags


def _commit(given: Mapping[str, Any]) -> str:
    """Of the dataset, where it is on the Hub and the Hub tells."""
    from ..traces.sources import on_the_hub

    name = str(given.get("dataset_name") or "")
    return on_the_hub(name)[0] if is_hub_id(name) and not Path(name).exists() else ""


def _trl() -> str:
    """The `trl` of the Python that runs this, whatever the shell would find."""
    own = Path(sys.executable).with_name("trl")
    return str(own) if own.exists() else shutil.which("trl") or "trl"


def _spelt(program: str) -> str:
    found = shutil.which("trl")
    return "trl" if found and Path(found).resolve() == Path(program).resolve() else program


def _has_accelerator() -> bool:
    import torch

    return torch.accelerator.is_available()


def _become(command: list[str], environment: Mapping[str, str]) -> int:
    os.execvpe(command[0], command, environment)
