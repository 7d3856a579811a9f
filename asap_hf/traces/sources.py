"""Open what the user named: a file, a folder, or a Hub dataset. Rows come in batches, so memory stays flat."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .column_types import column_types, fits
from .loading import check_encoding, check_start, load, load_from_hub, reading

if TYPE_CHECKING:
    from datasets import Dataset, Features, IterableDataset

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
_FIRST_ROWS = 10  # where a stream declares no types, they are read from its first rows


@dataclass(frozen=True)
class Source:
    """A table of rows that can be read again and again.

    Args:
        label (`str`):
            What to call it in records: the dataset's id, or a file's name without its folder.
        dataset (`Dataset` or `IterableDataset`):
            The rows.
        rows (`int`, *optional*):
            How many there are; `None` for a stream whose length is not known.
        revision (`str`, *optional*):
            Commit of a Hub dataset, SHA-256 of a file; empty where neither is known.
        license (`str`, *optional*):
            The licence on the Hub dataset's card; empty where it names none.
        first (`int`, *optional*, defaults to 0):
            Number of the first row: a shard keeps the numbers of the whole.
    """

    label: str
    dataset: Dataset | IterableDataset
    rows: int | None
    revision: str = ""
    license: str = ""
    first: int = 0

    @property
    def features(self) -> Features:
        """Types of the columns; those of a stream without any are read off its first rows."""
        from datasets import Dataset

        return self.dataset.features or Dataset.from_list(list(self.dataset.take(_FIRST_ROWS))).features

    @property
    def columns(self) -> list[str]:
        return list(self.features)

    @property
    def metadata(self) -> dict[str, str]:
        """Where the rows come from, for `run.json`."""
        return {"source": self.label, "source_revision": self.revision, "source_license": self.license}

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """The rows in order, as lists of at most `size` dicts.

        Raises:
            `UsageError`: if a stream's rows cannot be read.
            `RunError`: if they come over the network, and the connection breaks.
        """
        batches = iter(self.dataset.iter(batch_size=size))
        while True:
            with reading(self.label):
                batch = next(batches, None)
            if batch is None:
                return
            yield [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]

    def shards(self, count: int, done: Collection[int] = ()) -> Iterator[tuple[int, Source]]:
        """The rows in `count` runs of one length (the last ones may be a row shorter), without those in `done`. A
        stream is read once, a shard at a time in memory.

        Raises:
            `UsageError`: if nothing says how many rows there are.
        """
        if self.rows is None:
            raise UsageError(f"{self.label!r} does not say how many rows it has: give --limit to cut it into shards")
        bounds = [self.rows * number // count for number in range(count + 1)]
        stream = None if hasattr(self.dataset, "select") else iter(self.dataset)
        for number, (start, stop) in enumerate(pairwise(bounds)):
            rows = list(islice(stream, stop - start)) if stream is not None else []
            if number not in done:
                here = self.dataset.select(range(start, stop)) if stream is None else _table(rows, self.features)
                yield number, replace(self, dataset=here, rows=len(here), first=self.first + start)


def _table(rows: list[dict[str, Any]], features: Features) -> Dataset:
    from datasets import Dataset

    return Dataset.from_dict({name: [row.get(name) for row in rows] for name in features}, features=features)


def open_source(
    name: str,
    config: str | None = None,
    split: str = "train",
    limit: int | None = None,
    streaming: bool = False,
    revision: str | None = None,
) -> Source:
    """Open a `.jsonl`, `.json`, `.parquet`, `.csv` or `.arrow` file, a folder for `load_dataset`, or a Hub dataset.

    A Hub dataset is pinned to the commit that its branch, or `revision`, stands at.

    Args:
        name (`str`):
            Path or Hub id.
        config (`str`, *optional*):
            Config of a folder or a Hub dataset; a file has none.
        split (`str`, *optional*, defaults to `"train"`):
            Its split.
        limit (`int`, *optional*):
            The first rows only.
        streaming (`bool`, *optional*, defaults to `False`):
            Fetch rows as they are needed instead of the whole split first.
        revision (`str`, *optional*):
            Branch, tag or commit of a Hub dataset.

    Raises:
        `UsageError`: if it does not exist, cannot be read, has no such split, or holds no rows; if a revision is asked
            for of a file or folder, or a config or split of a file.
    """
    path = Path(name)
    if revision is not None and path.exists():
        raise UsageError(f"--dataset_revision is for a dataset on the Hub, and {name!r} lies here: leave it out")
    commit = license_ = ""
    how: dict[str, Any] = {"label": name, "split": split, "streaming": streaming}
    if path.is_file() and not path.stat().st_size:
        raise UsageError(f"{name!r} is empty: it holds no rows")
    if path.is_file() and (config is not None or split != "train"):
        flag = "dataset_split" if config is None else "dataset_config"
        raise UsageError(f"--{flag} is for folders and Hub datasets, and {name!r} is a file: leave it out")
    if path.is_file():
        commit = _sha256(path)
        dataset = _load_file(path, how | {"split": "train"})
    elif path.is_dir():
        # Without force_redownload a folder that was rewritten in place can be served from the cache with its old rows.
        dataset = load(str(path), config, **how, **({} if streaming else {"download_mode": "force_redownload"}))
    elif path.suffix in (*_BUILDERS, *_COMPRESSIONS) or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UsageError(f"there is no file or folder {name!r}")
    else:
        commit, license_ = on_the_hub(name, revision)
        dataset, commit = load_from_hub(name, config, split, streaming, commit or revision)
    with reading(name):
        first = next(iter(dataset), None)
    if first is None:
        raise UsageError(f"{name!r} (split {split!r}) holds no rows")
    rows = _count(dataset, split, limit)
    if limit is not None:
        dataset = dataset.take(limit) if streaming else dataset.select(range(rows or 0))
    if not streaming:
        check_encoding(dataset, name)
    return Source(path.name if path.exists() else name, dataset, rows, commit, license_)


def _count(dataset: Any, split: str, limit: int | None) -> int | None:
    """Rows of a table; of a stream what its card says, or the limit."""
    if hasattr(dataset, "__len__"):
        there: int | None = len(dataset)
    else:
        splits = dataset.info.splits
        there = splits[split].num_examples if splits and split in splits else None
    return min(filter(None, (there, limit)), default=None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def on_the_hub(name: str, revision: str | None = None) -> tuple[str, str]:
    """Commit and licence of a Hub dataset, of main or another revision; empty where the Hub does not answer, since a
    cache may still hold it."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    try:
        info = HfApi().dataset_info(name, revision=revision)
    except (HTTPError, OSError, ValueError):
        return "", ""
    named = getattr(info.card_data, "license", None) or ""
    return info.sha or "", named if isinstance(named, str) else ", ".join(named)


def _builder(path: Path) -> str:
    suffixes = [suffix for suffix in path.suffixes if suffix not in _COMPRESSIONS]
    if not suffixes or suffixes[-1] not in _BUILDERS:
        raise UsageError(f"{path.name!r} is no kind of file that can be read; give one of {', '.join(_BUILDERS)}")
    return _BUILDERS[suffixes[-1]]


def _load_file(path: Path, how: dict[str, Any]) -> Any:
    """The rows of a local file. JSON lines whose columns change their types on the way, over which `datasets` stumbles
    (a stream's late, when others are paid for), are read by the types of all rows."""
    builder, how = _builder(path), {**how, "data_files": str(path)}
    if builder == "json":
        check_start(path)
    try:
        dataset = load(builder, **how)
    except UsageError:
        if builder != "json" or (types := _types(path)) is None:
            raise
        return load(builder, **how, features=types)
    if builder == "json" and how["streaming"] and dataset.features:
        types = _types(path)
        if types is not None and not fits(dataset.features, types):
            return load(builder, **how, features=types)
    return dataset


def _types(path: Path) -> Features | None:
    """The types of a JSON lines file; `None` where it is none, or broken: what `datasets` says of that stands."""
    try:
        return column_types(path)
    except (ValueError, EOFError, OSError):
        return None
