"""The folder `evaluation/pass_at_1` stands alone, and its host and jail files do not import each other.

`evaluate.load` copies the files that the entry module names, and nothing else.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "evaluation" / "pass_at_1"
# The metric and its page, which import other packages, too.
ENTRY = {"pass_at_1", "app"}
PARTS = {path.stem: path for path in FOLDER.glob("*.py") if path.stem not in ENTRY | {"__init__"}}


def test_each_part_imports_the_standard_library_and_its_siblings_alone() -> None:
    for name, path in PARTS.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported = {alias.name.partition(".")[0] for alias in node.names}
                assert imported <= sys.stdlib_module_names, name
            elif isinstance(node, ast.ImportFrom):
                imported = {node.module.partition(".")[0]} if node.module else {alias.name for alias in node.names}
                assert imported <= (PARTS.keys() if node.level else sys.stdlib_module_names), name
                assert node.level < 2, name


def siblings_imported(source: str) -> set[str]:
    """The siblings that a file imports, also inside functions, and also by calls such as `import_module`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {(node.module or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
        elif isinstance(node, ast.Call):
            constants = [one.value for one in node.args if isinstance(one, ast.Constant)]
            found |= {part for value in constants if isinstance(value, str) for part in value.split(".")}
    return found & PARTS.keys()


def side(name: str) -> str:
    """`host`: the trusted process; `jail`: inside the jail; `both`: data and messages that both sides use."""
    return next((one for one in ("host", "jail") if name.startswith(f"{one}_")), "both")


def crossings(name: str, source: str) -> set[str]:
    """The imports of a file from the other side of the security boundary; for a file of both sides, from either
    side."""
    return {one for one in siblings_imported(source) if side(one) not in ("both", side(name))}


def test_no_file_imports_from_the_other_side_of_the_security_boundary() -> None:
    assert {name: found for name, path in PARTS.items() if (found := crossings(name, path.read_text()))} == {}
    assert {side(name) for name in PARTS} == {"host", "jail", "both"}
    assert {name for name in PARTS if side(name) == "both"} == {"codec", "codec_types", "messages"}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("jail_new", "from .host_tasks import CallTask"),
        ("jail_new", "def f():\n    from . import host_tasks"),
        ("jail_new", "import evaluation.pass_at_1.host_tasks"),
        ("jail_new", "import importlib\nimportlib.import_module('runner.host_tasks')"),
        ("host_new", "from .jail_seccomp import Filter"),
        ("codec_new", "from .jail_seccomp import Filter"),
    ],
)
def test_an_import_across_the_boundary_is_found(name: str, source: str) -> None:
    assert len(crossings(name, source)) == 1


def test_the_entry_module_names_each_part() -> None:
    """`evaluate` reads the imports of that module alone, line by line, and copies the files that they name."""
    named = re.findall(r"^from \.(\w+) import ", (FOLDER / "pass_at_1.py").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(PARTS)
