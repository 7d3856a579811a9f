"""A result of a benchmark, as evaluations write it and cards show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION

from asap_hf import __version__
from asap_hf.benchmarks.results import RESULTS_FILE, BenchmarkResult


def humaneval_result(**told: Any) -> BenchmarkResult:
    """A model on all of HumanEval under the paper's budget; `told` goes over what stands here."""
    usual: dict[str, Any] = {
        "benchmark": "humaneval",
        "dataset": "openai/openai_humaneval",
        "dataset_revision": "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
        "split": "test",
        "problems": 164,
        "pass_at_1": 137 / 164,
        "tokens": 2511.4,
        "latency": 1.21,
        "budget": 6144,
        "model": "me/model",
        "model_revision": "",
        "engine": "vllm 0.32.0",
        "date": "2025-11-22",
        "grader_version": GRADER_VERSION,
    }
    return BenchmarkResult(**usual | told)


def write_results(results: Sequence[BenchmarkResult], folder: Path) -> Path:
    """Write `summary.json` into a folder as an evaluation does, without what it says of the run; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RESULTS_FILE
    path.write_text(json.dumps({"asap_hf": __version__, "results": [asdict(one) for one in results]}))
    return path
