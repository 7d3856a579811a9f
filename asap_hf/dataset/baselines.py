"""One dataset of what several pruners made of the same rows: a config each, for comparing what is trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError
from .merge import join_configs
from .result_folder import former_run
from .run import finish_with
from .writer import DatasetWriter


def write_baselines(folders: Mapping[str, Path], output_dir: Path, overwrite: bool = False) -> None:
    """Put results of `asap-hf prune` together.

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
    told = {name: {"settings": run["settings"], "summary": run["summary"]} for name, run in whole.items()}
    with DatasetWriter(output_dir, overwrite, list(folders.values())) as writer:
        join_configs(writer, folders)
        finish_with(writer, {**sources[0], "runs": told})
