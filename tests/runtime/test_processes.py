"""Several processes share the scoring, one writes. By torchrun: `accelerate launch --cpu` starts one process only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asap_hf.cli import main
from asap_hf.runtime.ledger import open_ledger

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("shards", [[], ["--num_shards", "2"]])
def test_two_processes_give_what_one_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_model: str, shards: list[str]
) -> None:
    lines = (ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl").read_text().splitlines()
    (tmp_path / "traces.jsonl").write_text("\n".join(sorted(lines, key=len)[:4]) + "\n")
    work = ["prune", str(tmp_path / "traces.jsonl"), "--ratio", "0.3", "--batch_size", "1", *shards]
    two = [*work, "--ledger_dir", str(tmp_path / "ledger2"), "--output_dir", str(tmp_path / "two"), "--device", "cpu"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, "-m", "asap_hf.cli", *two], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("written to") == 1
    one = [*work, "--ledger_dir", str(tmp_path / "ledger1"), "--output_dir", str(tmp_path / "one"), "--device", "cpu"]
    assert main(one) == 0
    for path in (tmp_path / "one").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger2"))
    assert len(open_ledger("scores")) == 4
