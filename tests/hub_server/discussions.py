"""Discussions and pull requests."""

from __future__ import annotations

from typing import Any

from tests.hub_server.access import may_write, readable
from tests.hub_server.errors import HubError
from tests.hub_server.history import Discussion, Repo
from tests.hub_server.web import Answer, Request, Route, answer_json


def discussions(request: Request, kind: str, id: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    asked = {name: values[-1] for name, values in request.query.items()}
    wanted = {"pull_request": [True], "discussion": [False]}.get(asked.get("type", ""), [True, False])
    closed, status = ("closed", "merged"), asked.get("status", "all")
    found = [
        brief(repo, one)
        for one in reversed(repo.discussions)
        if one.is_pull_request in wanted
        and (status == "all" or (one.status in closed) == (status == "closed"))
        and asked.get("author", one.author) == one.author
    ]
    return answer_json({"discussions": found, "count": len(found), "start": 0})


def brief(repo: Repo, one: Discussion) -> dict[str, Any]:
    """A discussion as the list has it."""
    return {
        "num": one.num,
        "title": one.title,
        "status": one.status,
        "author": {"name": one.author},
        "createdAt": one.date,
        "isPullRequest": one.is_pull_request,
        "repo": {"name": repo.id, "type": repo.kind},
    }


def discussion(request: Request, kind: str, id: str, num: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    if not 1 <= int(num) <= len(repo.discussions):
        raise HubError(404, "Discussion not found")
    one = repo.discussions[int(num) - 1]
    comment = {"edited": False, "hidden": False, "latest": {"raw": one.description, "html": one.description}}
    events = [_event("comment", f"{one.num:x}", one.author, one.date, {**comment, "history": []})]
    details: dict[str, Any] = {**brief(repo, one), "events": events}
    if one.is_pull_request:
        landed = [commit for commit in list(repo.commits.values()) if commit.ref == f"refs/pr/{num}"]
        events += [_event("commit", c.oid, c.author, c.date, {"subject": c.title, "oid": c.oid}) for c in landed]
        details |= {"changes": {"base": "refs/heads/main"}, "filesWithConflicts": []}
    return answer_json(details)


def _event(kind: str, event_id: str, author: str, date: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": event_id, "type": kind, "author": {"name": author}, "createdAt": date, "data": data}


def open_discussion(request: Request, kind: str, id: str) -> Answer:
    repo, token, body = (
        readable(request.store, kind, id, request.token),
        may_write(id, request.token, True),
        request.json,
    )
    words = (body["title"], body.get("description") or "", token.user)
    opened = request.store.open_pull_request if body.get("pullRequest") else request.store.open_discussion
    return answer_json(brief(repo, opened(repo, *words)))


ROUTES: list[Route] = [
    ("GET", "/api/{kind}s/{id}/discussions", discussions),
    ("POST", "/api/{kind}s/{id}/discussions", open_discussion),
    ("GET", "/api/{kind}s/{id}/discussions/{num}", discussion),
]
