"""Read the folder of a result of `asap-hf prune`: its `run.json`, and which files in it are the tool's own."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..runtime.own_folders import Kind, read_metadata

RUN_FILE = "run.json"


def former_run(folder: Path) -> dict[str, Any] | None:
    """The content of a result's `run.json`; `None` where the folder is no result of this tool."""
    return read_metadata(folder / RUN_FILE)


def file_sizes(folder: Path) -> dict[str, int]:
    """The files of a folder, as paths in it, and their bytes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}


def _known(folder: Path) -> Collection[str] | None:
    """The files of a result that are unchanged since they were written."""
    run = former_run(folder)
    if run is None:
        return None
    there = file_sizes(folder)
    if isinstance(listed := run.get("files"), dict):
        return {RUN_FILE, *(path for path, size in there.items() if listed.get(path) == size)}
    # Earlier versions did not list them.
    configs = "|".join(map(re.escape, run.get("runs") or ("default", "messages", "steps")))
    tables = rf"({configs})/(train|unusable)-[0-9a-f]{{8}}-\d{{5}}-of-\d{{5}}\.parquet"
    return {path for path in there if re.fullmatch(rf"README\.md|filtered\.jsonl|run\.json|{tables}", path)}


DATASET = Kind("a pruned dataset", _known)
