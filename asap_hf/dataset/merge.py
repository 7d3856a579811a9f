"""Merge several results into one folder without rewriting a row: the shards of one run, or the runs of several
pruners."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RunError, UsageError
from .result_folder import former_run
from .run import finish_with
from .summary import Summary
from .tables import FILTERED_FILE
from .writer import DatasetWriter, table_files, table_rows

_TABLES = (("default", "train"), ("messages", "train"), ("steps", "train"), ("default", "unusable"))
_COUNTED = ["tokens_before", "tokens_after", "tokens_in_all", "steps", "kept", "reason", "remark", "windows", "record"]


def join_shards(writer: DatasetWriter, folders: Sequence[Path]) -> dict[str, Any]:
    """Merge the tables of one run's shards, in order; returns the summary of the whole.

    Args:
        writer (`DatasetWriter`):
            Writes the merged result.
        folders (`Sequence[Path]`):
            The results of the shards.
    """
    summary, llm, seconds = Summary(), Counter[str](), 0.0
    for folder in folders:
        for config, split in _TABLES:
            _adopt(writer, folder, (config, split), (config, split))
        of_shard = json.loads((folder / "run.json").read_text(encoding="utf-8"))["summary"]
        for record in table_rows(folder, "steps", "train", _COUNTED):
            summary.add(record)
        for row in table_rows(folder, "default", "unusable", ["reason"]):
            summary.add_unusable(row["reason"])
        for line in _lines(folder / FILTERED_FILE):
            record = json.loads(line)
            summary.add_filtered(record["filter"], record["reason"])
            writer.add_line(FILTERED_FILE, line)
        summary.unjudged.update(of_shard["unjudged"])
        summary.add_dropped_before(of_shard)
        llm.update(of_shard["llm"])
        seconds += of_shard["seconds"]
    return summary.as_dict(seconds=round(seconds, 3), llm=dict(llm))


def join_configs(writer: DatasetWriter, folders: Mapping[str, Path]) -> None:
    """Merge what several pruners made of the same rows: the training rows of each become a config of its name.

    Raises:
        `RunError`: if they are not the same rows: a comparison of what was trained on them would be of rows too.
    """
    numbers: list[int] | None = None
    for name, folder in folders.items():
        here = [row["row"] for row in table_rows(folder, "default", "train", ["row"])]
        if numbers is not None and here != numbers:
            raise RunError(f"the pruner {name!r} left other rows than {next(iter(folders))!r}: keep failed rows")
        numbers = here
        _adopt(writer, folder, ("default", "train"), (name, "train"))
    first = next(iter(folders.values()))
    for line in _lines(first / FILTERED_FILE):
        writer.add_line(FILTERED_FILE, line)


def _adopt(writer: DatasetWriter, folder: Path, there: tuple[str, str], here: tuple[str, str]) -> None:
    import pyarrow.parquet as pq
    from datasets import Features

    files = table_files(folder, *there)
    if files:
        features = Features.from_arrow_schema(pq.read_schema(files[0]))
        writer.table(*here, features).adopt(files, sum(pq.read_metadata(file).num_rows for file in files))


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def write_baselines(folders: Mapping[str, Path], output_dir: Path, overwrite: bool = False) -> None:
    """Merge results of `asap-hf prune` into one dataset, a config each.

    Args:
        folders (`Mapping[str, Path]`):
            Name of a config to the result that it shows; the first one is the default.
        output_dir (`Path`):
            Where the dataset will stand.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace what stands there.

    Raises:
        `UsageError`: if a folder is no result, or they are not of one source.
        `RunError`: if they do not hold the same rows.
    """
    runs = {name: former_run(folder) for name, folder in folders.items()}
    whole = {name: run for name, run in runs.items() if run is not None}
    if missing := sorted(runs.keys() - whole.keys()):
        raise UsageError(f"{str(folders[missing[0]])!r} is no result of asap-hf prune")
    sources = [{name: run[name] for name in ("source", "source_revision", "source_license")} for run in whole.values()]
    if any(source != sources[0] for source in sources):
        raise UsageError(f"the results of {', '.join(folders)} are not of one source: prune them from the same rows")
    metadata = {name: {"settings": run["settings"], "summary": run["summary"]} for name, run in whole.items()}
    with DatasetWriter(output_dir, overwrite, list(folders.values())) as writer:
        join_configs(writer, folders)
        finish_with(writer, {**sources[0], "runs": metadata})
