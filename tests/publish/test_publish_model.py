"""A checkpoint as `trl sft` leaves it → a model on the Hub that others load, with what was measured of it."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION
from datasets import Dataset
from huggingface_hub import ModelCard
from trl import SFTConfig, SFTTrainer

from asap_hf.benchmarks.results import BenchmarkResult, read_results
from asap_hf.errors import UsageError
from asap_hf.models.identity import model_identity
from asap_hf.publish.model import model_publication
from asap_hf.publish.training_run import ARGUMENTS_FILE, RECORD_FILE, write_record
from tests.benchmark_results import humaneval_result, write_results
from tests.card_runs import blocks, words
from tests.hub_server import Hub, start_hub
from tests.publishing import asap_hf
from tests.tiny_models import save_model

BASE = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
CONFIG = "max_length: 16384\nlearning_rate: 4e-5\nnum_train_epochs: 10\noutput_dir: /home/somebody/out\n"
GIVEN = {"max_steps": 2, "save_steps": 1, "logging_steps": 1, "learning_rate": 3e-5, "lr_scheduler_type": "cosine"}


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
        **GIVEN,
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


def result(model: str, revision: str = "", **told: Any) -> BenchmarkResult:
    return humaneval_result(model=model, model_revision=revision, **told)


@pytest.fixture(scope="module")
def results(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an evaluation of the checkpoint's folder, and one of its base model, leave."""
    folder = tmp_path_factory.mktemp("results")
    own = model_identity(str(checkpoint))
    rows = [
        result(own.name, own.revision, pass_at_1=0.8354, tokens=2511.0, grader_version=None),
        result(BASE, pass_at_1=0.7378, tokens=3043.0, grader_version=None),
    ]
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
    for shown in ("83.54", "73.78", "2,511", "2 steps"):
        assert shown in card.text
    assert "publisher's word" not in card.text
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


def card_of(folder: Path, **told: Any) -> ModelCard:
    card = model_publication(folder, "me/model", **{"base_model": BASE, **told}).files["README.md"]
    assert isinstance(card, bytes)
    return ModelCard(card.decode())


def test_its_settings_are_those_that_the_trainer_had_and_not_those_of_a_file(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "train.yaml").write_text(CONFIG)
    card = card_of(checkpoint, train_config=tmp_path / "train.yaml").text
    for row in (
        "| `max_length` | `1024` | `16384` (Appendix A) |",
        "| `learning_rate` | `3e-05` | `4e-05` (Appendix A) |",
    ):
        assert row in card
    assert "train.yaml has other values than the trainer noted itself" in caplog.text
    assert caplog.text.rstrip().endswith(": learning_rate, max_length, num_train_epochs")
    assert "`max_steps: 2`" in card
    assert "num_train_epochs" not in card.partition("## Training")[2]
    assert "trl sft" not in card


def test_without_the_trainers_own_settings_a_file_is_told_as_a_file(checkpoint: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    (copy / ARGUMENTS_FILE).unlink()
    (tmp_path / "train.yaml").write_text(CONFIG)
    card = card_of(copy, train_config=tmp_path / "train.yaml").text
    assert "| `max_length` | `16384` | the same (Appendix A) |" in card
    assert "As `train.yaml` has it" in card
    assert "trl sft \\" not in card


def test_a_pickle_that_is_none_of_a_trainer_is_not_run(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = Path(shutil.copytree(checkpoint, tmp_path / "copy"))

    class Attack:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    (copy / ARGUMENTS_FILE).write_bytes(pickle.dumps(Attack()))
    assert "learning_rate" not in card_of(copy).text
    assert not (tmp_path / "ran").exists()
    assert "training_args.bin cannot be read" in caplog.text


def test_the_command_is_the_one_on_record(checkpoint: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(checkpoint, tmp_path / "copy", ignore=shutil.ignore_patterns(ARGUMENTS_FILE)))
    given = {"model_name_or_path": str(copy), "dataset_name": "me/data", "output_dir": str(copy), "use_cpu": True}
    write_record(copy, {**given, **GIVEN, "packing": False, "hub_token": "hf_secret"}, 4, "0" * 40)
    assert "hf_secret" not in (copy / RECORD_FILE).read_text()
    assert str(copy) not in (copy / RECORD_FILE).read_text()
    shutil.copyfile(checkpoint / ARGUMENTS_FILE, copy / ARGUMENTS_FILE)
    card = card_of(copy)
    assert card.data.to_dict()["datasets"] == ["me/data"]
    assert f"Commit of the dataset:\n`{'0' * 40}`" in card.text
    told = words(blocks(card.text, "bash")[1])
    pairs = dict(zip(told[2::2], told[3::2], strict=True))
    assert told[:2] == ["trl", "sft"]
    assert pairs["--model_name_or_path"] == BASE
    assert pairs["--dataset_name"] == "me/data"
    assert pairs["--output_dir"] == "out"
    assert (pairs["--learning_rate"], pairs["--max_steps"], pairs["--num_processes"]) == ("3e-05", "2", "4")
    with pytest.raises(UsageError, match="is on record with the dataset 'me/data', not 'me/other'"):
        card_of(copy, dataset="me/other")


@pytest.mark.parametrize("given", [{**GIVEN, "learning_rate": 1e-5}, {"max_steps": 2}, {**GIVEN, "packing": True}])
def test_a_record_of_another_training_is_not_taken(checkpoint: Path, tmp_path: Path, given: dict[str, Any]) -> None:
    copy = Path(shutil.copytree(checkpoint, tmp_path / "copy", ignore=shutil.ignore_patterns(ARGUMENTS_FILE)))
    write_record(copy, {"dataset_name": "me/data", **given}, None)
    shutil.copyfile(checkpoint / ARGUMENTS_FILE, copy / ARGUMENTS_FILE)
    card = card_of(copy)
    assert "trl sft" not in card.text
    assert "datasets" not in card.data.to_dict()


def test_a_record_of_a_training_that_came_after_the_checkpoint_is_not_taken(checkpoint: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    write_record(copy, {"dataset_name": "me/later", **GIVEN}, None)
    assert "me/later" not in card_of(copy).text
    before = (copy / RECORD_FILE).read_bytes()
    write_record(copy, {"dataset_name": "me/later", **GIVEN, "resume_from_checkpoint": "checkpoint-1"}, None)
    assert (copy / RECORD_FILE).read_bytes() == before


@pytest.mark.parametrize("model", ["checkpoint", "me/model", "another-model", "out"])
def test_results_of_which_nothing_proves_that_they_are_its_own_are_refused(
    checkpoint: Path, tmp_path: Path, model: str
) -> None:
    """A name proves nothing, the folder's and the repository's own least of all."""
    write_results([result(model, "0" * 64)], tmp_path / "results")
    with pytest.raises(UsageError) as raised:
        card_of(checkpoint, results=tmp_path / "results")
    assert f"tells of {model!r} at 000000000000 on humaneval, and nothing proves that this is" in str(raised.value)
    card = card_of(checkpoint, results=tmp_path / "results", results_model=model)
    assert f"Measured under the name `{model}`; that this is the same model is the publisher's word." in card.text
    assert card.data.to_dict()["model-index"]


def test_results_of_another_folder_with_the_same_name_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    other = Path(save_model(tmp_path / checkpoint.name))
    told = model_identity(str(other))
    assert told.name == model_identity(str(checkpoint)).name
    write_results([result(told.name, told.revision)], tmp_path / "results")
    with pytest.raises(UsageError, match="nothing proves"):
        card_of(checkpoint, results=tmp_path / "results")


RESULTS = [
    (["a", "b"], {"results_model": "a"}, "tells of 'b'"),
    (["a"], {"results_model": "c"}, "there is no result of 'c'"),
    ([BASE], {"results_model": BASE}, "is the base model: leave it out"),
]


@pytest.mark.parametrize(("models", "told", "said"), RESULTS)
def test_what_is_said_of_results_has_to_fit(
    checkpoint: Path, tmp_path: Path, models: list[str], told: dict[str, Any], said: str
) -> None:
    write_results([result(one) for one in models], tmp_path / "results")
    with pytest.raises(UsageError, match=said):
        card_of(checkpoint, results=tmp_path / "results", **told)


def test_two_results_of_one_benchmark_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    told = model_identity(str(checkpoint))
    for name in ("one", "two"):
        write_results([result(name, told.revision)], tmp_path / name)
    with pytest.raises(UsageError, match="two results tell of this checkpoint on HumanEval with 6,144 tokens"):
        card_of(checkpoint, results=tmp_path)


def test_what_was_measured_of_the_published_weights_is_its_own(
    hub: Hub, published: str, checkpoint: Path, tmp_path: Path
) -> None:
    repo = hub.repo("model", published)
    assert repo is not None
    for commit, code in ((repo["branches"]["main"], 0), (repo["commits"][0]["oid"], 2)):
        write_results([result(published, commit)], tmp_path / commit)
        told = ["--base_model", BASE, "--results", tmp_path / commit, "--repo_id", published, "--dry_run"]
        done = publish(hub, checkpoint, *told)
        assert done.returncode == code, done.stderr
        assert ("nothing proves" in done.stderr) is (code == 2)


def test_three_problems_are_no_benchmark(checkpoint: Path, tmp_path: Path) -> None:
    told = model_identity(str(checkpoint))
    write_results([result(told.name, told.revision, problems=3, pass_at_1=1.0)], tmp_path / "results")
    publication = model_publication(checkpoint, "me/model", base_model=BASE, results=tmp_path / "results")
    assert not [name for name in publication.files if name.startswith(".eval_results/")]
    card = card_of(checkpoint, results=tmp_path / "results")
    assert "model-index" not in card.data.to_dict()
    assert "HumanEval, 3 of 164 problems" in card.text


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
