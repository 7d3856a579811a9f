"""A repository's past: commits as an immutable chain, and the references that move along it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub_server.errors import HubError, not_found


@dataclass(frozen=True)
class Blob:
    """One content."""

    oid: str
    """Git's sha1; of an LFS file, that of its pointer."""
    size: int
    """Bytes of the content, also of an LFS file."""
    place: Path
    sha256: str = ""
    """Of an LFS file; empty for a regular one."""

    @property
    def etag(self) -> str:
        """What the client compares with its own hash of the content."""
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Commit:
    """One state of all files, and where it came from."""

    oid: str
    parent: str | None
    ref: str
    """The reference that it landed on."""
    title: str
    description: str
    author: str
    date: str
    files: Mapping[str, Blob]

    def under(self, folder: str) -> dict[str, Blob]:
        """Files below a folder, by full path; all of them for `""`."""
        prefix = f"{folder}/" if folder else ""
        return {path: blob for path, blob in self.files.items() if path.startswith(prefix)}


@dataclass
class Discussion:
    """A discussion or a pull request."""

    num: int
    title: str
    description: str
    author: str
    date: str
    is_pull_request: bool
    status: str = "open"


@dataclass
class Repo:
    """One repository. Whoever changes it holds the store's lock."""

    kind: str
    id: str
    private: bool
    date: str
    sdk: str = ""
    commits: dict[str, Commit] = field(default_factory=dict)
    """Every commit in the order of landing."""
    refs: dict[str, str] = field(default_factory=dict)
    """Full name (`refs/heads/main`, `refs/tags/v1`, `refs/pr/1`) → commit."""
    discussions: list[Discussion] = field(default_factory=list)
    lfs: dict[str, Blob] = field(default_factory=dict)
    """sha256 → content uploaded to this repository."""

    @property
    def prefix(self) -> str:
        """What its addresses begin with."""
        return "" if self.kind == "model" else f"{self.kind}s/"

    def ref_of(self, revision: str) -> str:
        """Full name of a reference that can be committed to, or the revision as it is."""
        return revision if revision.startswith("refs/") else f"refs/heads/{revision}"

    def commit_at(self, revision: str) -> Commit:
        """The commit that a branch, tag, pull request or hash names."""
        for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if name in self.refs:
                return self.commits[self.refs[name]]
        if revision in self.commits:
            return self.commits[revision]
        raise not_found("Revision")

    def chain(self, commit: Commit) -> Iterator[Commit]:
        """The commit, its parent, and so on to the first."""
        while True:
            yield commit
            if commit.parent is None:
                return
            commit = self.commits[commit.parent]

    def last_change(self, commit: Commit, path: str) -> Commit:
        """The newest commit up to this one that changed a file or folder."""

        def content(one: Commit) -> dict[str, Blob]:
            return {name: blob for name, blob in one.files.items() if name == path or name.startswith(f"{path}/")}

        for older in self.chain(commit):
            if content(older) != content(commit):
                break
            commit = older
        return commit


@dataclass(frozen=True)
class Change:
    """One line of a commit: a file set to a content, or, without one, a file or folder deleted."""

    path: str
    blob: Blob | None = None
    is_folder: bool = False


def changed(files: Mapping[str, Blob], changes: Iterable[Change]) -> dict[str, Blob]:
    """The files after the changes."""
    after = dict(files)
    for change in changes:
        if change.blob is not None:
            after[checked(change.path)] = change.blob
            continue
        gone = [
            p for p in after if p == change.path or (change.is_folder and p.startswith(f"{change.path.rstrip('/')}/"))
        ]
        if not gone:
            raise HubError(404, f"A file with this name doesn't exist: {change.path}", "EntryNotFound")
        for path in gone:
            del after[path]
    folders = {str(parent) for path in after for parent in Path(path).parents}
    if clash := folders & after.keys():
        raise HubError(400, f"{min(clash)} would be both a file and a folder")
    return after


def checked(path: str) -> str:
    """A path that git can hold."""
    parts = path.split("/")
    if not all(parts) or {".", "..", ".git"} & set(parts) or "\\" in path:
        raise HubError(400, f"Invalid path: {path!r}")
    return path
