"""A former result for another model: the same as pruning the traces for it, without a scorer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from asap_hf.cli import main
from tests.tiny_models import byte_level_tokenizer, save_model, tiny_llama

SAMPLES = Path(__file__).parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"
TRAIN = Path(__file__).parents[2] / "asap_hf" / "recipes" / "r1-distill-qwen-7b" / "train.yaml"


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_model: str) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model to be trained, without its weights: another tokenizer than the scorer's, another chat template."""
    byte_level_tokenizer().save_pretrained(tmp_path / "model")
    tiny_llama().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    rows = sorted((json.loads(line) for line in SAMPLES.open()), key=lambda row: len(row["completion"]))[:4]
    path = tmp_path / "traces.jsonl"
    kept = [{name: row[name] for name in ("id", "prompt", "completion")} for row in rows]
    kept[1]["prompt"] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": kept[1]["prompt"]}]
    for row in (kept[0], *kept[2:]):
        row["prompt"] = [{"role": "user", "content": row["prompt"]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*kept, {**kept[0], "completion": "no reasoning"}]))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """A random scorer with a template of its own: only what is done with its numbers matters."""
    template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}[me] "
    folder = tmp_path_factory.mktemp("small") / "scorer"
    return ["--scorer", save_model(folder, tokenizer=byte_level_tokenizer(False, template)), "--device", "cpu"]


def run(*words: object) -> int:
    return main([str(word) for word in words])


def tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    configs = {name: load_dataset(str(folder), name) for name in ("default", "messages", "steps")}
    return {name: splits["train"].to_list() for name, splits in configs.items()}


def told(folder: Path) -> dict[str, Any]:
    run_json = json.loads((folder / "run.json").read_text())
    summary = {name: value for name, value in run_json["summary"].items() if name not in ("seconds", "llm")}
    return {"settings": run_json["settings"], "summary": summary}


@pytest.mark.parametrize(
    "asked",
    [
        ["--ratio", 0.25],
        ["--max_tokens", 100],
        ["--pruner", "wo_coarse", "--ratio", 0.5],
        ["--pruner", "random", "--ratio", 0.3],
        ["--pruner", "wo_fine"],
        ["--pruner", "original"],
    ],
    ids=lambda asked: " ".join(map(str, asked)),
)
def test_it_is_what_pruning_the_traces_for_that_model_gives(
    traces: Path,
    model: Path,
    tmp_path: Path,
    asked: list[object],
    small: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = [*asked, *([] if asked[1] in ("random", "wo_fine", "original") else small)]  # which score nothing
    assert run("prune", traces, *asked, "--output_dir", tmp_path / "out") == 0
    assert run("prune", traces, *asked, "--tokenizer", model, "--output_dir", tmp_path / "fresh") == 0
    monkeypatch.setattr("asap_hf.scoring.surprisal.SurprisalScorer.__call__", None)  # nothing is scored
    assert run("prune", tmp_path / "out", "--tokenizer", model, "--output_dir", tmp_path / "again") == 0
    assert tables(tmp_path / "again") == tables(tmp_path / "fresh")
    assert told(tmp_path / "again") == told(tmp_path / "fresh")
    first = load_dataset(str(tmp_path / "again"), split="train")[0]
    assert first["prompt"].startswith("<user>") and first["prompt"].endswith("<assistant><think>\n")


def test_with_another_budget_and_score_too(traces: Path, model: Path, tmp_path: Path, small: list[object]) -> None:
    change = ["--ratio", 0.5, "--score", "mean_entropy", "--tokenizer", model]
    whole = ["--pruner", "wo_coarse", *small]  # stage 1 without an LLM keeps what the budget asks for
    assert run("prune", traces, *whole, "--ratio", 0.25, "--output_dir", tmp_path / "out") == 0
    assert run("prune", traces, *whole, *change, "--output_dir", tmp_path / "fresh") == 0
    assert run("prune", tmp_path / "out", *change, "--output_dir", tmp_path / "again") == 0
    assert tables(tmp_path / "again") == tables(tmp_path / "fresh")


def test_without_a_new_budget_the_former_one_holds(traces: Path, tmp_path: Path, small: list[object]) -> None:
    assert (
        run("prune", traces, "--pruner", "wo_coarse", *small, "--ratio", 0.25, "--output_dir", tmp_path / "out") == 0
    )
    assert (
        run(
            "prune",
            tmp_path / "out",
            "--score",
            "mean_entropy",
            "--tokenizer",
            small[1],
            "--output_dir",
            tmp_path / "again",
        )
        == 0
    )
    before, after = (told(tmp_path / name)["settings"] for name in ("out", "again"))
    assert after == {**before, "score": "mean_entropy"}


@pytest.mark.parametrize("pruner", ["wo_fine", "random"])
def test_the_checks_remedy_is_one_that_works(
    traces: Path, model: Path, tmp_path: Path, pruner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prune, check, do what the check says, check."""
    check = ["check-sft", "--config", TRAIN, "--model_name_or_path", model, "--dataset_name"]
    assert run("prune", traces, "--pruner", pruner, "--output_dir", tmp_path / "out") == 0
    assert run(*check, tmp_path / "out") == 2
    error = capsys.readouterr().err
    remedy = re.search(r"prune with (--tokenizer) (\S+), the result itself or the traces", error)
    assert remedy is not None
    assert run("prune", tmp_path / "out", *remedy.groups(), "--output_dir", tmp_path / "again") == 0
    assert run(*check, tmp_path / "again") == 0, capsys.readouterr().err


def test_a_prompt_that_came_rendered_is_not_rendered_over(
    traces: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads(traces.open().readline())
    row["prompt"] = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    (tmp_path / "rendered.jsonl").write_text(json.dumps(row) + "\n")
    assert run("prune", tmp_path / "rendered.jsonl", "--pruner", "wo_fine", "--output_dir", tmp_path / "out") == 0
    assert run("prune", tmp_path / "out", "--tokenizer", model, "--output_dir", tmp_path / "again") == 2
    assert "row 0 came rendered by some chat template" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_what_depends_on_the_tokenizer_and_is_not_recorded_is_refused_with_a_remedy_that_works(
    traces: Path, model: Path, tmp_path: Path, small: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--pruner", "selective_context", *small, "--ratio", 0.5, "--limit", 1]
    assert run("prune", traces, *words, "--output_dir", tmp_path / "out") == 0
    assert run("prune", tmp_path / "out", "--tokenizer", model, "--output_dir", tmp_path / "again") == 2
    assert f"prune the traces anew with --tokenizer {model}" in capsys.readouterr().err
    assert run("prune", traces, *words, "--tokenizer", model, "--output_dir", tmp_path / "again") == 0


def test_a_row_that_the_new_template_refuses_becomes_unusable(traces: Path, model: Path, tmp_path: Path) -> None:
    strict = byte_level_tokenizer(
        chat_template="{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "<user>{{ m['content'] }}{% endfor %}<assistant>"
    )
    strict.save_pretrained(tmp_path / "strict")
    assert run("prune", traces, "--pruner", "wo_fine", "--output_dir", tmp_path / "out") == 0
    change = ["--tokenizer", tmp_path / "strict"]
    assert run("prune", tmp_path / "out", *change, "--output_dir", tmp_path / "again") == 0
    assert run("prune", traces, "--pruner", "wo_fine", *change, "--output_dir", tmp_path / "fresh") == 0
    assert tables(tmp_path / "again") == tables(tmp_path / "fresh")
    reasons = [sorted(load_dataset(str(tmp_path / one), split="unusable")["reason"]) for one in ("again", "fresh")]
    assert reasons[0] == reasons[1] == ["no_think", "prompt_refused"]
