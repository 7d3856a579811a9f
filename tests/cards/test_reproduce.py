"""The commands under "Reproduce" in a dataset's card, run as they stand in a fresh folder, give the same files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path

import pytest

from asap_hf.cli import main
from tests.card_runs import blocks
from tests.hub_server import Hub
from tests.publishing import asap_hf, hub_with_model, short_samples

FAST = ["--pruner", "random", "--seed", "7", "--ratio", "0.5"]
COLUMNS = {"prompt": 'the question\'s "text"', "completion": "-a", "tests": "what  it $does"}


@pytest.fixture(scope="module")
def hub(embedded_model: str) -> Iterator[Hub]:
    """Its clients have a home of their own, in which the embedded model is ready."""
    with hub_with_model(embedded_model) as server:
        yield server


def rows(folder: Path, name: str = "traces.jsonl", columns: Mapping[str, str] = {}) -> str:
    """A file of short traces; returns its name."""
    path = short_samples(folder / "rows.jsonl", 4, broken=1)
    told = [json.loads(line) for line in path.read_text().splitlines()]
    text = [json.dumps({columns.get(key, key): value for key, value in row.items()}) for row in told]
    path.unlink()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(text) + "\n")
    return name


def made(here: Path, *words: str) -> None:
    """Prune in this process, which has the model's tokenizer already."""
    with chdir(here), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", "off")
        assert main(["prune", *words]) == 0


def run_here(hub: Hub, here: Path, *words: str) -> None:
    command = [sys.executable, "-m", "asap_hf.cli", *words]
    done = subprocess.run(command, cwd=here, env=_environment(hub), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def reproduced(hub: Hub, card: str, here: Path) -> None:
    """Run what stands under "Reproduce", in bash."""
    (block,) = blocks(card.partition("## Reproduce")[2], "bash")
    done = subprocess.run(
        ["bash", "-e", "-c", block], cwd=here, env=_environment(hub), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stderr}"


def _environment(hub: Hub) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**hub.env, "PATH": path, "ASAP_HF_LEDGER": "off", "OMP_NUM_THREADS": "1"}


def content(folder: Path) -> dict[str, bytes]:
    """The tables and the list of what was left out, by name."""
    paths = [*folder.rglob("*.parquet"), *folder.glob("filtered.jsonl")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def fresh(folder: Path, sources: Path, *names: str) -> Path:
    """A new folder with copies of the sources in it."""
    folder.mkdir()
    for name in names:
        copy = shutil.copytree if (sources / name).is_dir() else shutil.copyfile
        copy(sources / name, folder / name)
    return folder


CASES: dict[str, tuple[str, Mapping[str, str], list[str]]] = {
    "named columns": (
        "traces.jsonl",
        COLUMNS,
        [
            *FAST,
            f"--prompt_column={COLUMNS['prompt']}",
            f"--completion_column={COLUMNS['completion']}",
            f"--keep_columns={COLUMNS['tests']}",
        ],
    ),
    "filters and a limit": (
        "traces.jsonl",
        {},
        [*FAST, "--limit", "3", "--sample_tests", "--decontaminate", "benchmark.jsonl", "--decontaminate_n", "8"],
    ),
    "both stages without all scores": ("traces.jsonl", {}, ["--ratio", "0.25", "--limit", "2", "--no_all_scores"]),
    "another budget and splitter": (
        "traces.jsonl",
        {},
        ["--pruner", "keep_last", "--max_tokens", "64", "--splitter", "paper", "--selector", "knapsack"],
    ),
    "a name that the shell would take apart": ('it\'s  a "file"; `x` & $1.jsonl', {}, FAST),
    "a name like a flag": ("-x.jsonl", {}, FAST),
    "a folder": ("my traces/train.jsonl", {}, [*FAST, "--dataset_split", "train"]),
    "in shards": ("traces.jsonl", {}, [*FAST, "--num_shards", "2"]),
}


@pytest.mark.parametrize(("name", "columns", "flags"), CASES.values(), ids=CASES)
def test_the_printed_command_gives_the_same_dataset(
    hub: Hub, tmp_path: Path, name: str, columns: Mapping[str, str], flags: list[str]
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    rows(first, name, columns)
    taken = json.loads((first / name).read_text().splitlines()[1])
    (first / "benchmark.jsonl").write_text(json.dumps({"query": taken.get("prompt", "")}) + "\n")
    source = Path(name).parts[0]
    made(first, f"--dataset_name=./{source}", *flags, "--output_dir", "made")
    card = (first / "made" / "README.md").read_text()
    second = fresh(tmp_path / "second", first, source, "benchmark.jsonl")
    reproduced(hub, card, second)
    assert content(second / "out") == content(first / "made") != {}


def test_that_of_a_published_card_is_the_same_one(hub: Hub, tmp_path: Path) -> None:
    rows(tmp_path)
    made(tmp_path, "traces.jsonl", *FAST, "--output_dir", "made")
    done = asap_hf(hub.env, "publish", "dataset", tmp_path / "made", "--repo_id", "me/x", "--dry_run")
    assert done.returncode == 0, done.stderr
    ours = (tmp_path / "made" / "README.md").read_text()
    assert blocks(done.stdout, "bash")[1] == blocks(ours, "bash")[1]


def test_a_result_under_another_budget_is_reproduced_in_one_step(hub: Hub, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    rows(first, columns=COLUMNS)
    named = [f"--prompt_column={COLUMNS['prompt']}", f"--completion_column={COLUMNS['completion']}"]
    made(first, "traces.jsonl", "--pruner", "wo_coarse", "--limit", "2", *named, "--output_dir", "a")
    made(first, "a", "--ratio", "0.25", "--output_dir", "b")
    second = fresh(tmp_path / "second", first, "traces.jsonl")
    reproduced(hub, (first / "b" / "README.md").read_text(), second)
    assert content(second / "out") == content(first / "b") != content(first / "a")


def test_a_dataset_on_the_hub_is_read_at_the_commit_that_it_was_read_at(hub: Hub, tmp_path: Path) -> None:
    api = hub.api()
    api.create_repo("me/source", repo_type="dataset")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    path = first / rows(first)
    where = {"path_in_repo": "train.jsonl", "repo_id": "me/source", "repo_type": "dataset"}
    api.upload_file(path_or_fileobj=path.read_bytes(), **where)
    run_here(hub, first, "prune", "me/source", *FAST, "--output_dir", "made")
    api.upload_file(path_or_fileobj=b"".join(path.read_bytes().splitlines(keepends=True)[:1]), **where)
    reproduced(hub, (first / "made" / "README.md").read_text(), second)
    assert content(second / "out") == content(first / "made") != {}
    run_here(hub, second, "prune", "me/source", *FAST, "--output_dir", "newest")
    assert content(second / "newest") != content(first / "made")


def test_a_revision_of_a_file_is_refused(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / rows(tmp_path)
    done = asap_hf(hub.env, "prune", path, *FAST, "--dataset_revision", "v1", "--output_dir", tmp_path / "out")
    assert done.returncode == 2
    assert "--dataset_revision is for a dataset on the Hub" in done.stderr


def test_the_baselines_are_pruned_and_put_together(hub: Hub, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    rows(first, "my traces.jsonl")
    script = Path(__file__).parents[2] / "dataset_scripts" / "asap_codeforces_baselines.py"
    command = [sys.executable, script, "--source", "my traces.jsonl", "--anchor_model", "none", "--scorer", "embedded"]
    more = ["--pruners", "random,keep_last,wo_fine", "--ratio", "0.5", "--output_dir", "made"]
    done = subprocess.run([*command, *more], cwd=first, env=_environment(hub), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    second = fresh(tmp_path / "second", first, "my traces.jsonl")
    reproduced(hub, (first / "made" / "README.md").read_text(), second)
    assert content(second / "out") == content(first / "made") != {}
