"""Tables and commands of the cards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..paper import Given, pruning_of
from ..pruners.registry import find_method
from ..reporting.markdown import Markdown, code, count, is_hub_id, one_line, share, shell, table, text
from ..traces.trace import REASONS

Runs = Mapping[str, Mapping[str, Any]]
"""`settings` and `summary` of each config; of the one run where the dataset comes from one."""

# What the stages of the paper's method, and what stands for them, are called in a table.
STAGES = {
    "answer_anchor": "after stage 1, ",
    "anchor_rewrite": "after stage 1, ",
    "anchor_select": "after stage 1, ",
    "iterative": "after stage 2, ",
    "reference": "after stage 2, ",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONG_HASH = re.compile(r"[0-9a-f]{40,64}")
# Told in run.json, but no flag of `asap-hf prune` changes them.
_NO_FLAG = {"decontaminate_share", "sample_tests_cpu_seconds"}
_LINE = 84  # characters that a card shows without scrolling


def given_by_paper(pruner: str) -> dict[str, Given]:
    """What the paper gives for a pruner of `run.json`, by the names of the settings there."""
    method = find_method(pruner)
    return pruning_of(pruner, method.paper if method else "")


def runs_of(run: Mapping[str, Any]) -> Runs:
    """The runs that `run.json` describes."""
    runs: Runs = run.get("runs", {"": run})
    return runs


def lengths_by_stage(summary: Mapping[str, Any]) -> Markdown:
    """Tokens of one run's reasonings, as they came and after each stage."""
    whole = summary["tokens"]["before"]["total"]
    rows = [
        [
            "as it came" if stage == "before" else Markdown(f"{STAGES.get(stage, 'after ')}{code(stage)}"),
            *_lengths(spread, whole),
        ]
        for stage, spread in summary["tokens"].items()
    ]
    return table(["reasoning", "tokens", "median", "longest", "kept"], rows, numbers=range(1, 5))


def lengths_by_config(runs: Runs) -> Markdown:
    """Tokens of every run's reasonings after its last stage."""
    rows = []
    for config, one in runs.items():
        spreads = one["summary"]["tokens"]
        before, after = spreads["before"]["total"], last_spread(one["summary"])
        rows.append([code(config), count(one["summary"]["usable"]), count(before), *_lengths(after, before)])
    header = ["config", "rows", "tokens before", "tokens after", "median", "longest", "kept"]
    return table(header, rows, numbers=range(1, 7))


def _lengths(spread: Mapping[str, float], whole: float) -> list[Markdown]:
    return [count(spread[name]) for name in ("total", "median", "max")] + [share(spread["total"] / max(whole, 1))]


def last_spread(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Total, median and maximum of the tokens after the last stage; of the untouched rows where there was none."""
    spreads: list[dict[str, Any]] = list(summary["tokens"].values())
    return spreads[-1]


def rows_table(runs: Runs) -> Markdown:
    """How many rows were read, left out, failed and kept."""
    counts = {config: _row_counts(one["summary"]) for config, one in runs.items()}
    labels = dict.fromkeys(label for counted in counts.values() for label in counted)
    rows = [[label, *(count(counted.get(label, 0)) for counted in counts.values())] for label in labels]
    header = ["", *map(code, runs)] if len(runs) > 1 else ["", "rows"]
    return table(header, rows, numbers=range(1, len(header)))


def _row_counts(summary: Mapping[str, Any]) -> dict[Markdown, int]:
    counts = {Markdown("read from the source"): summary["rows"]}
    for reason, number in summary["unusable"].items():
        meaning = REASONS.get(reason, "no pruner can work on it")
        counts[Markdown(f"unusable, {text(meaning)} ({code(reason)})")] = number
    for reason, number in summary["filtered"].items():
        counts[Markdown(f"left out by a filter, {code(reason)}")] = number
    if summary["dropped"]:
        counts[Markdown("left out, no valid pruning was found")] = summary["dropped"]
    counts[Markdown("**to train on**")] = summary["usable"]
    for reason, number in summary["failures"].items():
        counts[Markdown(f"of these, `ok` is false: {code(reason)}")] = number
    for remark, number in summary.get("remarks", {}).items():
        counts[Markdown(f"of these, with a remark: {code(remark)}")] = number
    for reason, number in summary.get("unjudged", {}).items():
        counts[Markdown(f"of these, not judged by a filter: {code(reason)}")] = number
    if summary["windowed"]:
        counts[Markdown("of these, longer than the scorer's context and scored in windows")] = summary["windowed"]
    return counts


def settings_table(settings: Mapping[str, Any], paper: Mapping[str, Given]) -> Markdown:
    """The settings for which the paper gives a value, with that value."""
    rows = []
    for name, value in settings.items():
        if given := paper.get(name):
            in_paper = "the same" if value == given.value else given.words or _shown(given.value)
            rows.append([code(name), _shown(value), Markdown(f"{in_paper} ({given.place})")])
    return table(["setting", "here", "paper"], rows)


def other_settings(settings: Mapping[str, Any], paper: Mapping[str, Given]) -> Markdown:
    """The settings for which the paper gives none; those that are off are left out."""
    return _listed({name: value for name, value in settings.items() if name not in paper and value is not False})


def settings_by_config(settings: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]) -> Markdown:
    """For each config the settings that not all of them share, and which of all its settings differ from the paper."""
    rows = []
    for config, own in settings.items():
        own_settings = _listed({name: value for name, value in own.items() if name not in shared})
        rows.append([code(config), own_settings, differing(own, given_by_paper(own["pruner"])) or "–"])
    return table(["config", "settings of its own", "not as in the paper"], rows)


def differing(settings: Mapping[str, Any], paper: Mapping[str, Given]) -> Markdown:
    """The names of the settings for which the paper gives another value; empty if there are none."""
    return Markdown(
        ", ".join(code(name) for name, value in settings.items() if name in paper and value != paper[name].value)
    )


def _listed(settings: Mapping[str, Any]) -> Markdown:
    return Markdown(", ".join(code(f"{name}: {_plain(value)}") for name, value in settings.items()))


def _shown(value: Any) -> Markdown:
    return code(_plain(value))


def _plain(value: Any) -> str:
    """A setting as it is written on the command line, a long hash cut short."""
    if isinstance(value, str) and _LONG_HASH.fullmatch(value):
        return f"{value[:12]}…"
    return value if isinstance(value, str) else json.dumps(value)


def prune_command(
    source: str, settings: Mapping[str, Any], output_dir: str, revision: str = "", shards: int = 1
) -> Markdown:
    """The `asap-hf prune` that gives the same dataset: every setting that a flag takes, none left to a default.

    Args:
        source (`str`):
            The dataset's id on the Hub; the name of a file or folder, which has to lie where the command is run.
        settings (`Mapping`):
            Those of `run.json`.
        output_dir (`str`):
            Where the result goes.
        revision (`str`, *optional*, defaults to `""`):
            What was read of the source: a commit of a dataset on the Hub is asked for again.
        shards (`int`, *optional*, defaults to 1):
            In how many parts it was made: each begins a Parquet row group of its own.
    """
    flags = {name: value for name, value in settings.items() if name not in _NO_FLAG}
    method = find_method(flags.get("pruner", ""))
    if method is None or not method.has_choice_of_scores:
        flags.pop("score", None)  # of the others, the only one that they have
    if not _COMMIT.fullmatch(flags.get("scorer_revision", "")):
        flags.pop("scorer_revision", None)  # a hash of local weights
    if is_hub_id(source) and _COMMIT.fullmatch(revision):
        flags = {"dataset_revision": revision, **flags}
    if shards > 1:
        flags["num_shards"] = shards
    source = f"./{source}" if source.startswith("-") else source
    return command(f"asap-hf prune {shell(source)}", {**flags, "output_dir": output_dir})


def join_command(folders: Mapping[str, str], output_dir: str) -> Markdown:
    """The command that puts results together, a config each, as `asap_hf.dataset.merge.write_baselines` does."""
    program = (
        "import sys; from pathlib import Path; from asap_hf.dataset.merge import write_baselines; "
        "write_baselines({name: Path(path) for name, path in zip(sys.argv[2::2], sys.argv[3::2])}, Path(sys.argv[1]))"
    )
    named = (f"    {shell(name)} {shell(folder)}" for name, folder in folders.items())
    return Markdown(" \\\n".join([f"python -c {shell(program)}", f"    {shell(output_dir)}", *named]))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) and value else [value]


def command(program: str, flags: Mapping[str, Any]) -> Markdown:
    """A shell command over as many lines as it needs."""
    lines = [program]
    for name, value in flags.items():
        words = [one if isinstance(one, str) else json.dumps(one) for one in _several(value)]
        between = "=" if words[0].startswith("-") else " "  # what begins like a flag would be taken for one
        word = f"--{one_line(name)}{between}{' '.join(map(shell, words))}"
        if len(lines[-1]) + len(word) > _LINE:
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}"
    return Markdown(" \\\n".join(lines))
