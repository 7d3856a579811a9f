"""Build the publication of a pruned dataset: tables, card, picture and run.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset.result_folder import RUN_FILE, former_run
from ..dataset.tables import FILTERED_FILE
from ..errors import UsageError

if TYPE_CHECKING:
    from ..hub.publication import Publication

PICTURE_FILE = "tokens.png"


def dataset_publication(folder: Path, repo_id: str, license: str | None = None, **how: Any) -> Publication:
    """The files to publish for a result of `asap-hf prune`.

    Args:
        folder (`Path`):
            The result.
        repo_id (`str`):
            The dataset's id on the Hub.
        license (`str`, *optional*):
            Licence of what is published; by default that of the source, where its card names one.
        how (`Any`):
            The other fields of a `Publication`: `private`, `tag`, `create_pr`, `revision`, `overwrite`.

    Raises:
        `UsageError`: if the folder is no result.
    """
    from huggingface_hub import DatasetCard

    from ..cards.histogram import token_histogram
    from ..cards.rendering import dataset_card_body, dataset_card_data
    from ..hub.publication import Publication

    run = former_run(folder)
    if run is None:
        raise UsageError(f"{str(folder)!r} is no result of asap-hf prune: it holds no {RUN_FILE}")
    tables = sorted(folder.glob("*/*.parquet"))
    others = [path for name in (RUN_FILE, FILTERED_FILE) if (path := folder / name).exists()]
    files: dict[str, Path | bytes] = {path.relative_to(folder).as_posix(): path for path in [*tables, *others]}
    files[PICTURE_FILE] = token_histogram(run)
    data = dataset_card_data(
        run, repo_id, license or run["source_license"], DatasetCard.load(folder / "README.md").data
    )
    files["README.md"] = f"---\n{data}\n---\n\n{dataset_card_body(run, repo_id, PICTURE_FILE)}".encode()
    message = f"{_rows(run):,} rows pruned with asap-hf {run['asap_hf']}"
    return Publication(repo_id, "dataset", files, message, **how)


def _rows(run: dict[str, Any]) -> int:
    first = next(iter(run["runs"].values())) if "runs" in run else run
    return int(first["summary"]["usable"])
