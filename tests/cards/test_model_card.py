"""A model's card says what was measured and what the paper has, each where it belongs; its lines run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from asap_hf.benchmarks.results import BenchmarkResult
from asap_hf.cards import model_card
from asap_hf.cards.model_metadata import ModelMetadata
from asap_hf.cards.result_formats import eval_result_files
from asap_hf.paper import LLAMA_8B, QWEN_7B
from tests.benchmark_results import humaneval_result
from tests.card_runs import blocks, words

RESULT = humaneval_result()
LCB = replace(RESULT, benchmark="lcb_v4_v5", dataset="livecodebench/code_generation_lite", problems=268, budget=10240)
OWN = [RESULT, LCB, replace(LCB, benchmark="lcb_v1_v3", problems=612, latency=None)]
FACTS = ModelMetadata(
    repo_id="me/model",
    base_model=QWEN_7B,
    dataset="me/pruned",
    dataset_revision="0123456789" * 4,
    license="mit",
    settings={
        "max_length": 8192,
        "learning_rate": "4e-5",
        "num_train_epochs": 10,
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "packing": True,
        "bf16": False,
        "output_dir": "/home/somebody/out",
    },
    state={
        "global_step": 5970,
        "epoch": 10.0,
        "log_history": [{"loss": 0.81}, {"eval_loss": 9.0}, {"loss": 0.3}, {"train_loss": 0.4}],
    },
    command={
        "model_name_or_path": QWEN_7B,
        "dataset_name": "me/pruned",
        "max_length": 8192,
        "learning_rate": 4e-5,
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "packing": True,
        "lora_target_modules": ["q_proj", "v_proj"],
        "output_dir": "out",
    },
    results=OWN,
    base_results=[replace(RESULT, model=QWEN_7B, pass_at_1=0.75)],
)


def test_a_model_card_tells_results_beside_the_papers() -> None:
    card = model_card(FACTS)
    for row in (
        "| HumanEval | **this model** | 83.54 | 2,511 | 1.21 |",
        "|  | paper, ASAP | 84.15 | 2,464 | 0.98 |",
        "|  | paper, Zero-shot | 73.78 | 3,051 | 1.16 |",
        "| LiveCodeBench v4_v5 | **this model** | 83.54 | 2,511 | 1.21 |",
        "|  | paper, ASAP | 36.19 | 6,035 | 2.61 |",
        "| LiveCodeBench v1_v3 | **this model** | 83.54 | 2,511 | – |",
        "|  | base model, measured here | 75.00 | 2,511 | 1.21 |",
        "/datasets/openai/openai_humaneval) | `7dce6050a7d6` | `test` | 164 | 6,144 | vllm 0.32.0 "
        f"| {GRADER_VERSION} | 2025-11-22 |",
        "| `max_length` | `8192` | `16384` (Appendix A) |",
        "| `learning_rate` | `4e-05` | the same (Appendix A) |",
    ):
        assert row in card
    assert "Not as in the paper: `max_length`, `bf16`." in card
    assert "Not given in the paper: `packing: true`." in card
    assert "5,970 steps, 10 epochs, loss 0.81 at the first report and 0.3 at the last" in card
    assert "somebody" not in card


COMPARED = [
    (RESULT, QWEN_7B, "84.15"),
    (RESULT, LLAMA_8B, "80.49"),
    (RESULT, "me/other", None),
    (replace(RESULT, budget=4096), QWEN_7B, None),
    (replace(RESULT, problems=20), QWEN_7B, None),
]


@pytest.mark.parametrize(("result", "base_model", "paper"), COMPARED)
def test_the_papers_numbers_stand_only_where_they_compare(
    result: BenchmarkResult, base_model: str, paper: str | None
) -> None:
    card = model_card(replace(FACTS, base_model=base_model, results=[result], base_results=[]))
    assert re.findall(r"\| paper, ASAP \| ([\d.]+)", card) == ([paper] if paper else [])
    assert ("NVIDIA H20" in card) is (paper is not None)
    title = re.search(r"^\| (HumanEval.*?) \| \*\*this", card, re.MULTILINE)
    assert title is not None
    assert (
        title[1]
        == {
            6144: "HumanEval, 20 of 164 problems" if result.problems == 20 else "HumanEval",
            4096: "HumanEval, budget 4,096",
        }[result.budget]
    )


def test_the_yaml_of_a_model_card_parses_and_holds_this_models_results_alone() -> None:
    card = ModelCard(model_card(FACTS))
    told = yaml.safe_load(str(card.data))
    assert told["base_model"] == QWEN_7B
    assert told["datasets"] == ["me/pruned"]
    assert (told["license"], told["library_name"], told["pipeline_tag"]) == ("mit", "transformers", "text-generation")
    name, results = model_index_to_eval_results(told["model-index"])
    assert name == "model"
    passed = {
        (one.dataset_name, one.dataset_config): one.metric_value for one in results if one.metric_type == "pass@1"
    }
    assert passed == {
        ("HumanEval", None): 83.54,
        ("LiveCodeBench v4_v5", "v4_v5"): 83.54,
        ("LiveCodeBench v1_v3", "v1_v3"): 83.54,
    }
    assert len(results) == 8  # one latency was not measured


def test_a_model_of_which_nothing_is_known_has_a_card_too() -> None:
    text_of = model_card(ModelMetadata("me/model", "some folder"))
    card = ModelCard(text_of)
    assert set(yaml.safe_load(str(card.data))) == {"library_name", "pipeline_tag", "tags"}
    assert re.findall(r"^## (.*)", text_of, re.MULTILINE) == ["Use", "Limits", "Citation"]
    assert "no benchmark result stands here" in text_of


def test_the_training_command_of_a_model_card_is_one_that_trl_takes() -> None:
    from trl.scripts.sft import make_parser

    command = blocks(model_card(FACTS), "bash")[1]
    script, training, model, _ = make_parser().parse_args_and_config([*words(command)[2:], "--bf16", "false"])
    assert (model.model_name_or_path, script.dataset_name) == (QWEN_7B, "me/pruned")
    assert (training.max_length, training.learning_rate, training.packing) == (8192, 4e-5, True)
    assert training.lr_scheduler_kwargs == {"min_lr_rate": 0.1}
    assert model.lora_target_modules == ["q_proj", "v_proj"]


def test_a_command_that_is_not_on_record_is_not_made_up() -> None:
    card = model_card(replace(FACTS, command={}))
    assert "trl sft" not in card
    assert "| `learning_rate` | `4e-05` |" in card


def test_settings_of_a_file_are_told_as_such() -> None:
    assert "is not on record" not in model_card(FACTS)
    told = " ".join(model_card(replace(FACTS, settings_file="my.yaml", command={})).split())
    assert "As `my.yaml` has it, the file that `trl sft --config` was given. Whether flags beside it" in told


@pytest.mark.parametrize(("steps", "told"), [(-1, "10 epochs"), (40, "40 steps")])
def test_of_epochs_and_steps_what_ended_the_training_is_told(steps: int, told: str) -> None:
    settings = replace(FACTS, settings={"num_train_epochs": 10, "max_steps": steps}).shown_settings
    assert settings == ({"num_train_epochs": 10} if told == "10 epochs" else {"max_steps": 40})


def test_the_newest_commit_of_a_dataset_is_not_called_the_one_that_was_trained_on() -> None:
    told, newest = (" ".join(model_card(replace(FACTS, revision_is_newest=one)).split()) for one in (False, True))
    assert f"Commit of the dataset: `{FACTS.dataset_revision}`" in told
    assert f"Newest commit of the dataset when this was published: `{FACTS.dataset_revision}`" in newest


def test_a_part_of_a_benchmark_stands_in_the_table_alone() -> None:
    part = replace(RESULT, problems=3, pass_at_1=1.0)
    facts = replace(FACTS, results=[part, LCB], base_results=[])
    card = ModelCard(model_card(facts))
    assert "| HumanEval, 3 of 164 problems | **this model** | 100.00 |" in card.text
    assert "Where fewer problems were asked than the benchmark has, or not every answer was graded" in card.text
    _, results = model_index_to_eval_results(yaml.safe_load(str(card.data))["model-index"])
    assert {one.dataset_name for one in results} == {"LiveCodeBench v4_v5"}
    assert list(eval_result_files(facts.results)) == [".eval_results/lcb_v4_v5.yaml"]
    alone = ModelCard(model_card(replace(facts, results=[part])))
    assert "model-index" not in yaml.safe_load(str(alone.data))
    assert "Where fewer problems" not in model_card(FACTS)


def test_a_result_for_which_a_word_alone_stands_says_so() -> None:
    assert "is the publisher's word" not in model_card(FACTS)
    told = model_card(replace(FACTS, claimed="served-model"))
    assert "Measured under the name `served-model`; that this is the same model is the publisher's word." in told


def test_the_lines_that_use_a_model_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.tiny_models import byte_level_tokenizer, save_model, tiny_llama

    folder = save_model(tmp_path / "model", tiny_llama(), byte_level_tokenizer())
    (block,) = blocks(model_card(replace(FACTS, repo_id=str(folder), results=(), base_results=())), "python")
    scope: dict[str, Any] = {}
    exec(block.replace("max_new_tokens=10240", "max_new_tokens=4").replace(', device_map="auto"', ""), scope)
    assert scope["prompt"].endswith("<assistant><think>\n")
    assert scope["inputs"].input_ids[0].tolist().count(scope["tokenizer"].bos_token_id) == 1
    assert scope["output"].shape[1] <= scope["inputs"].input_ids.shape[1] + 4
    assert capsys.readouterr().out
