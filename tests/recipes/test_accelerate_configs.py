"""What `accelerate launch` makes of the files in the recipes' `accelerate`; FSDP2 itself needs GPUs."""

from __future__ import annotations

import re

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env

from asap_hf.recipes import recipe_kinds, recipe_path

ASKED = {
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    "FSDP_OFFLOAD_PARAMS": "false",
    "FSDP_ACTIVATION_CHECKPOINTING": "false",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}
MACHINES = {"one_gpu": (1, 1), "eight_gpus_fsdp2": (1, 8), "nodes_fsdp2": (2, 16)}


@pytest.mark.parametrize("name", recipe_kinds("accelerate"))
def test_accelerate_loads_it_and_the_batch_is_the_papers(name: str) -> None:
    path = recipe_path("accelerate", name)
    config = load_config_from_file(str(path))
    assert (config.num_machines, config.num_processes) == MACHINES[name]
    assert config.mixed_precision == "bf16"
    told = re.search(r"--gradient_accumulation_steps (\d+)", path.read_text(encoding="utf-8"))
    assert config.num_processes * (int(told[1]) if told else 16) == 16


@pytest.mark.parametrize("name", ["eight_gpus_fsdp2", "nodes_fsdp2"])
def test_the_launcher_asks_for_fsdp2_as_the_file_has_it(name: str) -> None:
    there = ["--machine_rank", "1", "--main_process_ip", "10.0.0.1", "--main_process_port", "29500"]
    words = ["--config_file", str(recipe_path("accelerate", name)), *there, "sft.py"]
    launched, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    environment = prepare_multi_gpu_env(launched)
    assert environment.items() >= ASKED.items()
    assert launched.nproc_per_node == "8"
