"""What run.json holds after runs of every kind, for the tests of the cards."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from typing import Any

from asap_hf.commands.command_line import parse
from asap_hf.commands.methods import settings_of
from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.traces.trace import REASONS

RECIPES = files("asap_hf.recipes")
EDGES = [512, 609, 724, 861, 1024, 1218]


def run_of(command: str, *stages: str, source: str = "traces.jsonl", **summary: Any) -> dict[str, Any]:
    """What run.json holds after `asap-hf prune` with these flags, of ten rows that each stage halves."""
    arguments = parse(PruneArguments, [source, *shlex.split(command), "--output_dir", "out"], "asap-hf prune")
    arguments.check()
    names = ["before", *stages]
    return {
        "asap_hf": "0.1.0",
        "source": source,
        "source_revision": "0123456789abcdef" * 4,
        "source_license": "",
        "settings": settings_of(arguments),
        "libraries": {"torch": "2.13.0+cpu", "huggingface_hub": "2.4.0"},
        "summary": {
            "rows": 10,
            "usable": 10,
            "unusable": {},
            "failed": 0,
            "failures": {},
            "remarks": {},
            "filtered": {},
            "unjudged": {},
            "dropped": 0,
            "dropped_reasons": {},
            "dropped_attempts": 0,
            "windowed": 0,
            "longest": 5561,
            "steps": {"before": 1234, "after": 617},
            "tokens": {
                name: {"total": 12344 >> place, "median": 1101.5 / 2**place, "max": 1190 >> place}
                for place, name in enumerate(names)
            },
            "histogram": {"edges": EDGES, **{name: [0, 1, 2, 0, 7] for name in names}},
            "seconds": 1.0,
            "llm": {},
            **summary,
        },
    }


PAPERS = f"--config {RECIPES}/r1-distill-qwen-7b/prune.yaml"
REFERENCE = f"--config {RECIPES}/reference/prune.yaml"
TROUBLE: dict[str, Any] = {
    "rows": 1230,
    "usable": 1000,
    "unusable": dict.fromkeys(REASONS, 7),
    "failed": 41,
    "failures": {"anchor_rewrite: step N of N is not in the original": 41},
    "remarks": {"over_budget: N > N tokens": 2},
    "filtered": {"sample_tests: failed": 129, "decontamination: livecodebench": 19},
    "unjudged": {"sample_tests: no_tests": 55},
    "dropped": 5,
    "windowed": 14,
}
RUNS: dict[str, dict[str, Any]] = {
    "both stages, a ratio": run_of("--ratio 0.25", "answer_anchor", "iterative"),
    "both stages, a budget": run_of("--max_tokens 2048", "answer_anchor", "iterative"),
    "wo_coarse": run_of("--pruner wo_coarse", "iterative"),
    "wo_fine": run_of("--pruner wo_fine", "answer_anchor"),
    "wo_any": run_of("--pruner wo_any"),
    "the paper's": run_of(PAPERS, "anchor_rewrite", "iterative", source="open-r1/codeforces-cots"),
    "the reference's": run_of(REFERENCE, "anchor_rewrite", "reference", source="open-r1/codeforces-cots"),
    "select": run_of(f"{PAPERS} --anchor_mode select", "anchor_select", "iterative"),
    "trouble": run_of("--sample_tests true --limit 2000", "answer_anchor", "iterative", **TROUBLE),
}


def baselines(*names: str) -> dict[str, Any]:
    runs = {name: RUNS[name] for name in names}
    whole = {name: value for name, value in RUNS[names[0]].items() if name not in ("settings", "summary")}
    told = {name: {"settings": run["settings"], "summary": run["summary"]} for name, run in runs.items()}
    return {**whole, "runs": {name.replace(" ", "_"): told[name] for name in names}}


BASELINES = baselines("both stages, a budget", "wo_coarse", "wo_fine", "wo_any")


def parts(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = run.get("runs", {"": run})
    return found


def blocks(card: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)


def words(command: str) -> list[str]:
    """A shell command of a card as the shell takes it apart."""
    return shlex.split(command.replace("\\\n", " "))
