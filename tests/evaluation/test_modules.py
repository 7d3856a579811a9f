"""Tests that each folder in `evaluation/` is a module of `evaluate` that works alone, from the checkout and as a
Space."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import evaluate
import pytest
from huggingface_hub import RepoCard

from tests.hub_server import Hub, start_hub
from tests.hub_server.cards import yaml_errors
from tests.publishing import ROOT, asap_hf

FOLDERS = sorted(path.parent for path in (ROOT / "evaluation").glob("*/__init__.py"))
KINDS = {
    "generated_tokens": "measurement",
    "generation_latency": "measurement",
    "pass_at_1": "metric",
    "reasoning_compression": "metric",
}
each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Level (0 for absolute imports) and first name of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((node.level, name.partition(".")[0]) for name in names)


def parts_of(folder: Path) -> list[str]:
    """The modules that the folder's entry module imports."""
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "app", folder.name))


def test_these_are_the_modules() -> None:
    assert [folder.name for folder in FOLDERS] == sorted(KINDS)


@each
def test_folder_file_and_title_are_one_name(folder: Path) -> None:
    card = RepoCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert data["title"] == folder.name
    assert card.text.lstrip().startswith(f"# {folder.name}\n")
    assert data["sdk"] == "gradio"
    assert {"evaluate", KINDS[folder.name]} < set(data["tags"])
    assert {data["app_file"], f"{folder.name}.py", "requirements.txt"} <= {path.name for path in folder.iterdir()}
    assert yaml_errors((folder / "README.md").read_text(), "space") == []


@each
def test_nothing_but_the_folder_and_what_its_requirements_name_is_imported(folder: Path) -> None:
    required = {line.partition(">")[0] for line in (folder / "requirements.txt").read_text().split()}
    for path in folder.glob("*.py"):
        for level, name in imports_of(path):
            page = {"gradio"} if path.name == "app.py" else set()  # the Space's sdk brings it
            allowed = {*parts_of(folder)} if level else {*sys.stdlib_module_names} | required | page
            assert level < 2 and name in allowed, path.name


@each
def test_the_entry_names_each_part_as_the_loader_wants_it(folder: Path) -> None:
    """`evaluate` copies the files that the entry imports, not those that they import. It cannot parse `import a, b`,
    and takes a comment after an import for an address."""
    entry = folder / f"{folder.name}.py"
    assert sorted({name for level, name in imports_of(entry) if level}) == parts_of(folder)
    for line in entry.read_text().splitlines():
        if line.startswith(("import ", "from ")):
            assert "#" not in line and not (line.startswith("import ") and "," in line), line


@each
def test_it_loads_from_the_checkout_wherever_one_stands(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = evaluate.load(str(folder))
    assert module.module_type == KINDS[folder.name]
    for text in (module.description, module.inputs_description, module.citation):
        assert len(text) > 100


@each
def test_the_examples_in_code_and_card_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for part in (folder.name, *parts_of(folder)):
        module = importlib.import_module(f"evaluation.{folder.name}.{part}")
        found = doctest.testmod(module)
        assert found.failed == 0, part
        assert found.attempted or part != folder.name
    card = doctest.testfile(str(folder / "README.md"), module_relative=False)
    assert card.attempted > 4
    assert card.failed == 0


WITHOUT = """
import importlib, sys
sys.modules["evaluate"] = sys.modules["datasets"] = None
for name in sys.argv[1:]:
    importlib.import_module("evaluation." + name)
"""


def test_the_functions_behind_them_need_no_evaluate() -> None:
    names = [f"{folder.name}.{part}" for folder in FOLDERS for part in parts_of(folder)]
    done = subprocess.run([sys.executable, "-c", WITHOUT, *names], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_those_that_take_numbers_of_tokens_combine() -> None:
    paths = [str(ROOT / "evaluation" / name) for name in ("generated_tokens", "reasoning_compression")]
    assert evaluate.combine(paths).compute(predictions=[10, 30], references=[40, 20]) == {
        "mean_tokens": 20.0,
        "median_tokens": 20.0,
        "p90_tokens": 28.0,
        "token_ratio": 2 / 3,
        "mean_token_ratio": 0.875,
        "longer": 0.5,
        "token_ratios": [0.25, 1.5],
    }


def test_pass_at_1_combines_with_a_stricter_one_of_itself() -> None:
    entry = str(ROOT / "evaluation" / "pass_at_1")
    both = evaluate.combine({"one": entry, "other": evaluate.load(entry)}, force_prefix=True)
    scores = both.compute(predictions=[["def f(): return 1", "def f(): return 2"]], references=["assert f() == 1"])
    assert {name: scores[name] for name in scores if "@" in name} == {"one_pass@1": 0.5, "other_pass@1": 0.5}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with start_hub() as server:
        yield server


USE = """
import json, sys
import evaluate

pass_at_1 = evaluate.load("me/pass_at_1")
programs = ["def f(): return 1", "def f(): return 2", "def f(): 1 / 0", "def f():\\n    while True: pass"]
graded = pass_at_1.compute(predictions=[programs], references=["assert f() == 1"], k=[1, 4], timeout=0.2)
graded["results"] = [result["status"] for _, result in graded["results"][0]]
stdin = evaluate.load("me/pass_at_1", "stdin")
both = evaluate.combine(["me/generated_tokens", "me/reasoning_compression"])
results = {
    "default": graded,
    "stdin": stdin.compute(predictions=[["print(input())"]], references=[[{"input": "1", "output": "1"}]])["pass@1"],
    "tokens": both.compute(predictions=[5], references=[10]),
    "latency": evaluate.load("me/generation_latency").compute(predictions=[2.0], wall_seconds=3.0),
    "loaded": [name for name in sys.modules if name.split(".")[0] in ("asap_hf", "evaluation")],
}
print(json.dumps(results))
"""


def test_as_spaces_they_load_into_an_empty_cache_and_grade_there(hub: Hub, tmp_path: Path) -> None:
    for folder in FOLDERS:
        done = asap_hf(hub.env, "publish", "metric", folder, "--repo_id", f"me/{folder.name}")
        assert done.returncode == 0, done.stderr
    env = {**hub.env, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
    done = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "default": {"pass@1": 0.25, "pass@4": 1.0, "results": ["pass", "fail", "error", "timeout"]},
        "stdin": 1.0,
        "tokens": {
            "mean_tokens": 5.0,
            "median_tokens": 5.0,
            "p90_tokens": 5.0,
            "token_ratio": 0.5,
            "mean_token_ratio": 0.5,
            "longer": 0.0,
            "token_ratios": [0.5],
        },
        "latency": {"mean_seconds": 2.0, "p50_seconds": 2.0, "p90_seconds": 2.0, "wall_seconds_per_sample": 3.0},
        "loaded": [],
    }
    assert list((tmp_path / "home").rglob("jail_fork_server.py"))


@pytest.fixture
def gradio(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for gradio, which is no dependency of this project: the pages are built, but not shown."""
    stand_in: Any = ModuleType("gradio")
    stand_in.__getattr__ = lambda name: MagicMock()
    stand_in.Error = type("Error", (Exception,), {})
    monkeypatch.setitem(sys.modules, "gradio", stand_in)
    return stand_in  # type: ignore[no-any-return]


PAGES: list[tuple[str, str, tuple[Any, ...], Any]] = [
    ("pass_at_1", "grade", ("def f(): return 1", "assert f() == 1", 1.0), "pass"),
    ("generated_tokens", "measure", ("10, 20 30", ""), 20.0),
    ("generated_tokens", "measure", ("10 30", "stop,length"), 20.0),
    ("generation_latency", "measure", ("1.5,2.5", None), 2.0),
    ("reasoning_compression", "compare", ("1 2", "2 4"), 0.5),
]


@pytest.mark.parametrize(("name", "function", "typed", "first"), PAGES)
def test_a_page_shows_what_its_module_says(
    name: str, function: str, typed: tuple[Any, ...], first: Any, gradio: ModuleType
) -> None:
    page = runpy.run_path(str(ROOT / "evaluation" / name / "app.py"))
    shown = page[function](*typed)
    assert next(iter(shown.values() if isinstance(shown, dict) else shown)) == first


BAD_PAGES: list[tuple[str, str, tuple[Any, ...], str]] = [
    ("pass_at_1", "grade", ("def f(): return 1", "", 1.0), "asked nothing"),
    ("generated_tokens", "measure", ("ten", ""), "ten"),
    ("generation_latency", "measure", ("", 3.0), "no requests"),
    ("reasoning_compression", "compare", ("1 2", "2"), "Mismatch"),
]


@pytest.mark.parametrize(("name", "function", "typed", "said"), BAD_PAGES)
def test_a_page_says_what_is_wrong(name: str, function: str, typed: tuple[Any, ...], said: str, gradio: Any) -> None:
    page = runpy.run_path(str(ROOT / "evaluation" / name / "app.py"))
    with pytest.raises(gradio.Error, match=said):
        page[function](*typed)
