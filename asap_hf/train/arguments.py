"""Parse a command line of `trl sft` with TRL's own parser, without training and without a GPU."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from trl.scripts.utils import DatasetMixtureConfig, ScriptArguments
    from trl.trainer.model_config import ModelConfig
    from trl.trainer.sft_config import SFTConfig

# Keys of older recipes (TRL's, open-r1's, alignment-handbook's) that are refused today, and what to write instead.
OLD_KEYS = {
    "max_seq_length": "it is max_length now",
    "warmup_ratio": "it is warmup_steps now, where a number below 1 is a share of all steps",
    "overwrite_output_dir": "leave it out: output_dir may exist, resume_from_checkpoint says whether to go on in it",
    "evaluation_strategy": "it is eval_strategy now",
    "torch_dtype": "it is dtype now",
    "no_cuda": "it is use_cpu now",
    "group_by_length": "it is train_sampling_strategy: group_by_length now",
    "per_gpu_train_batch_size": "it is per_device_train_batch_size now",
    "per_gpu_eval_batch_size": "it is per_device_eval_batch_size now",
    "push_to_hub_model_id": "it is hub_model_id now",
    "push_to_hub_token": "it is hub_token now",
    "logging_dir": "it is the environment variable TENSORBOARD_LOGGING_DIR now",
    "use_flash_attention_2": "it is attn_implementation: flash_attention_2 now",
    "use_liger": "it is use_liger_kernel now",
    "dataset_mixer": "it is datasets now, a list with a path each",
    "dataset_splits": "they are dataset_train_split and dataset_test_split now",
    "dataset_id_or_path": "it is dataset_name now",
    "preprocessing_num_workers": "it is dataset_num_proc now",
    "chat_template": "it is chat_template_path now, a .jinja file",
    "model_name": "it is model_name_or_path now",
    "tokenizer_name_or_path": "leave it out: the tokenizer is the model's",
    "save_safetensors": "leave it out: weights are always written as safetensors",
    "dataset_batch_size": "leave it out",
    "num_of_sequences": "leave it out: packing needs max_length alone",
    "chars_per_token": "leave it out: packing needs max_length alone",
    "system_prompt": "leave it out: system messages belong into the dataset's rows",
}

# What is checked is data: it is prepared on the CPU of whatever machine this is, and nothing is written or sent.
_HERE = {
    "use_cpu": "true",
    "bf16": "false",
    "fp16": "false",
    "tf32": "false",
    "torch_compile": "false",
    "deepspeed": "",
    "fsdp": "",
    "use_liger_kernel": "false",
    "activation_offloading": "false",
    "push_to_hub": "false",
    "report_to": "none",
    "eval_strategy": "no",
    "load_best_model_at_end": "false",
}


@dataclass(frozen=True)
class SftArguments:
    """The arguments of `trl sft`.

    Args:
        script (`ScriptArguments`), sft (`SFTConfig`), model (`ModelConfig`), mixture (`DatasetMixtureConfig`):
            As TRL's script gets them, except that `sft` is one for preparing data on a CPU: nothing is pushed,
            logged, evaluated or compiled.
        asked (`dict[str, Any]`):
            Every flag as it was given, or its default.
        given (`dict[str, Any]`):
            Of these what is not TRL's default.
        processes (`int`, *optional*):
            Number of training processes, on all machines together; `None` where `accelerate launch` will count the
            GPUs.
    """

    script: ScriptArguments
    sft: SFTConfig
    model: ModelConfig
    mixture: DatasetMixtureConfig
    asked: dict[str, Any]
    given: dict[str, Any]
    processes: int | None

    @property
    def read(self) -> list[Path]:
        """Files and folders that the training reads: its data, and a model or a checkpoint that it begins with."""
        named = [self.script.dataset_name, self.model.model_name_or_path, self.asked.get("config")]
        named += [one.path for one in self.mixture.datasets]
        return [Path(one) for one in named if isinstance(one, str) and Path(one).exists()]


def read_arguments(argv: Sequence[str], output_dir: str) -> SftArguments:
    """Parse flags and the YAML file behind `--config`, as `trl sft` does.

    Args:
        argv (`Sequence[str]`):
            What follows `trl sft`.
        output_dir (`str`):
            Folder that stands in for the training's own.

    Raises:
        `UsageError`: for a flag that neither TRL nor `accelerate launch` knows, with today's name of an old one, and
            for values that TRL refuses.
    """
    from trl.scripts.sft import make_parser
    from yaml import YAMLError

    parser = make_parser(prog="trl sft")
    parser.error = _refuse
    here = [f"--{name}={value}" for name, value in {**_HERE, "output_dir": output_dir}.items()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the training says them again, where they belong
            script, sft, model, mixture, rest = parser.parse_args_and_config(
                [*argv, *here], return_remaining_strings=True
            )
    except (ValueError, OSError, TypeError, YAMLError) as error:
        raise UsageError(f"trl sft cannot be run like that: {' '.join(str(error).split())}") from error
    asked = vars(parser.parse_known_args(list(argv))[0])  # the parser's defaults are the YAML file's by now
    usual = vars(make_parser(prog="trl sft").parse_known_args([])[0])
    given = {name: value for name, value in asked.items() if value != usual.get(name)}
    return SftArguments(script, sft, model, mixture, asked, given, _processes(rest, parser))


def _refuse(message: str) -> NoReturn:
    raise UsageError(f"trl sft cannot be run like that: {message}")


def _processes(rest: list[str], parser: ArgumentParser) -> int | None:
    """How many processes `accelerate launch` starts, from the arguments that TRL's parser left over."""
    from accelerate.commands.config.config_args import default_config_file, load_config_from_file
    from accelerate.commands.launch import launch_command_parser
    from trl.cli.accelerate_config import resolve_accelerate_config_argument

    launcher = launch_command_parser()
    for argument in rest:
        name = argument.split("=", 1)[0]
        if name.startswith("--") and name != "--accelerate_config" and name not in launcher._option_string_actions:
            raise UsageError(_unknown(name.removeprefix("--"), {action.dest for action in parser._actions}))
    if rest.count("--accelerate_config") > 1:
        raise UsageError("accelerate_config stands in the YAML file and among the flags: trl sft takes one of them")
    launcher.error = _refuse
    try:
        launch = launcher.parse_args([*resolve_accelerate_config_argument(rest), "sft.py"])
        file = launch.config_file or (default_config_file if os.path.isfile(default_config_file) else None)
        chosen = launch.num_processes or (file and load_config_from_file(file).num_processes)
    except (ValueError, OSError) as error:
        raise UsageError(f"trl sft cannot be run like that: {' '.join(str(error).split())}") from error
    return int(chosen) if chosen and int(chosen) > 0 else None


def _unknown(name: str, known: set[str]) -> str:
    if name == "config":
        return "trl sft takes --config FILE, with a space"
    if name in OLD_KEYS:
        return f"trl sft no longer knows {name}: {OLD_KEYS[name]}"
    close = get_close_matches(name, known, n=1)
    return f"trl sft does not know {name}" + (f"; is {close[0]} meant?" if close else ": leave it out")
