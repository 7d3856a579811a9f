"""Whatever goes wrong while a dataset is published, main holds the old version or the new one, whole, and the same
call made again finishes the work once."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tests.hub_server import Hub
from tests.publish_driver import Driver, dataset_files, publication, push
from tests.waiting import until

OLD, NEW = dataset_files(1), dataset_files(2, ("prompt", "completion", "tokens_after"))

# Every request that a publication makes, as `METHOD path`.
FIRST = {
    "whoami": "GET /api/whoami-v2",
    "look": "GET /api/datasets/.*/revision/",
    "create": "POST /api/repos/create",
    "preupload": "POST /api/datasets/.*/preupload/",
    "batch": "POST /datasets/.*/info/lfs/objects/batch",
    "put": "PUT /lfs-upload/",
    "verify": "POST /datasets/.*/info/lfs/verify",
    "card": "POST /api/validate-yaml",
    "commit": "POST /api/datasets/.*/commit/",
    "tag": "POST /api/datasets/.*/tag/",
    "tags": "GET /api/datasets/.*/refs",
}
AGAIN = {name: line for name, line in FIRST.items() if name != "create"} | {
    "manifest's place": "HEAD /datasets/.*/manifest.json",
    "manifest": "GET /datasets/.*/manifest.json",
}
FAULTS: dict[str, dict[str, Any]] = {
    "429": {"action": "status", "status": 429, "retry_after": 1},
    "500 after": {"action": "status", "status": 500, "executed": True},
    "503": {"action": "status", "status": 503},
    "cut before": {"action": "cut_before"},
    "cut after": {"action": "cut_after"},
    "cut body": {"action": "cut_body"},
    "slow": {"action": "slow", "seconds": 0.05},
    "kill before": {"action": "kill"},
    "kill after": {"action": "kill", "executed": True},
}


def scenarios(requests: dict[str, str]) -> list[tuple[str, str]]:
    """Each request with each fault; one that changes nothing is not told from one that was not executed."""
    return [
        (request, fault)
        for request, line in requests.items()
        for fault in FAULTS
        if line.startswith(("POST", "PUT")) or fault in ("503", "cut body", "kill before")
    ]


def main(hub: Hub, repo_id: str) -> list[dict[str, Any]]:
    """Every commit that was ever on main, the first one first."""
    repo = hub.repo("dataset", repo_id)
    return [] if repo is None else [commit for commit in repo["commits"] if commit["ref"] == "refs/heads/main"]


def versions(hub: Hub, repo_id: str) -> list[str]:
    """Which version each commit on main holds, by the hashes of its files; what is none comes out as its files."""
    known = {tuple(sorted(files)): name for name, files in (("empty", {}), ("old", OLD), ("new", NEW))}
    found = []
    for commit in main(hub, repo_id):
        there = {
            path: file for path, file in commit["files"].items() if path not in (".gitattributes", "manifest.json")
        }
        name = known.get(tuple(sorted(there)), str(sorted(there)))
        sent = {"old": OLD, "new": NEW}.get(name, {})
        broken = [path for path in there if path in sent and there[path]["oid"] not in names(sent[path])]
        assert ("manifest.json" in commit["files"]) == (name != "empty")
        found.append(f"{name} with another {broken}" if broken else name)
    return found


def names(content: bytes) -> tuple[str, str]:
    """Of a large file, and of a small one."""
    return hashlib.sha256(content).hexdigest(), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tags(hub: Hub, repo_id: str) -> dict[str, str]:
    repo = hub.repo("dataset", repo_id)
    return {} if repo is None else dict(repo["tags"])


def met(hub: Hub) -> list[str]:
    """The faults that requests have met."""
    return [entry["fault"] for entry in hub.log() if entry["fault"]]


def lines(hub: Hub) -> list[str]:
    return [f"{entry['method']} {entry['path']}" for entry in hub.log()]


def test_no_request_is_left_out(hub: Hub, client: Driver) -> None:
    what = publication(OLD, tag="v1")
    assert push(client, what).error == ""
    first = lines(hub)
    hub.forget_log()
    assert push(client, publication(NEW, what.repo_id, tag="v2")).error == ""
    for known, made in ((FIRST, first), (AGAIN, lines(hub))):
        assert {name for name, line in known.items() if any(re.match(line, one) for one in made)} == known.keys()
        assert [one for one in made if not any(re.match(line, one) for line in known.values())] == []


@pytest.mark.parametrize(("request_", "fault"), scenarios(FIRST))
def test_the_first_publication(hub: Hub, client: Driver, request_: str, fault: str) -> None:
    what = publication(NEW, tag="v1")
    hub.faults([{"match": FIRST[request_], **FAULTS[fault]}])
    outcome = push(client, what)
    assert (outcome.killed, outcome.error) == (fault.startswith("kill"), "")
    assert met(hub) == [FAULTS[fault]["action"]]
    assert versions(hub, what.repo_id) in ([], ["empty"], ["empty", "new"])
    assert push(client, what).error == ""
    assert versions(hub, what.repo_id) == ["empty", "new"]
    assert tags(hub, what.repo_id) == {"v1": main(hub, what.repo_id)[-1]["oid"]}


@pytest.mark.parametrize(("request_", "fault"), scenarios(AGAIN))
def test_the_next_publication(hub: Hub, client: Driver, request_: str, fault: str) -> None:
    what = publication(NEW, tag="v2")
    assert push(client, publication(OLD, what.repo_id)).error == ""
    hub.faults([{"match": AGAIN[request_], **FAULTS[fault]}])
    outcome = push(client, what)
    assert (outcome.killed, outcome.error) == (fault.startswith("kill"), "")
    assert met(hub) == [FAULTS[fault]["action"]]
    assert versions(hub, what.repo_id) in (["empty", "old"], ["empty", "old", "new"])
    assert push(client, what).error == ""
    assert versions(hub, what.repo_id) == ["empty", "old", "new"]
    assert tags(hub, what.repo_id) == {"v2": main(hub, what.repo_id)[-1]["oid"]}


# Not of `verify`: the content is there by then, and the next try does not upload it again.
@pytest.mark.parametrize("request_", sorted(AGAIN.keys() - {"verify"}))
def test_an_outage_that_lasts_ends_in_a_sentence(hub: Hub, client: Driver, request_: str) -> None:
    what = publication(NEW, tag="v2")
    assert push(client, publication(OLD, what.repo_id)).error == ""
    hub.faults([{"match": AGAIN[request_], "action": "status", "status": 503, "times": None}])
    outcome = push(client, what)
    assert outcome.error == "RunError"
    assert re.fullmatch(
        r"could not [^:]*traces-\d+: HTTP 503, 8 times; [^;]+; run the same command again to continue", outcome.message
    )
    assert ("is published, but perhaps not tagged" if request_ == "tag" else "main is as it was") in outcome.message
    assert len(outcome.log) == 7
    assert versions(hub, what.repo_id) == ["empty", "old", "new"][: 3 if request_ == "tag" else 2]
    hub.no_faults()
    assert push(client, what).error == ""
    assert versions(hub, what.repo_id) == ["empty", "old", "new"]


def test_every_answer_to_a_commit_is_lost(hub: Hub, client: Driver) -> None:
    what = publication(NEW)
    hub.faults([{"match": FIRST["commit"], "action": "cut_after", "times": None}])
    outcome = push(client, what)
    assert outcome.error == ""
    assert not outcome.value.unchanged
    assert outcome.value.commit == main(hub, what.repo_id)[-1]["oid"]
    assert versions(hub, what.repo_id) == ["empty", "new"]


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"slow", "429"}))
def test_a_pull_request_is_opened_once(hub: Hub, client: Driver, fault: str) -> None:
    what = publication(NEW, create_pr=True)
    assert push(client, publication(OLD, what.repo_id)).error == ""
    hub.faults([{"match": FIRST["commit"], **FAULTS[fault]}])
    outcome = push(client, what)
    assert (outcome.killed, outcome.error) == (fault.startswith("kill"), "")
    assert met(hub) == [FAULTS[fault]["action"]]
    again = push(client, what)
    assert again.error == ""
    assert again.value.unchanged == (fault != "kill before")
    repo = hub.repo("dataset", what.repo_id)
    assert repo is not None
    assert repo["pull_requests"] == {"1": again.value.commit}
    assert again.value.url == f"{hub.url}/datasets/{what.repo_id}/discussions/1"
    assert versions(hub, what.repo_id) == ["empty", "old"]


@pytest.mark.parametrize("theirs", ["note", "data", "same"])
def test_somebody_commits_at_the_same_moment(hub: Hub, client: Driver, theirs: str) -> None:
    """The publication waits in its upload until the other commit has landed, so its own meets a 412."""
    what = publication(NEW, tag="v2")
    assert push(client, publication(OLD, what.repo_id)).error == ""
    hub.faults([{"match": AGAIN["preupload"], "action": "hang", "seconds": 60}])
    child = client.start("asap_hf.hub:push", what)
    until(lambda: met(hub), "the publication waits in its upload")
    if theirs == "same":
        assert push(client, publication(NEW, what.repo_id)).error == ""
    else:
        path = "notes.txt" if theirs == "note" else "more/train.parquet"
        hub.api().upload_file(path_or_fileobj=b"PAR1", path_in_repo=path, repo_id=what.repo_id, repo_type="dataset")
    hub.no_faults()
    outcome = client.wait(child)
    commits = main(hub, what.repo_id)
    if theirs == "data":
        assert outcome.error == "UsageError"
        assert "more/train.parquet" in outcome.message
        assert len(commits) == 3
        return
    assert outcome.error == ""
    assert commits[-1]["oid"] == outcome.value.commit
    assert tags(hub, what.repo_id) == {"v2": outcome.value.commit}
    if theirs == "note":
        assert "notes.txt" in commits[-1]["files"]
        assert commits[-1]["files"].keys() - {"notes.txt"} == {*NEW, "manifest.json", ".gitattributes"}
    else:
        assert versions(hub, what.repo_id) == ["empty", "old", "new"]


def test_each_version_can_be_loaded(hub: Hub, client: Driver) -> None:
    """Once; above, versions are told by the hashes of all their files."""
    what = publication(OLD)
    for files, number in ((OLD, 1), (NEW, 2)):
        outcome = push(client, publication(files, what.repo_id))
        loaded = client.run("tests.publish_driver:load", what.repo_id, outcome.value.commit).value
        assert loaded["default"]["train"]["prompt"] == [f"prompt {100 * number + row}" for row in range(3)]
        assert ("tokens_after" in loaded["default"]["train"]) == (number == 2)
        assert loaded["steps"]["train"]["kept"] == [[100 * number + row] for row in range(3)]
