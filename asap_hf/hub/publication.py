"""Publish a set of files as one commit on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError, UsageError
from .changes import Changes, changes
from .commits import HeadMoved, Landed, commit, propose, pull_request, upload
from .content import Content, Files, sha256_of, size_of, text_of
from .leaks import refuse_leaks
from .loadable import require_loadable
from .manifest import MANIFEST_FILE, manifest_of, read_manifest
from .repo import MAIN, Head, Repo

PLANS = 5
"""How often a publication is planned anew because there was another commit meanwhile."""


@dataclass(frozen=True)
class Publication:
    """Files for a repo, and how they are committed."""

    repo_id: str
    """Without a namespace it is the user's own."""
    repo_type: str
    """`dataset`, `model` or `space`."""
    files: Mapping[str, Path | bytes]
    """Path in the repo → a file on disk, or its content. The manifest is added."""
    message: str
    """Title of the commit or the pull request."""
    private: bool = False
    """For a repo that does not exist yet; one that does keeps its visibility."""
    tag: str | None = None
    """A new tag for the commit."""
    create_pr: bool = False
    """Open a pull request instead of committing to main."""
    revision: str | None = None
    """A branch instead of main; made if it is not there."""
    overwrite: bool = False
    """Replace data in a dataset repo that was not published by asap-hf."""
    space_sdk: str | None = None
    """Of a Space, `gradio`, `docker` or `static`."""


@dataclass(frozen=True)
class Published:
    """Repo, commit and URL of a publication."""

    repo_id: str
    """With its namespace."""
    repo_type: str
    url: str
    """Of the repo or of the pull request."""
    commit: str
    unchanged: bool
    """Whether all of it was there before."""
    revision: str
    """Branch, or `refs/pr/<number>`."""


def describe(publication: Publication) -> str:
    """What would be published, as text. Needs neither network nor token."""
    files = files_of(publication)
    visibility = "private" if publication.private else "public unless the repo or its namespace is set to private"
    lines = [f"{publication.repo_type} {publication.repo_id}, {visibility}", ""]
    sizes = {path: size_of(content) for path, content in sorted(files.items())}
    width = max(len(path) for path in sizes)
    lines += [f"  {path:<{width}}  {_human(size):>9}" for path, size in sizes.items()]
    lines += [f"  {f'{len(sizes)} files':<{width}}  {_human(sum(sizes.values())):>9}", ""]
    lines.append(f"commit: {publication.message}")
    lines.append(f"to: {'a pull request' if publication.create_pr else publication.revision or MAIN}")
    lines.append(f"tag: {publication.tag or 'none'}")
    if "README.md" in files:
        lines += ["", text_of(files["README.md"])]
    return "\n".join(lines)


def _human(size: float) -> str:
    """Bytes in the units that the Hub shows."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def refuse_unfit(publication: Publication) -> None:
    """Run every check of `push` that needs neither network nor token.

    Raises:
        [`UsageError`]: if the files hold a secret, the card does not fit the data, or the fields do not go together.
    """
    if publication.create_pr and (publication.revision or publication.tag):
        raise UsageError("a pull request goes to main and has no tag: drop create_pr, or revision and tag")
    refuse_leaks(publication.files)
    if publication.repo_type == "dataset":
        require_loadable(publication.files)


def push(publication: Publication) -> Published:
    """Publish: the repo is made if need be, and one commit makes it hold these files and none of the former version's
    others. At any moment it holds either version, whole; made again after any failure, the same call goes on.

    Returns:
        [`Published`]: with `unchanged` where there was nothing to do.

    Raises:
        [`UsageError`]: before anything is sent, if the files hold a secret or the card does not fit the data; before
            anything is changed, if the token may not write, a public repo was to be private, the tag is taken, or a
            dataset repo holds other data.
        [`RunError`]: if the Hub cannot be reached or does not stop refusing.
    """
    refuse_unfit(publication)
    repo = Repo(publication.repo_id, publication.repo_type)
    make_repo(repo, publication.private, publication.space_sdk)
    landed, unchanged = (_propose if publication.create_pr else _commit)(repo, publication)
    return Published(repo.id, repo.type, landed.url, landed.commit, unchanged, landed.revision)


def make_repo(repo: Repo, private: bool, space_sdk: str | None = None) -> None:
    """Make the repo if it does not exist.

    Raises:
        [`UsageError`]: if it exists and is public, and `private` is asked for.
    """
    head = repo.head()
    if head is None:
        repo.create(private, space_sdk)
        head = _there(repo, MAIN)
    if private and not head.private:
        raise UsageError(f"{repo.name} is there and is public; make it private in its settings, or drop --private")


def _there(repo: Repo, revision: str) -> Head:
    head = repo.head(revision)
    if head is None:
        raise RunError(f"{revision} of {repo.name} cannot be seen although it was just made; try again in a minute")
    return head


def _commit(repo: Repo, publication: Publication, plans: int = PLANS) -> tuple[Landed, bool]:
    """Where the publication is, and whether it was there before."""
    revision, files = publication.revision or MAIN, files_of(publication)
    head = repo.head(revision)
    if head is None:
        repo.create_branch(revision)
        head = _there(repo, revision)
    todo = _changes(repo, head, files, publication.overwrite)
    if publication.tag:
        _refuse_taken_tag(repo, publication.tag, None if todo else head.commit)
    landed = Landed(head.commit, revision, repo.url)
    if todo:
        words = (publication.message, f"asap-hf manifest {_digest(publication)}")
        try:
            landed = commit(repo, _operations(repo, files, todo, revision), words, revision, head.commit)
        except HeadMoved:
            if plans == 1:
                raise
            return _commit(repo, publication, plans - 1)
    if publication.tag:
        repo.tag(publication.tag, landed.commit)
    return landed, not todo


def _propose(repo: Repo, publication: Publication) -> tuple[Landed, bool]:
    """The pull request, and whether it was open before."""
    files, head = files_of(publication), _there(repo, MAIN)
    digest = _digest(publication)
    words = (f"{publication.message} [{digest[:12]}]", f"asap-hf manifest {digest}")
    if (open_already := pull_request(repo, words[0])) is not None:
        return open_already, True
    todo = _changes(repo, head, files, publication.overwrite)
    if not todo:
        return Landed(head.commit, MAIN, repo.url), True
    return propose(repo, _operations(repo, files, todo, MAIN, create_pr=True), words, head.commit), False


def _changes(repo: Repo, head: Head, files: Files, overwrite: bool) -> Changes:
    former = read_manifest(repo.read(MANIFEST_FILE, head.commit)) if MANIFEST_FILE in head.files else {}
    return changes(files, head.files, former.keys(), repo.type, overwrite)


def _operations(repo: Repo, files: Files, todo: Changes, revision: str, create_pr: bool = False) -> list[Any]:
    from huggingface_hub import CommitOperationDelete

    written = upload(repo, {path: files[path] for path in todo.written}, revision, create_pr)
    # Deletions first: a file may become a folder.
    return [*(CommitOperationDelete(path) for path in todo.deleted), *written]


def _refuse_taken_tag(repo: Repo, tag: str, commit: str | None) -> None:
    there = repo.tags().get(tag)
    if there not in (None, commit):
        raise UsageError(
            f"the tag {tag} of {repo.name} is on commit {there} already; choose another, or delete it there"
        )


def files_of(publication: Publication) -> dict[str, Content]:
    """What stands in the repo afterwards: the manifest, too, but a Space is its folder as it stands."""
    if publication.repo_type == "space":
        return dict(publication.files)
    return {**publication.files, MANIFEST_FILE: manifest_of(publication.files)}


def _digest(publication: Publication) -> str:
    """One hash of all of the content."""
    return sha256_of(manifest_of(publication.files))
