"""Flags and YAML as `trl sft` reads them, and what it would say in pages said in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from trl.scripts.sft import make_parser

from asap_hf.errors import UsageError
from asap_hf.train.arguments import OLD_KEYS, read_arguments


def config(folder: Path, text: str) -> list[str]:
    (folder / "train.yaml").write_text(text)
    return ["--config", str(folder / "train.yaml")]


def test_flags_go_before_the_file_and_the_training_s_own_values_are_not_lost(tmp_path: Path) -> None:
    text = "max_length: 16384\nlearning_rate: 4e-5\nlr_scheduler_kwargs: {min_lr_rate: 0.1}\nbf16: true\n"
    argv = config(tmp_path, text + "output_dir: out\n")
    read = read_arguments([*argv, "--max_length", "8192", "--push_to_hub"], str(tmp_path / "scratch"))
    assert (read.sft.max_length, read.sft.learning_rate, read.sft.lr_scheduler_kwargs) == (
        8192,
        4e-5,
        {"min_lr_rate": 0.1},
    )
    assert (read.sft.output_dir, read.sft.push_to_hub, read.sft.use_cpu) == (str(tmp_path / "scratch"), False, True)
    assert (read.asked["output_dir"], read.asked["push_to_hub"], read.asked["use_cpu"]) == ("out", True, False)
    assert not (tmp_path / "out").exists()


def test_every_old_key_is_refused_with_a_name_that_trl_knows() -> None:
    known = {action.dest for action in make_parser(prog="trl sft")._actions}
    assert not known & OLD_KEYS.keys()
    named = {key: re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", sentence) for key, sentence in OLD_KEYS.items()}
    assert {word for words in named.values() for word in words} - known - {
        "flash_attention_2",
        "group_by_length",
    } == set()


WRONG = [
    ("max_seq_length: 16384", "trl sft no longer knows max_seq_length: it is max_length now"),
    ("warmup_ratio: 0.03", "trl sft no longer knows warmup_ratio: it is warmup_steps now, where a number below 1"),
    ("overwrite_output_dir: true", "trl sft no longer knows overwrite_output_dir: leave it out"),
    ("max_lenght: 5", "trl sft does not know max_lenght; is max_length meant?"),
    ("quux_frobnicate: 5", "trl sft does not know quux_frobnicate: leave it out"),
    ("max_length: many", "argument --max_length/--max-length: invalid int value: 'many'"),
    ("optim: adam_9000", "adam_9000 is not a valid OptimizerNames"),
    ("accelerate_config: nowhere", "Accelerate config nowhere is neither a file nor"),
    ("- a list", "must contain a YAML mapping"),
    ("a: [b", "trl sft cannot be run like that"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG, ids=[text for text, _ in WRONG])
def test_what_trl_would_not_take_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_arguments(config(tmp_path, text), str(tmp_path))
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_config_behind_an_equals_sign_is_not_taken_for_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--config FILE, with a space"):
        read_arguments(["--config=train.yaml"], str(tmp_path))


PROCESSES = [
    ("num_processes: 3", [], 3),
    ("seed: 1", ["--num_processes", "4"], 4),
    ("accelerate_config: zero3", [], 8),
    ("accelerate_config: zero3", ["--num_processes", "2"], 2),
]


@pytest.mark.parametrize(("text", "flags", "expected"), PROCESSES)
def test_processes_are_those_that_accelerate_launch_starts(
    tmp_path: Path, text: str, flags: list[str], expected: int
) -> None:
    assert read_arguments([*config(tmp_path, text), *flags], str(tmp_path)).processes == expected


def test_two_accelerate_configs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="accelerate_config stands in the YAML file and among the flags"):
        read_arguments([*config(tmp_path, "accelerate_config: zero3"), "--accelerate_config", "zero2"], str(tmp_path))
