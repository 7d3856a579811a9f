"""Table 3's two numbers, by the callback and out of a trainer's logs."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import TrainerCallback, TrainerState
from trl import SFTConfig, SFTTrainer

from asap_hf.errors import UsageError
from asap_hf.train.efficiency import (
    EFFICIENCY_FILE,
    TrainingEfficiency,
    holds_training,
    read_efficiency,
    write_efficiency,
)
from asap_hf.train.efficiency_callback import EfficiencyCallback
from asap_hf.train.output import last_checkpoint
from asap_hf.train.trainer_logs import LoggedEfficiency, efficiency_of_logs, saved_numbers
from tests.tiny_models import byte_level_tokenizer, save_model


def logged(step: int, epoch: float, tokens: int, runtime: float | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"loss": 1.0, "step": step, "epoch": epoch, "num_tokens": float(tokens)}
    return entry if runtime is None else entry | {"train_runtime": runtime}


def evaluated(step: int, epoch: float, seconds: float) -> dict[str, Any]:
    return {"eval_loss": 1.0, "eval_num_tokens": 5.0, "step": step, "epoch": epoch, "eval_runtime": seconds}


SUMMARY = {"train_runtime": 99.0, "train_loss": 1.0, "step": 3, "epoch": 0.75}
# 16 rows of 100 tokens, 4 a step: 2 at once, twice. The first step takes 9 seconds, the others 2.
LOGS: dict[str, tuple[list[dict[str, Any]], LoggedEfficiency]] = {
    "every step": (
        [logged(1, 0.25, 400, 9.0), logged(2, 0.5, 800, 11.0), logged(3, 0.75, 1200, 13.0), SUMMARY],
        LoggedEfficiency(16, 100.0, 2.0, 2),
    ),
    "no time": ([logged(1, 0.25, 400), logged(2, 0.5, 800)], LoggedEfficiency(16, 100.0, None, 0)),
    "one log": ([logged(3, 0.75, 1200, 13.0)], LoggedEfficiency(16, 100.0, None, 0)),
    "over several epochs": (
        [logged(3, 0.75, 1200, 13.0), logged(6, 1.5, 2400, 19.0), logged(9, 2.25, 3600, 25.0)],
        LoggedEfficiency(16, 100.0, 2.0, 6),
    ),
    "an epoch that ends with half a step": (  # 10 rows: batches 1 2, 3 4, 5
        [logged(1, 0.4, 400, 9.0), logged(2, 0.8, 800, 11.0), logged(3, 1.0, 1000, 12.0), logged(4, 1.4, 1400, 14.0)],
        LoggedEfficiency(10, 100.0, 5 / 3, 3),
    ),
    "evaluations after steps 1 and 2": (
        [
            *(logged(1, 0.25, 400, 9.0), evaluated(1, 0.25, 5.0)),
            *(logged(2, 0.5, 800, 16.0), evaluated(2, 0.5, 5.0)),
            *(logged(3, 0.75, 1200, 23.0), evaluated(3, 0.75, 5.0)),
        ],
        LoggedEfficiency(16, 100.0, 2.0, 2),
    ),
    "resumed after step 2, its counters begin anew": (
        [logged(1, 0.25, 400, 9.0), logged(2, 0.5, 800, 11.0), logged(3, 0.75, 400, 9.0), logged(4, 1.0, 800, 11.0)],
        LoggedEfficiency(16, 100.0, 2.0, 2),
    ),
    "resumed, and more tokens since than before": (
        [logged(1, 0.25, 400, 9.0), logged(4, 1.0, 1200, 8.0), logged(5, 1.25, 1600, 10.0)],
        LoggedEfficiency(16, 100.0, 2.0, 1),
    ),
}


@pytest.mark.parametrize("name", LOGS)
def test_logs_tell_tokens_per_sample_and_seconds_per_step(name: str) -> None:
    log, expected = LOGS[name]
    assert efficiency_of_logs(log, batch=2, accumulation=2) == pytest.approx(expected)


@pytest.mark.parametrize("log", [[], [SUMMARY], [logged(8, 2.0, 3200)]])
def test_logs_that_do_not_say_how_many_samples_were_seen_are_refused(log: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="--logging_steps"):
        efficiency_of_logs(log, batch=2, accumulation=2)


def rows(lengths: list[int]) -> Dataset:
    """Prompts of 2 tokens, completions of `length` tokens and the EOS."""
    return Dataset.from_list([{"prompt": "éé", "completion": "数" * length} for length in lengths])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("base"), tokenizer=byte_level_tokenizer(bos=False))


class Breakdown(TrainerCallback):
    """Ends a training at its second step."""

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        if state.global_step == 2:
            raise RuntimeError("the machine is gone")


def trained(base: str, output_dir: Path, dataset: Any, *more: TrainerCallback, **settings: Any) -> Path:
    arguments = SFTConfig(
        output_dir=str(output_dir),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        logging_steps=1,
        include_num_input_tokens_seen=True,
        report_to="none",
        use_cpu=True,
        bf16=False,
        **{"max_steps": 4, "save_steps": 2, **settings},
    )
    SFTTrainer(base, arguments, train_dataset=dataset, callbacks=[EfficiencyCallback(), *more]).train()
    return output_dir


def test_the_callback_counts_every_prepared_row_once(base: str, tmp_path: Path) -> None:
    lengths = [10, 20, 30, 40, 50, 60, 70, 80]
    tokenizer = byte_level_tokenizer(bos=False)
    expected = [len(tokenizer(f"éé{'数' * length}").input_ids) + 1 for length in lengths]
    told = read_efficiency(trained(base, tmp_path / "run", rows(lengths), max_length=150))
    assert max(expected) > 150
    assert told.tokens_per_sample == sum(min(length, 150) for length in expected) / 8
    assert (told.name, told.model, told.rows, told.samples_per_step) == ("run", base, 8, 4)
    assert (told.steps, told.timed_steps) == (4, 3)
    assert told.seconds_per_step is not None and told.seconds_per_step > 0
    assert told.hardware.endswith("cores")
    assert told.tokens_per_step == 4 * told.tokens_per_sample


def test_the_logs_tell_the_same_without_the_callbacks_file(base: str, tmp_path: Path) -> None:
    folder = trained(base, tmp_path / "run", rows([10, 20, 30, 40, 50, 60, 70, 80]))
    recorded = read_efficiency(folder)
    (folder / EFFICIENCY_FILE).unlink()
    from_logs = read_efficiency(folder)
    assert replace(read_efficiency(folder / "checkpoint-4"), name="run") == from_logs
    for name in ("rows", "tokens_per_sample", "samples_per_step", "steps", "timed_steps"):
        assert getattr(from_logs, name) == pytest.approx(getattr(recorded, name)), name
    assert from_logs.seconds_per_step is not None and from_logs.seconds_per_step > 0


def test_a_packed_row_counts_as_the_samples_in_it(base: str, tmp_path: Path) -> None:
    lengths = [10, 20, 30, 40, 50, 60, 70, 80]
    plain = read_efficiency(trained(base, tmp_path / "plain", rows(lengths), max_length=512))
    folder = trained(base, tmp_path / "packed", rows(lengths), max_length=512, packing=True)
    packed = read_efficiency(folder)
    assert (packed.rows, packed.tokens_per_sample) == (8, plain.tokens_per_sample)
    assert packed.samples_per_step > plain.samples_per_step
    (folder / EFFICIENCY_FILE).unlink()
    with pytest.raises(UsageError, match="packed its rows"):
        read_efficiency(folder)


def test_a_stream_is_counted_by_its_logs(base: str, tmp_path: Path) -> None:
    told = read_efficiency(trained(base, tmp_path / "run", rows([20] * 32).to_iterable_dataset()))
    tokens = len(byte_level_tokenizer(bos=False)("éé" + "数" * 20).input_ids) + 1
    assert (told.rows, told.tokens_per_sample) == (16, tokens)


def test_a_training_that_does_not_end_leaves_no_file(base: str, tmp_path: Path) -> None:
    folder = trained(base, tmp_path / "run", rows([20] * 8))
    assert (folder / EFFICIENCY_FILE).is_file()

    with pytest.raises(RuntimeError, match="the machine is gone"):
        trained(base, folder, rows([20] * 8), Breakdown())
    assert not (folder / EFFICIENCY_FILE).exists()


def test_the_newest_checkpoint_that_is_whole_is_the_last_one(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None and not holds_training(tmp_path)
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-best"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-11").mkdir()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert holds_training(tmp_path)


def test_what_was_written_is_read_again_under_the_folders_name(tmp_path: Path) -> None:
    told = TrainingEfficiency("asap", "me/model", "8 × H200", 12345, 3178.5, 16.0, 100, None, 0)
    write_efficiency(told, tmp_path)
    (tmp_path / "asap").mkdir()
    (tmp_path / EFFICIENCY_FILE).rename(tmp_path / "asap" / EFFICIENCY_FILE)
    assert read_efficiency(tmp_path / "asap") == told
    assert [path.name for path in tmp_path.rglob("*")] == ["asap", EFFICIENCY_FILE]


class Harm:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def test_saved_arguments_are_read_and_not_run(tmp_path: Path) -> None:
    content = {"gradient_accumulation_steps": 16, "packing": False, "harm": Harm(tmp_path / "harm"), "seed": 300}
    with zipfile.ZipFile(tmp_path / "training_args.bin", "w") as archive:
        archive.writestr("training_args/data.pkl", pickle.dumps(content, protocol=2))
    names = ("gradient_accumulation_steps", "packing", "harm")
    assert saved_numbers(tmp_path / "training_args.bin", names) == {"gradient_accumulation_steps": 16, "packing": 0}
    assert not (tmp_path / "harm").exists()


def _without_arguments(folder: Path) -> None:
    (folder / "trainer_state.json").write_text(
        json.dumps({"log_history": [], "global_step": 1, "train_batch_size": 1})
    )


REFUSED: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: None, "holds neither training_efficiency.json nor a checkpoint"),
    (lambda folder: (folder / EFFICIENCY_FILE).write_text("{"), "is not JSON"),
    (lambda folder: (folder / EFFICIENCY_FILE).write_text("[]"), "holds no object"),
    (lambda folder: (folder / EFFICIENCY_FILE).write_text('{"model": "a"}'), "has no 'hardware'"),
    (_without_arguments, "training_args.bin' cannot be read"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_folder_that_tells_too_little_is_refused(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path)
    with pytest.raises(UsageError, match=message):
        read_efficiency(tmp_path)
