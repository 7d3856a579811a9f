"""Traps of the libraries below: what they do to a run that does not know them. One test a trap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, disable_caching, enable_caching

from asap_hf import SurprisalScorer, asap
from asap_hf.pruners.base import Pruner

SAMPLES = Path(__file__).parents[1] / "asap_hf" / "traces" / "samples" / "traces.jsonl"


def shortest(count: int) -> list[dict[str, str]]:
    rows = sorted((json.loads(line) for line in SAMPLES.open()), key=lambda row: len(row["completion"]))[:count]
    return [{"id": row["id"], "prompt": row["prompt"], "completion": row["completion"]} for row in rows]


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_model: str) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


def test_map_that_crashes_has_not_lost_the_scores_it_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Dataset.map` throws its partial results away when a row raises; the ledger keeps them."""
    rows = Dataset.from_list(shortest(4))
    pruner = asap(max_tokens=100)
    crash_at = [3]
    prune = Pruner.__call__

    def crashing(self: Pruner, batch: dict[str, Any], rank: int | None = None) -> dict[str, Any]:
        crash_at[0] -= 1
        if crash_at[0] < 0:
            raise RuntimeError("crash")
        return prune(self, batch, rank)

    disable_caching()
    try:
        monkeypatch.setattr(Pruner, "__call__", crashing)
        with pytest.raises(RuntimeError, match="crash"):
            rows.map(pruner, batched=True, batch_size=1)
        monkeypatch.setattr(Pruner, "__call__", prune)
        scored: list[int] = []
        compute = SurprisalScorer.compute

        def counting(self: SurprisalScorer, traces: list[Any], *loaded: Any) -> Any:
            scored.extend([1] * len(traces))
            return compute(self, traces, *loaded)

        monkeypatch.setattr(SurprisalScorer, "compute", counting)
        out = rows.map(pruner, batched=True, batch_size=1)
    finally:
        enable_caching()
    assert len(scored) == 1
    assert out["ok"] == [True] * 4


_FORKED = """
import os, torch
os.environ["ASAP_HF_LEDGER"] = "off"
from datasets import Dataset, disable_caching
from asap_hf import asap
from tests.test_traps import shortest
disable_caching()
torch.set_num_threads(2)
rows = Dataset.from_list(shortest(4))
pruner = asap(max_tokens=100)
alone = rows.map(pruner, batched=True)
forked = rows.map(pruner, batched=True, num_proc=2)
print(alone["kept"] == forked["kept"])
"""


def test_map_in_forked_children_of_a_warm_process_does_not_hang() -> None:
    """After a forward in the parent, torch's threads are gone in a forked child; its first forward never returns."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", _FORKED]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "True", done.stderr


def test_an_object_in_memory_hashes_as_it_did_before_it_was_used(tmp_path: Path) -> None:
    """A callable that holds a model hashes its weights, and differently in every process."""
    from datasets.fingerprint import Hasher

    pruner = asap(max_tokens=100)
    before = Hasher.hash(pruner)
    list(map(pruner, [{name: [row[name]] for name in row} for row in shortest(1)]))
    assert Hasher.hash(pruner) == before


def test_map_needs_no_features_when_the_first_thousand_rows_have_no_reason(embedded_model: str) -> None:
    """`map` fixes its types by the first 1,000 rows; a column of nulls there breaks at the first text."""
    good = {"prompt": "q", "completion": "<think>\nx = 1\n</think>\n\n```python\nx = 1\n```"}
    bad = {"prompt": "q", "completion": "no reasoning"}
    from asap_hf import AnswerAnchorPruner, Sequential

    out = Dataset.from_list([good] * 1200 + [bad]).map(Sequential((AnswerAnchorPruner(),)), batched=True)
    assert out["reason"][-1] == "no_think"
    assert out["ok"] == [True] * 1200 + [False]
