"""Every command whose numbers the README shows still prints its table: here at its smallest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMBER = r"[\d.,e+]+"

# Arguments → a line of the table, its numbers left open.
BENCHES = {
    "split.py --traces 2": rf"^code +{NUMBER} +{NUMBER}% +{NUMBER}%",
    "match.py --traces 2": rf"^every third step, edited +off +2 +{NUMBER}.+ 2 and 2 of 2$",
    "grade.py --jobs 2 --rounds 1": rf"^check +{NUMBER} +{NUMBER} +{NUMBER} +3\.0$",
    "map.py --rows 16": rf"^ +16 +{NUMBER} +{NUMBER} +{NUMBER}$",
    "score.py --traces 1 --repeats 1": rf"^ours, first token +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER}$",
    "deterministic.py --groups 1 --size 2 --repeats 1 --longest 1600": (rf"^alone / batches, all of them: {NUMBER}$"),
    "reference.py --traces 1": rf"^all of them +{NUMBER} +{NUMBER}$",
    "score_memory.py --lengths 256": rf"^ours, all five +{NUMBER}$",
    "retention.py --traces 1 --max_tokens_trace 1200 --ratios 0.5 --keep 0.5 --threads 1": (
        rf"^anchor 0\.5 \+ surprisal +0\.5 +[+-]{NUMBER} "
    ),
    "gpu.py --smallest --device cpu --output OUTPUT": r"^11 parts measured, 0 failed, 0 left; ",
    "train_small.py --demo --steps 2 --rows 2 --heldout 1 --max_new_tokens 8 --output_dir OUTPUT": (
        rf"^asap +{NUMBER} +{NUMBER} +{NUMBER} +2$"
    ),
}


@pytest.mark.parametrize("command", BENCHES)
def test_a_bench_prints_its_table(command: str, tmp_path: Path) -> None:
    name, *arguments = command.replace("OUTPUT", str(tmp_path / "out")).split()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    run = subprocess.run(
        [sys.executable, f"bench/{name}", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert re.search(BENCHES[command], run.stdout, re.MULTILINE), run.stdout


def test_no_bench_is_forgotten() -> None:
    tried = {command.split()[0] for command in BENCHES}
    assert {path.name for path in (ROOT / "bench").glob("*.py")} == tried
