"""Traces that come from the Hub: pinned to a commit, with their licence, all at once or as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets import load_dataset

from tests.hub_server import Hub
from tests.publishing import asap_hf, hub_with_model, short_samples

CARD = "---\nlicense: cc-by-4.0\nconfigs:\n- config_name: solutions_py\n  data_files: data.jsonl\n---\n"


@pytest.fixture(scope="module")
def hub(embedded_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    rows = short_samples(tmp_path_factory.mktemp("rows") / "data.jsonl", 5, broken=1)
    with hub_with_model(embedded_model) as server:
        api = server.api()
        api.create_repo("me/traces", repo_type="dataset", private=True)
        for name, content in (("README.md", CARD.encode()), ("data.jsonl", rows.read_bytes())):
            api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id="me/traces", repo_type="dataset")
        yield server


PRUNE = ["prune", "me/traces", "--dataset_config", "solutions_py", "--pruner", "wo_fine"]


@pytest.mark.parametrize("how", [[], ["--streaming"], ["--streaming", "--limit", "6", "--num_shards", "3"]])
def test_the_commit_and_the_licence_are_on_record(hub: Hub, tmp_path: Path, how: list[str]) -> None:
    done = asap_hf(hub.env, *PRUNE, *how, "--output_dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    repo = hub.repo("dataset", "me/traces")
    assert repo is not None
    assert (told["source"], told["source_license"]) == ("me/traces", "cc-by-4.0")
    assert told["source_revision"] == repo["branches"]["main"]
    assert load_dataset(str(tmp_path / "out"))["train"].num_rows == 5
    card = (tmp_path / "out" / "README.md").read_text()
    assert told["source_revision"] in card


def test_another_state_of_the_dataset_can_be_asked_for(hub: Hub, tmp_path: Path) -> None:
    repo = hub.repo("dataset", "me/traces")
    assert repo is not None
    empty = next(commit["oid"] for commit in repo["commits"] if commit["title"] == "initial commit")
    for revision, code in ((repo["branches"]["main"], 0), (empty, 2)):
        asked = [*PRUNE, "--dataset_revision", revision, "--output_dir", tmp_path / revision]
        assert asap_hf(hub.env, *asked).returncode == code


@pytest.mark.parametrize("how", [[], ["--streaming"]])
def test_rows_in_the_cache_stand_for_their_own_commit_alone(hub: Hub, tmp_path: Path, how: list[str]) -> None:
    """`datasets` takes any commit's rows from its cache where the Hub gives none."""
    repo = hub.repo("dataset", "me/traces")
    assert repo is not None
    main = repo["branches"]["main"]
    assert asap_hf(hub.env, *PRUNE, "--output_dir", tmp_path / "there").returncode == 0
    offline = hub.env | {"HF_HUB_OFFLINE": "1"}
    for number, (revision, code) in enumerate(((main, 0), (None, 0), ("main", 2), ("0" * 40, 2))):
        asked = [*PRUNE, *how, "--output_dir", tmp_path / str(number)]
        done = asap_hf(offline, *asked, *(["--dataset_revision", revision] if revision else []))
        assert done.returncode == code, done.stderr
        if code:
            assert f"--dataset_revision {main} takes the rows" in done.stderr
        else:
            assert json.loads((tmp_path / str(number) / "run.json").read_text())["source_revision"] == main


def test_what_is_made_from_it_carries_its_licence_on(hub: Hub, tmp_path: Path) -> None:
    assert asap_hf(hub.env, *PRUNE, "--output_dir", tmp_path / "out").returncode == 0
    done = asap_hf(hub.env, "publish", "dataset", tmp_path / "out", "--repo_id", "org/pruned", "--private")
    assert done.returncode == 0, done.stderr
    card = hub.read("dataset", "org/pruned", "README.md").decode()
    assert "license: cc-by-4.0" in card
    assert "me/traces" in card
    repo = hub.repo("dataset", "org/pruned")
    assert repo is not None
    assert repo["private"]


def test_a_stranger_is_told_that_there_is_no_such_dataset(hub: Hub, tmp_path: Path) -> None:
    elsewhere = {**hub.env, "HF_TOKEN": hub.other_token, "HF_HOME": str(tmp_path)}
    done = asap_hf(elsewhere, *PRUNE, "--output_dir", tmp_path / "out")
    assert done.returncode == 2
    assert "no dataset 'me/traces'" in done.stderr
    assert "private" in done.stderr
