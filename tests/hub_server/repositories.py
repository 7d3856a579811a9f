"""Repositories, their references, and the account they belong to."""

from __future__ import annotations

from typing import Any

from tests.hub_server.access import identity, logged_in, may_write, no_repo, readable, writable
from tests.hub_server.cards import metadata, yaml_errors
from tests.hub_server.content import pointer_size
from tests.hub_server.errors import HubError, not_found
from tests.hub_server.web import Answer, Request, Route, answer_json


def whoami(request: Request) -> Answer:
    return answer_json(identity(logged_in(request.token)))


def validate_yaml(request: Request) -> Answer:
    content, kind = request.json["content"], request.json.get("repoType", "model")
    errors = [{"message": message} for message in yaml_errors(content, kind)]
    warnings = [] if errors or metadata(content) else [{"message": "empty or missing yaml metadata in repo card"}]
    body = {"errors": errors, "warnings": warnings}
    return answer_json({**body, "error": "Invalid metadata in README.md"} if errors else body, 400 if errors else 200)


def create(request: Request) -> Answer:
    body, token = request.json, logged_in(request.token)
    kind, owner = body.get("type") or "model", body.get("organization") or token.user
    repo_id = f"{owner}/{body['name']}"
    link = {"url": f"{request.host}/{'' if kind == 'model' else f'{kind}s/'}{repo_id}"}
    may_write(repo_id, token)
    if kind not in ("model", "dataset", "space"):
        raise HubError(400, f"Invalid repo type: {kind}")
    if kind == "space" and body.get("sdk") not in ("gradio", "docker", "static"):
        raise HubError(400, '"sdk" must be one of [gradio, docker, static]')
    private = body.get("visibility") == "private" or bool(body.get("private"))
    try:
        request.store.create(kind, repo_id, private, token.user, body.get("sdk") or "")
    except HubError as error:
        error.more = link
        raise
    return answer_json({**link, "name": repo_id, "id": repo_id})


def delete(request: Request) -> Answer:
    body, token = request.json, logged_in(request.token)
    kind, repo_id = body.get("type") or "model", f"{body.get('organization') or token.user}/{body['name']}"
    with request.store.lock:
        writable(request.store, kind, repo_id, token)
        del request.store.repos[kind, repo_id]
    return Answer()


def settings(request: Request, kind: str, id: str) -> Answer:
    repo = writable(request.store, kind, id, request.token)
    if "visibility" in request.json or "private" in request.json:
        repo.private = request.json.get("visibility") == "private" or bool(request.json.get("private"))
    return answer_json({"private": repo.private})


def info(request: Request, kind: str, id: str, rev: str = "main") -> Answer:
    repo = readable(request.store, kind, id, request.token)
    commit = repo.commit_at(rev)
    card = metadata(commit.files["README.md"].place.read_text(encoding="utf-8")) if "README.md" in commit.files else {}
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in commit.files]
    if request.flag("blobs"):
        for sibling, blob in zip(siblings, commit.files.values(), strict=True):
            sibling |= {"size": blob.size, "blobId": blob.oid}
            if blob.sha256:
                sibling["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": pointer_size(blob)}
    found = {
        "id": id,
        "author": id.split("/")[0],
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": repo.date,
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": card.get("tags") or [],
        "cardData": card,
        "siblings": siblings,
    }
    if kind == "model":
        found |= {"modelId": id} | {key: card[key] for key in ("pipeline_tag", "library_name") if key in card}
    if kind == "space":
        found["sdk"] = card.get("sdk") or repo.sdk
    wanted = request.query.get("expand", found)
    return answer_json({key: value for key, value in found.items() if key == "id" or key in wanted})


def without_namespace(request: Request, **_: str) -> Answer:
    """Repositories such as `gpt2`: there are none here."""
    raise no_repo(request.token)


def auth_check(request: Request, kind: str, id: str) -> Answer:
    readable(request.store, kind, id, request.token)
    return answer_json({})


def auth_check_write(request: Request, kind: str, id: str) -> Answer:
    writable(request.store, kind, id, request.token)
    return answer_json({})


def commits(request: Request, kind: str, id: str, rev: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    return answer_json(
        [
            {"id": one.oid, "title": one.title, "message": one.description, "date": one.date}
            | {"authors": [{"user": one.author}]}
            for one in repo.chain(repo.commit_at(rev))
        ]
    )


def refs(request: Request, kind: str, id: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)

    def under(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": oid}
            for ref, oid in sorted(repo.refs.items())
            if ref.startswith(prefix)
        ]

    found = {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": []}
    if request.flag("include_prs"):
        found["pullRequests"] = under("refs/pr/")
    return answer_json(found)


def create_branch(request: Request, kind: str, id: str, rev: str) -> Answer:
    return _create_ref(request, kind, id, "refs/heads/", rev, request.json.get("startingPoint") or "main")


def create_tag(request: Request, kind: str, id: str, rev: str) -> Answer:
    return _create_ref(request, kind, id, "refs/tags/", request.json["tag"], rev)


def _create_ref(request: Request, kind: str, id: str, prefix: str, name: str, start: str) -> Answer:
    repo = writable(request.store, kind, id, request.token)
    if name.startswith(("refs/", "-")) or not name or " " in name:
        raise HubError(400, f"Invalid reference name: {name!r}")
    with request.store.lock:
        if prefix + name in repo.refs:
            raise HubError(409, f"Reference already exists: {prefix}{name}")
        repo.refs[prefix + name] = repo.commit_at(start).oid
    return Answer()


def delete_branch(request: Request, kind: str, id: str, rev: str) -> Answer:
    if rev == "main":
        raise HubError(403, "The main branch cannot be deleted")
    return _delete_ref(request, kind, id, f"refs/heads/{rev}")


def delete_tag(request: Request, kind: str, id: str, rev: str) -> Answer:
    return _delete_ref(request, kind, id, f"refs/tags/{rev}")


def _delete_ref(request: Request, kind: str, id: str, ref: str) -> Answer:
    repo = writable(request.store, kind, id, request.token)
    with request.store.lock:
        if ref not in repo.refs:
            raise not_found("Revision")
        del repo.refs[ref]
    return Answer()


def space_runtime(request: Request, kind: str, id: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    stage = "RUNNING" if "app.py" in repo.commit_at("main").files else "NO_APP_FILE"
    return answer_json({"stage": stage, "hardware": {"current": None, "requested": None}, "storage": None})


ROUTES: list[Route] = [
    ("GET", "/api/whoami-v2", whoami),
    ("POST", "/api/validate-yaml", validate_yaml),
    ("POST", "/api/repos/create", create),
    ("DELETE", "/api/repos/delete", delete),
    ("GET", "/api/{kind}s/{id}", info),
    ("GET", "/api/{kind}s/{id}/revision/{rev}", info),
    ("GET", "/api/{kind}s/{name}", without_namespace),
    ("GET", "/api/{kind}s/{name}/revision/{rev}", without_namespace),
    ("GET", "/{prefix}{name}/resolve/{rev}/{path}", without_namespace),
    ("PUT", "/api/{kind}s/{id}/settings", settings),
    ("GET", "/api/{kind}s/{id}/auth-check", auth_check),
    ("GET", "/api/{kind}s/{id}/auth-check/write", auth_check_write),
    ("GET", "/api/{kind}s/{id}/commits/{rev}", commits),
    ("GET", "/api/{kind}s/{id}/refs", refs),
    ("POST", "/api/{kind}s/{id}/branch/{rev}", create_branch),
    ("DELETE", "/api/{kind}s/{id}/branch/{rev}", delete_branch),
    ("POST", "/api/{kind}s/{id}/tag/{rev}", create_tag),
    ("DELETE", "/api/{kind}s/{id}/tag/{rev}", delete_tag),
    ("GET", "/api/{kind}s/{id}/runtime", space_runtime),
]
