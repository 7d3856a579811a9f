"""`asap-hf train`: the same checks, the command it prints, and the training that it becomes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asap_hf.commands import train
from asap_hf.commands.command_line import guarded
from asap_hf.errors import UsageError
from asap_hf.models.tokens import load_tokenizer
from asap_hf.publish.trained import trained
from asap_hf.recipes import recipe_path
from asap_hf.traces.sft import render_prompt
from tests.tiny_models import save_model

RUN = "import sys; from asap_hf.commands import train; sys.exit(train.run(sys.argv[1:]))"
# Whatever it is told, the check finds nothing wrong, and this program stands in for trl.
HANDED_OVER = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background of a shell
from pathlib import Path
from types import SimpleNamespace
from asap_hf.commands import train
program = sys.argv.pop(1)
asked = {"use_cpu": True, "output_dir": str(Path(program).with_name("out"))}
train.check_or_refuse = lambda flags, options: SimpleNamespace(
    asked=asked, given=asked, processes=None, read=[]
)
train._trl = lambda: program
sys.exit(train.run(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("train")
    model = save_model(folder / "model")
    prompt = render_prompt([{"role": "user", "content": "Two and two?"}], load_tokenizer(model))
    row = {"prompt": prompt, "completion": "I count.\n\nFour.\n</think>\n\n4"}
    (folder / "data").mkdir()
    (folder / "data" / "train.jsonl").write_text((json.dumps(row) + "\n") * 4)
    return ["--model_name_or_path", model, "--dataset_name", str(folder / "data")]


def test_two_real_steps_after_the_checks(flags: list[str], tmp_path: Path) -> None:
    asked = [*flags, "--output_dir", str(tmp_path / "out"), "--max_steps", "2", "--use_cpu", "--save_strategy", "no"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *asked, "--logging_steps", "1"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    report, _, training = done.stdout.partition("every row: reasoning and answer in the loss")
    assert "optimiser steps" in report
    assert training.count("'loss'") == 2
    printed = shlex.split(training.splitlines()[2])
    assert [Path(printed[0]).name, *printed[1:]] == ["trl", "sft", *asked, "--logging_steps", "1"]
    assert (tmp_path / "out" / "model.safetensors").exists()
    told = trained(tmp_path / "out", "me/base", None, None)
    assert (told.settings["max_steps"], told.settings["learning_rate"]) == (2, 2e-5)
    expected = {"model_name_or_path": "me/base", "dataset_name": "data", "output_dir": "out"}
    ours = {"max_steps": 2, "use_cpu": True, "save_strategy": "no", "logging_steps": 1.0}
    assert {name: str(value) for name, value in told.command.items()} == {
        name: str(value) for name, value in {**expected, **ours}.items()
    }


def test_a_dry_run_prints_the_command_and_leaves_it_there(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "my out")
    assert guarded(train.run, [*flags, "--output_dir", out, "--dry_run", "--resume_from_checkpoint", "c-1"]) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(command)[1:] == ["sft", *flags, "--output_dir", out, "--resume_from_checkpoint", "c-1"]
    assert not Path(out).exists()


def test_nothing_is_run_when_the_check_refuses(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(train.run, [*flags, "--use_cpu", "--max_length", "20"]) == 2
    printed = capsys.readouterr()
    assert "trl sft" not in printed.out
    assert "4 of 4 rows are longer than max_length: 20" in printed.err


def test_without_a_gpu_the_cpu_must_be_asked_for(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "_has_accelerator", lambda: False)
    assert guarded(train.run, flags) == 2
    assert "give --use_cpu true" in capsys.readouterr().err


def test_names_of_recipes_and_of_the_embedded_model_become_files(embedded_model: str) -> None:
    arguments = train.TrainArguments(recipe="smollm2-135m")
    given = ["--model_name_or_path", "embedded", "--accelerate_config", "one_gpu", "--dataset_name", "out/"]
    assert train.flags_of(arguments, given) == [
        *("--config", str(recipe_path("smollm2-135m"))),
        *("--model_name_or_path", embedded_model),
        *("--accelerate_config", str(recipe_path("accelerate", "one_gpu"))),
        *("--dataset_name", "out/"),
    ]
    trl_s_own = ["--accelerate_config", "fsdp2"]
    assert train.flags_of(train.TrainArguments(), trl_s_own) == trl_s_own


def test_true_resumes_from_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    for number in (5, 40, 200):
        (tmp_path / f"checkpoint-{number}").mkdir()
    flags = ["--seed", "1", "--resume_from_checkpoint", "true"]
    with pytest.raises(UsageError, match="no whole checkpoint"):
        train.resumed(flags, str(tmp_path))
    for number in (5, 40):  # what a trainer writes last; 200 was killed
        (tmp_path / f"checkpoint-{number}" / "trainer_state.json").write_text("{}")
    assert train.resumed(flags, str(tmp_path)) == [*flags[:3], str(tmp_path / "checkpoint-40")]
    assert train.resumed(["--resume_from_checkpoint", "c-1"], str(tmp_path)) == ["--resume_from_checkpoint", "c-1"]


def test_another_kind_of_a_recipe_can_be_asked_for() -> None:
    arguments = train.TrainArguments(recipe="r1-distill-qwen-7b", kind="train-lora")
    assert train.flags_of(arguments, [])[1].endswith("train-lora.yaml")


def test_a_recipe_and_a_file_are_one_too_many() -> None:
    with pytest.raises(UsageError, match="--recipe and --config both name a file"):
        train.flags_of(train.TrainArguments(recipe="smollm2-135m"), ["--config", "my.yaml"])


def handed_over(tmp_path: Path, script: str, *flags: str) -> subprocess.Popen[str]:
    program = tmp_path / "trl"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    command = [sys.executable, "-c", HANDED_OVER, str(program), *flags]
    environment = {**os.environ, "MARK": "kept"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_exit_code_and_the_environment_are_those_of_the_training(tmp_path: Path) -> None:
    script = "import os, sys; print(sys.argv[1:], os.environ['MARK'], file=sys.stderr); sys.exit(7)"
    process = handed_over(tmp_path, script, "--seed", "1", "--dataset_name", "a b")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 7
    assert err.strip() == "['sft', '--seed', '1', '--dataset_name', 'a b'] kept"
    assert out.strip() == f"{tmp_path}/trl sft --seed 1 --dataset_name 'a b'"


def test_ctrl_c_reaches_the_training_and_it_says_how_to_end(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try: print('training', flush=True); time.sleep(100)\n"
        "except KeyboardInterrupt: print('saved'); sys.exit(130)\n"
    )
    process = handed_over(tmp_path, script)
    assert process.stdout is not None
    assert [process.stdout.readline().strip() for _ in range(3)][-1] == "training"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (130, "saved")
