"""Every recipe that ships is understood by the program it is for, says what the paper says, and runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import get_scheduler
from trl.scripts import sft

from asap_hf.cli import main, parse
from asap_hf.commands.methods import pruner_of
from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.errors import UsageError
from asap_hf.paper import training_of
from asap_hf.recipes import recipe_kinds, recipe_names, recipe_path
from tests.tiny_models import save_model, tiny_llama
from tests.training_memory import lora_parameters

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
PAPER = ROOT.parent / "shared" / "paper" / "asap_v1_algorithms.txt"
TRAINING = [(name, kind) for name in recipe_names() for kind in recipe_kinds(name) if kind.startswith("train")]
# Where a recipe is not the paper's, by the keys of TRL.
OUR_OWN = {("smollm2-135m", "train"): {"max_length"}, ("r1-distill-qwen-7b", "train-lora"): {"learning_rate"}}
# What TRL turns into something else while it reads.
NORMALISED = {
    "report_to": [],
    "lora_target_modules": "all-linear",
    "use_cpu": True,
    "include_num_input_tokens_seen": "all",
}
SPEAK_FOR_THEMSELVES = {"output_dir", "lr_scheduler_kwargs", "report_to", "save_strategy"}


@pytest.mark.parametrize("name", recipe_names("prune"))
def test_a_recipe_parses_and_builds_its_stages(name: str) -> None:
    arguments = parse(PruneArguments, ["--config", str(recipe_path(name, "prune")), "--output_dir", "out"], "asap-hf")
    arguments.check()
    coarse, fine = pruner_of(arguments).stages
    assert (coarse.threshold, coarse.prune_temperature, coarse.direct_temperature) == (0.6, 2.0, 0.0)
    assert fine.max_tokens == 4096
    assert fine.score == "first_token_surprisal"


def test_the_reference_differs_where_it_says_so() -> None:
    path = recipe_path("reference", "prune")
    arguments = parse(PruneArguments, ["--config", str(path), "--output_dir", "out"], "asap-hf prune")
    sequential = pruner_of(arguments)
    coarse, fine = sequential.stages
    assert sequential.splitter == "paper"
    assert coarse.autojunk
    assert coarse.keep_llm_text
    assert fine.scorer.context == "raw"


def test_traces_are_counted_and_rendered_for_the_model_that_is_trained() -> None:
    for name in ("r1-distill-qwen-7b", "r1-distill-llama-8b"):
        pruning = yaml.safe_load(recipe_path(name, "prune").read_text())
        training = yaml.safe_load(recipe_path(name).read_text())
        assert pruning.get("tokenizer", pruning["scorer"]) == training["model_name_or_path"]


def test_names_and_kinds() -> None:
    trained = ["r1-distill-llama-8b", "r1-distill-qwen-1.5b", "r1-distill-qwen-7b", "smollm2-135m"]
    assert recipe_names("train") == trained
    assert recipe_kinds("r1-distill-qwen-7b") == ["prune", "train", "train-lora"]
    with pytest.raises(UsageError, match="no recipe 'r1'; there is: accelerate, r1-distill-llama-8b, "):
        recipe_path("r1")
    with pytest.raises(UsageError, match="'reference' has no 'train'; it has: prune"):
        recipe_path("reference")


@contextmanager
def nothing_deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        warnings.simplefilter("error", DeprecationWarning)
        # PEFT asks a model by the old name; no key of a recipe has to do with it.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def understood(path: Path) -> dict[str, Any]:
    """What `trl sft` makes of a file, all its dataclasses in one."""
    with nothing_deprecated():
        parsed = sft.make_parser().parse_args_and_config(["--config", str(path), "--use_cpu", "True"])
    return {name: value for one in parsed for name, value in vars(one).items()}


@pytest.mark.parametrize(("name", "kind"), TRAINING)
def test_trl_reads_every_value_and_it_is_the_papers(name: str, kind: str) -> None:
    written = yaml.safe_load(recipe_path(name, kind).read_text(encoding="utf-8"))
    settings = understood(recipe_path(name, kind))
    assert {key: settings[key] for key in written} == {key: NORMALISED.get(key, written[key]) for key in written}
    paper = training_of(written["model_name_or_path"])
    assert {key for key in paper if settings[key] != paper[key].value} == OUR_OWN.get((name, kind), set())


def test_a_deprecated_key_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("output_dir: out\ngradient_checkpointing: true\n")
    with pytest.raises(FutureWarning, match="activation_checkpointing"):
        understood(tmp_path / "old.yaml")


def test_the_rate_rises_for_three_per_cent_of_the_steps_and_falls_to_a_tenth() -> None:
    settings = understood(recipe_path("r1-distill-qwen-7b"))
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=settings["learning_rate"])
    warmup = int(1000 * settings["warmup_steps"])
    scheduler = get_scheduler(
        settings["lr_scheduler_type"],
        optimiser,
        num_warmup_steps=warmup,
        num_training_steps=1000,
        scheduler_specific_kwargs=settings["lr_scheduler_kwargs"],
    )
    rates = []
    for _ in range(1000):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    assert rates[30] == max(rates) == 4e-5
    assert rates[-1] == pytest.approx(4e-6, rel=1e-3)


@pytest.mark.parametrize("name", recipe_names("train"))
def test_every_value_has_a_reason(name: str) -> None:
    lines = recipe_path(name).read_text(encoding="utf-8").splitlines()
    silent = {line.partition(":")[0] for line in lines if re.match(r"\s*\w+:", line) and " # " not in line}
    assert silent == SPEAK_FOR_THEMSELVES


@pytest.mark.skipif(not PAPER.exists(), reason="needs the paper's text")
@pytest.mark.parametrize(("name", "kind"), TRAINING)
def test_what_is_quoted_stands_in_the_paper(name: str, kind: str) -> None:
    said = re.sub(r" \d\\times 10\^\{-5\}", "", " ".join(PAPER.read_text(encoding="utf-8").split()))
    lines = recipe_path(name, kind).read_text(encoding="utf-8").splitlines()
    comments = " ".join(line.partition("#")[2].strip() for line in lines if "pip install" not in line)
    quoted = [words for words in re.findall('"([^"]*)"', comments) if words != "bfd"]
    assert quoted
    assert [words for words in quoted if words not in said] == []


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every recipe as it stands but for model, data, place and length: two optimiser steps on pruned samples."""
    folder = tmp_path_factory.mktemp("runs")
    model = save_model(folder / "model")
    prune = [str(SAMPLES), "--pruner", "wo_fine", "--tokenizer", model, "--limit", "2", "--ledger_dir", "off"]
    assert main(["prune", *prune, "--output_dir", str(folder / "pruned")]) == 0
    commands = [arguments(folder, recipe_path(*one), f"{one[0]}-{one[1]}") for one in TRAINING]
    checkpoint = str(folder / "smollm2-135m-train" / "checkpoint-1")
    commands.append(
        [*arguments(folder, recipe_path("smollm2-135m"), "resumed"), "--resume_from_checkpoint", checkpoint]
    )
    with nothing_deprecated():
        for command in commands:
            sft.main(*sft.make_parser().parse_args_and_config(command))
    return folder


def arguments(folder: Path, recipe: Path, name: str) -> list[str]:
    values = {
        "config": recipe,
        "model_name_or_path": folder / "model",
        "dataset_name": folder / "pruned",
        "output_dir": folder / name,
        "max_steps": 2,
        "use_cpu": True,
    }
    return [part for flag, value in values.items() for part in (f"--{flag}", str(value))]


def losses(folder: Path) -> list[float]:
    state = json.loads((folder / "checkpoint-2" / "trainer_state.json").read_text())
    return [row["loss"] for row in state["log_history"] if "loss" in row]


@pytest.mark.parametrize("name", recipe_names("train"))
def test_a_recipe_trains_what_its_precision_lets_it(name: str, runs: Path) -> None:
    """In pure bfloat16 the weights of the norms, which are near 1, stay where they are; the recipe says so."""
    trained = runs / f"{name}-train"
    assert [0 < loss < 100 for loss in losses(trained)] == [True, True]
    before, after = (load_file(folder / "model.safetensors") for folder in (runs / "model", trained))
    stuck = {one for one in before if torch.equal(before[one].to(after[one].dtype), after[one])}
    pure = yaml.safe_load(recipe_path(name).read_text(encoding="utf-8"))["dtype"] == "bfloat16"
    assert stuck == {one for one in before if pure and "norm" in one}


def test_lora_trains_its_adapters(runs: Path) -> None:
    trained = runs / "r1-distill-qwen-7b-train-lora"
    assert [0 < loss < 100 for loss in losses(trained)] == [True, True]
    adapters = load_file(trained / "adapter_model.safetensors")
    assert sum(one.numel() for one in adapters.values()) == lora_parameters(tiny_llama(), 16)
    assert all(one.any() for one in adapters.values())  # half of them begin as zeros
    assert {one.dtype for one in adapters.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("name", "dtype"), [("r1-distill-qwen-7b", torch.bfloat16), ("r1-distill-qwen-1.5b", torch.float32)]
)
def test_the_moments_are_held_in_the_type_of_the_weights(name: str, dtype: torch.dtype, runs: Path) -> None:
    saved = torch.load(runs / f"{name}-train" / "checkpoint-2" / "optimizer.pt", weights_only=True)
    moments = [one[moment] for one in saved["state"].values() for moment in ("exp_avg", "exp_avg_sq")]
    assert {one.dtype for one in moments} == {dtype}


def test_a_run_goes_on_from_its_checkpoint(runs: Path) -> None:
    assert losses(runs / "resumed") == losses(runs / "smollm2-135m-train")


def test_the_true_command_line_runs_one_with_its_accelerate_config(runs: Path) -> None:
    trl = [str(Path(sys.executable).parent / "trl"), "sft"]
    launcher = ["--accelerate_config", str(recipe_path("accelerate", "one_gpu"))]
    command = [*trl, *arguments(runs, recipe_path("smollm2-135m"), "launched"), *launcher]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert losses(runs / "launched") == losses(runs / "smollm2-135m-train")
