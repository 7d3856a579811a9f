"""Shards on a branch of the test Hub, through the real client."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

import asap_hf.hub
from tests.hub_server import Hub
from tests.publish_driver import Driver, dataset_files, publication, push, state

FILES = dataset_files(1)
NUMBERS = count()


def test_staging(hub: Hub, client: Driver, tmp_path: Path) -> None:
    shards = {}
    for number in range(3):
        shards[f"shards/{number}.parquet"] = tmp_path / f"{number}.parquet"
        shards[f"shards/{number}.parquet"].write_bytes(FILES["default/train-00000001-00000-of-00001.parquet"])
    names, repo = list(shards), f"me/staged-{next(NUMBERS)}"

    def call(function: str, *arguments: Any) -> Any:
        outcome = client.run(f"asap_hf.hub:{function}", repo, "parts", *arguments)
        assert outcome.error == ""
        return outcome.value

    assert call("staged") == {}
    call("unstage")
    call("stage", {names[0]: shards[names[0]]}, "Part 0")
    call("stage", {name: shards[name] for name in names[1:]}, "Parts 1 and 2")
    call("stage", shards, "Again")
    assert push(client, publication(FILES, repo)).error == ""
    assert call("staged") == {name: shards[name].stat().st_size for name in names}
    assert [commit["title"] for commit in state(hub, repo)["commits"] if commit["ref"] == "refs/heads/parts"] == [
        "Part 0",
        "Parts 1 and 2",
    ]
    call("fetch_staged", names[:2], tmp_path / "fetched")
    fetched = [path for path in (tmp_path / "fetched").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "fetched")) for path in fetched) == names[:2]
    assert all(path.read_bytes() == shards[names[0]].read_bytes() for path in fetched)
    call("unstage")
    call("unstage")
    assert call("staged") == {}
    assert state(hub, repo)["branches"].keys() == {"main"}


def test_staging_holds_nothing_of_main(hub: Hub, client: Driver, tmp_path: Path) -> None:
    what = publication(FILES)
    assert push(client, what).error == ""
    (tmp_path / "a.txt").write_text("a")
    assert client.run("asap_hf.hub:stage", what.repo_id, "parts", {"a.txt": tmp_path / "a.txt"}, "Part").error == ""
    assert client.run("asap_hf.hub:staged", what.repo_id, "parts").value == {"a.txt": 1}


def test_staged_files_are_searched_for_leaks_too(hub: Hub, client: Driver, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(hub.write_token)
    outcome = client.run("asap_hf.hub:stage", "me/never", "parts", {"a.txt": tmp_path / "a.txt"}, "Part")
    assert "a.txt holds a Hugging Face token" in outcome.message
    assert hub.log() == []


@pytest.mark.parametrize("status", [409, 412])
def test_two_machines_stage_at_the_same_moment(hub: Hub, client: Driver, tmp_path: Path, status: int) -> None:
    repo = f"me/staged-{next(NUMBERS)}"
    (tmp_path / "a.bin").write_bytes(b"\0" * 1000)
    hub.faults([{"match": "POST .*/commit/", "action": "status", "status": status, "times": 2}])
    outcome = client.run("tests.hub.test_staging:stage_and_look", repo, {"a.bin": tmp_path / "a.bin"})
    assert (outcome.error, outcome.value) == ("", {"a.bin": 1000})
    assert len([entry for entry in hub.log() if "whoami" in entry["path"]]) == 1


def stage_and_look(repo: str, files: dict[str, Path]) -> dict[str, int]:
    asap_hf.hub.stage(repo, "parts", files, "Part")
    return asap_hf.hub.staged(repo, "parts")


STAGING = {
    "stage": [
        "GET .*revision",
        "POST .*create",
        "GET .*commits",
        "POST .*branch",
        "POST .*preupload",
        "POST .*/commit/",
    ],
    "fetch_staged": ["HEAD ", "GET .*resolve"],
    "staged": ["GET .*revision"],
    "unstage": ["DELETE .*branch"],
}


@pytest.mark.parametrize(("function", "request_"), [(name, line) for name, lines in STAGING.items() for line in lines])
@pytest.mark.parametrize("fault", ["503", "cut_before", "cut_after", "cut_body"])
def test_staging_through_faults(
    hub: Hub, client: Driver, tmp_path: Path, function: str, request_: str, fault: str
) -> None:
    repo = f"me/staged-{next(NUMBERS)}"
    (tmp_path / "a.bin").write_bytes(b"\0" * 1000)
    arguments = {"stage": ({"a.bin": tmp_path / "a.bin"}, "Part"), "fetch_staged": (["a.bin"], tmp_path / "fetched")}
    if function != "stage":
        assert client.run("asap_hf.hub:stage", repo, "parts", *arguments["stage"]).error == ""
    hub.faults([{"match": request_, "action": "status" if fault == "503" else fault}])
    outcome = client.run(f"asap_hf.hub:{function}", repo, "parts", *arguments.get(function, ()))
    assert outcome.error == ""
    assert [entry["fault"] for entry in hub.log() if entry["fault"]] == ["status" if fault == "503" else fault]
    parts = [commit for commit in state(hub, repo)["commits"] if commit["ref"] == "refs/heads/parts"]
    assert len(parts) == 1
    match function:
        case "fetch_staged":
            assert (tmp_path / "fetched" / "a.bin").read_bytes() == b"\0" * 1000
        case "staged":
            assert outcome.value == {"a.bin": 1000}
        case "unstage":
            assert state(hub, repo)["branches"].keys() == {"main"}
