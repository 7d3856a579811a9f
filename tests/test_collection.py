"""A test has the same name in every process that collects it: workers of pytest-xdist stop where names differ."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Names that no two processes agree on, and one that they do.
CHANGING = """
import datetime, gzip, os, tempfile, time
import pytest

@pytest.mark.parametrize("value", [f"{time.time():.0f}"])
def test_second(value): ...

@pytest.mark.parametrize("value", [str(datetime.date.today())])
def test_day(value): ...

@pytest.mark.parametrize("value", [gzip.compress(b"text")])
def test_compressed(value): ...

@pytest.mark.parametrize("value", [object()], ids=repr)
def test_address(value): ...

@pytest.mark.parametrize("value", [hash("text")])
def test_hash(value): ...

@pytest.mark.parametrize("value", {f"{number}" for number in range(20)})
def test_order(value): ...

@pytest.mark.parametrize("value", [tempfile.gettempdir()])
def test_folder(value): ...

@pytest.mark.parametrize("value", [os.getpid()])
def test_process(value): ...

@pytest.mark.parametrize("value", [1, "a"])
def test_constant(value): ...
"""


def collected(root: Path, temporary: Path, seed: int, zone: str) -> list[str]:
    """Names of the tests below `root` in the order in which another process collects them."""
    temporary.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONHASH"))}
    environment = inherited | {"PYTHONHASHSEED": f"{seed}", "TZ": zone, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [line for line in done.stdout.split("\n") if "::" in line]


def collected_twice(root: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Under other hash seeds, with other folders for temporary files, at other seconds and on other days by the local
    clock: these two zones differ by 26 hours."""
    first = collected(root, folder / "first", 1, "Etc/GMT+12")
    time.sleep(1)  # so that this second is over, however fast the machine is
    return first, collected(root, folder / "second", 2, "Etc/GMT-14")


def unlike(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Names that only one of them has, or has elsewhere."""
    if set(first) != set(second):
        return sorted(set(first) ^ set(second))
    return [one for one, other in zip(first, second, strict=True) if one != other]


def test_tests_have_the_same_names_in_the_same_order_whoever_collects_them(tmp_path: Path) -> None:
    first, second = collected_twice(ROOT, tmp_path)
    assert len(first) > 3000
    assert unlike(first, second) == []
    assert not [name for name in first if str(ROOT) in name]


def test_names_that_change_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "test_changing.py").write_text(CHANGING)
    first, second = collected_twice(tmp_path, tmp_path)
    changing = {name.partition("::")[2].partition("[")[0] for name in unlike(first, second)}
    assert changing == {
        f"test_{kind}" for kind in ("second", "day", "compressed", "address", "hash", "folder", "process")
    }
    orders = [[name for name in names if "test_order" in name] for names in (first, second)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert unlike(*orders)


@pytest.mark.parametrize("content", [b"1", b"2"])
def test_bytes_are_named_after_their_argument(request: pytest.FixtureRequest, content: bytes) -> None:
    assert request.node.name == f"test_bytes_are_named_after_their_argument[content{int(content) - 1}]"
