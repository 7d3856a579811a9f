"""The wheel holds what the checkout holds: a flat layout runs from the checkout even where packaging forgot a file."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that git tracks, as a clean clone would."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        if name.startswith(("asap_hf/", "evaluation/", "model_cards/")) or "/" not in name:
            (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "src" / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        str(folder),
        str(folder / "src"),
    ]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


SHIPPED = (".py", ".txt", ".jsonl", ".yaml", ".md", ".html", ".css", ".js")


def test_every_module_and_every_data_file_is_in_it(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("asap_hf/")}
    folders = {"asap_hf": "asap_hf", "asap_hf/evaluation": "evaluation", "asap_hf/model_cards": "model_cards"}
    there = {
        f"{place}/{path.relative_to(ROOT / folder)}"
        for place, folder in folders.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SHIPPED or path.name == "py.typed"
    }
    assert inside == there


def test_it_prunes_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True)
    samples = target / "asap_hf" / "traces" / "samples" / "traces.jsonl"
    prune = ["prune", str(samples), "--pruner", "wo_fine", "--limit", "3", "--output_dir", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(target), "ASAP_HF_LEDGER": "off"}
    code = "import sys, asap_hf; from asap_hf.cli import main; print(asap_hf.__file__); sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *prune], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(target))
    assert (tmp_path / "out" / "README.md").is_file()
