"""What only tests ask for: `/_test/…`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.hub_server.errors import HubError
from tests.hub_server.faults import Faults
from tests.hub_server.history import Blob, Repo
from tests.hub_server.store import Store
from tests.hub_server.web import Answer, Request, Route, answer_json

PREFIX = "/_test/"


@dataclass
class Control:
    """Faults and log of one server."""

    store: Store
    faults: Faults = field(default_factory=Faults)
    log: list[dict[str, Any]] = field(default_factory=list)

    def add_faults(self, request: Request) -> Answer:
        self.faults.add(request.json)
        return Answer()

    def drop_faults(self, request: Request) -> Answer:
        self.faults.drop()
        return Answer()

    def read_log(self, request: Request) -> Answer:
        return answer_json(self.log)

    def drop_log(self, request: Request) -> Answer:
        self.log.clear()
        return Answer()

    def reset(self, request: Request) -> Answer:
        self.faults.drop()
        self.log.clear()
        self.store.clear()
        return Answer()

    def repo(self, request: Request, kind: str, id: str) -> Answer:
        with self.store.lock:
            if (kind, id) not in self.store.repos:
                raise HubError(404, "No such repository")
            return answer_json(state_of(self.store.repos[kind, id]))

    def file(self, request: Request, kind: str, id: str, rev: str, path: str) -> Answer:
        """A file at any revision, unseen by log and faults."""
        with self.store.lock:
            blob = self.store.repos[kind, id].commit_at(rev).files[path]
        return Answer(file=blob.place, size=blob.size)

    @property
    def routes(self) -> list[Route]:
        return [
            ("POST", "/_test/faults", self.add_faults),
            ("DELETE", "/_test/faults", self.drop_faults),
            ("GET", "/_test/log", self.read_log),
            ("DELETE", "/_test/log", self.drop_log),
            ("POST", "/_test/reset", self.reset),
            ("GET", "/_test/repo/{kind}/{id}", self.repo),
            ("GET", "/_test/file/{kind}/{id}/{rev}/{path}", self.file),
        ]


def state_of(repo: Repo) -> dict[str, Any]:
    """Everything that ever was on main and on the other references."""

    def brief(blob: Blob) -> dict[str, Any]:
        return {"oid": blob.etag, "size": blob.size, "lfs": bool(blob.sha256)}

    def under(prefix: str) -> dict[str, str]:
        return {ref.removeprefix(prefix): oid for ref, oid in repo.refs.items() if ref.startswith(prefix)}

    commits = [
        {"oid": one.oid, "parent": one.parent, "ref": one.ref, "title": one.title, "description": one.description}
        | {"author": one.author, "files": {path: brief(blob) for path, blob in one.files.items()}}
        for one in repo.commits.values()
    ]
    found = {"id": repo.id, "type": repo.kind, "private": repo.private, "commits": commits}
    return found | {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "pull_requests": under("refs/pr/")}
