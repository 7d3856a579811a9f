"""Open what the user named: a file, a folder, or a Hub dataset. Rows come in batches, so memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

# File endings and the `datasets` builder that reads them; each may be followed by a compression's ending.
_BUILDERS = {
    ".jsonl": "json",
    ".json": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".csv": "csv",
    ".arrow": "arrow",
}
_COMPRESSIONS = (".gz", ".zst", ".xz", ".bz2")


@dataclass(frozen=True)
class Source:
    """A table of rows that can be read again and again.

    Args:
        label (`str`):
            What to call it in records: the dataset's id, or a file's name without its folder.
        dataset (`Dataset`):
            The rows.
    """

    label: str
    dataset: Dataset

    @property
    def columns(self) -> list[str]:
        return list(self.dataset.column_names)

    def __len__(self) -> int:
        return len(self.dataset)

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """The rows in order, as lists of at most `size` dicts."""
        for batch in self.dataset.iter(batch_size=size):
            yield [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]


def open_source(name: str, config: str | None = None, split: str = "train", limit: int | None = None) -> Source:
    """Open a `.jsonl`, `.json`, `.parquet`, `.csv` or `.arrow` file, a folder for `load_dataset`, or a Hub dataset.

    Raises:
        `UsageError`: if it does not exist, cannot be read, has no such split, or holds no rows.
    """
    path = Path(name)
    if path.is_file() and not path.stat().st_size:
        raise UsageError(f"{name!r} is empty: it holds no rows")
    if path.is_file():
        dataset = _load(_builder(path), label=name, split="train", data_files=str(path))
    elif path.is_dir():
        # Without force_redownload a folder that was rewritten in place can be served from the cache with its old rows.
        dataset = _load(str(path), config, label=name, split=split, download_mode="force_redownload")
    elif path.suffix in (*_BUILDERS, *_COMPRESSIONS) or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UsageError(f"there is no file or folder {name!r}")
    else:
        dataset = _load(name, config, label=name, split=split)
    if not len(dataset):
        raise UsageError(f"{name!r} (split {split!r}) holds no rows")
    return Source(
        path.name if path.exists() else name, dataset.select(range(min(limit or len(dataset), len(dataset))))
    )


def _builder(path: Path) -> str:
    suffixes = [suffix for suffix in path.suffixes if suffix not in _COMPRESSIONS]
    if not suffixes or suffixes[-1] not in _BUILDERS:
        raise UsageError(f"{path.name!r} is no kind of file that can be read; give one of {', '.join(_BUILDERS)}")
    return _BUILDERS[suffixes[-1]]


def _load(*what: str | None, label: str, split: str, **how: Any) -> Dataset:
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError
    from datasets.utils import logging as datasets_logging

    datasets_logging.set_verbosity_error()
    datasets_logging.disable_progress_bar()
    try:
        return load_dataset(*what, split=split, **how)
    except DatasetNotFoundError as error:
        raise UsageError(f"there is no dataset {label!r}, neither here nor on the Hub (or it is private)") from error
    except ConnectionError as error:
        raise UsageError(
            f"the Hub cannot be reached for {label!r}; a local file or folder needs no network"
        ) from error
    except Exception as error:  # builders raise whatever their reader raises; the first line says what is wrong
        cause = error.__cause__ or error
        what_is_wrong = str(cause).strip() or type(cause).__name__
        raise UsageError(f"{label!r} cannot be read: {what_is_wrong.splitlines()[0]}") from error
