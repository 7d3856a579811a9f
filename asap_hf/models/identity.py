"""The identity of a model, found without loading it: a part of the key that scores are stored under."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import RunError, UsageError
from .embedded import resolve_model

_WEIGHTS = {".safetensors", ".bin", ".gguf", ".pt"}
_SETTINGS = {".json", ".jinja", ".model", ".txt", ".tiktoken"}
_BLOCK = 64 * 1024
_BLOCKS = 16


@dataclass(frozen=True)
class ModelIdentity:
    """A model at one revision.

    Args:
        name (`str`):
            What records call it: the Hub id, `"embedded"`, or a folder's own name, since records are published and say
            nothing about the machine.
        path (`str`):
            Hub id or folder to load it from.
        revision (`str`):
            Commit on the Hub; for a folder a hash of its content, which goes with the folder wherever it is moved.
        commit (`str`, *optional*):
            The revision to load; `None` for a folder.
    """

    name: str
    path: str
    revision: str
    commit: str | None

    @property
    def key(self) -> str:
        """A text that no other model has, for the ledger's keys."""
        return self.revision if self.commit is None else f"{self.path}@{self.commit}"


@cache
def model_identity(name: str, revision: str | None = None) -> ModelIdentity:
    """Find a model and fix its revision, once per process.

    Args:
        name (`str`):
            Hub id, folder, or `"embedded"`.
        revision (`str`, *optional*):
            Branch, tag or commit on the Hub.

    Raises:
        [`UsageError`]: if there is no such model.
        [`RunError`]: if the Hub cannot be reached and the model is not in the cache.
    """
    path = resolve_model(name)
    if Path(path).is_dir():
        shown = name if name == "embedded" else Path(path).resolve().name
        return ModelIdentity(shown, path, _content_hash(Path(path)), None)
    commit = _commit(path, revision)
    return ModelIdentity(name, path, commit, commit)


def _commit(repository: str, revision: str | None) -> str:
    """The commit that the Hub, or without it the local cache, has for a revision: the cache's folder for its files."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    at = f" at revision {revision!r}" if revision else ""
    try:
        return Path(hf_hub_download(repository, "config.json", revision=revision)).parent.name
    except LocalEntryNotFoundError as error:
        raise RunError(
            f"the model {repository!r}{at} is not in the local cache, and the Hub cannot be reached: give a folder"
        ) from error
    except GatedRepoError as error:
        raise UsageError(f"the model {repository!r} is gated: accept its terms on the Hub and log in") from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError, EntryNotFoundError) as error:
        raise UsageError(
            f"there is no model {repository!r}{at}: give the id of one on the Hub, or a folder that holds one"
        ) from error


def _content_hash(folder: Path) -> str:
    """A hash over configuration and tokenizer, and over names, sizes and samples of the weights."""
    if not (folder / "config.json").is_file():
        raise UsageError(f"the folder {folder} holds no model: there is no config.json in it")
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _SETTINGS:
            digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        elif path.suffix in _WEIGHTS:
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + _sampled(path))
    return digest.hexdigest()


def _sampled(path: Path) -> bytes:
    """A hash over blocks spread evenly through a file, its beginning and its end among them."""
    digest, last = hashlib.sha256(), max(0, path.stat().st_size - _BLOCK)
    with path.open("rb") as file:
        for block in range(_BLOCKS):
            file.seek(last * block // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
    return digest.digest()
