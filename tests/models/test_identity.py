"""Which model it is: the same wherever it lies, another one when anything that decides about scores changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from asap_hf.errors import RunError, UsageError
from asap_hf.models.identity import model_identity
from asap_hf.scoring.surprisal import SurprisalScorer

from ..tiny_models import save_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    model_identity.cache_clear()
    yield
    model_identity.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(3_000_000))
    return folder


def revision(folder: Path) -> str:
    model_identity.cache_clear()
    return model_identity(str(folder)).revision


def test_a_folder_is_itself_wherever_it_lies(folder: Path) -> None:
    before = revision(folder)
    (folder / "README.md").write_text("about it")
    moved = folder.with_name("moved")
    shutil.copytree(folder, moved)
    assert revision(moved) == before
    assert model_identity(str(folder)).key == model_identity(str(moved)).key


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja"])
def test_settings_and_tokenizer_count(folder: Path, name: str) -> None:
    before = revision(folder)
    (folder / name).write_text('{"changed": true}')
    assert revision(folder) != before


@pytest.mark.parametrize("place", [0, 1_500_000, 2_999_999], ids=["first", "middle", "last"])
def test_weights_count(folder: Path, place: int) -> None:
    before = revision(folder)
    weights = bytearray(3_000_000)
    weights[place // 65536 * 65536 : place + 65536] = b"\1" * len(weights[place // 65536 * 65536 : place + 65536])
    (folder / "model.safetensors").write_bytes(weights)
    assert revision(folder) != before


def test_a_name_is_the_commit_in_the_cache_without_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "hub" / "models--someone--tiny"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    save_model(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    identity = model_identity("someone/tiny")
    assert (identity.revision, identity.commit, identity.key) == (COMMIT, COMMIT, f"someone/tiny@{COMMIT}")
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    scorer = SurprisalScorer("someone/tiny", dtype="float32")
    assert scorer.fingerprint["revision"] == COMMIT
    with pytest.raises(RunError, match=r"'someone/tiny' at revision 'v2' is not in the local cache"):
        model_identity("someone/tiny", "v2")
    with pytest.raises(RunError, match="not in the local cache"):
        model_identity("someone/other")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        model_identity(str(tmp_path / "nowhere" / "at" / "all"))
