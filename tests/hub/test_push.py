"""The real client against the test Hub: who may publish what, where it lands, and what the next version takes away."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

import asap_hf.hub
from asap_hf.hub import Publication, Published, describe
from asap_hf.hub import calls as hub_calls
from tests.hub_server import Hub
from tests.publish_driver import Driver, dataset_files, edited, publication, push, state

FILES = dataset_files(1)


def paths(hub: Hub, repo_id: str, revision: str = "main", repo_type: str = "dataset") -> set[str]:
    """What a branch holds, but for what the Hub puts there itself."""
    repo = state(hub, repo_id, repo_type)
    commits = {commit["oid"]: commit for commit in repo["commits"]}
    return commits[repo["branches"][revision]]["files"].keys() - {".gitattributes"}


def writes(hub: Hub) -> list[str]:
    """Requests that change something."""
    made = [f"{entry['method']} {entry['path']}" for entry in hub.log()]
    return [line for line in made if not re.match("GET|HEAD", line)]


# Who


def test_without_a_token(hub: Hub, client: Driver) -> None:
    outcome = push(client, publication(FILES), HF_TOKEN=None)
    assert (outcome.error, outcome.message) == (
        "UsageError",
        "no Hugging Face token: run `hf auth login`, or set HF_TOKEN",
    )
    assert hub.log() == []


@pytest.mark.parametrize(
    ("token", "repo_id", "message"),
    [
        (
            "read_token",
            "me/a",
            r"the token of me may only read, .* publish me/a; make one with write access at http.*",
        ),
        ("other_token", "me/b", r"could not create dataset me/b: the token may not do that \(403\); use a token .*"),
        ("fine_token", "me/c", r"could not create dataset me/c: the token may not do that \(403\); use a token .*"),
        (
            "write_token",
            "org2/d",
            r"could not create dataset org2/d: the token may not do that \(403\); .* another repo",
        ),
        (
            "unknown",
            "me/e",
            r"could not ask whose token this is, for me/e: the Hub does not accept the token \(401\).*",
        ),
        ("write_token", "me/a--b", r"could not look at dataset me/a--b: Cannot have -- or .. in repo_id.*"),
    ],
)
def test_who_may_not_publish(hub: Hub, client: Driver, token: str, repo_id: str, message: str) -> None:
    text = getattr(hub, token, f"hf_{'Unknown0' * 4}")
    outcome = push(client, publication(FILES, repo_id), HF_TOKEN=text)
    assert outcome.error == "UsageError"
    assert re.fullmatch(message, outcome.message)
    assert text not in outcome.message + "".join(outcome.log)
    assert hub.repo("dataset", repo_id) is None
    assert writes(hub) == ["POST /api/repos/create"] * ("create" in message)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "request_", ["POST /api/repos/create", "POST .*preupload", "PUT ", "POST .*commit", "POST .*/tag"]
)
def test_a_refusal_anywhere_names_the_repo_and_the_remedy(
    hub: Hub, client: Driver, request_: str, status: int
) -> None:
    what = publication(FILES, tag="v1")
    hub.faults([{"match": request_, "action": "status", "status": status, "times": None}])
    outcome = push(client, what)
    assert outcome.error == "UsageError"
    remedy = {401: "run `hf auth login`, or set HF_TOKEN", 403: "use a token with write access"}[status]
    assert re.fullmatch(rf"could not [^:]*{what.repo_id}: .*\({status}\); {re.escape(remedy)}.*", outcome.message)
    assert hub.write_token not in outcome.message
    assert outcome.log == []


def test_whose_the_repo_is(hub: Hub, client: Driver) -> None:
    assert push(client, publication(FILES, "mine")).value.repo_id == "me/mine"
    assert push(client, publication(FILES, "org/ours")).value.repo_id == "org/ours"
    assert push(client, publication(FILES, "org/fine"), HF_TOKEN=hub.fine_token).value.repo_id == "org/fine"
    assert push(client, publication(FILES, "yours"), HF_TOKEN=hub.other_token).value.repo_id == "you/yours"
    assert all(
        paths(hub, one) == {*FILES, "manifest.json"} for one in ("me/mine", "org/ours", "org/fine", "you/yours")
    )


def test_private(hub: Hub, client: Driver) -> None:
    hidden, open_ = publication(FILES, private=True), publication(FILES)
    assert push(client, hidden).error == push(client, open_).error == ""
    assert state(hub, hidden.repo_id)["private"]
    assert not state(hub, open_.repo_id)["private"]
    assert push(client, publication(dataset_files(2), hidden.repo_id)).error == ""
    assert state(hub, hidden.repo_id)["private"]
    hub.forget_log()
    outcome = push(client, publication(dataset_files(2), open_.repo_id, private=True))
    assert outcome.message == (
        f"dataset {open_.repo_id} is there and is public; make it private in its settings, or drop --private"
    )
    assert writes(hub) == []
    assert push(client, publication(FILES, hidden.repo_id), HF_TOKEN=hub.other_token).error == "UsageError"


# What


def test_what_is_there_afterwards(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    outcome = push(client, what)
    commit = state(hub, what.repo_id)["commits"][-1]
    assert outcome.value == Published(
        what.repo_id, "dataset", f"{hub.url}/datasets/{what.repo_id}", commit["oid"], False, "main"
    )
    assert commit["title"] == "Upload pruned traces"
    assert re.fullmatch("asap-hf manifest [0-9a-f]{64}", commit["description"])
    assert all(hub.read("dataset", what.repo_id, path) == content for path, content in FILES.items())
    manifest = json.loads(hub.read("dataset", what.repo_id, "manifest.json"))
    assert manifest["files"] == {
        path: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for path, content in FILES.items()
    }
    again = push(client, what)
    assert again.value.unchanged
    assert again.value.commit == commit["oid"]
    assert len(state(hub, what.repo_id)["commits"]) == 2


def test_files_on_disk_models_and_spaces(hub: Hub, client: Driver, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 100_000)
    files = {"model.safetensors": tmp_path / "model.safetensors", "README.md": b"---\nlicense: mit\n---\n# A model\n"}
    assert push(client, Publication("me/model", "model", files, "Upload")).value.url == f"{hub.url}/me/model"
    assert paths(hub, "me/model", repo_type="model") == {*files, "manifest.json"}
    space = {"app.py": b"print()\n", "README.md": b"---\ntitle: A\nsdk: gradio\napp_file: app.py\n---\n"}
    assert push(client, Publication("me/space", "space", space, "Upload", space_sdk="gradio")).error == ""
    assert paths(hub, "me/space", repo_type="space") == {*space}
    assert hub.read("space", "me/space", "README.md") == space["README.md"]


def test_the_next_version_takes_away_what_only_the_former_had(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    assert push(client, what).error == ""
    theirs = {"notes/why.md": b"why", "LICENSE": b"mit", "dataset_infos.json": b"{}", "figure.png": b"\x89PNG\0"}
    api = hub.api()
    for path, content in theirs.items():
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=what.repo_id, repo_type="dataset")
    files = dataset_files(2, ("prompt", "completion", "tokens_after"))
    del files["run.json"]
    outcome = push(client, publication(files, what.repo_id))
    assert paths(hub, what.repo_id) == {*files, "manifest.json", "notes/why.md", "LICENSE", "figure.png"}
    loaded = client.run("tests.publish_driver:load", what.repo_id, outcome.value.commit)
    assert loaded.value["default"] == {
        "train": {
            name: [f"{name} {row}" for row in (200, 201, 202)] for name in ("prompt", "completion", "tokens_after")
        }
    }


def test_a_file_that_becomes_a_folder(hub: Hub, client: Driver) -> None:
    what = publication({**FILES, "extra": b"a file"})
    assert push(client, what).error == ""
    assert push(client, publication({**FILES, "extra/file": b"in a folder"}, what.repo_id)).error == ""
    assert paths(hub, what.repo_id) == {*FILES, "extra/file", "manifest.json"}


def test_data_of_others_is_not_touched_unless_told(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    api = hub.api()
    api.create_repo(what.repo_id, repo_type="dataset")
    theirs = {"data/train-00000-of-00001.parquet": b"PAR1", "README.md": b"---\nlicense: mit\n---\n"}
    for path, content in theirs.items():
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=what.repo_id, repo_type="dataset")
    hub.forget_log()
    outcome = push(client, what)
    assert outcome.error == "UsageError"
    assert "(data/train-00000-of-00001.parquet)" in outcome.message
    assert writes(hub) == []
    assert push(client, publication(FILES, what.repo_id, overwrite=True)).error == ""
    assert paths(hub, what.repo_id) == {*FILES, "manifest.json"}


# Where


def test_tags(hub: Hub, client: Driver) -> None:
    what = publication(FILES, tag="v1")
    first = push(client, what).value
    assert state(hub, what.repo_id)["tags"] == {"v1": first.commit}
    assert push(client, what).value.unchanged
    hub.forget_log()
    outcome = push(client, publication(dataset_files(2), what.repo_id, tag="v1"))
    assert outcome.error == "UsageError"
    assert outcome.message.startswith(f"the tag v1 of dataset {what.repo_id} is on commit {first.commit} already")
    assert writes(hub) == []
    second = push(client, publication(dataset_files(2), what.repo_id, tag="v2")).value
    assert state(hub, what.repo_id)["tags"] == {"v1": first.commit, "v2": second.commit}


def test_a_tag_for_what_was_published_without_one(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    first = push(client, what).value
    again = push(client, publication(FILES, what.repo_id, tag="v1")).value
    assert (again.unchanged, again.commit) == (True, first.commit)
    assert state(hub, what.repo_id)["tags"] == {"v1": first.commit}


def test_a_pull_request_to_somebody_else(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    assert push(client, what).error == ""
    proposal = publication(dataset_files(2), what.repo_id, create_pr=True)
    opened = push(client, proposal, HF_TOKEN=hub.other_token).value
    assert (opened.revision, opened.unchanged) == ("refs/pr/1", False)
    assert opened.url == f"{hub.url}/datasets/{what.repo_id}/discussions/1"
    assert paths(hub, what.repo_id) == {*FILES, "manifest.json"}
    commit = state(hub, what.repo_id)["commits"][-1]
    assert (commit["ref"], commit["oid"], commit["author"]) == ("refs/pr/1", opened.commit, "you")
    assert commit["files"].keys() - {".gitattributes"} == {*dataset_files(2), "manifest.json"}
    assert push(client, proposal, HF_TOKEN=hub.other_token).value.unchanged
    assert push(client, proposal).value.revision == "refs/pr/2"  # the other one is not ours


def test_a_branch(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    assert push(client, what).error == ""
    landed = push(client, publication(dataset_files(2), what.repo_id, revision="trial")).value
    assert landed.revision == "trial"
    assert state(hub, what.repo_id)["branches"]["trial"] == landed.commit
    assert paths(hub, what.repo_id, "trial") == {*dataset_files(2), "manifest.json"}
    assert paths(hub, what.repo_id) == {*FILES, "manifest.json"}
    assert push(client, publication(dataset_files(2), what.repo_id, revision="trial")).value.unchanged


@pytest.mark.parametrize("more", [{"revision": "trial"}, {"tag": "v1"}])
def test_a_pull_request_excludes(hub: Hub, client: Driver, more: dict[str, str]) -> None:
    outcome = push(client, publication(FILES, create_pr=True, **more))
    assert outcome.error == "UsageError"
    assert hub.log() == []


@pytest.mark.parametrize("executed", [True, False])
def test_the_hub_says_that_the_tag_exists(hub: Hub, client: Driver, executed: bool) -> None:
    """It does if the answer to an earlier try was lost; else somebody else was faster."""
    what = publication(FILES, tag="v1")
    hub.faults([{"match": "POST .*/tag/", "action": "status", "status": 409, "executed": executed}])
    outcome = push(client, what)
    commit = state(hub, what.repo_id)["branches"]["main"]
    if executed:
        assert (outcome.error, outcome.value.commit) == ("", commit)
        return
    assert outcome.error == "RunError"
    assert outcome.message.startswith(
        f"dataset {what.repo_id} is published as commit {commit}, but somebody put the tag v1"
    )


# Before anything is sent


def test_a_leak_is_refused_before_anything_is_asked(hub: Hub, client: Driver) -> None:
    outcome = push(client, publication({**FILES, "run.json": f'{{"token": "{hub.write_token}"}}'.encode()}))
    assert outcome.error == "UsageError"
    assert "run.json holds a Hugging Face token" in outcome.message
    assert hub.write_token not in outcome.message
    assert hub.log() == []


def test_a_dataset_that_could_not_be_loaded_is_refused_before_anything_is_asked(hub: Hub, client: Driver) -> None:
    outcome = push(client, publication(edited(FILES, "dtype: float64", "dtype: float32")))
    assert outcome.error == "UsageError"
    assert "README.md says otherwise of the columns score" in outcome.message
    assert hub.log() == []


def test_describe_needs_neither_network_nor_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 2_500_000)
    files = {"model.safetensors": tmp_path / "model.safetensors", "README.md": b"# My model\n", "a.json": b"{}"}
    text = describe(Publication("me/m", "model", files, "Upload the model", private=True, tag="v1"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "model me/m, private"
    assert {"model.safetensors 2.5 MB", "a.json 2 B", "README.md 11 B"} <= {*lines}
    assert "4 files 2.5 MB" in lines
    assert {"commit: Upload the model", "tag: v1", "to: main"} <= {*lines}
    assert lines[-1] == "# My model"
    public = describe(Publication("m", "dataset", FILES, "Upload", create_pr=True))
    assert public.startswith("dataset m, public unless ")
    assert "to: a pull request" in public
    assert public.endswith("# Version 1\n")


@pytest.mark.parametrize("executed", [True, False])
def test_a_connection_that_falls_silent(hub: Hub, client: Driver, executed: bool) -> None:
    what = publication(FILES)
    hub.faults([{"match": "POST .*/commit/", "action": "hang", "seconds": 60, "executed": executed}])
    outcome = client.run("tests.hub.test_push:push_impatiently", what)
    assert (outcome.error, outcome.log) == ("", [ANY])
    assert "the connection was lost (timed out)" in outcome.log[0]
    assert len(state(hub, what.repo_id)["commits"]) == 2


def push_impatiently(what: Publication) -> Published:
    hub_calls.SILENCE = 0.5
    return asap_hf.hub.push(what)


def test_a_file_that_the_repo_ignores(hub: Hub, client: Driver) -> None:
    what = publication(FILES)
    outcome = client.run("tests.hub.test_push:push_with_gitignore", what)
    assert outcome.error == "UsageError"
    assert outcome.message == f"the .gitignore of dataset {what.repo_id} keeps out run.json; change it there"
    assert not paths(hub, what.repo_id)


def push_with_gitignore(what: Publication) -> Published:
    """The test Hub heeds no .gitignore; the client is told that it does."""
    from huggingface_hub import _commit_api

    really = _commit_api._validate_preupload_info

    def ignoring(told: dict[str, Any]) -> Any:
        for file in told["files"]:
            file["shouldIgnore"] = file["path"] == "run.json"
        return really(told)

    _commit_api._validate_preupload_info = ignoring
    return asap_hf.hub.push(what)
