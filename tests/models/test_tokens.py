"""Tokens are counted whole, without special tokens, by the tokenizer that is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from asap_hf.errors import UsageError
from asap_hf.models.tokens import count_tokens, load_tokenizer

TEXTS = ["", "a", "So n = 5.\n\n    return n", "数一数 🧮", "word " * 5000]


def test_counts_are_those_of_the_tokenizer(embedded_model: str) -> None:
    tokenizer = load_tokenizer(embedded_model)
    expected = [len(tokenizer(text, add_special_tokens=False).input_ids) for text in TEXTS]
    assert count_tokens(embedded_model, TEXTS) == expected
    assert expected[0] == 0
    assert expected[-1] > 4999
    assert count_tokens(embedded_model, []) == []
    assert count_tokens("embedded", TEXTS) == expected


def test_padding_and_truncation_of_others_do_not_count(embedded_model: str, tmp_path: Path) -> None:
    expected = count_tokens(embedded_model, TEXTS)
    load_tokenizer(embedded_model)(TEXTS, padding=True, truncation=True, max_length=64)
    assert count_tokens(embedded_model, TEXTS) == expected
    folder = tmp_path / "truncating"
    shutil.copytree(embedded_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    raw.enable_truncation(16)
    raw.enable_padding(length=512)
    raw.save(str(folder / "tokenizer.json"))
    assert count_tokens(str(folder), TEXTS) == expected


def test_a_tokenizer_is_loaded_once(embedded_model: str) -> None:
    assert load_tokenizer(embedded_model) is load_tokenizer(embedded_model)
    assert load_tokenizer(embedded_model).is_fast


@pytest.mark.parametrize("broken", ["missing", "empty", "garbage"])
def test_no_such_tokenizer(broken: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    if broken != "missing":
        folder.mkdir()
    if broken == "garbage":
        (folder / "tokenizer.json").write_text("{")
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(UsageError, match="no tokenizer could be loaded"):
        load_tokenizer(str(folder))
