"""The test Hub is held to the Hub's semantics by the real clients: what later tests stand on is tested here."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from tests.hub_server import Hub, start_hub
from tests.hub_server.history import Blob, Change, changed
from tests.hub_server.store import git_hash
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
LIMIT = {"status": 429, "headers": {"RateLimit": '"api";r=0;t=7'}}
COMMIT = "POST /api/datasets/me/x/commit"


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with start_hub() as hub:
        yield hub


@pytest.fixture
def hub(server) -> Hub:
    server.reset()
    return server


@pytest.fixture
def api(hub) -> HfApi:
    """The write token's client, and its dataset me/x."""
    api = hub.api()
    api.create_repo("me/x", repo_type="dataset")
    return api


def add(path: str, content: bytes | str) -> CommitOperationAdd:
    return CommitOperationAdd(path, content.encode() if isinstance(content, str) else content)


def commit(api: HfApi, *operations: Any, **more: Any) -> Any:
    return api.create_commit(
        "me/x", list(operations), **{"commit_message": "a change", "repo_type": "dataset", **more}
    )


def states(hub: Hub, repo_id: str = "me/x") -> list[dict[str, Any]]:
    """Every state that main of a dataset was ever in, oldest first."""
    repo = hub.repo("dataset", repo_id)
    assert repo is not None
    return [one for one in repo["commits"] if one["ref"] == "refs/heads/main"]


def ask(hub: Hub, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, Any]:
    """What no client would send: status, body and headers."""
    request = Request(path if "://" in path else hub.url + path, body, headers, method=method)
    try:
        with build_opener(ProxyHandler({})).open(request) as answer:
            return answer.status, answer.read(), answer.headers
    except HTTPError as error:
        return error.code, error.read(), error.headers


def status_of(call: Callable[[], Any]) -> int:
    """200, or the status that the client was refused with."""
    try:
        call()
    except HfHubHTTPError as error:
        return error.response.status_code
    return 200


def test_every_state_of_main_stays_readable(hub, api):
    api.upload_file(path_or_fileobj=b"one", path_in_repo="a.txt", repo_id="me/x", repo_type="dataset")
    commit(api, add("a.txt", "two"), add("deep/er/b.txt", "b"), commit_message="more", commit_description="why")
    commit(api, CommitOperationDelete("deep/"), CommitOperationCopy("a.txt", "c.txt"))
    history = states(hub)
    assert [sorted(one["files"]) for one in history] == [
        [".gitattributes"],
        [".gitattributes", "a.txt"],
        [".gitattributes", "a.txt", "deep/er/b.txt"],
        [".gitattributes", "a.txt", "c.txt"],
    ]
    assert [one["parent"] for one in history] == [None, *(one["oid"] for one in history[:-1])]
    assert [hub.read("dataset", "me/x", "a.txt", one["oid"]) for one in history[1:]] == [b"one", b"two", b"two"]
    assert [one["title"] for one in history][2:] == ["more", "a change"] and history[2]["description"] == "why"
    listed = api.list_repo_commits("me/x", repo_type="dataset")
    assert [one.commit_id for one in listed] == [one["oid"] for one in reversed(history)]
    assert all(len(one["oid"]) == 40 and int(one["oid"], 16) for one in history)


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ([add("b", "b"), CommitOperationDelete("never")], EntryNotFoundError),
        ([add("b", "b"), CommitOperationDelete("never/")], EntryNotFoundError),
        ([add("b", "b"), add("a.txt/c", "c")], BadRequestError),
        ([add("b", "b"), add("README.md", "---\nlicense: [1]\n---\n")], ValueError),
    ],
)
def test_a_commit_lands_whole_or_not_at_all(hub, api, operations, error):
    commit(api, add("a.txt", "a"))
    before = hub.repo("dataset", "me/x")
    with pytest.raises(error):
        commit(api, *operations)
    assert hub.repo("dataset", "me/x") == before


@pytest.mark.parametrize(
    ("key", "value", "status", "told"),
    [
        ("file", {"path": "../a"}, 400, b"Invalid path"),
        ("file", {"path": "/a"}, 400, b"Invalid path"),
        ("file", {"path": "é//b"}, 400, b"Invalid path"),
        ("file", {"path": ".git/config"}, 400, b"Invalid path"),
        ("file", {"path": "a/./b"}, 400, b"Invalid path"),
        ("file", {"path": "a\\b"}, 400, b"Invalid path"),
        ("file", {"path": "a", "content": "?", "encoding": "base64"}, 400, b"not base64"),
        ("file", {"path": "README.md", "content": "---\ntags: one\n---\n"}, 400, b"Invalid metadata in README.md"),
        ("file", {"path": "a", "content": "x" * (11 << 20)}, 413, b"upload it as LFS"),
        ("file", {}, 400, b"Malformed commit"),
        ("moved", {"path": "a"}, 400, b"Unknown operation"),
    ],
)
def test_what_the_hub_cannot_hold_is_refused(hub, api, key, value, status, told):
    line = {"key": key, "value": {"content": "", **value}}
    answer = sent_commit(hub, "me/x", {"key": "header", "value": {"summary": "s"}}, line)
    assert answer[0] == status
    assert told in answer[1]
    assert len(states(hub)) == 1


def test_a_commit_needs_a_summary(hub, api):
    assert sent_commit(hub, "me/x", {"key": "header", "value": {"summary": ""}})[0] == 400
    assert sent_commit(hub, "me/x")[0] == 400


def sent_commit(hub: Hub, repo_id: str, *lines: dict[str, Any]) -> tuple[int, bytes, Any]:
    """A commit as no client would send it."""
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    token = f"Bearer {hub.write_token}"
    return ask(hub, "POST", f"/api/datasets/{repo_id}/commit/main", body, Authorization=token)


def test_changes_apply_in_order():
    one, two = (Blob(git_hash(content), 1, Path()) for content in (b"1", b"2"))
    assert changed({"a": one}, [Change("a"), Change("a", two)]) == {"a": two}
    assert changed({}, [Change("a", two), Change("a")]) == {}


def test_what_has_not_changed_is_not_committed_again(hub, api):
    files = [("a.txt", "text"), ("b.parquet", b"PAR1" * 9), ("c.txt", b"nul\0")]
    first = commit(api, *(add(*file) for file in files))
    sent = len(hub.log())
    again = commit(api, *(add(*file) for file in files))
    assert again.oid == first.oid
    assert not [one for one in hub.log()[sent:] if one["method"] == "PUT" or "/commit/" in one["path"]]
    assert len(states(hub)) == 2


@pytest.mark.parametrize(
    ("path", "content", "is_lfs"),
    [
        ("README.txt", b"text", False),
        ("data/train.parquet", b"PAR1", True),
        ("empty.parquet", b"", False),
        ("picture.png", b"\x89PNG\0", True),
        ("long.jsonl", b"{}\n" * 4_000_000, True),
    ],
)
def test_what_is_no_short_text_is_lfs(hub, api, path, content, is_lfs):
    commit(api, add(path, content))
    (found,) = api.get_paths_info("me/x", path, repo_type="dataset")
    sha256 = hashlib.sha256(content).hexdigest()
    assert isinstance(found, RepoFile)
    assert (found.size, found.lfs and found.lfs.sha256) == (len(content), sha256 if is_lfs else None)
    if is_lfs:
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n".encode()
        assert (found.blob_id, found.lfs.pointer_size) == (git_hash(pointer), len(pointer))
    else:
        assert found.blob_id == git_hash(content)
    assert hub.read("dataset", "me/x", path) == content
    assert states(hub)[-1]["files"][path] == {
        "oid": sha256 if is_lfs else git_hash(content),
        "size": len(content),
        "lfs": is_lfs,
    }


def announced(hub: Hub, content: bytes) -> Any:
    """What the Hub says to the announcement of an LFS upload."""
    one = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    body = json.dumps({"operation": "upload", "objects": [one], "ref": {"name": "main"}}).encode()
    path = "/datasets/me/x.git/info/lfs/objects/batch"
    status, answer, _ = ask(hub, "POST", path, body, Authorization=f"Bearer {hub.write_token}")
    assert status == 200
    return json.loads(answer)["objects"][0]


@pytest.mark.parametrize("sent", [b"other", b"conten", b"content and more", b""])
def test_an_upload_that_is_not_what_was_announced_is_refused(hub, api, sent):
    place = announced(hub, b"content")["actions"]["upload"]["href"]
    assert ask(hub, "PUT", place, sent)[0] == 400
    assert "actions" in announced(hub, b"content")


def test_an_upload_may_come_in_chunks(hub, api):
    place = announced(hub, b"content")["actions"]["upload"]["href"]
    assert ask(hub, "PUT", place, iter([b"con", b"tent"]))[0] == 200
    assert "actions" not in announced(hub, b"content")


def test_an_lfs_content_must_have_been_uploaded_to_this_repository(hub, api):
    content = b"PAR1" * 10
    api.create_repo("me/y", repo_type="dataset")
    commit(api, add("a.parquet", content))
    value = {"path": "a.parquet", "algo": "sha256", "oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    for repo, size, status in (("me/y", 40, 400), ("me/x", 39, 400), ("me/x", 40, 200)):
        line = {"key": "lfsFile", "value": {**value, "size": size}}
        assert sent_commit(hub, repo, {"key": "header", "value": {"summary": "s"}}, line)[0] == status


def test_a_writer_learns_that_main_has_moved(hub, api):
    seen = api.repo_info("me/x", repo_type="dataset").sha
    commit(api, add("a", "a"), parent_commit=seen)
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as refused:
        commit(api, add("b", "b"), parent_commit=seen)
    assert refused.value.response.status_code == 412
    assert sorted(states(hub)[-1]["files"]) == [".gitattributes", "a"]


def test_branches_and_tags(hub, api):
    first = api.repo_info("me/x", repo_type="dataset").sha
    tip = commit(api, add("a", "a")).oid
    api.create_branch("me/x", branch="feature/one", repo_type="dataset")
    api.create_branch("me/x", branch="old", revision=first, repo_type="dataset")
    api.create_tag("me/x", tag="v1", repo_type="dataset")
    on_branch = commit(api, add("b", "b"), revision="feature/one").oid
    api.create_tag("me/x", tag="v2", revision="feature/one", repo_type="dataset")
    refs = api.list_repo_refs("me/x", repo_type="dataset")
    assert {one.name: one.target_commit for one in refs.branches} == {
        "main": tip,
        "feature/one": on_branch,
        "old": first,
    }
    assert {one.name: one.target_commit for one in refs.tags} == {"v1": tip, "v2": on_branch}
    assert hub.read("dataset", "me/x", "b", "v2") == b"b"
    assert "b" not in states(hub)[-1]["files"]
    taken = [
        lambda: api.create_branch("me/x", branch="old", repo_type="dataset"),
        lambda: api.create_tag("me/x", tag="v1", repo_type="dataset"),
    ]
    assert [status_of(call) for call in taken] == [409, 409]
    api.create_branch("me/x", branch="old", repo_type="dataset", exist_ok=True)
    api.create_tag("me/x", tag="v1", repo_type="dataset", exist_ok=True)
    api.delete_branch("me/x", branch="feature/one", repo_type="dataset")
    api.delete_tag("me/x", tag="v1", repo_type="dataset")
    repo = hub.repo("dataset", "me/x")
    assert (repo["branches"], repo["tags"]) == ({"main": tip, "old": first}, {"v2": on_branch})


def test_pull_requests_and_discussions(hub, api):
    stranger = hub.api(hub.other_token)
    proposed = commit(stranger, add("b.parquet", b"PAR1"), create_pr=True, commit_message="take this")
    assert proposed.pr_revision == "refs/pr/1" and proposed.pr_url == f"{hub.url}/datasets/me/x/discussions/1"
    assert len(states(hub)) == 1
    draft = api.create_pull_request("me/x", title="later", repo_type="dataset")
    api.create_discussion("me/x", title="why", description="so", repo_type="dataset")
    second = commit(api, add("c", "c"), revision="refs/pr/2").oid
    assert hub.repo("dataset", "me/x")["pull_requests"] == {"1": proposed.oid, "2": second}
    assert hub.read("dataset", "me/x", "b.parquet", "refs/pr/1") == b"PAR1"
    found = list(api.get_repo_discussions("me/x", repo_type="dataset"))
    assert [(one.num, one.title, one.is_pull_request, one.status, one.author) for one in found] == [
        (3, "why", False, "open", "me"),
        (2, "later", True, "draft", "me"),
        (1, "take this", True, "open", "you"),
    ]
    only = {"discussion_type": "pull_request", "author": "you", "discussion_status": "open"}
    assert [one.num for one in api.get_repo_discussions("me/x", repo_type="dataset", **only)] == [1]
    details = api.get_discussion_details("me/x", 1, repo_type="dataset")
    assert [getattr(event, "oid", None) for event in details.events] == [None, proposed.oid]
    assert (draft.git_reference, details.target_branch) == ("refs/pr/2", "refs/heads/main")
    assert [
        one.name for one in api.list_repo_refs("me/x", repo_type="dataset", include_pull_requests=True).pull_requests
    ]
    assert status_of(lambda: commit(stranger, add("d", "d"))) == 403


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda api: api.repo_info("me/never"), RepositoryNotFoundError),
        (lambda api: api.repo_info("me/x"), RepositoryNotFoundError),  # a dataset of that name is no model
        (lambda api: api.model_info("gpt2"), RepositoryNotFoundError),
        (lambda api: api.list_repo_files("me/never"), RepositoryNotFoundError),
        (lambda api: api.dataset_info("me/x", revision="never"), RevisionNotFoundError),
        (lambda api: api.list_repo_files("me/x", repo_type="dataset", revision="f" * 40), RevisionNotFoundError),
        (lambda api: commit(api, add("a", "a"), revision="never"), RevisionNotFoundError),
        (lambda api: commit(api, add("a", "a"), revision="refs/pr/7"), RevisionNotFoundError),
        (lambda api: api.create_tag("me/x", tag="t", revision="no", repo_type="dataset"), RevisionNotFoundError),
        (lambda api: api.delete_tag("me/x", tag="never", repo_type="dataset"), RevisionNotFoundError),
        (lambda api: list(api.list_repo_tree("me/x", "never", repo_type="dataset")), EntryNotFoundError),
        (lambda api: api.create_branch("me/x", branch="refs/pr/1", repo_type="dataset"), BadRequestError),
    ],
)
def test_what_is_not_there_is_told_apart(api, call, error):
    with pytest.raises(error):
        call(api)


def test_a_file_that_is_not_there(hub, api, tmp_path):
    for repo_id, revision, error in (
        ("me/x", "main", EntryNotFoundError),
        ("me/x", "never", RevisionNotFoundError),
        ("me/y", "main", RepositoryNotFoundError),
        ("squad", "main", RepositoryNotFoundError),
    ):
        with pytest.raises(error):
            hf_hub_download(
                repo_id, "no.txt", repo_type="dataset", revision=revision, endpoint=hub.url, cache_dir=tmp_path
            )
    assert ask(hub, "GET", "/api/no-such-thing")[0] == 404


def test_repositories_are_made_once(hub, api):
    assert api.create_repo("me/x", repo_type="dataset", exist_ok=True).repo_id == "me/x"
    assert status_of(lambda: api.create_repo("me/x", repo_type="dataset")) == 409
    assert api.create_repo("x").repo_id == "me/x"  # the user's own namespace; and a model may have the dataset's name
    api.create_repo("org/s", repo_type="space", space_sdk="gradio")
    assert sorted(api.list_repo_files("org/s", repo_type="space")) == [".gitattributes", "README.md"]
    assert api.space_info("org/s").sdk == "gradio"
    assert api.get_space_runtime("org/s").stage == "NO_APP_FILE"
    api.delete_repo("me/x", repo_type="dataset")
    assert status_of(lambda: api.delete_repo("me/x", repo_type="dataset")) == 404
    api.delete_repo("me/x", repo_type="dataset", missing_ok=True)
    assert api.repo_exists("me/x") and not api.repo_exists("me/x", repo_type="dataset")


@pytest.mark.parametrize(
    ("token", "reads_private", "creates", "commits", "in_org", "elsewhere"),
    [
        ("write_token", 200, 200, 200, 200, 403),
        ("read_token", 200, 403, 403, 403, 403),
        ("fine_token", 200, 403, 403, 200, 403),
        ("other_token", 404, 403, 403, 403, 200),
        ("unknown", 401, 401, 401, 401, 401),
        ("anonymous", 401, 401, 401, 401, 401),
    ],
)
def test_tokens(hub, api, token, reads_private, creates, commits, in_org, elsewhere):
    api.create_repo("me/secret", repo_type="dataset", private=True)
    unknown = "hf_" + "unknown" * 5
    client = HfApi(
        endpoint=hub.url, token={"unknown": unknown, "anonymous": False}.get(token) or getattr(hub, token, False)
    )
    assert [
        status_of(call)
        for call in (
            lambda: client.repo_info("me/secret", repo_type="dataset"),
            lambda: client.create_repo("me/new"),
            lambda: commit(client, add("a", "a")),
            lambda: client.create_repo("org/new"),
            lambda: client.create_repo("you/new"),
            lambda: client.auth_check("me/secret", repo_type="dataset"),
            lambda: client.auth_check("me/x", repo_type="dataset", write=True),
        )
    ] == [reads_private, creates, commits, in_org, elsewhere, reads_private, commits]
    reads_public = status_of(lambda: client.repo_info("me/x", repo_type="dataset"))
    assert reads_public == (401 if token == "unknown" else 200)
    assert {one["role"] for one in hub.log()[-1:]} == {
        {"unknown": "unknown", "anonymous": "", "fine_token": "fineGrained", "other_token": "write"}.get(
            token, token.split("_")[0]
        )
    }


def test_what_a_token_may_not_see_does_not_exist(hub, api):
    api.create_repo("me/secret", private=True)
    for stranger in (hub.api(hub.other_token), HfApi(endpoint=hub.url, token=False)):
        with pytest.raises(RepositoryNotFoundError):
            stranger.model_info("me/secret")
        with pytest.raises(RepositoryNotFoundError):
            stranger.list_repo_files("me/secret")
    assert hub.api(hub.read_token).model_info("me/secret").private
    api.update_repo_settings("me/secret", private=False)
    assert not hub.api(hub.other_token).model_info("me/secret").private


def test_whoami_tells_the_role(hub):
    told = {token: hub.api(token).whoami() for token in (hub.write_token, hub.read_token, hub.fine_token)}
    assert [one["auth"]["accessToken"]["role"] for one in told.values()] == ["write", "read", "fineGrained"]
    assert {(one["name"], one["orgs"][0]["name"]) for one in told.values()} == {("me", "org")}
    assert hub.api(hub.other_token).whoami()["orgs"] == []
    assert all(len(token) >= 33 and token.startswith("hf_") for token in told)


@pytest.mark.parametrize(
    ("kind", "block", "told"),
    [
        ("dataset", "license: mit\ntags: [a]\nconfigs:\n- config_name: default", None),
        ("dataset", "license: [mit, cc-by-4.0]", None),
        ("dataset", "license: other\nlicense_name: mine\nextra: 2026-01-01", None),
        ("dataset", "license: 4", '"license" must be'),
        ("dataset", "license: MIT", '"license" must be'),
        ("dataset", "license: [mit, {}]", '"license" must be'),
        ("dataset", "license: mit: mit", "YAML Metadata Error"),
        ("dataset", "a: [", "YAML Metadata Error"),
        ("dataset", "- a", "not an object"),
        ("dataset", "tags: one", '"tags" must be a list'),
        ("dataset", "language: 1", '"language" must be'),
        ("dataset", "configs: default", '"configs" must be'),
        ("dataset", "configs:\n- data_files: a", '"configs" must be'),
        ("dataset", "dataset_info: 1", '"dataset_info" must be'),
        ("model", "model-index:\n- name: m\n  results: [{task: {type: t}}]", '"model-index" must'),
        ("model", "pipeline_tag: [a]", '"pipeline_tag" must be'),
        ("space", "sdk: gradio\nemoji: 🐢\ncolorFrom: red\nsdk_version: 6.1", None),
        ("space", "sdk: streamlit", '"sdk" must be one of'),
        ("space", "emoji: e", '"emoji" must be'),
        ("space", "colorTo: orange", '"colorTo" must be one of'),
        ("space", f"short_description: {'x' * 61}", "60 characters"),
    ],
)
def test_the_yaml_of_a_card_is_read(hub, kind, block, told):
    api = hub.api()
    api.create_repo("me/card", repo_type=kind, space_sdk="gradio" if kind == "space" else None)
    card = f"---\n{block}\n---\n# Title\n".encode()
    upload = {"path_or_fileobj": card, "path_in_repo": "README.md", "repo_id": "me/card", "repo_type": kind}
    if told is None:
        api.upload_file(**upload)
        assert api.repo_info("me/card", repo_type=kind).card_data is not None
    else:
        with pytest.raises(ValueError, match="Invalid metadata in README.md") as refused:
            api.upload_file(**upload)
        assert told in str(refused.value)


def test_a_card_without_yaml_is_a_warning(api):
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        commit(api, add("README.md", "# Title\n"))


def test_listings(hub, api):
    first = commit(api, add("a/b/c.txt", "c"), add("a/d.parquet", b"PAR1"), add("e é.txt", "e"))
    commit(api, add("a/d.parquet", b"PAR2"))
    listed = {"repo_type": "dataset", "repo_id": "me/x"}
    assert [one.path for one in api.list_repo_tree(**listed)] == [".gitattributes", "a", "e é.txt"]
    assert [one.path for one in api.list_repo_tree(**listed, path_in_repo="a")] == ["a/b", "a/d.parquet"]
    assert [one.path for one in api.list_repo_tree(**listed, path_in_repo="a", recursive=True)] == [
        "a/b",
        "a/b/c.txt",
        "a/d.parquet",
    ]
    changed_by = {one.path: one.last_commit.oid for one in api.list_repo_tree(**listed, recursive=True, expand=True)}
    assert changed_by["a/b"] == changed_by["e é.txt"] == first.oid != changed_by["a"] == changed_by["a/d.parquet"]
    assert [one.path for one in api.get_paths_info("me/x", ["a", "e é.txt", "no"], repo_type="dataset")] == [
        "a",
        "e é.txt",
    ]
    brief = api.dataset_info("me/x", expand=["sha", "private"])
    assert (brief.sha, brief.private, brief.siblings) == (states(hub)[-1]["oid"], False, None)
    info = api.dataset_info("me/x", files_metadata=True, revision=first.oid)
    assert {
        one.rfilename: (one.size, bool(one.lfs)) for one in info.siblings if one.rfilename != ".gitattributes"
    } == {
        "a/b/c.txt": (1, False),
        "a/d.parquet": (4, True),
        "e é.txt": (1, False),
    }


@pytest.mark.parametrize(
    ("wanted", "status", "body", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
    ],
)
def test_parts_of_a_file(hub, api, wanted, status, body, told):
    oid = commit(api, add("a.bin", b"0123456789")).oid
    found = ask(hub, "GET", "/datasets/me/x/resolve/main/a.bin", Range=wanted)
    assert (found[0], found[1], found[2]["Content-Range"], found[2]["X-Repo-Commit"]) == (status, body, told, oid)


def test_a_file_and_what_is_said_of_it(hub, api, tmp_path):
    oid = commit(api, add("a.bin", b"0123456789"), add("é b/c.txt", "text")).oid
    status, body, headers = ask(hub, "HEAD", "/datasets/me/x/resolve/main/a.bin")
    assert (status, body, headers["Content-Length"], headers["X-Repo-Commit"]) == (200, b"", "10", oid)
    assert headers["ETag"] == f'"{hashlib.sha256(b"0123456789").hexdigest()}"'
    _, _, headers = ask(hub, "HEAD", "/datasets/me/x/resolve/main/%C3%A9%20b/c.txt")
    assert headers["ETag"] == f'"{git_hash(b"text")}"'
    place = hf_hub_download(
        "me/x", "é b/c.txt", repo_type="dataset", endpoint=hub.url, cache_dir=tmp_path, token=hub.write_token
    )
    assert Path(place).read_bytes() == b"text"
    assert oid in place


def test_eight_writers_at_once_lose_nothing(hub, api):
    def write(number: int) -> None:
        for turn in range(5):
            commit(hub.api(), add(f"{number}-{turn}.bin", os.urandom(200_000)), add(f"{number}-{turn}.txt", "x"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    history = states(hub)
    assert len(history) == 41
    for older, newer in pairwise(history):
        assert newer["parent"] == older["oid"]
        assert older["files"].items() < newer["files"].items()
        assert len(newer["files"]) == len(older["files"]) + 2


def test_of_eight_writers_with_one_parent_one_lands(hub, api):
    parent = api.repo_info("me/x", repo_type="dataset").sha
    with ThreadPoolExecutor(8) as pool:
        landed = list(
            pool.map(lambda n: status_of(lambda: commit(api, add(f"{n}", "x"), parent_commit=parent)), range(8))
        )
    assert sorted(landed) == [200] + [412] * 7
    assert len(states(hub)) == 2


@pytest.mark.parametrize(
    ("fault", "error", "landed"),
    [
        ({"action": "status", "status": 503}, HfHubHTTPError, False),
        ({"action": "status", "status": 504, "executed": True}, HfHubHTTPError, True),
        ({"action": "cut_before"}, httpx2.RemoteProtocolError, False),
        ({"action": "cut_after"}, httpx2.RemoteProtocolError, True),
        ({"action": "cut_body"}, httpx2.RemoteProtocolError, True),
        ({"action": "hang", "seconds": 0.1}, httpx2.RemoteProtocolError, False),
        ({"action": "hang", "seconds": 0.1, "executed": True}, httpx2.RemoteProtocolError, True),
        ({"action": "slow", "seconds": 0.1}, None, True),
    ],
)
def test_a_commit_that_meets_a_fault(hub, api, fault, error, landed):
    hub.faults([{"match": COMMIT, **fault}])
    if error is None:
        assert commit(api, add("a", "a")).oid == states(hub)[-1]["oid"]
    else:
        with pytest.raises(error):
            commit(api, add("a", "a"))
    assert len(states(hub)) == (2 if landed else 1)
    (met,) = [one for one in hub.log() if one["fault"]]
    assert (met["fault"], met["executed"]) == (fault["action"], landed)
    commit(api, add("b", "b"))
    assert "b" in states(hub)[-1]["files"]


def test_faults_meet_the_requests_that_they_name(hub, api):
    hub.faults([{"match": r"GET /api/datasets/me/x$", "action": "status", "nth": 2, "times": 2} | LIMIT])
    hub.faults(
        [
            {"match": "^HEAD ", "action": "status", "times": None, "retry_after": 3, "message": "lâter"},
            {"match": "^HEAD ", "action": "cut_before"},  # the first rule goes first
        ]
    )

    def info() -> int:
        return status_of(lambda: api.dataset_info("me/x"))

    assert [info(), status_of(lambda: api.dataset_info("me/x", revision="main"))] == [200, 200]
    with pytest.raises(HfHubHTTPError, match="Retry after 7 seconds"):
        api.dataset_info("me/x")
    assert [info() for _ in range(3)] == [429, 200, 200]
    answers = [ask(hub, "HEAD", "/datasets/me/x/resolve/main/.gitattributes") for _ in range(3)]
    assert {(status, headers["Retry-After"], headers["X-Error-Message"]) for status, _, headers in answers} == {
        (503, "3", "l?ter")
    }
    hub.no_faults()
    assert ask(hub, "HEAD", "/datasets/me/x/resolve/main/.gitattributes")[0] == 200


def test_a_busy_hub_is_asked_again_by_the_client_where_it_does_that(hub, api):
    hub.faults([{"match": "preupload", "action": "status", "status": 429, "retry_after": 0}])
    commit(api, add("a", "a"))
    assert [one["status"] for one in hub.log() if "preupload" in one["path"]] == [429, 200]


@pytest.mark.parametrize("action", ["cut_body", "slow"])
def test_a_download_that_meets_a_fault_arrives_whole(hub, api, action, tmp_path):
    content = os.urandom(300_000)
    commit(api, add("a.bin", content))
    hub.faults([{"match": "GET .*/a.bin", "action": action, "seconds": 0.2}])
    place = hf_hub_download("me/x", "a.bin", repo_type="dataset", endpoint=hub.url, cache_dir=tmp_path)
    assert Path(place).read_bytes() == content
    asked = [one for one in hub.log() if one["method"] == "GET" and one["path"].endswith("a.bin")]
    assert len(asked) == {"cut_body": 2, "slow": 1}[action]


def test_who_hangs_is_let_go(hub, api):
    hub.faults([{"match": "GET /api/datasets/me/x", "action": "hang", "seconds": 600, "times": None}])
    with pytest.raises(httpx2.ReadTimeout):
        api.dataset_info("me/x", timeout=0.2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.dataset_info, "me/x")
        until(lambda: len([one for one in hub.log() if one["fault"]]) == 2, "the second request hangs")
        hub.no_faults()
        with pytest.raises(httpx2.RemoteProtocolError):
            waiting.result()
    assert api.dataset_info("me/x").id == "me/x"


@pytest.mark.parametrize(
    "rule", [{"action": "explode"}, {"action": "status", "statsu": 500}, {"action": "cut_after", "match": "("}]
)
def test_a_rule_that_means_nothing_is_refused(hub, rule):
    with pytest.raises(HTTPError, match="400"):
        hub.faults([{"match": "", **rule}])


COMMITTER = """
from huggingface_hub import HfApi
HfApi().upload_file(path_or_fileobj=b"a", path_in_repo="a", repo_id="me/x", repo_type="dataset")
"""


@pytest.mark.parametrize("executed", [False, True])
def test_a_writer_is_killed_at_its_commit(hub, api, executed):
    hub.faults([{"match": COMMIT, "action": "kill", "executed": executed}])
    run = subprocess.run([sys.executable, "-c", COMMITTER], env=hub.env, capture_output=True)
    assert run.returncode == -signal.SIGKILL
    assert len(states(hub)) == (2 if executed else 1)


def test_another_process_is_killed(hub, api):
    with subprocess.Popen(["sleep", "600"]) as bystander:
        hub.faults([{"match": COMMIT, "action": "kill", "pid": bystander.pid}])
        with pytest.raises(httpx2.RemoteProtocolError):
            commit(api, add("a", "a"))
        assert bystander.wait() == -signal.SIGKILL


def test_the_server_is_silent_and_ends_with_its_stdin():
    command = [sys.executable, "-m", "tests.hub_server.server", "--port", "0"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as server:
        hub = Hub(server.stdout.readline().strip(), Path())
        api = hub.api()
        api.create_repo("me/x", repo_type="dataset")
        hub.faults([{"match": COMMIT, "action": "kill"}])
        subprocess.run([sys.executable, "-c", COMMITTER], env=hub.env, capture_output=True)
        assert server.poll() is None
        assert server.communicate() == ("", "")
        assert server.returncode == 0


FLOW = """
import datasets
import evaluate
from huggingface_hub import snapshot_download

made = datasets.Dataset.from_dict({"a": [1, 2, 3], "b": ["x", "y", "é"]})
made.push_to_hub("me/d", config_name="one", set_default=True)
datasets.DatasetDict({"train": made, "test": made.select([0])}).push_to_hub(
    "me/d", config_name="two", num_shards={"train": 2, "test": 1}
)
made.select([1]).push_to_hub("me/d", config_name="one")
loaded = datasets.load_dataset("me/d", "two")
assert {name: rows.to_list() for name, rows in loaded.items()} == {"train": made.to_list(), "test": made.to_list()[:1]}
assert list(datasets.load_dataset("me/d", "one", split="train", streaming=True)) == [{"a": 2, "b": "y"}]
made.push_to_hub("me/d", create_pr=True)
assert len(datasets.load_dataset("me/d", "default", split="train", revision="refs/pr/1")) == 3
print(snapshot_download("me/d", repo_type="dataset", revision="main"))
print(evaluate.load("me/half").compute(predictions=[1, 2], references=[1, 3]))
"""
METRIC = b"""
import datasets
import evaluate


class Half(evaluate.Metric):
    def _info(self):
        columns = {"predictions": datasets.Value("int32"), "references": datasets.Value("int32")}
        return evaluate.MetricInfo(description="", citation="", features=datasets.Features(columns))

    def _compute(self, predictions, references):
        return {"half": sum(a == b for a, b in zip(predictions, references)) / len(references)}
"""


def test_datasets_and_evaluate_know_no_other_hub(hub, tmp_path):
    hub.api().create_repo("me/half", repo_type="space", space_sdk="gradio")
    hub.api().upload_file(path_or_fileobj=METRIC, path_in_repo="half.py", repo_id="me/half", repo_type="space")
    run = subprocess.run([sys.executable, "-c", FLOW], env=hub.env, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    snapshot, computed = run.stdout.splitlines()
    assert computed == "{'half': 0.5}"
    tip = states(hub, "me/d")[-1]
    assert {str(path.relative_to(snapshot)) for path in Path(snapshot).rglob("*") if path.is_file()} == set(
        tip["files"]
    )
    for path, file in tip["files"].items():
        assert Path(snapshot, path).stat().st_size == file["size"]
    assert hub.repo("dataset", "me/d")["pull_requests"].keys() == {"1"}
    assert {one["role"] for one in hub.log() if "/api/" in one["path"] and "agent" not in one["path"]} == {"write"}
    assert not [one for one in hub.log() if one["status"] >= 500]


def test_the_command_line_client(hub, tmp_path):
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "sub" / "a.txt").write_text("a")
    (tmp_path / "folder" / "model.safetensors").write_bytes(bytes(100_000))
    client = [sys.executable, "-m", "huggingface_hub.cli.hf"]
    for _ in range(2):
        upload = [*client, "upload", "me/m", str(tmp_path / "folder")]
        subprocess.run(upload, env=hub.env, check=True, capture_output=True)
    download = [*client, "download", "me/m", "--local-dir", str(tmp_path / "copy")]
    subprocess.run(download, env=hub.env, check=True, capture_output=True)
    assert (tmp_path / "copy" / "sub" / "a.txt").read_text() == "a"
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == bytes(100_000)
    assert len(hub.repo("model", "me/m")["commits"]) == 2
