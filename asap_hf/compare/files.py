"""Write a comparison to a folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from ..runtime.files import disk_errors
from ..runtime.output_folder import OutputFolder
from ..runtime.own_folders import Kind, read_metadata
from .card import on_card
from .comparison import Comparison, as_json
from .plots import pictures_of
from .report import report

COMPARISON_FILE, TRAINING_FILE = "comparison.json", "training.json"


def _known(folder: Path) -> Collection[str] | None:
    if read_metadata(folder / COMPARISON_FILE) is None and read_metadata(folder / TRAINING_FILE) is None:
        return None
    names = [f"{name}.{kind}" for name in ("comparison", "training") for kind in ("json", "md")]
    pictures = [path.name for path in folder.iterdir() if re.fullmatch(r"(budgets|trade_off)-\w+\.png", path.name)]
    return ["report.html", "training.html", *names, *pictures]


COMPARISON = Kind("a comparison", _known)


def comparison_files(comparison: Comparison) -> dict[str, bytes]:
    """`report.html`, `comparison.md`, `comparison.json` and the pictures; the same bytes for the same runs."""
    pictures = [picture for one in comparison.benchmarks for picture in pictures_of(comparison, one)]
    return {
        "report.html": report(comparison).encode(),
        "comparison.md": on_card(comparison, pictures).encode(),
        COMPARISON_FILE: as_json(comparison).encode(),
        **{picture.file: picture.png for picture in pictures},
    }


def write_files(files: Mapping[str, bytes], output_dir: Path, overwrite: bool, inputs: Collection[Path]) -> None:
    """Write a comparison's folder, whole or not at all.

    Args:
        files (`Mapping[str, bytes]`):
            By name.
        output_dir (`Path`):
            The folder.
        overwrite (`bool`):
            Replace an earlier comparison in it.
        inputs (`Collection[Path]`):
            What was compared, which may not lie in it.

    Raises:
        `UsageError`: if something else stands there, or another process is writing it.
        `RunError`: if a file cannot be written.
    """
    with (
        disk_errors(f"the comparison in {str(output_dir)!r}", "make room, or choose another --output_dir"),
        OutputFolder(output_dir, COMPARISON, overwrite, inputs) as folder,
    ):
        new = folder.begin()
        for name, content in files.items():
            (new / name).write_bytes(content)
        folder.put_in_place()
