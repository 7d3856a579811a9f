"""What the test Hub holds: contents by hash and repositories by name."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import IO

from tests.hub_server.errors import HubError, not_found
from tests.hub_server.history import Blob, Change, Commit, Discussion, Repo, changed

_CHUNK = 1 << 20

# What the Hub writes into each new repository; shortened to what this project's tests may meet.
_LFS_SUFFIXES = "7z arrow bin bz2 ckpt gguf gz h5 npy npz onnx ot parquet pkl pt pth safetensors tar tgz xz zip zst"
GITATTRIBUTES = "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in _LFS_SUFFIXES.split())


class Store:
    """Everything the Hub holds. `lock` makes a commit atomic; contents are written outside of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.repos: dict[tuple[str, str], Repo] = {}
        self.uploads: dict[str, tuple[Repo, str, int]] = {}
        """Ticket → repository, sha256 and size of an LFS upload that was announced."""
        self._numbers = count()

    def clear(self) -> None:
        """Forget every repository; contents stay on disk, where equal ones are found again."""
        with self.lock:
            self.repos.clear()
            self.uploads.clear()

    def create(self, kind: str, repo_id: str, private: bool, author: str, sdk: str = "") -> Repo:
        """A new repository with the commit that the Hub itself makes."""
        with self.lock:
            if (kind, repo_id) in self.repos:
                raise HubError(409, f"You already created this {kind} repo: {repo_id}")
            repo = Repo(kind, repo_id, private, now(), sdk)
            files = {".gitattributes": self.write(GITATTRIBUTES.encode())}
            if kind == "space":
                card = f"---\ntitle: {repo_id.split('/')[1]}\nsdk: {sdk}\napp_file: app.py\npinned: false\n---\n"
                files["README.md"] = self.write(card.encode())
            self._land(repo, "refs/heads/main", None, ("initial commit", "", author), files)
            self.repos[kind, repo_id] = repo  # last: readers take no lock
            return repo

    def write(self, content: bytes) -> Blob:
        """Store a regular file."""
        oid = git_hash(content)
        place = self.folder / oid
        if not place.exists():
            partial = self._partial()
            partial.write_bytes(content)
            os.replace(partial, place)
        return Blob(oid, len(content), place)

    def write_lfs(self, content: IO[bytes], sha256: str, size: int) -> Blob:
        """Store an LFS file, if it is what was announced."""
        digest, partial = hashlib.sha256(), self._partial()
        with partial.open("wb") as file:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if (digest.hexdigest(), partial.stat().st_size) != (sha256, size):
            partial.unlink()
            raise HubError(400, "The upload is not what was announced: its sha256 or its size differs")
        os.replace(partial, self.folder / sha256)
        return Blob(git_hash(pointer(sha256, size)), size, self.folder / sha256, sha256)

    def _partial(self) -> Path:
        return self.folder / f"partial-{next(self._numbers)}"

    def commit(
        self, repo: Repo, revision: str, changes: Iterable[Change], words: tuple[str, str, str], parent: str | None
    ) -> Commit:
        """Land all changes on a branch or pull request, or none of them.

        Args:
            repo (`Repo`):
                Where.
            revision (`str`):
                Name of a branch, or `refs/pr/1`.
            changes (`Iterable[Change]`):
                Applied in order.
            words (`tuple[str, str, str]`):
                Title, description, author.
            parent (`str`, *optional*):
                The commit that the writer has seen; another head is refused.
        """
        with self.lock:
            ref = repo.ref_of(revision)
            if ref not in repo.refs:
                raise not_found("Revision")
            head = repo.commits[repo.refs[ref]]
            if parent is not None and parent != head.oid:
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            return self._land(repo, ref, head.oid, words, changed(head.files, changes))

    def propose(
        self, repo: Repo, base: str, changes: Iterable[Change], words: tuple[str, str, str], parent: str | None
    ) -> tuple[Commit, int]:
        """Open a pull request with one commit on top of `base`; returns the commit and the request's number."""
        with self.lock:
            head = repo.commit_at(base)
            if parent is not None and parent != head.oid:
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            files = changed(head.files, changes)
            num = self.open_discussion(repo, *words, is_pull_request=True).num
            return self._land(repo, f"refs/pr/{num}", head.oid, words, files), num

    def open_pull_request(self, repo: Repo, title: str, description: str, author: str) -> Discussion:
        """A pull request to main without a commit of its own."""
        with self.lock:
            draft = self.open_discussion(repo, title, description, author, is_pull_request=True)
            draft.status = "draft"
            repo.refs[f"refs/pr/{draft.num}"] = repo.refs["refs/heads/main"]
            return draft

    def open_discussion(
        self, repo: Repo, title: str, description: str, author: str, is_pull_request: bool = False
    ) -> Discussion:
        """The next number of the repository."""
        with self.lock:
            num = len(repo.discussions) + 1
            repo.discussions.append(Discussion(num, title, description, author, now(), is_pull_request))
            return repo.discussions[-1]

    def _land(
        self, repo: Repo, ref: str, parent: str | None, words: tuple[str, str, str], files: Mapping[str, Blob]
    ) -> Commit:
        date = now()
        named = {path: blob.oid for path, blob in files.items()}
        identity = [next(self._numbers), parent, words, date, named]  # the number keeps equal commits apart
        oid = hashlib.sha1(json.dumps(identity).encode()).hexdigest()
        commit = repo.commits[oid] = Commit(oid, parent, ref, *words, date, dict(sorted(files.items())))
        repo.refs[ref] = oid
        return commit


def git_hash(content: bytes) -> str:
    """Git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """What git stores in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def now() -> str:
    """The time as the Hub writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
