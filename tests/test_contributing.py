"""What CONTRIBUTING.md says is enough to add something, is enough: done in a copy of the tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.compare_pruners.traces import rows, small_model

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def python_block(heading: str) -> str:
    """The file that a section writes out."""
    section = CONTRIBUTING.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = re.search(r"^( *)```python\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    assert found, heading
    return textwrap.dedent(found[2])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its tests, laid out as the wheel has them."""
    without = shutil.ignore_patterns("__pycache__", "*.pyc")
    folders = {"evaluation": "asap_hf/evaluation", "model_cards": "asap_hf/model_cards"}
    for name in ("asap_hf", "tests", "evaluation", "model_cards"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / folders.get(name, name), ignore=without)
    for name in ("PAPER.md", "setup.cfg"):
        shutil.copy(ROOT / name, tmp_path / "copy" / name)
    return tmp_path / "copy"


def replaced(path: Path, before: str, after: str, times: int = 1) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == times
    path.write_text(text.replace(before, after), encoding="utf-8")


def run(copy: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), "ASAP_HF_LEDGER": "off"}
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def test_a_pruner_takes_its_file_a_line_in_the_registry_and_a_row(copy: Path, tmp_path: Path) -> None:
    (copy / "asap_hf" / "pruners" / "every_third.py").write_text(python_block("Add a pruner"), encoding="utf-8")
    replaced(copy / "asap_hf" / "pruners" / "registry.py", "    c3ot,\n", "    c3ot,\n    every_third,\n", times=2)
    row = "| – | `every_third`: `pruners/every_third.py` | not in the paper |\n"
    replaced(copy / "PAPER.md", "| §3.1, the method |", f"{row}| §3.1, the method |")
    traces, model = tmp_path / "traces.jsonl", small_model(tmp_path)
    traces.write_text("".join(json.dumps(row) + "\n" for row in rows(3)))
    out = ("--tokenizer", model, "--output_dir", tmp_path / "out")
    done = run(copy, "asap_hf.cli", "prune", traces, "--pruner", "every_third", *out)
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "This is a control that the paper does not have: every third step stays." in card
    assert "Whole steps were taken out" in card
    tests = ("tests/pruners/test_contract.py", "tests/pruners/test_registry.py", "-k", "every_third or every_method")
    done = run(copy, "pytest", "-v", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout
    assert "test_one_decision_per_trace_and_only_steps_are_left_out[every_third] PASSED" in done.stdout
    assert "test_every_method_has_its_row_in_the_paper_s_table PASSED" in done.stdout


def test_a_benchmark_takes_its_file_and_a_line_in_the_registry(copy: Path, tmp_path: Path) -> None:
    benchmarks = copy / "asap_hf" / "benchmarks"
    (benchmarks / "squares.py").write_text(python_block("Add a benchmark"), encoding="utf-8")
    registry = benchmarks / "registry.py"
    replaced(registry, "from .problems import", "from .squares import Squares\nfrom .problems import")
    replaced(registry, "    LeetCode,\n", "    LeetCode,\n    Squares,\n")
    problems, samples = tmp_path / "squares.jsonl", tmp_path / "samples.jsonl"
    test = "def check(candidate):\n    assert candidate(3) == 9\n"
    asked = [{"task_id": name, "prompt": f"{name} of a number", "test": test, "entry_point": name} for name in "ab"]
    problems.write_text("".join(json.dumps(row) + "\n" for row in asked))
    answers = [("a", "def a(n): return n * n"), ("b", "def b(n): return n + n")]
    said = [{"task_id": name, "response": f"```python\n{code}\n```"} for name, code in answers]
    samples.write_text("".join(json.dumps(row) + "\n" for row in said))
    done = run(copy, "asap_hf.cli", "grade", samples, "--benchmark", "squares", "--path", problems)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Squares: 2 of 2 problems")
    assert "50.00" in done.stdout
    done = run(copy, "asap_hf.cli", "grade", samples, "--benchmark", "circles")
    assert "leetcode, squares" in done.stderr
