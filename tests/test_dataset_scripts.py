"""The scripts that build this project's datasets, each run alone as its first lines say."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from datasets import load_dataset

from tests.hub_server import Hub
from tests.publishing import REAL, ROOT, hub_with_model, load_fresh, run, short_samples

SCRIPTS = sorted((ROOT / "dataset_scripts").glob("*.py"))
PRUNED, BASELINES = "dataset_scripts/asap_codeforces_pruned.py", "dataset_scripts/asap_codeforces_baselines.py"
OFFLINE = ["--anchor_model", "none", "--scorer", "embedded"]


@pytest.fixture(scope="module")
def hub(embedded_model: str) -> Iterator[Hub]:
    with hub_with_model(embedded_model) as server:
        yield server


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_samples(tmp_path_factory.mktemp("traces") / "traces.jsonl", 8, broken=1)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_what_it_needs_to_run_alone(script: Path) -> None:
    """PEP 723: the inline metadata names this package, which brings every module that the script imports."""
    text = script.read_text(encoding="utf-8")
    block = re.search(r"^# /// script\n((?:# .*\n)+)# ///$", text, re.MULTILINE)
    assert block is not None
    metadata = tomllib.loads("".join(line[2:] + "\n" for line in block[1].splitlines()))
    package = ConfigParser()
    package.read(ROOT / "setup.cfg")
    assert metadata["requires-python"] == package["options"]["python_requires"]
    assert metadata["dependencies"] == [package["metadata"]["name"]]
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])]
        )
        if isinstance(node, (ast.Import, ast.ImportFrom)) and name
    }
    assert imported - set(sys.stdlib_module_names) == {"asap_hf"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_is_named_as_a_file_that_load_dataset_would_run(script: Path) -> None:
    """`load_dataset` takes `<repository's name>.py` in a repository for a loading script; ours stay here."""
    assert "Build the dataset `" + script.stem.replace("_", "-") + "`" in script.read_text(encoding="utf-8")


def test_the_pruned_dataset_from_a_file_to_the_hub(hub: Hub, traces: Path, tmp_path: Path) -> None:
    source = REAL.with_name("codeforces_cots_prompt_response.jsonl.gz")
    rows = ["--source", source, "--limit", "3"] if source.exists() else ["--source", traces]
    name = "me/asap-codeforces-pruned"
    out = tmp_path / "out"
    done = run(
        hub.env, PRUNED, *rows, *OFFLINE, "--output_dir", out, "--repo_id", name, "--push_to_hub", "--tag", "v1"
    )
    assert done.returncode == 0, done.stderr
    loaded = load_fresh(hub.env, tmp_path / "cache", name, "default,messages,steps")
    for config, splits in loaded.items():
        assert splits == {split: rows.to_list() for split, rows in load_dataset(str(out), config).items()}
    card = hub.read("dataset", name, "README.md").decode()
    assert "license: cc-by-4.0" in card
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["max_tokens"] == 4096  # Appendix A


def test_a_job_that_is_killed_goes_on_with_its_next_shard_on_another_machine(
    hub: Hub, traces: Path, tmp_path: Path
) -> None:
    name = "me/in-shards"
    command = [PRUNED, "--source", traces, *OFFLINE, "--pruner", "wo_fine", "--repo_id", name, "--push_to_hub"]
    command += ["--num_shards", "4"]
    hub.faults([{"match": r"POST .*/commit/shards-", "nth": 3, "action": "kill"}])
    killed = run(hub.env, *command, "--output_dir", tmp_path / "first" / "out")
    hub.no_faults()
    assert killed.returncode == -9
    repo = hub.repo("dataset", name)
    assert repo is not None
    assert [commit["title"] for commit in repo["commits"] if commit["ref"] == "refs/heads/main"] == ["initial commit"]
    shutil.rmtree(tmp_path / "first")
    done = run(hub.env, *command, "--output_dir", tmp_path / "second" / "out")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("shard ")] == ["shard 3 of 4", "shard 4 of 4"]
    repo = hub.repo("dataset", name)
    assert repo is not None
    assert list(repo["branches"]) == ["main"]
    whole = run(hub.env, *command[:-2], "--output_dir", tmp_path / "whole", "--repo_id", "me/whole")
    assert whole.returncode == 0, whole.stderr
    both = [load_fresh(hub.env, tmp_path / "cache", one, "default,messages,steps") for one in (name, "me/whole")]
    assert both[0] == both[1]


def test_the_baselines_are_the_same_rows_in_a_config_each(hub: Hub, traces: Path, tmp_path: Path) -> None:
    name, names = "me/asap-codeforces-baselines", ["asap", "wo_coarse", "wo_fine", "wo_any", "selective_context"]
    out = tmp_path / "out"
    done = run(
        hub.env, BASELINES, "--source", traces, *OFFLINE, "--ratio", "0.5", "--limit", "3", "--output_dir", out,
        "--repo_id", name, "--push_to_hub", "--pruners", ",".join(names),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = load_fresh(hub.env, tmp_path / "cache", name, ",".join(names))
    rows = {config: splits["train"] for config, splits in loaded.items()}
    originals = {row["id"]: row["tokens_before"] for row in rows["wo_any"]}
    for config in names:
        assert [row["id"] for row in rows[config]] == list(originals)
        assert [row["tokens_before"] for row in rows[config]] == list(originals.values())
    total = {config: sum(row["tokens_after"] for row in rows[config]) for config in names}
    assert total["wo_any"] == sum(originals.values())
    assert total["asap"] <= total["wo_fine"] < total["wo_any"]
    assert max(total["wo_coarse"], total["selective_context"]) <= total["wo_any"] / 2
    default = load_dataset(str(out), split="train").to_list()
    assert default == rows["asap"]
    card = hub.read("dataset", name, "README.md").decode()
    for config in names:
        assert f'"{config}")' in card
        assert f"{total[config]:,}" in card


BAD = [
    ([PRUNED, "--push_to_hub"], "--repo_id"),
    ([PRUNED, "--source", "nowhere.jsonl", *OFFLINE, "--output_dir", "{tmp}/o"], "no file or folder 'nowhere.jsonl'"),
    ([PRUNED, "--source", "{traces}", *OFFLINE, "--output_dir", "{tmp}"], "is not a pruned dataset"),
    (
        [BASELINES, "--source", "{traces}", *OFFLINE, "--output_dir", "{tmp}/o", "--pruners", "asap,asap"],
        "each pruner once",
    ),
    (
        [BASELINES, "--source", "{traces}", *OFFLINE, "--output_dir", "{tmp}/o", "--pruners", "best"],
        "no pruner 'best'",
    ),
]


@pytest.mark.parametrize(("command", "said"), BAD)
def test_bad_usage_is_one_sentence(hub: Hub, traces: Path, tmp_path: Path, command: list[str], said: str) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = run(hub.env, *(word.format(tmp=tmp_path, traces=traces) for word in command))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
