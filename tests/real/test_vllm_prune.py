"""`asap-hf prune` against vLLM's own server: a model this small mostly fails; that is counted, and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import load_dataset

from asap_hf.cli import main

from .servers import Server

pytestmark = pytest.mark.vllm

SAMPLES = Path(__file__).parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"


@pytest.mark.parametrize("mode", ["rewrite", "select"])
def test_every_row_comes_out_pruned_or_whole_with_a_reason(mode: str, vllm_server: Server, tmp_path: Path) -> None:
    lines = sorted(SAMPLES.read_text(encoding="utf-8").splitlines(), key=len)[:4]
    (tmp_path / "traces.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    llm = ["--anchor_model", vllm_server.model, "--anchor_base_url", vllm_server.base_url, "--anchor_mode", mode]
    limits = ["--max_attempts", "2", "--anchor_max_tokens", "256"]
    structured = ["--anchor_structured", "vllm"] if mode == "select" else []
    work = ["prune", str(tmp_path / "traces.jsonl"), *llm, *limits, *structured, "--pruner", "wo_fine"]
    assert main([*work, "--output_dir", str(tmp_path / "out")]) == 0
    rows = load_dataset(str(tmp_path / "out"), split="train")
    records = load_dataset(str(tmp_path / "out"), "steps", split="train")
    llm_account = json.loads((tmp_path / "out" / "run.json").read_text())["summary"]["llm"]
    assert len(rows) == 4
    assert 4 + 4 <= llm_account["calls"] <= 2 * (4 + 4)
    for row, record in zip(rows, records, strict=True):
        assert record["anchor"] or "no direct CoT" in row["reason"]
        whole = record["kept"] == list(range(len(record["steps"])))
        assert row["ok"] or whole
        assert row["ok"] == (row["reason"] == "")
    # Again: the ledger answers everything, failures included, and the bytes are the same.
    assert main([*work, "--output_dir", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "run.json").read_text())["summary"]["llm"]
    assert again["calls"] == 0
    for path in (tmp_path / "out").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "out")).read_bytes()
