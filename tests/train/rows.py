"""Small training sets, and folders of models that hold everything but weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from asap_hf.traces.sft import render_prompt
from asap_hf.train.arguments import read_arguments
from asap_hf.train.plan import Plan, plan_of
from asap_hf.train.preparation import prepare
from asap_hf.train.verdict import CheckResult, check
from tests.tiny_models import tiny_llama

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tokenizers"
R1 = "deepseek-r1-distill-qwen"
MODELS = [
    "embedded",
    pytest.param(R1, marks=pytest.mark.skipif(not (SHARED / R1).exists(), reason="needs the shared tokenizers")),
]

QUESTIONS = ["Add up the numbers of the list.", "Is the word a palindrome?", "How many primes are below n?"]
REASONINGS = [
    "First I read the list.\n\nThen I add its numbers, one by one.",
    "I compare the word with its reverse. Ångström: e\u0301 is one letter written as two.\n\nWait, case matters.",
    "A sieve is enough.\n\n" + "I strike out the multiples.\n\n" * 4 + "So I count what is left.",
]
ANSWER = "```python\nprint(solve())\n```"


def model_folder(name: str, embedded: str, folder: Path) -> str:
    """Tokenizer, chat template and configuration of a model, and none of its weights."""
    folder.mkdir()
    if name == "embedded":
        AutoTokenizer.from_pretrained(embedded).save_pretrained(folder)
    else:
        shutil.copytree(SHARED / name, folder, dirs_exist_ok=True)
    tiny_llama(max_position_embeddings=512).save_pretrained(folder)
    return str(folder)


def plain(tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    """Rows as `asap-hf prune` writes them."""
    return [
        {
            "prompt": render_prompt([{"role": "user", "content": question}], tokenizer),
            "completion": f"{reasoning}\n</think>\n\n{ANSWER}",
        }
        for question, reasoning in zip(QUESTIONS, REASONINGS, strict=True)
    ]


def turns() -> list[list[dict[str, str]]]:
    """The same as chat messages, in content."""
    return [
        [
            {"role": "user", "content": question},
            {"role": "assistant", "content": f"<think>\n{reasoning}\n</think>\n\n{ANSWER}"},
        ]
        for question, reasoning in zip(QUESTIONS, REASONINGS, strict=True)
    ]


def tokens(tokenizer: PreTrainedTokenizerBase, label: bool) -> list[dict[str, Any]]:
    """The same as token ids, with labels or with the mask that TRL itself would make of them."""
    found = []
    for row in plain(tokenizer):
        prompt = tokenizer(row["prompt"]).input_ids
        inputs = tokenizer(row["prompt"] + row["completion"] + tokenizer.eos_token).input_ids
        length = len(prompt)
        if label:
            found.append({"input_ids": inputs, "labels": [-100] * length + inputs[length:]})
        else:
            mask = [0] * length + [1] * (len(inputs) - length)
            found.append({"input_ids": inputs, "completion_mask": mask})
    return found


def write(folder: Path, rows: list[dict[str, Any]]) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder)


def checked(model: str, dataset: str, *flags: str, check_rows: int | None = None) -> CheckResult:
    argv = ["--model_name_or_path", model, "--dataset_name", dataset, *flags]
    arguments = read_arguments(argv, str(Path(dataset) / "scratch"))
    return check(arguments, prepare(arguments, check_rows))


def planned(model: str, dataset: str, *flags: str, check_rows: int | None = None) -> Plan:
    return plan_of(checked(model, dataset, *flags, check_rows=check_rows))
