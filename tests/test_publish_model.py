"""A checkpoint as `trl sft` leaves it → a model on the Hub that others load, with what was measured of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from asap_hf.evaluation.pass_at_1.grading import GRADER_VERSION
from datasets import Dataset
from huggingface_hub import ModelCard
from trl import SFTConfig, SFTTrainer

from asap_hf.publications.model import model_publication
from asap_hf.results import BenchmarkResult, read_results, write_results
from tests.hub import Hub, start_hub
from tests.publishing import asap_hf
from tests.tiny_models import save_model

BASE = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
CONFIG = "max_length: 16384\nlearning_rate: 4e-5\nnum_train_epochs: 10\noutput_dir: /home/somebody/out\n"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with start_hub() as server:
        server.api().create_repo("me/asap-codeforces-pruned", repo_type="dataset")
        yield server


@pytest.fixture(scope="module")
def checkpoint(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real steps; what TRL writes then, a pickle with the token that it was given included."""
    folder = tmp_path_factory.mktemp("training")
    arguments = SFTConfig(
        output_dir=str(folder / "out"),
        max_steps=2,
        save_steps=1,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        bf16=False,
        hub_token=hub.write_token,
    )
    rows = Dataset.from_list([{"prompt": "How many?", "completion": "Five."}] * 4)
    trainer = SFTTrainer(save_model(folder / "base"), arguments, train_dataset=rows)
    trainer.train()
    trainer.save_model()
    return folder / "out"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    common = {"dataset_revision": "0" * 40, "split": "test", "engine": "vllm 0.32.0", "date": "2026-11-20"}
    rows = [
        BenchmarkResult(
            benchmark="humaneval", dataset="openai/openai_humaneval", problems=164, pass_at_1=0.8354, tokens=2511.0,
            latency=1.21, budget=6144, model="me/LogicCoder-7B", model_revision="", **common,
        ),
        BenchmarkResult(
            benchmark="humaneval", dataset="openai/openai_humaneval", problems=164, pass_at_1=0.7378, tokens=3043.0,
            latency=1.5, budget=6144, model=BASE, model_revision="", **common,
        ),
    ]  # fmt: skip
    write_results(rows, folder / "asap")
    return folder


def publish(hub: Hub, checkpoint: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return asap_hf(hub.env, "publish", "model", checkpoint, *more)


@pytest.fixture(scope="module")
def published(hub: Hub, checkpoint: Path, results: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    config = tmp_path_factory.mktemp("config") / "train.yaml"
    config.write_text(CONFIG)
    told = ["--base_model", BASE, "--dataset", "me/asap-codeforces-pruned", "--results", results, "--license", "mit"]
    done = publish(hub, checkpoint, "--repo_id", "me/LogicCoder-7B", *told, "--train_config", config)
    assert done.returncode == 0, done.stderr
    return "me/LogicCoder-7B"


def test_others_load_it_and_no_pickle_goes_along(hub: Hub, published: str) -> None:
    repo = hub.repo("model", published)
    assert repo is not None
    files = set(repo["commits"][-1]["files"])
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "README.md"} < files
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pth", ".pkl")) or "checkpoint" in name]
    code = (
        f"from transformers import AutoModelForCausalLM as M, AutoTokenizer as T\nM.from_pretrained({published!r})\n"
    )
    code += f"print(T.from_pretrained({published!r}).decode(T.from_pretrained({published!r})('ab').input_ids))"
    used = subprocess.run([sys.executable, "-c", code], env=hub.env, capture_output=True, text=True)
    assert used.returncode == 0, used.stderr
    assert "ab" in used.stdout


def test_its_card_tells_what_was_measured_and_how_it_was_trained(hub: Hub, published: str) -> None:
    card = ModelCard(hub.read("model", published, "README.md").decode())
    data = card.data.to_dict()
    assert data["base_model"] == BASE
    assert data["datasets"] == ["me/asap-codeforces-pruned"]
    assert data["license"] == "mit"
    (result,) = data["model-index"][0]["results"]
    assert result["dataset"]["type"] == "openai/openai_humaneval"
    assert 83.54 in [metric["value"] for metric in result["metrics"]]
    for shown in ("83.54", "73.78", "2,511", "16384", "2 steps"):
        assert shown in card.text
    repo = hub.repo("dataset", "me/asap-codeforces-pruned")
    assert repo is not None
    assert repo["branches"]["main"] in card.text
    assert "/home/somebody" not in card.text


def test_verdicts_of_another_version_of_the_grader_are_said(
    checkpoint: Path, results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model_publication(checkpoint, "me/x", base_model=BASE, results=results)
    [said] = caplog.messages
    assert "graded with a version before 2 of the grader" in said
    assert "`asap-hf grade FOLDER --output_dir NEW` grades the answers of an evaluation again" in said
    write_results([replace(one, grader_version=GRADER_VERSION) for one in read_results(results)], tmp_path)
    caplog.clear()
    model_publication(checkpoint, "me/x", base_model=BASE, results=tmp_path)
    assert caplog.messages == []


def test_the_hub_finds_the_results_in_todays_form(hub: Hub, published: str) -> None:
    repo = hub.repo("model", published)
    assert repo is not None
    (name,) = [name for name in repo["commits"][-1]["files"] if name.startswith(".eval_results/")]
    (entry,) = yaml.safe_load(hub.read("model", published, name))
    assert entry["dataset"]["id"] == "openai/openai_humaneval"
    assert entry["value"] == 83.54


def test_nothing_secret_is_in_it(hub: Hub, published: str, checkpoint: Path) -> None:
    assert hub.write_token.encode() in (checkpoint / "training_args.bin").read_bytes()
    repo = hub.repo("model", published)
    assert repo is not None
    for name in repo["commits"][-1]["files"]:
        content = hub.read("model", published, name)
        assert hub.write_token.encode() not in content
        assert str(checkpoint.parent).encode() not in content


def test_an_adapter_names_its_base_model_and_no_folder(hub: Hub, checkpoint: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": str(tmp_path / "base")}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "adapter_model.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes())
    assert publish(hub, adapter, "--repo_id", "me/adapter").returncode == 2
    done = publish(hub, adapter, "--repo_id", "me/adapter", "--base_model", BASE)
    assert done.returncode == 0, done.stderr
    assert json.loads(hub.read("model", "me/adapter", "adapter_config.json"))["base_model_name_or_path"] == BASE
    assert "library_name: peft" in hub.read("model", "me/adapter", "README.md").decode()


BAD = [
    (["{tmp}"], "no checkpoint"),
    (["{out}"], "--base_model"),
    (["{out}", "--base_model", BASE, "--results", "{tmp}"], "summary.json"),
    (["{out}", "--base_model", BASE, "--train_config", "{tmp}/none.yaml"], "none.yaml"),
]


@pytest.mark.parametrize(("command", "said"), BAD)
def test_bad_usage_is_one_sentence(hub: Hub, checkpoint: Path, tmp_path: Path, command: list[str], said: str) -> None:
    words = [word.format(tmp=tmp_path, out=checkpoint) for word in command]
    done = publish(hub, Path(words[0]), *words[1:], "--repo_id", "me/bad")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert hub.repo("model", "me/bad") is None
