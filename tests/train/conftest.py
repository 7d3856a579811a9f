"""Models that the tests share: tokenizer, chat template and configuration, no weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import trl
from transformers import AutoTokenizer

from tests.tiny_models import byte_level_tokenizer, tiny_llama

from .rows import MODELS, R1, SHARED, model_folder


@pytest.fixture(scope="session")
def embedded(embedded_model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The embedded model's."""
    return model_folder("embedded", embedded_model, tmp_path_factory.mktemp("models") / "embedded")


@pytest.fixture(scope="session")
def r1(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """DeepSeek-R1-Distill's; where that is not at hand, its chat template on the embedded one."""
    folder = model_folder(
        R1 if (SHARED / R1).exists() else "embedded", embedded, tmp_path_factory.mktemp("models") / "r1"
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    template = Path(str(trl.__file__)).parent / "chat_templates" / "deepseek_r1_distill.jinja"
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    tokenizer.add_special_tokens({"eos_token": "<｜end▁of▁sentence｜>"})  # what the template ends an answer with
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    """Each of the real tokenizers at hand."""
    return str(request.getfixturevalue("embedded" if request.param == "embedded" else "r1"))


@pytest.fixture(scope="session")
def with_bos(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One that puts a BOS in front of every text, as Llama's does."""
    folder = tmp_path_factory.mktemp("models") / "bos"
    byte_level_tokenizer().save_pretrained(folder)
    tiny_llama().save_pretrained(folder)
    return str(folder)
