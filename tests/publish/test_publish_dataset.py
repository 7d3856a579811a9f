"""The way of a dataset: traces → `asap-hf prune` → `publish` → `load_dataset` elsewhere → `trl sft`."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trl
from datasets import Dataset, load_dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM
from trl import SFTConfig, SFTTrainer

from tests.hub_server import Hub
from tests.publishing import REAL, ROOT, asap_hf, hub_with_model, load_fresh, short_samples
from tests.strong_endpoint import strong_endpoint
from tests.tiny_models import save_model

TOKENIZERS = ROOT.parent / "shared" / "data" / "tokenizers"
CONFIGS = "default,messages,steps"


@pytest.fixture(scope="module")
def hub(embedded_model: str) -> Iterator[Hub]:
    with hub_with_model(embedded_model) as server:
        yield server


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short real traces where they are at hand (one of them without an end), the bundled samples elsewhere."""
    folder = tmp_path_factory.mktemp("traces")
    if not REAL.exists():
        return short_samples(folder / "traces.jsonl", 6, broken=1)
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    whole = sorted((row for row in rows if row["closed"] and row["statement"]), key=lambda row: row["n_tokens"])[:6]
    open_ended = [row for row in rows if not row["closed"] and row["statement"]][:1]
    path = folder / "traces.jsonl"
    path.write_text(
        "".join(
            json.dumps({"idx": row["idx"], "prompt": row["statement"], "completion": row["response"]}) + "\n"
            for row in [*whole, *open_ended]
        )
    )
    return path


@pytest.fixture(scope="module")
def tokenizer_folder(embedded_model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """DeepSeek-R1-Distill's tokenizer and template where they are at hand, the embedded model's elsewhere."""
    name = "deepseek-r1-distill-qwen"
    if not (TOKENIZERS / name).exists():
        return embedded_model
    folder = tmp_path_factory.mktemp("tokenizer") / name
    shutil.copytree(TOKENIZERS / name, folder)
    template = TOKENIZERS / "chat_templates" / "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja"
    shutil.copyfile(template, folder / "chat_template.jinja")
    return str(folder)


@pytest.fixture(scope="module")
def pruned(hub: Hub, traces: Path, tokenizer_folder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pruned") / "out"
    command = ["prune", traces, "--ratio", "0.25", "--tokenizer", tokenizer_folder, "--output_dir", out]
    done = asap_hf(hub.env, *command)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def published(hub: Hub, pruned: Path) -> str:
    done = asap_hf(hub.env, "publish", "dataset", pruned, "--repo_id", "me/asap-codeforces-pruned", "--tag", "v1")
    assert done.returncode == 0, done.stderr
    assert "loaded back from the Hub" in done.stderr
    return "me/asap-codeforces-pruned"


@pytest.fixture(scope="module")
def loaded(hub: Hub, published: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Any]]]:
    return load_fresh(hub.env, tmp_path_factory.mktemp("cache"), published, CONFIGS)


def test_every_config_comes_back_as_it_was_pruned(loaded: dict[str, dict[str, list[Any]]], pruned: Path) -> None:
    for config in CONFIGS.split(","):
        here = {split: rows.to_list() for split, rows in load_dataset(str(pruned), config).items()}
        assert loaded[config] == here
    assert loaded["default"].keys() == {"train", "unusable"}
    assert len(loaded["default"]["train"]) == 6
    assert len(loaded["default"]["unusable"]) == 1


def test_one_commit_holds_data_card_picture_run_and_manifest(hub: Hub, published: str) -> None:
    repo = hub.repo("dataset", published)
    assert repo is not None
    assert (
        len([commit for commit in repo["commits"] if commit["ref"] == "refs/heads/main"]) == 2
    )  # the empty repo, and ours
    assert repo["tags"]["v1"] == repo["branches"]["main"]
    files = set(repo["commits"][-1]["files"])
    assert {"README.md", "tokens.png", "run.json", "manifest.json"} < files
    manifest = json.loads(hub.read("dataset", published, "manifest.json"))
    assert set(manifest["files"]) == files - {"manifest.json", ".gitattributes"}


def test_the_card_says_what_run_json_says(hub: Hub, published: str, pruned: Path) -> None:
    card = hub.read("dataset", published, "README.md").decode()
    summary = json.loads((pruned / "run.json").read_text())["summary"]
    for spread in summary["tokens"].values():
        assert f"{spread['total']:,}" in card
    assert f'load_dataset("{published}", "steps")' in card
    assert "--max_length" in card
    assert "tokens.png" in card


def test_nothing_secret_and_no_folder_of_this_machine_is_published(hub: Hub, published: str, pruned: Path) -> None:
    repo = hub.repo("dataset", published)
    assert repo is not None
    for path in repo["commits"][-1]["files"]:
        content = hub.read("dataset", published, path)
        for secret in (hub.write_token, str(pruned.parent), str(Path.home()), str(ROOT)):
            assert secret.encode() not in content, path


def test_no_key_no_token_and_no_folder_reaches_a_ledger_a_log_or_the_hub(
    hub: Hub, traces: Path, embedded_model: str, tmp_path: Path
) -> None:
    """The whole way with an LLM that wants a key, models and files by their paths, and a Hub that fails on the way."""
    key = "key-" + "9f8e7d6c" * 4
    env = {**hub.env, "LLM_KEY": key, "ASAP_HF_LEDGER": str(tmp_path / "ledger")}
    out = tmp_path / "out"
    with strong_endpoint() as llm:
        flags = ["--anchor_model", "strong", "--anchor_base_url", llm.url, "--anchor_api_key_env", "LLM_KEY"]
        flags += ["--scorer", embedded_model, "--tokenizer", embedded_model, "--limit", "2", "--max_tokens", "100"]
        pruned = asap_hf(env, "prune", traces.absolute(), *flags, "--output_dir", out)
    hub.faults([{"match": "POST .*/commit/", "action": "status", "status": 500}])
    published = asap_hf(env, "publish", "dataset", out, "--repo_id", "me/no-secrets")
    refused = asap_hf({**env, "HF_TOKEN": hub.read_token}, "publish", "dataset", out, "--repo_id", "me/no-secrets")
    assert [pruned.returncode, published.returncode, refused.returncode] == [0, 0, 2], published.stderr
    repo = hub.repo("dataset", "me/no-secrets")
    assert repo is not None
    written = {
        f"on the Hub: {path}": hub.read("dataset", "me/no-secrets", path) for path in repo["commits"][-1]["files"]
    }
    written |= {str(path): path.read_bytes() for path in (tmp_path / "ledger").rglob("*") if path.is_file()}
    written |= {str(path): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    logs = {"publish": published.stderr + published.stdout, "refused": refused.stderr, "prune": pruned.stderr}
    assert len(written) > 12
    assert "500" in logs["publish"]
    for place, content in written.items():
        for secret in (key, hub.write_token, hub.read_token, str(tmp_path), str(Path.home()), embedded_model, llm.url):
            assert secret.encode() not in content, (place, secret)
    for place, text in logs.items():
        for secret in (key, hub.write_token, hub.read_token):
            assert secret not in text, place


def test_trl_trains_on_it_with_nothing_but_a_length(hub: Hub, published: str, tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    program = str(Path(sys.executable).with_name("trl"))
    command = [program, "sft", "--model_name_or_path", model, "--dataset_name", published, "--max_length", "4096"]
    command += ["--max_steps", "2", "--output_dir", str(tmp_path / "trained"), "--report_to", "none"]
    command += ["--use_cpu", "--bf16", "false", "--per_device_train_batch_size", "2"]
    done = subprocess.run(command, env={**hub.env, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "trained" / "model.safetensors").exists()


def labels_of(rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, folder: Path, **how: Any) -> list[Any]:
    """What the trainer's own collator hands to a model for each row: token ids, and the labels that count."""
    config = Qwen2Config(
        vocab_size=max(len(tokenizer), max(tokenizer.get_vocab().values()) + 1),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    arguments = SFTConfig(output_dir=str(folder), max_length=16384, report_to="none", use_cpu=True, bf16=False, **how)
    trainer = SFTTrainer(
        Qwen2ForCausalLM(config), arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    assert trainer.train_dataset is not None
    batches = [trainer.data_collator([example]) for example in trainer.train_dataset]
    assert len(batches) == len(rows)
    return [(batch["input_ids"][0].tolist(), batch["labels"][0].tolist()) for batch in batches]


def reasoning(record: dict[str, Any]) -> str:
    return "".join(record["steps"][position] for position in record["kept"]).rstrip()


def test_the_default_config_puts_the_whole_completion_into_the_loss(
    loaded: dict[str, dict[str, list[Any]]], tokenizer_folder: str, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    rows, records = loaded["default"]["train"], loaded["steps"]["train"]
    adds_bos = tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    for row, record, (ids, labels) in zip(rows, records, labels_of(rows, tokenizer, tmp_path), strict=True):
        learned = [label for label in labels if label != -100]
        assert (
            tokenizer.decode(learned) == reasoning(record) + record["closing"] + record["answer"] + tokenizer.eos_token
        )
        assert learned == labels[-len(learned) :]
        assert learned.count(tokenizer.eos_token_id) == 1
        given = tokenizer.decode(ids[: -len(learned)])
        assert given == (tokenizer.bos_token if adds_bos else "") + row["prompt"]
        assert ids[:2] != [tokenizer.bos_token_id] * 2
        assert row["prompt"].endswith("<think>\n")
        assert row["tokens_in_all"] - 8 < len(ids) <= row["tokens_in_all"]


def test_the_messages_config_keeps_the_reasoning_as_its_card_says(
    loaded: dict[str, dict[str, list[Any]]], tokenizer_folder: str, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    templates = Path(trl.__file__).parent / "chat_templates"  # TRL's copy of what the model has on the Hub
    tokenizer.chat_template = (templates / "deepseek_r1_distill.jinja").read_text(encoding="utf-8")
    rows, records = loaded["messages"]["train"], loaded["steps"]["train"]
    prepared = labels_of(rows, tokenizer, tmp_path, assistant_only_loss=True)
    for record, (_, labels) in zip(records, prepared, strict=True):
        learned = tokenizer.decode([label for label in labels if label != -100])
        assert reasoning(record) in learned
        assert record["answer"] in learned
        assert record["question"] not in learned


def test_published_again_it_is_there_already(hub: Hub, published: str, pruned: Path) -> None:
    before = hub.repo("dataset", published)
    done = asap_hf(hub.env, "publish", "dataset", pruned, "--repo_id", published)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("already there")
    assert hub.repo("dataset", published) == before


def test_another_budget_replaces_the_data_and_the_old_tag_still_loads(hub: Hub, pruned: Path, tmp_path: Path) -> None:
    name = "me/rebudgeted"
    assert asap_hf(hub.env, "publish", "dataset", pruned, "--repo_id", name, "--tag", "v1").returncode == 0
    again = ["prune", pruned, "--ratio", "0.1", "--output_dir", tmp_path / "out"]
    assert asap_hf(hub.env, *again).returncode == 0
    done = asap_hf(hub.env, "publish", "dataset", tmp_path / "out", "--repo_id", name)
    assert done.returncode == 0, done.stderr
    now = load_fresh(hub.env, tmp_path / "cache", name, "default")["default"]["train"]
    assert now == load_dataset(str(tmp_path / "out"), split="train").to_list()
    repo = hub.repo("dataset", name)
    assert repo is not None
    assert sum(path.startswith("default/train-") for path in repo["commits"][-1]["files"]) == 1


def test_a_dry_run_needs_no_hub_and_shows_the_card(hub: Hub, pruned: Path) -> None:
    hub.forget_log()
    env = {**hub.env, "HF_TOKEN": ""}
    done = asap_hf(env, "publish", "dataset", pruned, "--repo_id", "me/dry", "--dry_run")
    assert done.returncode == 0, done.stderr
    assert hub.log() == []
    for shown in ("README.md", "run.json", "kB", 'load_dataset("me/dry")', "nothing was sent"):
        assert shown in done.stdout


BAD: list[tuple[list[str], str]] = [
    (["publish", "dataset", "{tmp}/nowhere", "--repo_id", "me/x"], "no result of asap-hf prune"),
    (["publish", "dataset", "{out}", "--repo_id", "me/x", "--create_pr", "--tag", "v1"], "drop"),
    (["publish", "dataset", "{out}", "--repo_id", "you/x"], "you/x"),
    (["publish", "dataset", "{out}", "--repo_id", "not an id"], "not an id"),
    (["publish", "dataset", "{out}"], "--repo_id"),
    (["publish", "metric", "{out}", "--repo_id", "me/out"], "no evaluate module"),
    (["publish", "nothing"], "dataset, model, metric"),
]


@pytest.mark.parametrize(("command", "said"), BAD)
def test_bad_usage_is_one_sentence(hub: Hub, pruned: Path, tmp_path: Path, command: list[str], said: str) -> None:
    done = asap_hf(hub.env, *(word.format(out=pruned, tmp=tmp_path) for word in command))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert hub.write_token not in done.stderr


def test_a_module_of_evaluate_goes_to_a_space_as_it_stands(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "answer_length"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "answer_length.pyc").write_bytes(b"")
    (folder / "answer_length.py").write_text(METRIC)
    (folder / "README.md").write_text(
        "---\ntitle: Answer length\nsdk: gradio\napp_file: app.py\n---\n\n# Answer length\n"
    )
    (folder / "requirements.txt").write_text("evaluate\n")
    done = asap_hf(hub.env, "publish", "metric", folder, "--repo_id", "me/answer_length")
    assert done.returncode == 0, done.stderr
    repo = hub.repo("space", "me/answer_length")
    assert repo is not None
    files = set(repo["commits"][-1]["files"]) - {".gitattributes"}
    assert files == {"answer_length.py", "README.md", "requirements.txt"}
    used = subprocess.run([sys.executable, "-c", USE_METRIC], env=hub.env, capture_output=True, text=True)
    assert "{'length': 3.0}" in used.stdout, used.stderr


METRIC = """
import datasets
import evaluate


class AnswerLength(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("int32")})
        return evaluate.MetricInfo(description="Mean length.", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"length": sum(map(len, predictions)) / len(predictions)}
"""

USE_METRIC = """
import evaluate

metric = evaluate.load("me/answer_length")
print(metric.compute(predictions=["ab", "abcd"], references=[0, 0]))
"""
