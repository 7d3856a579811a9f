"""`trl sft`, killed and resumed: the losses are those of a run that was left alone, and the model still thinks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from asap_hf.train.efficiency import read_efficiency
from asap_hf.train.output import last_checkpoint
from tests.tiny_models import byte_level_tokenizer, save_model, tiny_llama

STEPS, ROWS = 48, 24
FLAGS = f"""
--max_steps {STEPS} --save_steps 8 --logging_steps 1 --max_length 512 --learning_rate 1e-2
--per_device_train_batch_size 2 --gradient_accumulation_steps 2 --use_cpu true --bf16 false --report_to none
--include_num_input_tokens_seen true
""".split()


def train(folder: Path, name: str, *more: str) -> subprocess.Popen[bytes]:
    """The command as a user runs it, in a process group of its own: `trl` starts another process for the training."""
    command = [Path(sys.executable).with_name("trl"), "sft", "--model_name_or_path", str(folder / "base")]
    command += ["--dataset_name", str(folder / "data"), "--output_dir", str(folder / name), *FLAGS, *more]
    log = (folder / f"{name}.log").open("ab")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def finish(process: subprocess.Popen[bytes], folder: Path, name: str) -> None:
    assert process.wait() == 0, (folder / f"{name}.log").read_text()[-3000:]


def kill_after_checkpoint(process: subprocess.Popen[bytes], output_dir: Path, step: int) -> None:
    while not (output_dir / f"checkpoint-{step}" / "trainer_state.json").exists():
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`whole`: never interrupted. `killed`: kill -9 after 16 steps or some more, then resumed."""
    folder = tmp_path_factory.mktemp("resume")
    template = files("trl").joinpath("chat_templates", "deepseek_r1_distill.jinja").read_text(encoding="utf-8")
    # With dropout the losses also tell whether the random state came back.
    save_model(folder / "base", tiny_llama(attention_dropout=0.2), byte_level_tokenizer(chat_template=template))
    rows = [
        {
            "prompt": f"<｜User｜>Add {number} and 1.<｜Assistant｜><think>\n",
            "completion": f"Count on from {number}.\n\n{'Wait. ' * (number % 5)}\n</think>\n\n{number + 1}",
        }
        for number in range(ROWS)
    ]
    (folder / "data").mkdir()
    Dataset.from_list(rows).to_parquet(folder / "data" / "train.parquet")
    whole, killed = train(folder, "whole"), train(folder, "killed")
    kill_after_checkpoint(killed, folder / "killed", 16)
    checkpoint = last_checkpoint(folder / "killed")
    assert checkpoint is not None and not (folder / "killed" / "model.safetensors").exists()
    (folder / "killed" / "checkpoint-47").mkdir()  # as a kill while saving leaves it
    finish(train(folder, "killed", "--resume_from_checkpoint", str(checkpoint)), folder, "killed")
    finish(whole, folder, "whole")
    return folder


def losses(folder: Path) -> dict[int, float]:
    state = json.loads((folder / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return {entry["step"]: entry["loss"] for entry in state["log_history"] if "loss" in entry}


def test_a_killed_training_goes_on_with_the_same_losses(trained: Path) -> None:
    whole, resumed = losses(trained / "whole"), losses(trained / "killed")
    assert list(whole) == list(resumed) == list(range(1, STEPS + 1))
    assert whole[STEPS] < whole[1] / 2
    assert resumed == pytest.approx(whole, rel=1e-4)


def test_the_resumed_training_counts_the_same_tokens(trained: Path) -> None:
    whole, resumed = (read_efficiency(trained / name) for name in ("whole", "killed"))
    assert whole.rows == resumed.rows == ROWS
    assert resumed.tokens_per_sample == pytest.approx(whole.tokens_per_sample, rel=0.05)
    assert resumed.timed_steps < whole.timed_steps == STEPS - 1


@pytest.mark.parametrize("place", [".", f"checkpoint-{STEPS}"])
def test_what_is_saved_generates_after_an_open_think_tag(trained: Path, place: str) -> None:
    folder = trained / "killed" / place
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = AutoTokenizer.from_pretrained(trained / "base")
    assert tokenizer.chat_template == base.chat_template
    asked = [{"role": "user", "content": "Add 3 and 1."}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert tokenizer.decode(prompt["input_ids"][0]).endswith("<｜Assistant｜><think>\n")
    model = AutoModelForCausalLM.from_pretrained(folder)
    said = model.generate(**prompt, max_new_tokens=64, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Count" in tokenizer.decode(said)
    assert tokenizer.eos_token_id in model.generation_config.eos_token_id
