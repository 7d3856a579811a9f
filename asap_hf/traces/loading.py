"""Rows through `datasets`: what goes wrong on the way, in one sentence."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import RunError, UsageError
from .column_types import ENDINGS

_NOT_UTF8 = "it is not UTF-8: convert it, with `iconv -f latin1 -t utf-8` for example"


def check_start(path: Path) -> None:
    """Refuse a file that begins as no JSON of rows does: at a `null`, pyarrow ends the whole process."""
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(codecs.BOM_UTF8)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(f"{str(path)!r} cannot be read: {_NOT_UTF8}")
    if path.suffix in ENDINGS and start.strip() and not start.lstrip().startswith((b"{", b"[")):
        raise UsageError(f"{str(path)!r} cannot be read: it does not begin with a JSON object, as a file of rows does")


def check_encoding(dataset: Any, label: str) -> None:
    """Refuse texts that are not UTF-8 before anything is spent: pyarrow reads them, and fails at the row."""
    from pyarrow import ArrowInvalid

    first = 0
    for batch in dataset.with_format("arrow").iter(1000):
        try:
            batch.validate(full=True)
        except ArrowInvalid as error:
            last = first + len(batch)
            raise UsageError(f"{label!r} cannot be read: {_NOT_UTF8} (rows {first + 1:,} to {last:,})") from error
        first += len(batch)


@contextmanager
def reading(label: str) -> Iterator[None]:
    """An error while rows are read, as one sentence: readers raise any class of exception."""
    from gzip import BadGzipFile

    from httpx2 import HTTPError

    try:
        yield
    except (UsageError, RunError):
        raise
    except Exception as error:
        from_afar = isinstance(error, (OSError, HTTPError)) and not isinstance(error, BadGzipFile)
        again = "; the same command goes on, what was finished is in the ledger" if from_afar else ""
        raise (RunError if from_afar else UsageError)(
            f"{label!r} cannot be read: {_what_is_wrong(error)}{again}"
        ) from error


def _what_is_wrong(error: BaseException) -> str:
    """The first line of a reader's error."""
    message = str(error).strip() or type(error).__name__
    if isinstance(error, UnicodeDecodeError) or "UTF-8" in message or "UTF8" in message:
        return _NOT_UTF8
    return "it holds no rows" if "corresponds to no data" in message else message.splitlines()[0]


def load(*what: str | None, label: str, split: str, **how: Any) -> Any:
    """The rows of files or of a folder, through `load_dataset`."""
    from datasets import load_dataset

    with _loading(label):
        return load_dataset(*what, split=split, **how)


def load_from_hub(name: str, config: str | None, split: str, streaming: bool, revision: str | None) -> tuple[Any, str]:
    """The rows of a Hub dataset, and the commit that they are of.

    Where the Hub gives no rows, `datasets` takes those of any commit that its cache holds; that is refused where
    another one was asked for.

    Raises:
        `UsageError`: if it does not exist, cannot be read, or is there at another commit only.
    """
    from datasets import load_dataset_builder

    with _loading(name):
        builder = load_dataset_builder(name, config, revision=revision)
        commit = str(builder.hash or "")
        if revision and commit != revision:
            raise UsageError(
                f"{name!r} cannot be had at {revision}: nothing is there, or the Hub does not answer; "
                f"--dataset_revision {commit} takes the rows that an earlier run left in the cache"
            )
        if streaming:
            return builder.as_streaming_dataset(split=split), commit
        builder.download_and_prepare()
        return builder.as_dataset(split=split), commit


@contextmanager
def _loading(label: str) -> Iterator[None]:
    """An error while a source of rows is opened, as one sentence."""
    from datasets.exceptions import DatasetNotFoundError
    from datasets.utils import logging as datasets_logging

    datasets_logging.set_verbosity(datasets_logging.CRITICAL)  # what it logs is raised, too
    datasets_logging.disable_progress_bar()
    try:
        yield
    except UsageError:
        raise
    except DatasetNotFoundError as error:
        raise UsageError(f"there is no dataset {label!r}, neither here nor on the Hub (or it is private)") from error
    except ConnectionError as error:
        raise UsageError(
            f"the Hub cannot be reached for {label!r}; a local file or folder needs no network"
        ) from error
    except Exception as error:  # builders raise any error of their reader; its first line is the cause
        raise UsageError(f"{label!r} cannot be read: {_what_is_wrong(error.__cause__ or error)}") from error
