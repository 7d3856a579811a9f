"""Commit to a repo on the Hub once, also where the Hub's answer is lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UsageError
from .calls import SILENCE, calling_the_hub, status_of
from .content import Files
from .repo import MAIN, Repo

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd

_MOVED = (409, 412)  # "a commit has happened since"


class HeadMoved(RunError):
    """Somebody else has committed since the head was read."""


@dataclass(frozen=True)
class Landed:
    """Where a commit is."""

    commit: str
    revision: str
    url: str
    """Of the repo or of the pull request."""


def upload(repo: Repo, files: Files, revision: str, create_pr: bool = False) -> list[CommitOperationAdd]:
    """Send the contents of large files; they are not visible before they are committed.

    Returns:
        `list[CommitOperationAdd]`: what a commit needs to know of the files.
    """
    from huggingface_hub import CommitOperationAdd

    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    options = {"revision": revision, "create_pr": create_pr, "free_memory": False}
    left = f"{revision} is as it was"
    repo.do(repo.api.preupload_lfs_files, "upload files to", left, additions=additions, **options)
    if ignored := [one.path_in_repo for one in additions if one._should_ignore]:
        raise UsageError(f"the .gitignore of {repo.name} keeps out {', '.join(ignored)}; change it there")
    return additions


def commit(repo: Repo, operations: list[Any], words: tuple[str, str], revision: str, parent: str) -> Landed:
    """Commit changes to a branch.

    Args:
        repo (`Repo`):
            Where.
        operations (`list`):
            Additions, from `upload`, and deletions.
        words (`tuple[str, str]`):
            Title and description. The description names the content: by it the commit is known again.
        revision (`str`):
            The branch.
        parent (`str`):
            The commit that the operations were made for.

    Raises:
        [`HeadMoved`]: if the branch is somewhere else by now.
    """
    tried = False

    def once() -> str:
        nonlocal tried
        if tried and (landed := _since(repo, parent, revision, words[1])):
            return landed
        tried = True
        try:
            return str(_create_commit(repo, operations, words, revision=revision, parent_commit=parent).oid)
        except Exception as error:
            if status_of(error) not in _MOVED:
                raise
            raise HeadMoved(f"somebody else commits to {repo.name} all the time; try again later") from error

    left = f"{revision} is as it was, or has the whole new version"
    return Landed(calling_the_hub(f"commit to {repo.name}", once, left), revision, repo.url)


def commit_concurrently(repo: Repo, files: Files, message: str, branch: str) -> None:
    """Add files to a branch to which other machines add theirs. Files that are there already make no commit."""

    def once() -> None:
        _create_commit(repo, upload(repo, files, branch), (message, ""), revision=branch)

    calling_the_hub(f"commit to {branch} of {repo.name}", once, also_retried=_MOVED)


def propose(repo: Repo, operations: list[Any], words: tuple[str, str], parent: str) -> Landed:
    """Open a pull request with one commit; after a lost answer it is found again by its title, which no other has."""
    tried = False

    def once() -> Landed:
        nonlocal tried
        if tried and (there := _pull_request(repo, words[0])):
            return there
        tried = True
        made = _create_commit(repo, operations, words, parent_commit=parent, create_pr=True)
        return Landed(made.oid, str(made.pr_revision), str(made.pr_url))

    left = f"{MAIN} is as it was, a pull request may have been opened"
    return calling_the_hub(f"open a pull request in {repo.name}", once, left)


def pull_request(repo: Repo, title: str) -> Landed | None:
    """The user's open pull request of this title."""
    return calling_the_hub(f"list the pull requests of {repo.name}", partial(_pull_request, repo, title))


def _pull_request(repo: Repo, title: str) -> Landed | None:
    opened = repo.api.get_repo_discussions(
        repo.id, repo_type=repo.type, author=repo.user, discussion_type="pull_request", discussion_status="open"
    )
    for one in opened:
        if one.title == title:
            revision = f"refs/pr/{one.num}"
            info: Any = repo.api.repo_info(repo.id, repo_type=repo.type, revision=revision, timeout=SILENCE)
            return Landed(str(info.sha), revision, f"{repo.url}/discussions/{one.num}")
    return None


def _since(repo: Repo, parent: str, revision: str, description: str) -> str | None:
    """The commit after `parent` that has this description."""
    commits = repo.api.list_repo_commits(repo.id, repo_type=repo.type, revision=revision)
    newer = takewhile(lambda one: one.commit_id != parent, commits)
    return next((one.commit_id for one in newer if description in one.message), None)


def _create_commit(repo: Repo, operations: list[Any], words: tuple[str, str], **options: Any) -> CommitInfo:
    title, description = words
    made: CommitInfo = repo.api.create_commit(
        repo.id, operations, commit_message=title, commit_description=description, repo_type=repo.type, **options
    )
    return made
