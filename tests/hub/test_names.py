"""Names that the Hub would not take are refused before anything is read, asked or sent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from asap_hf.cli import main
from asap_hf.errors import UsageError
from asap_hf.hub import require_hub_id, require_ref, require_repo_id
from tests.publishing import ROOT

INVALID = [
    "a/b/c",
    "datasets/me/x",
    "me/my--data",
    "me/a..b",
    "a" * 120,
    f"me/{'a' * 120}",
    "me/x.git",
    "me/.x",
    "me/x.",
    "-me/x",
    "me/x-",
    "me/",
    "/x",
    "me/x y",
    "mé/x",
    "me/x\n",
    "",
]
KINDS = ["dataset", "model", "metric", "page"]


@pytest.mark.parametrize("name", INVALID)
def test_a_name_that_the_hub_would_not_take_is_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match="is no valid name of a repository on the Hub: write namespace/name") as told:
        require_repo_id(name, "repo_id")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["me/x", "a-b/c_d.e", f"{'a' * 96}/{'b' * 96}", "0/1"])
def test_a_name_that_it_takes_passes(name: str) -> None:
    require_repo_id(name, "repo_id")


def test_a_name_without_a_namespace_is_refused_as_the_card_could_not_say_how_to_load_it() -> None:
    with pytest.raises(UsageError, match="--repo_id 'traces' names no namespace: write yours .* me/traces"):
        require_repo_id("traces", "repo_id")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["me", "a/b/c", "me/my--data", "me/a..b", "a" * 120])
def test_every_publication_refuses_it_first(kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is not there: the name is judged before that, too."""
    for more in ([], ["--dry_run"]):
        assert main(["publish", kind, "nowhere", "--repo_id", name, *more]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert f"--repo_id {name!r}" in said


@pytest.mark.parametrize("script", ["asap_codeforces_pruned", "asap_codeforces_baselines"])
def test_so_do_the_dataset_scripts(script: str, tmp_path: Path) -> None:
    command = [sys.executable, f"dataset_scripts/{script}.py", "--source", "nowhere.jsonl", "--repo_id", "me/my--data"]
    done = subprocess.run([*command, "--push_to_hub"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--repo_id 'me/my--data' is no valid name" in done.stderr
    assert not (ROOT / "my--data").exists()


def test_what_a_model_card_names_has_to_be_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base").mkdir()
    for flag, name, said in (
        ("--base_model", "base", "is a file or folder of this machine: give the id"),
        ("--base_model", "./models/base", "is no valid name"),
        ("--dataset", "a/b/c", "is no valid name"),
    ):
        assert main(["publish", "model", "nowhere", "--repo_id", "me/x", flag, name]) == 2
        assert f"{flag} {name!r} {said}" in capsys.readouterr().err
    require_hub_id("gpt2", "base_model")


@pytest.mark.parametrize("name", ["v 1", "a..b", "v~1", "v:1", "-v", "v.lock", "v/", ".v", "@", "v?", "a//b", ""])
def test_tags_and_branches_that_git_would_not_take_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--tag", "--revision"):
        assert main(["publish", "dataset", "nowhere", "--repo_id", "me/x", f"{flag}={name}"]) == 2
        assert f"{flag} {name!r} is no name that git takes" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["v1", "v1.0-rc1", "feature/x", "refs/pr/1", "v1@2"])
def test_others_pass(name: str) -> None:
    assert subprocess.run(["git", "check-ref-format", f"refs/tags/{name}"], check=False).returncode == 0
    require_ref(name, "tag")


def test_without_a_network_it_ends_soon_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening: what connects is refused
        env = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{nobody.getsockname()[1]}", "HF_TOKEN": "hf_x"}
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "m.py").write_text("")
        (tmp_path / "m" / "README.md").write_text("---\ntitle: M\nsdk: gradio\n---\n")
        command = [sys.executable, "-m", "asap_hf.cli", "publish", "metric", tmp_path / "m", "--repo_id", "me/m"]
        done = subprocess.run(command, env={**env, "HF_HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    *retries, said = done.stderr.splitlines()
    assert len(retries) == 2
    assert "the Hub cannot be reached" in said
    assert "3 times; nothing was sent; see to the network" in said


def test_a_dry_run_refuses_what_a_publication_would_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"folder": str(tmp_path)}))
    (folder / "model.safetensors").write_bytes(b"")
    command = ["publish", "model", str(folder), "--repo_id", "me/x", "--base_model", "gpt2", "--dry_run"]
    assert main(command) == 2
    printed = capsys.readouterr()
    assert "nothing is published, as config.json holds the path of the folder for temporary files" in printed.err
    assert "dry run" not in printed.out
