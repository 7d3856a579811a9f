"""`asap-hf check-sft`: what it prints, and when it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asap_hf.commands.check_sft import run
from asap_hf.commands.command_line import guarded
from asap_hf.models.tokens import load_tokenizer
from asap_hf.traces.sft import render_prompt
from tests.tiny_models import byte_level_tokenizer, tiny_llama


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """A model without weights, a dataset of four rows, and the YAML that names them."""
    byte_level_tokenizer().save_pretrained(tmp_path / "model")
    tiny_llama().save_pretrained(tmp_path / "model")
    prompt = render_prompt([{"role": "user", "content": "Two and two?"}], load_tokenizer(str(tmp_path / "model")))
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "train.jsonl").open("w") as file:
        for count in (1, 1, 1, 9):
            row = {"prompt": prompt, "completion": "I count.\n\n" * count + "Four.\n</think>\n\n4"}
            file.write(json.dumps(row) + "\n")
    values = {"model_name_or_path": "model", "dataset_name": "data", "output_dir": "out"}
    (tmp_path / "train.yaml").write_text(
        "".join(f"{key}: {tmp_path / value}\n" for key, value in values.items()) + "num_processes: 2\n"
    )
    return ["--config", str(tmp_path / "train.yaml")]


def test_a_good_training_set_is_counted_and_nothing_is_written(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert guarded(run, [*flags, "--per_device_train_batch_size", "1"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "rows 4 all checked" in printed
    assert "optimiser steps 6 3 epochs of 2, 2 sequences each" in printed
    assert printed.endswith("every row: reasoning and answer in the loss, prompt outside, one </s>")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_wrong_is_said_after_the_counts_and_the_exit_code_is_2(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(run, [*flags, "--max_length", "80", "--completion_only_loss", "false"]) == 2
    printed = capsys.readouterr()
    assert "1 rows are longer" in printed.out and "every row" not in printed.out
    first, prompt, length = printed.err.strip().splitlines()[-3:]
    assert first == "asap-hf: not to be trained on like that:"
    assert "4 of 4 rows (the first: row 0): the prompt is in the loss" in prompt
    assert "1 of 4 rows are longer than max_length: 80" in length


def test_truncation_can_be_allowed(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(run, [*flags, "--max_length", "80", "--allow_truncation"]) == 0
    assert "every row before it is cut: " in capsys.readouterr().out


def test_fewer_rows_can_be_checked(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(run, [*flags, "--max_length", "80", "--check_rows", "2"]) == 0  # rows 0 and 2
    assert "2 of them checked" in capsys.readouterr().out
    assert guarded(run, [*flags, "--check_rows", "0"]) == 2


def test_a_model_that_only_this_tool_knows_is_said_to_be_unknown_to_trl(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(run, [*flags, "--model_name_or_path", "embedded"]) == 2
    assert "trl sft knows no model called embedded" in capsys.readouterr().err
