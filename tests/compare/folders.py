"""Evaluation folders as `asap-hf evaluate` leaves them, from a few samples or from a model that is simulated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from asap_hf.evaluation.pass_at_1.host_grader import GRADER_VERSION

from asap_hf.benchmarks.results import BenchmarkResult

SAMPLES = pa.schema(
    [
        ("benchmark", pa.string()),
        ("task_id", pa.string()),
        ("sample", pa.int32()),
        ("budget", pa.int32()),
        ("finish_reason", pa.string()),
        ("status", pa.string()),
        ("passed", pa.bool_()),
        ("detail", pa.string()),
        ("reasoning_tokens", pa.int32()),
        ("answer_tokens", pa.int32()),
        ("generated_tokens", pa.int32()),
        ("latency_seconds", pa.float32()),
        ("first_token_seconds", pa.float32()),
        ("queue_seconds", pa.float32()),
        ("answer", pa.string()),
        ("program", pa.string()),
        ("grader_version", pa.int32()),
    ]
)
GENERATIONS = pa.schema(
    [
        ("benchmark", pa.string()),
        ("task_id", pa.string()),
        ("sample", pa.int32()),
        ("prompt", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("text", pa.string()),
        ("finish_reason", pa.string()),
        ("latency_seconds", pa.float32()),
        ("first_token_seconds", pa.float32()),
        ("queue_seconds", pa.float32()),
    ]
)
_DATASETS = {
    "humaneval": "openai/openai_humaneval",
    "humaneval_plus": "evalplus/humanevalplus",
    "lcb_v1_v3": "livecodebench/code_generation_lite",
    "lcb_v4_v5": "livecodebench/code_generation_lite",
    "leetcode": "newfacade/LeetCodeDataset",
}


@dataclass(frozen=True)
class Sample:
    """What matters of a row of samples.parquet."""

    task_id: str
    status: str = "pass"
    generated_tokens: int = 1000
    sample: int = 0
    budget: int = 6144
    benchmark: str = "humaneval"
    detail: str = ""

    def row(self) -> dict[str, Any]:
        """The whole row."""
        cut = self.status == "truncated"
        reasoning = self.generated_tokens if cut else max(self.generated_tokens - 202, 0)
        program = "" if self.status in ("truncated", "no_program") else "def f():\n    return 1\n"
        return asdict(self) | {
            "finish_reason": "length" if cut else "stop",
            "passed": None if self.status == "infra" else self.status == "pass",
            "reasoning_tokens": reasoning,
            "answer_tokens": 0 if cut else min(self.generated_tokens, 200),
            "latency_seconds": None,
            "first_token_seconds": None,
            "queue_seconds": None,
            "answer": f"```python\n{program}```",
            "program": program,
            "grader_version": GRADER_VERSION if program and self.status != "infra" else None,
        }


def write_evaluation(
    folder: Path,
    samples: Sequence[Sample],
    *,
    model: str = "me/model",
    engine: str = "vllm 0.32.0",
    revisions: Mapping[str, str] | None = None,
    latency: float | None = 0.98,
    **about: Any,
) -> Path:
    """A finished evaluation with these samples; `about` goes over what `run` in summary.json says."""
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([one.row() for one in samples], schema=SAMPLES), folder / "samples.parquet")
    pq.write_table(
        pa.Table.from_pylist(list(_generations(samples)), schema=GENERATIONS), folder / "generations.parquet"
    )
    benchmarks = list(dict.fromkeys(one.benchmark for one in samples))
    results = [
        asdict(
            BenchmarkResult(
                benchmark=benchmark,
                dataset=_DATASETS[benchmark],
                dataset_revision=(revisions or {}).get(benchmark, "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544"),
                split="test",
                problems=len({one.task_id for one in samples if (one.benchmark, one.budget) == (benchmark, budget)}),
                model=model,
                model_revision="0123456789abcdef0123456789abcdef01234567",
                engine=engine,
                date="2025-11-22T10:30:00+00:00",
                budget=budget,
                ungraded=sum(
                    one.status == "infra" for one in samples if (one.benchmark, one.budget) == (benchmark, budget)
                ),
                grader_version=about.get("grader_version", GRADER_VERSION),
                latency=latency if budget == max(_budgets(samples, benchmark)) else None,
                **_scores([one for one in samples if (one.benchmark, one.budget) == (benchmark, budget)]),
            )
        )
        for benchmark in benchmarks
        for budget in _budgets(samples, benchmark)
    ]
    run = {
        "model": model,
        "model_revision": "0123456789abcdef0123456789abcdef01234567",
        "engine": engine.split()[0],
        "versions": {"vllm": "0.32.0", "torch": "2.13.0", "transformers": "5.19.0"},
        "prompts_hash": dict.fromkeys(benchmarks, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        "limits": {"cpu_seconds": 3.0, "memory_bytes": 4294967296},
        "temperature": 0.0,
        "samples": max(one.sample for one in samples) + 1,
        "seed": 42,
        "dtype": "bfloat16",
        "hardware": "NVIDIA H200",
        "wall_seconds": 312.5,
        "grader_tier": "bubblewrap",
        "grader_version": GRADER_VERSION,
        "latency": "batch wall time / samples (the paper's)",
    }
    told = {"asap_hf": "0.1.0", "results": results, "run": run | about}
    (folder / "summary.json").write_text(json.dumps(told, indent=2) + "\n")
    return folder


def _budgets(samples: Sequence[Sample], benchmark: str) -> list[int]:
    return sorted({one.budget for one in samples if one.benchmark == benchmark})


def _scores(samples: Sequence[Sample]) -> dict[str, float]:
    """Means over problems of means over judged samples."""
    passed: dict[str, list[bool]] = {}
    lengths: dict[str, list[int]] = {}
    for one in samples:
        if one.status != "infra":
            passed.setdefault(one.task_id, []).append(one.status == "pass")
            lengths.setdefault(one.task_id, []).append(one.generated_tokens)
    means = {"pass_at_1": passed, "tokens": lengths}
    return {name: float(np.mean([np.mean(each) for each in values.values()])) for name, values in means.items()}


def _generations(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    longest = {
        (one.benchmark, one.task_id, one.sample): one.row() for one in sorted(samples, key=lambda one: one.budget)
    }
    for row in longest.values():
        told = {name: row[name] for name in GENERATIONS.names if name in row}
        yield told | {"prompt": "Write f.", "token_ids": [], "text": "<think>…</think>" + row["answer"]}


@dataclass(frozen=True)
class Model:
    """A simulated model: how long it reasons, and how well."""

    length: float
    """Median tokens of a generation on an ordinary problem."""
    skill: float
    """Share that it solves with all the tokens it wants."""
    seed: int = 0

    def samples(
        self, benchmark: str, problems: int, budgets: Sequence[int], samples: int = 1, hardness: float = 1.0
    ) -> list[Sample]:
        """What it leaves on a benchmark. How hard a problem is, all models agree on."""
        hard = np.random.default_rng(len(benchmark)).normal(size=problems)
        own = np.random.default_rng([self.seed, len(benchmark)])
        found = []
        for number in range(problems):
            for sample in range(samples):
                wanted = int(self.length * hardness * np.exp(0.5 * hard[number] + 0.35 * own.normal())) + 300
                solves = bool(own.normal() * 0.7 + hard[number] * 0.7 < _quantile(self.skill))
                found += [
                    Sample(
                        task_id=f"{benchmark}/{number}",
                        status="truncated" if wanted > budget else "pass" if solves else "fail",
                        generated_tokens=min(wanted, budget),
                        sample=sample,
                        budget=budget,
                        benchmark=benchmark,
                    )
                    for budget in budgets
                ]
        return found


def _quantile(share: float) -> float:
    """Where a standard normal has this share below it."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
