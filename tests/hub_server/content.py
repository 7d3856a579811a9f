"""Files: listing, reading, uploading, committing."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

from tests.hub_server.access import logged_in, readable, writable
from tests.hub_server.cards import yaml_errors
from tests.hub_server.errors import HubError, not_found
from tests.hub_server.history import Blob, Change, Commit, Repo
from tests.hub_server.store import pointer
from tests.hub_server.web import Answer, Request, Route, answer_error, answer_json

_REGULAR_LIMIT = 10 << 20


def tree(request: Request, kind: str, id: str, rev: str, path: str = "") -> Answer:
    repo = readable(request.store, kind, id, request.token)
    commit = repo.commit_at(rev)
    files = commit.under(path)
    if path and not files:
        raise not_found("Entry")
    names = set(files)
    depth = path.count("/") + 2 if path else 1
    folders = {"/".join(name.split("/")[:length]) for name in names for length in range(depth, name.count("/") + 1)}
    if not request.flag("recursive"):
        names = {name for name in names if name.count("/") < depth}
        folders = {name for name in folders if name.count("/") < depth}
    return answer_json([entry(repo, commit, name, request.flag("expand")) for name in sorted(names | folders)])


def paths_info(request: Request, kind: str, id: str, rev: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    commit = repo.commit_at(rev)
    form = parse_qs(request.content.decode())
    paths = [path.rstrip("/") for path in form.get("paths", [])]
    there = [path for path in paths if path and (path in commit.files or commit.under(path))]
    return answer_json([entry(repo, commit, path, form.get("expand") == ["true"]) for path in there])


def entry(repo: Repo, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    """A file or folder as a listing has it."""
    blob = commit.files.get(path)
    if blob is None:
        names = "".join(f"{name} {one.oid}\n" for name, one in commit.under(path).items())
        found: dict[str, Any] = {"type": "directory", "oid": hashlib.sha1(names.encode()).hexdigest(), "size": 0}
    else:
        found = {"type": "file", "oid": blob.oid, "size": blob.size}
        if blob.sha256:
            found["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": pointer_size(blob)}
    if expand:
        last = repo.last_change(commit, path)
        found["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return {**found, "path": path}


def pointer_size(blob: Blob) -> int:
    """Bytes that git holds of an LFS file."""
    return len(pointer(blob.sha256, blob.size))


def preupload(request: Request, kind: str, id: str, rev: str) -> Answer:
    repo = writable(request.store, kind, id, request.token, request.flag("create_pr"))
    files = repo.commit_at(rev).files
    attributes = files[".gitattributes"].place.read_text(encoding="utf-8") if ".gitattributes" in files else ""
    patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line]

    def verdict(file: dict[str, Any]) -> dict[str, Any]:
        path, there = file["path"], files.get(file["path"])
        large = is_lfs(path, file["size"], base64.b64decode(file["sample"]), patterns)
        return {
            "path": path,
            "uploadMode": "lfs" if large else "regular",
            "shouldIgnore": False,
            "oid": there.etag if there else None,
        }

    return answer_json({"files": [verdict(file) for file in request.json["files"]]})


def is_lfs(path: str, size: int, sample: bytes, patterns: list[str]) -> bool:
    """Whether the Hub keeps a file out of git: by `.gitattributes`, by its size, or because it is no text."""
    named = any(fnmatch.fnmatch(name, pattern) for pattern in patterns for name in (path, path.split("/")[-1]))
    return bool(size) and (named or size > _REGULAR_LIMIT or b"\0" in sample)


def lfs_batch(request: Request, kind: str, id: str) -> Answer:
    repo = writable(request.store, kind, id, request.token, by_pull_request="ref" not in request.json)
    if "ref" in request.json:
        repo.commit_at(request.json["ref"]["name"])

    def action(one: dict[str, Any]) -> dict[str, Any]:
        oid, size = one["oid"], one["size"]
        if oid in repo.lfs:
            return {"oid": oid, "size": size}
        ticket = secrets.token_urlsafe(16)
        request.store.uploads[ticket] = (repo, oid, size)
        verify = f"{request.host}/{repo.prefix}{id}.git/info/lfs/verify"
        actions = {"upload": {"href": f"{request.host}/lfs-upload/{ticket}"}, "verify": {"href": verify}}
        return {"oid": oid, "size": size, "authenticated": True, "actions": actions}

    return answer_json({"transfer": "basic", "objects": [action(one) for one in request.json["objects"]]})


def lfs_upload(request: Request, name: str) -> Answer:
    """The ticket in the address is the permission, as a signed address of a storage service is."""
    if name not in request.store.uploads:
        raise HubError(403, "No such upload was announced")
    repo, sha256, size = request.store.uploads[name]
    blob = request.store.write_lfs(request.body, sha256, size)
    with request.store.lock:
        repo.lfs[sha256] = blob
    return Answer(headers={"ETag": f'"{sha256}"'})


def lfs_verify(request: Request, kind: str, id: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    blob = repo.lfs.get(request.json["oid"])
    if blob is None or blob.size != request.json["size"]:
        raise HubError(404, "The content was not uploaded")
    return answer_json({"message": "ok"})


def commit(request: Request, kind: str, id: str, rev: str) -> Answer:
    create_pr, store = request.flag("create_pr"), request.store
    repo = writable(store, kind, id, request.token, create_pr)
    header, changes = commit_lines(request, repo)
    words = (header["summary"], header.get("description") or "", logged_in(request.token).user)
    answer: dict[str, Any] = {"success": True}
    if create_pr:
        landed, num = store.propose(repo, rev, changes, words, header.get("parentCommit"))
        answer["pullRequestUrl"] = f"{request.host}/{repo.prefix}{id}/discussions/{num}"
    else:
        landed = store.commit(repo, rev, changes, words, header.get("parentCommit"))
    answer |= {"commitOid": landed.oid, "commitUrl": f"{request.host}/{repo.prefix}{id}/commit/{landed.oid}"}
    return answer_json(answer)


def commit_lines(request: Request, repo: Repo) -> tuple[dict[str, Any], list[Change]]:
    """Header and changes of a commit; nothing has landed when one of them is refused."""
    try:
        lines = [json.loads(line) for line in request.content.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if not header["summary"]:
            raise HubError(400, "A commit needs a summary")
        return header, [change(request, repo, line["key"], line["value"]) for line in lines if line["key"] != "header"]
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise HubError(400, f"Malformed commit: {error!r}") from error


def change(request: Request, repo: Repo, key: str, value: dict[str, Any]) -> Change:
    """One line of a commit."""
    path = value["path"]
    match key:
        case "file":
            content = _decoded(value)
            if path == "README.md" and (errors := yaml_errors(content.decode(), repo.kind)):
                raise HubError(400, f"Invalid metadata in README.md: {'; '.join(errors)}")
            if len(content) > _REGULAR_LIMIT:
                raise HubError(413, f"{path} is too large for a regular file; upload it as LFS")
            return Change(path, request.store.write(content))
        case "lfsFile":
            blob = repo.lfs.get(value["oid"])
            if blob is None or value.get("size", blob.size) != blob.size:
                raise HubError(400, f"LFS pointer of {path} points to a file that does not exist: {value['oid']}")
            return Change(path, blob)
        case "deletedFile" | "deletedFolder":
            return Change(path, is_folder=key == "deletedFolder")
    raise HubError(400, f"Unknown operation: {key}")


def _decoded(value: dict[str, Any]) -> bytes:
    if value.get("encoding") != "base64":
        return str(value["content"]).encode()
    try:
        return base64.b64decode(value["content"], validate=True)
    except binascii.Error as error:
        raise HubError(400, f"{value['path']} is not base64") from error


def resolve(request: Request, kind: str, id: str, rev: str, path: str) -> Answer:
    repo = readable(request.store, kind, id, request.token)
    at = repo.commit_at(rev)
    blob = at.files.get(path)
    if blob is None:
        answer = answer_error(not_found("Entry"))
        answer.headers["X-Repo-Commit"] = at.oid
        return answer
    headers = {"X-Repo-Commit": at.oid, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
    headers["Content-Type"] = "application/octet-stream" if blob.sha256 else "text/plain; charset=utf-8"
    if blob.sha256:
        headers |= {"X-Linked-Size": str(blob.size), "X-Linked-ETag": f'"{blob.sha256}"'}
    if "Range" not in request.headers:
        return Answer(200, headers=headers, file=blob.place, size=blob.size)
    first, last = byte_range(request.headers["Range"], blob.size)
    if first > last:
        return Answer(416, headers={**headers, "Content-Range": f"bytes */{blob.size}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
    return Answer(206, headers=headers, file=blob.place, start=first, size=last - first + 1)


def byte_range(header: str, size: int) -> tuple[int, int]:
    """First and last byte that are asked for; the first lies behind the last where there is nothing to send."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if found is None or not any(found.groups()):
        return 0, size - 1
    if not found[1]:
        return max(0, size - int(found[2])), size - 1 if int(found[2]) else -1
    return int(found[1]), min(int(found[2] or size), size - 1)


ROUTES: list[Route] = [
    ("GET", "/api/{kind}s/{id}/tree/{rev}", tree),
    ("GET", "/api/{kind}s/{id}/tree/{rev}/{path}", tree),
    ("POST", "/api/{kind}s/{id}/paths-info/{rev}", paths_info),
    ("POST", "/api/{kind}s/{id}/preupload/{rev}", preupload),
    ("POST", "/{prefix}{id}\\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", "/lfs-upload/{name}", lfs_upload),
    ("POST", "/{prefix}{id}\\.git/info/lfs/verify", lfs_verify),
    ("POST", "/api/{kind}s/{id}/commit/{rev}", commit),
    ("GET", "/{prefix}{id}/resolve/{rev}/{path}", resolve),
]
