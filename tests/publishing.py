"""What the tests of publishing share: commands run as a user runs them, against a test Hub."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.hub_server import Hub, start_hub

# What these commands score once, all of this process need not score again.
LEDGER = tempfile.TemporaryDirectory(prefix="asap-hf-ledger-")
ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"


@contextmanager
def hub_with_model(embedded_model: str) -> Iterator[Hub]:
    """A test Hub whose clients have a home of their own, in which the embedded model is ready."""
    with start_hub() as hub:
        (hub.home / "asap_hf").mkdir()
        (hub.home / "asap_hf" / "models").symlink_to(Path(embedded_model).parent)
        yield hub


def run(env: Mapping[str, str], *command: object) -> subprocess.CompletedProcess[str]:
    """Run a Python module or script with its arguments in a process of its own, from the checkout."""
    words = [str(word) for word in command]
    words = words if words[0].endswith(".py") else ["-m", *words]
    settled = {"OMP_NUM_THREADS": "1", "ASAP_HF_LEDGER": LEDGER.name, **env}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=settled, capture_output=True, text=True)


def asap_hf(env: Mapping[str, str], *command: object) -> subprocess.CompletedProcess[str]:
    """Run `asap-hf`."""
    return run(env, "asap_hf.cli", *command)


def short_samples(path: Path, count: int, broken: int = 0) -> Path:
    """The shortest bundled traces, and rows without reasoning after them."""
    rows = sorted((json.loads(line) for line in SAMPLES.open()), key=lambda row: len(row["completion"]))[:count]
    rows += [{"id": f"broken-{n}", "prompt": "p", "completion": "no reasoning", "tests": None} for n in range(broken)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


_LOAD = """
import json, sys
from datasets import load_dataset
told = {}
for config in sys.argv[2].split(","):
    splits = load_dataset(sys.argv[1], config)
    told[config] = {split: rows.to_list() for split, rows in splits.items()}
print(json.dumps(told))
"""


def load_fresh(env: Mapping[str, str], cache: Path, repo_id: str, configs: str) -> dict[str, dict[str, list[Any]]]:
    """What a process with an empty cache gets from `load_dataset`: config → split → rows."""
    command = [sys.executable, "-c", _LOAD, repo_id, configs]
    done = subprocess.run(command, env={**env, "HF_HOME": str(cache)}, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)
    loaded: dict[str, dict[str, list[Any]]] = json.loads(done.stdout)
    return loaded
