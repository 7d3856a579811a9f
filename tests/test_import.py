"""Importing the package costs nothing heavy, and every public name is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

import pytest

import asap_hf

HEAVY = ("torch", "transformers", "datasets", "trl", "vllm", "pyarrow", "pandas", "huggingface_hub", "tokenizers")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(asap_hf.__file__).parents[1]
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    "module", ["asap_hf", "asap_hf.cli", "asap_hf.traces.trace", "asap_hf.pruners.matching", "asap_hf.runtime.ledger"]
)
def test_nothing_heavy_is_loaded(module: str) -> None:
    script = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    assert run("-c", script).stdout.split() == []


@pytest.mark.parametrize("name", asap_hf.__all__)
def test_public_names(name: str) -> None:
    value = getattr(asap_hf, name)
    assert name == "__version__" or value.__name__ == name
    assert name == "__version__" or value.__doc__
    assert name in dir(asap_hf)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        asap_hf.nothing  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    try:
        assert metadata.version("asap-hf") == asap_hf.__version__
    except metadata.PackageNotFoundError:
        assert asap_hf.__version__.count(".") == 2


def test_the_command_answers_without_loading_anything() -> None:
    done = run("-X", "importtime", "-m", "asap_hf.cli", "--version")
    assert done.stdout.strip() == asap_hf.__version__
    assert not [line for line in done.stderr.splitlines() if line.split("|")[-1].strip() in HEAVY]


def test_no_two_classes_have_one_name() -> None:
    root = Path(asap_hf.__file__).parents[1]
    files = [path for folder in ("asap_hf", "evaluation") for path in (root / folder).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    counts = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert len(counts) > 100
    assert [name for name, count in counts.items() if count > 1] == []
