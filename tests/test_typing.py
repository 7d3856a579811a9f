"""The public names have their types: what mypy says of code that uses the package."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import asap_hf

ROOT = Path(asap_hf.__file__).parents[1]

# Each line that mypy must refuse ends in the code of its error; it must accept all others.
USES = """
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asap_hf import IterativePruner, ScoredPruner, Scorer, Sequential, Splitter, SurprisalScorer, Trace
from asap_hf import Columns, Completion, Failure, Generator, Pruner, Pruning, Request, ScoringFailure, StepScores
from asap_hf import __version__, asap, keep_last, split_steps
from asap_hf import Nonsense  # attr-defined

pruner: Sequential = asap("embedded", max_tokens=4096, mode="select")
asap(scorer=3)  # arg-type
asap(mode="shorten")  # arg-type
asap(budget=4096)  # call-arg
asap().prunes([])  # attr-defined
tokens: int = __version__  # assignment

trace = Trace.parse("What is n?", "<think>n is 3.</think>3")
prunings: list[Pruning] = keep_last("embedded", ratio=0.5).prune([trace])
kept: tuple[int, ...] = prunings[0].trace.kept
answer: int = prunings[0].trace.answer  # assignment


@dataclass(frozen=True)
class Lengths:
    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": {"length": [float(len(step)) for step in trace.steps]}} for trace in traces]


class Sums:
    def __call__(self, numbers: Sequence[int]) -> int:
        return sum(numbers)


scorer: Scorer = Lengths()
other: Scorer = SurprisalScorer("embedded")
wrong: Scorer = Sums()  # assignment
by_length: ScoredPruner = IterativePruner(Lengths(), "embedded", ratio=0.5, score="length")
IterativePruner(Sums(), "embedded")  # arg-type

outcome: StepScores | ScoringFailure = SurprisalScorer("embedded").score([trace])[0]
outcome.first_token_surprisal  # union-attr


class Whole(Pruner):
    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        return [Pruning(trace) for trace in traces]


class Named(Pruner):
    def prune(self, traces: Sequence[Trace]) -> list[str]:  # override
        return [trace.question for trace in traces]


def sentences(text: str) -> tuple[str, ...]:
    return (text,)


def letters(text: str) -> int:
    return len(text)


splitter: Splitter = sentences
miscut: Splitter = letters  # assignment
steps: tuple[str, ...] = split_steps("a", splitter="paper")
columns: Columns = Columns.recognise(["prompt", "completion"])


def ask(generator: Generator, request: Request) -> str:
    [told] = generator([request])
    if isinstance(told, Failure):
        return told.reason
    whole: Completion = told
    return str(whole.words)  # attr-defined
"""

# Of other libraries nothing is read, or a first run would take many minutes; of this one's own modules, no errors.
SETTINGS = """
[mypy]
strict = True
follow_imports = skip
ignore_missing_imports = True

[mypy-asap_hf,asap_hf.*]
follow_imports = silent
"""


def test_mypy_accepts_right_uses_and_refuses_wrong_ones(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(tmp_path / "cache"), "uses.py"]
    found = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(ROOT)}
    )
    assert found.stderr == ""
    errors = re.findall(r"^uses\.py:(\d+): error: .*\[([\w-]+)\]$", found.stdout, re.MULTILINE)
    expected = re.findall(r"^.*  # ([a-z-]+)$", USES, re.MULTILINE)
    assert len(expected) == 13
    lines = [number for number, line in enumerate(USES.split("\n"), 1) if "  # " in line]
    assert [(int(number), code) for number, code in errors] == list(zip(lines, expected, strict=True)), found.stdout


def test_type_checkers_see_what_is_imported_at_run_time() -> None:
    tree = ast.parse(Path(asap_hf.__file__).read_text())
    [block] = [one for one in tree.body if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"]
    imports = [one for one in block.body if isinstance(one, ast.ImportFrom)]
    assert len(imports) == len(block.body) and all(one.level == 1 for one in imports)
    seen = {name.asname: (one.module, name.name) for one in imports for name in one.names}
    assert seen == {name: (module, name) for name, module in asap_hf._MODULES.items()}
    assert [*sorted(seen), "__version__"] == asap_hf.__all__
