"""Keep files on a branch of a dataset repo until all of them are there: finished shards of a long run."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from .commits import commit_concurrently
from .leaks import refuse_leaks
from .publication import make_repo
from .repo import Repo


def stage(repo_id: str, branch: str, files: Mapping[str, Path], message: str, private: bool = False) -> None:
    """Commit files to a branch of a dataset repo that holds nothing else. Repo and branch are made if need be; several
    machines may do this at once.

    Args:
        repo_id (`str`):
            The dataset.
        branch (`str`):
            Made from the repo's first commit, so that nothing of main is in it.
        files (`Mapping[str, Path]`):
            Path in the branch → file.
        message (`str`):
            Title of the commit.
        private (`bool`, *optional*, defaults to `False`):
            For a repo that does not exist yet.
    """
    refuse_leaks(files)
    repo = Repo(repo_id, "dataset")
    if repo.head(branch) is None:
        make_repo(repo, private)
        repo.create_branch(branch, repo.first_commit())
    commit_concurrently(repo, files, message, branch)


def staged(repo_id: str, branch: str) -> dict[str, int]:
    """Path → bytes of the files on a branch of staged files; nothing where the repo or the branch does not exist."""
    head = Repo(repo_id, "dataset").head(branch)
    return {path: one.size for path, one in head.files.items() if path != ".gitattributes"} if head else {}


def fetch_staged(repo_id: str, branch: str, paths: Collection[str], folder: Path) -> None:
    """Download staged files, each to its path below `folder`. A killed call is continued."""
    Repo(repo_id, "dataset").download(paths, branch, folder)
    shutil.rmtree(folder / ".cache" / "huggingface", ignore_errors=True)  # the client's notes


def unstage(repo_id: str, branch: str) -> None:
    """Delete a branch of staged files if it exists."""
    Repo(repo_id, "dataset").delete_branch(branch)
