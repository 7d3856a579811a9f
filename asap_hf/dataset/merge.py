"""Several results in one folder: the shards of one run, or the runs of several pruners, with no row written anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RunError
from .summary import Summary
from .tables import FILTERED_FILE
from .writer import DatasetWriter, table_files, table_rows

_TABLES = (("default", "train"), ("messages", "train"), ("steps", "train"), ("default", "unusable"))
_COUNTED = ["tokens_before", "tokens_after", "tokens_in_all", "steps", "kept", "reason", "remark", "windows", "record"]


def join_shards(writer: DatasetWriter, folders: Sequence[Path]) -> dict[str, Any]:
    """Put the tables of one run's shards together, in their order; returns the summary of the whole.

    Args:
        writer (`DatasetWriter`):
            The folder that comes about.
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
            told = json.loads(line)
            summary.add_filtered(told["filter"], told["reason"])
            writer.add_line(FILTERED_FILE, line)
        summary.unjudged.update(of_shard["unjudged"])
        summary.add_dropped_before(of_shard)
        llm.update(of_shard["llm"])
        seconds += of_shard["seconds"]
    return summary.as_dict(seconds=round(seconds, 3), llm=dict(llm))


def join_configs(writer: DatasetWriter, folders: Mapping[str, Path]) -> None:
    """Put what several pruners made of the same rows together, the rows to train on of each as a config of its name.

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
