"""Steps, tokens and operations against TRL's own count and the textbook's; the report against literals."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from asap_hf.models.tokens import load_tokenizer
from asap_hf.train.plan import H100, Hardware, Plan, hardware, plan_of
from asap_hf.train.report import bars_of, report, time_line
from tests.tiny_models import tiny_llama

from .rows import checked, plain, planned, write

PLAN = Plan(
    steps=1250,
    steps_per_epoch=125,
    batch=16,
    processes=8,
    tokens_per_epoch=4_000_000,
    trained_per_epoch=3_500_000,
    flops=0.4 * H100 * 3600 * 20,
    context=16_384,
)

SCHEDULES = [
    ("--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2", "--num_train_epochs", "2.5"),
    ("--per_device_train_batch_size", "2", "--dataloader_drop_last", "true"),
    ("--per_device_train_batch_size", "1", "--max_steps", "7"),
    ("--per_device_train_batch_size", "1", "--packing", "--max_length", "256"),
]


@pytest.mark.parametrize("flags", SCHEDULES)
def test_steps_are_those_that_the_trainer_takes(embedded: str, tmp_path: Path, flags: tuple[str, ...]) -> None:
    found = checked(embedded, write(tmp_path / "d", plain(load_tokenizer(embedded)) * 3), *flags, "--use_cpu")
    trainer = found.preparation.trainer
    trainer.args, trainer.train_dataset = found.arguments.sft, found.preparation.trained
    _epochs, per_epoch, *_others, steps = trainer.set_initial_training_values(
        trainer.args, trainer.get_train_dataloader()
    )
    plan = plan_of(found)
    assert (plan.steps, plan.steps_per_epoch) == (steps, per_epoch)


def test_some_rows_stand_for_all(embedded: str, tmp_path: Path) -> None:
    dataset = write(tmp_path / "d", plain(load_tokenizer(embedded)) * 8)
    all_rows = planned(embedded, dataset, "--use_cpu")
    some = planned(embedded, dataset, "--use_cpu", check_rows=3)  # rows 0, 8 and 16: one of each kind
    assert some == replace(all_rows, flops=some.flops)
    assert some.flops == pytest.approx(all_rows.flops)


def test_operations_are_six_per_parameter_and_token_and_attention(embedded: str, tmp_path: Path) -> None:
    found = checked(
        embedded, write(tmp_path / "d", plain(load_tokenizer(embedded))[:1]), "--max_steps", "1", "--use_cpu"
    )
    (length,), (trained,) = found.lengths, found.trained
    config = tiny_llama()
    layers = sum(weight.numel() for weight in LlamaForCausalLM(config).model.layers.parameters() if weight.dim() == 2)
    head, attention = config.hidden_size * config.vocab_size, 2 * config.num_hidden_layers * config.hidden_size
    expected = 6 * layers * length + 6 * head * trained + 3 * attention * length**2
    assert plan_of(found).flops == expected
    with_adapters = replace(found.arguments, model=replace(found.arguments.model, use_peft=True))
    assert plan_of(replace(found, arguments=with_adapters)).flops == pytest.approx(expected * 2 / 3)


def test_rows_that_are_cut_cost_what_is_left_of_them(embedded: str, tmp_path: Path) -> None:
    plan = planned(embedded, write(tmp_path / "d", plain(load_tokenizer(embedded))), "--max_length", "60", "--use_cpu")
    assert plan.tokens_per_epoch == 180


def test_without_a_gpu_an_h100_is_assumed_and_named(
    embedded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    found = checked(embedded, write(tmp_path / "d", plain(load_tokenizer(embedded))))
    assert hardware(found.arguments) == Hardware("an H100", H100, "bfloat16, dense", here=False)


@pytest.mark.parametrize(("fastest", "named"), [("float32", True), ("bfloat16", False)])
def test_a_cpu_without_bfloat16_is_told_to_train_in_float32(
    fastest: str, named: bool, embedded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = checked(embedded, write(tmp_path / "d", plain(load_tokenizer(embedded))), "--use_cpu")
    monkeypatch.setattr("asap_hf.train.plan.matmul_speed", lambda _, dtype: 1e9 if dtype == "bfloat16" else 5e10)
    monkeypatch.setattr("asap_hf.train.plan.pick_dtype", lambda *_: fastest)
    cpu = hardware(found.arguments)
    assert (cpu.speed, "--bf16 false is about 50 times as fast" in time_line(PLAN, cpu)) == (1e9, named)


TIMES = [
    (Hardware("an H100", H100, "bfloat16, dense", here=False), "20.00", "of an H100's 989 TFLOP/s (bfloat16, dense)"),
    (Hardware("NVIDIA A100", H100, "bfloat16"), "2.5 h", "NVIDIA A100's 989 TFLOP/s (bfloat16), on 8 of them"),
    (Hardware("NVIDIA A100", 8 * H100, "bfloat16"), "1,125 s", "NVIDIA A100's 7.91e+03 TFLOP/s"),
]


@pytest.mark.parametrize(("device", "time", "assumed"), TIMES)
def test_a_time_says_what_it_assumes(device: Hardware, time: str, assumed: str) -> None:
    line = time_line(PLAN, device)
    assert f" {time} " in line and f"assumed: 40 % of {assumed.removeprefix('of ')}" in line


def test_every_length_has_a_bar() -> None:
    assert bars_of([1024] * 8 + [1300] * 4 + [2048]) == ("█▄  ▁", "rows from 1,024 to 2,435 tokens")


def test_the_report_names_what_is_cut_and_what_the_model_was_not_made_for(embedded: str, tmp_path: Path) -> None:
    found = checked(embedded, write(tmp_path / "d", plain(load_tokenizer(embedded))), "--max_length", "60")
    found = replace(found, lengths=[100, 200, 20_000], kept=20_180, faults=Counter())
    lines = [line.split() for line in report(found, PLAN, TIMES[0][0]).splitlines()]
    assert ["tokens", "per", "sample", "6,767", "median", "200,", "longest", "20,000"] in lines
    assert ["cut", "off", "120", "tokens;", "0", "rows", "dropped", "with", "them"] in lines
    assert ["optimiser", "steps", "1,250", "10", "epochs", "of", "125,", "16", "sequences", "each"] in lines
    assert ["model's", "context", "16,384", "tokens,", "and", "there", "are", "longer", "rows"] in lines
    assert max(map(len, report(found, PLAN, TIMES[0][0]).splitlines())) <= 110
