"""Who may do what: the test Hub's tokens, users and namespaces."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from typing import Any

from tests.hub_server.errors import HubError, not_found
from tests.hub_server.history import Repo
from tests.hub_server.store import Store


@dataclass(frozen=True)
class Token:
    """A token and what it may do."""

    text: str
    user: str
    role: str
    """`write`, `read` or `fineGrained`."""
    reads: tuple[str, ...]
    """Namespaces whose private repositories it sees."""
    writes: tuple[str, ...]
    """Namespaces in which it may create and commit."""


def _text(role: str) -> str:
    # As long and as mixed as a real one, and made here so that no scanner finds a token in this file.
    letters = random.Random(role).choices(string.ascii_letters, k=34 - len(role))
    return f"hf_{role}{''.join(letters)}"


ORGANISATIONS = {"me": ("org",), "you": ()}
"""User → organisations."""

WRITE = Token(_text("write"), "me", "write", ("me", "org"), ("me", "org"))
READ = Token(_text("read"), "me", "read", ("me", "org"), ())
FINE = Token(_text("fine"), "me", "fineGrained", ("me", "org"), ("org",))
OTHER = Token(_text("other"), "you", "write", ("you",), ("you",))
TOKENS = {token.text: token for token in (WRITE, READ, FINE, OTHER)}


def token_of(header: str | None) -> Token | None:
    """The token of an `Authorization` header; `None` for a request without one."""
    if not header:
        return None
    token = TOKENS.get(header.removeprefix("Bearer "))
    if token is None:
        raise HubError(401, "Invalid credentials in Authorization header")
    return token


def logged_in(token: Token | None) -> Token:
    """The token, which must be there."""
    if token is None:
        raise HubError(401, "Invalid username or password.")
    return token


def readable(store: Store, kind: str, repo_id: str, token: Token | None) -> Repo:
    """A repository that the token may see; what it may not see does not exist."""
    repo = store.repos.get((kind, repo_id))
    if repo is not None and (not repo.private or (token and namespace(repo_id) in token.reads)):
        return repo
    raise no_repo(token)


def no_repo(token: Token | None) -> HubError:
    """The Hub does not tell a stranger whether logging in would help."""
    return not_found("Repo") if token else HubError(401, "Invalid username or password.", "RepoNotFound")


def writable(store: Store, kind: str, repo_id: str, token: Token | None, by_pull_request: bool = False) -> Repo:
    """A repository that the token may write to; anybody who may write at all may propose a pull request."""
    repo = readable(store, kind, repo_id, token)
    may_write(repo_id, token, by_pull_request)
    return repo


def may_write(repo_id: str, token: Token | None, by_pull_request: bool = False) -> Token:
    """The token, if it may write to the namespace."""
    token = logged_in(token)
    if not token.writes:
        raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
    if namespace(repo_id) not in token.writes and not by_pull_request:
        raise HubError(
            403, f"Forbidden: you don't have the rights to write under the namespace {namespace(repo_id)!r}"
        )
    return token


def namespace(repo_id: str) -> str:
    """User or organisation."""
    return repo_id.split("/")[0]


def identity(token: Token) -> dict[str, Any]:
    """What `whoami-v2` tells."""
    organisations = [
        {"type": "org", "id": f"id-{name}", "name": name, "fullname": name} for name in ORGANISATIONS[token.user]
    ]
    access: dict[str, Any] = {"displayName": "tests", "role": token.role, "createdAt": "2026-01-01T00:00:00.000Z"}
    if token.role == "fineGrained":
        scoped = [
            {"entity": {"type": "org", "name": name}, "permissions": ["repo.content.read", "repo.write"]}
            for name in token.writes
        ]
        access["fineGrained"] = {"canReadGatedRepos": False, "global": [], "scoped": scoped}
    return {
        "type": "user",
        "id": f"id-{token.user}",
        "name": token.user,
        "fullname": token.user.title(),
        "email": f"{token.user}@example.org",
        "emailVerified": True,
        "isPro": False,
        "orgs": organisations,
        "auth": {"type": "access_token", "accessToken": access},
    }
