"""Compute what one commit has to write and delete so that a repo holds a publication and no stale file."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import UsageError
from .content import Content, Files, git_sha1_of, sha256_of

# What `load_dataset` reads rows from. With other columns than the card says, such a file makes the repo unloadable
# (huggingface/datasets issue 8608).
_DATA = {"parquet", "arrow", "feather", "orc", "jsonl", "ndjson", "csv", "tsv", "h5", "hdf5", "lance", "tar", "zip"}
# Older ways to say what the card's YAML says now; they contradict it.
_LEGACY = ("dataset_infos.json", ".huggingface.yaml")
_NEVER_DELETED = ("README.md", ".gitattributes", "LICENSE")


@dataclass(frozen=True)
class Stored:
    """A file as the Hub has it."""

    name: str
    """By its content: the sha256 of a large file (LFS), git's sha1 of a small one."""
    size: int
    """Bytes."""

    def holds(self, content: Content) -> bool:
        """Whether its content is equal to this."""
        return self.name == (sha256_of(content) if len(self.name) == 64 else git_sha1_of(content))


@dataclass(frozen=True)
class Changes:
    """Paths to write and paths to delete, in the order of their names."""

    written: tuple[str, ...]
    deleted: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.written or self.deleted)


def changes(
    files: Files,
    there: Mapping[str, Stored],
    former: Set[str],
    repo_type: str,
    overwrite: bool = False,
) -> Changes:
    """Compare a publication with a repo.

    Deleted is what the former publication had and this one has not, and in a dataset repo what contradicts the card.
    All else that the repo holds stays, and so do `README.md`, `.gitattributes` and `LICENSE`.

    Args:
        files (`Mapping[str, Path | bytes]`):
            What is to be there, with its manifest.
        there (`Mapping[str, Stored]`):
            What is there.
        former (`Set[str]`):
            Paths that the repo's own manifest names.
        repo_type (`str`):
            `dataset`, `model` or `space`.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace the data files of a dataset that is not ours.

    Raises:
        [`UsageError`]: if the repo holds data files that no manifest of ours names, and `overwrite` is false.
    """
    written = [path for path, content in files.items() if path not in there or not there[path].holds(content)]
    deleted = (former & there.keys()) - files.keys() - {*_NEVER_DELETED}
    if repo_type == "dataset":
        foreign = {path for path in there if is_data(path)} - former - (files.keys() - {*written})
        if foreign and not overwrite:
            some = ", ".join(sorted(foreign)[:3]) + (" …" if len(foreign) > 3 else "")
            raise UsageError(
                f"the repo already holds data that asap-hf did not publish ({some}); choose another repo, or replace "
                "that data with overwrite"
            )
        deleted |= (foreign | ({*_LEGACY} & there.keys())) - files.keys()
    return Changes(tuple(sorted(written)), tuple(sorted(deleted)))


def is_data(path: str) -> bool:
    """Whether rows of a dataset could be read from the file, compressed or not."""
    return any(suffix[1:].lower() in _DATA for suffix in PurePosixPath(path).suffixes[-2:])
