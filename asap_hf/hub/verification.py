"""Compare what was published with the local files, as any user would load it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UsageError
from .calls import calling_the_hub
from .content import Files, parquet_of, size_of
from .loadable import data_files
from .publication import Publication, Published, files_of
from .repo import Repo, stored_files

if TYPE_CHECKING:
    import pyarrow as pa

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ROWS = 500  # compared at once; long traces have some 100 KB each


def verify_files(publication: Publication, published: Published) -> None:
    """Compare every file's size and hash on the Hub with the local file.

    Raises:
        [`RunError`]: names the files that differ.
    """
    head = Repo(published.repo_id, published.repo_type).head(published.commit)
    there = head.files if head is not None else {}
    wrong = [
        path
        for path, content in files_of(publication).items()
        if path not in there or there[path].size != size_of(content) or not there[path].holds(content)
    ]
    if wrong:
        raise _differs(published, f"{', '.join(sorted(wrong))}: missing, or of other content")


def commit_holds(repo_id: str, repo_type: str, revision: str, files: Files) -> bool:
    """Whether a commit has these very files; `False` where the Hub does not tell, or `revision` is no commit."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    if not files or not _COMMIT.fullmatch(revision):
        return False
    try:
        info: Any = HfApi().repo_info(repo_id, repo_type=repo_type, revision=revision, files_metadata=True)
    except (HTTPError, OSError, ValueError):
        return False
    there = stored_files(info)
    return all(path in there and there[path].holds(content) for path, content in files.items())


def verify_dataset(publication: Publication, published: Published) -> None:
    """Compare a published dataset with the local files: every file's hash, and what `load_dataset` makes of them in
    every config and split: features, number of rows and every value.

    The tables that `load_dataset` prepares go into a temporary folder; what it downloads stays in the Hub client's
    cache, as after any other use.

    Raises:
        [`RunError`]: says what differs, or why it cannot be loaded.
    """
    verify_files(publication, published)
    for config, splits in data_files(publication.files).items():
        with TemporaryDirectory() as folder:
            loaded = _loaded(published, config, folder)
            if loaded.keys() != splits.keys():
                raise _differs(published, f"{config} has the splits {', '.join(loaded)}, not {', '.join(splits)}")
            for split, paths in splits.items():
                if difference := _difference(loaded[split], publication.files, paths):
                    raise _differs(published, f"{config}/{split}: {difference}")


def _loaded(published: Published, config: str, folder: str) -> Any:
    import datasets

    # Not `force_redownload`: with it the client gives up at the first answer that is an error.
    load = partial(datasets.load_dataset, published.repo_id, config, revision=published.commit, cache_dir=folder)
    try:
        return calling_the_hub(f"load {config} of dataset {published.repo_id}", load, "it is published")
    except (UsageError, RunError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise RunError(f"{config} of {published.url} at {published.commit} cannot be loaded: {reason}") from error


def _differs(published: Published, how: str) -> RunError:
    return RunError(f"{published.url} at {published.commit} is not what was sent: {how}; publish it again")


def _difference(loaded: Any, files: Files, paths: Sequence[str]) -> str:
    """How a loaded split differs from its local files, in words; empty if it does not."""
    from datasets import Features

    local = [parquet_of(path, files[path]) for path in paths]
    features = Features.from_arrow_schema(local[0].schema_arrow)
    if loaded.features != features:
        return f"its features are {loaded.features}, not {features}"
    rows = sum(file.metadata.num_rows for file in local)
    if len(loaded) != rows:
        return f"it has {len(loaded)} rows, not {rows}"
    start = 0
    tables = loaded.with_format("arrow")
    for ours in chain.from_iterable(file.iter_batches(_ROWS) for file in local):
        if difference := _first_difference(ours, tables[start : start + len(ours)], start):
            return difference
        start += len(ours)
    return ""


def _first_difference(ours: pa.RecordBatch, theirs: pa.Table, start: int) -> str:
    for name, row, (one, other) in _unequal(ours, theirs):
        return f"row {start + row} has {other!r:.80} in {name}, not {one!r:.80}"
    return ""


def _unequal(ours: pa.RecordBatch, theirs: pa.Table) -> Iterator[tuple[str, int, tuple[Any, Any]]]:
    for name in ours.schema.names:
        one, other = ours.column(name), theirs.column(name).combine_chunks()
        if not one.equals(other.cast(one.type)):
            pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
            # By their text, as NaN does not equal itself.
            yield from ((name, row, pair) for row, pair in enumerate(pairs) if repr(pair[0]) != repr(pair[1]))
