"""Downloads and reads the files of benchmarks, on the Hub or on this machine. They are data: no code in them is
run."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

Row = dict[str, Any]

KINDS = (".jsonl", ".jsonl.gz", ".parquet")


@dataclass(frozen=True)
class HubFiles:
    """A dataset on the Hub, and its files with the problems that models are graded on.

    Args:
        repo_id (`str`):
            The dataset.
        names (`tuple[str, ...]`):
            Paths in the dataset, or patterns of paths, in the order of the problems.
    """

    repo_id: str
    names: tuple[str, ...]


HUMANEVAL = HubFiles("openai/openai_humaneval", ("openai_humaneval/test-*.parquet",))
HUMANEVAL_PLUS = HubFiles("evalplus/humanevalplus", ("data/test-*.parquet",))
LEETCODE = HubFiles("newfacade/LeetCodeDataset", ("LeetCodeDataset-test.jsonl",))
# A file for each of the releases v1 to v6.
LIVECODEBENCH = HubFiles(
    "livecodebench/code_generation_lite", ("test.jsonl", *(f"test{release}.jsonl" for release in range(2, 7)))
)


def downloaded(files: HubFiles) -> tuple[list[Path], str]:
    """Download the files into the Hub's cache, or find them there when offline. Their paths and the dataset's commit.

    Raises:
        [`UsageError`]: if the Hub does not have the files.
        [`RunError`]: if the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    from ..hub.calls import calling_the_hub

    named = ", ".join(files.names)
    folder = Path(
        calling_the_hub(
            f"download {named} of {files.repo_id}",
            lambda: snapshot_download(files.repo_id, repo_type="dataset", allow_patterns=list(files.names)),
            left="what was fetched is kept",
        )
    )
    return found(folder, files, files.repo_id), folder.name


def found(folder: Path, files: HubFiles, where: str) -> list[Path]:
    """The paths of the files in a folder that is a copy of the dataset.

    Raises:
        [`UsageError`]: if one is missing; the message names the folder `where`.
    """
    paths = {name: sorted(folder.glob(name)) for name in files.names}
    if missing := [name for name, some in paths.items() if not some]:
        raise UsageError(f"{where} has no {missing[0]}; get all of {files.repo_id}, or give a file")
    return [path for some in paths.values() for path in some]


def kind_of(path: Path) -> str | None:
    """The suffix of a file that [`rows_of`] can read; `None` for other files."""
    return next((kind for kind in KINDS if path.name.endswith(kind)), None)


def rows_of(
    path: Path,
    columns: Collection[str] | None = None,
    left_in_file: Collection[str] = (),
    broken_as_empty: bool = False,
) -> Iterator[Row]:
    """Yield the rows of a file one by one, so that most of LiveCodeBench's 4.5 GB is never in memory.

    `datasets` is not used, as it rejects integers over 64 bits, which HumanEval+ has among its inputs.

    Args:
        path (`Path`):
            JSON lines, also gzipped, or Parquet. Empty lines are skipped.
        columns (`Collection[str]`, *optional*, defaults to all):
            Columns to read from Parquet; missing ones are ignored.
        left_in_file (`Collection[str]`, *optional*, defaults to none):
            Columns not to keep in memory: in rows of plain JSON lines, a [`ValueInFile`] stands for the value.
        broken_as_empty (`bool`, *optional*, defaults to `False`):
            Whether to yield an empty row for a line that is not JSON or not an object. By default the former raises an
            error, and the latter is skipped.

    Raises:
        [`UsageError`]: if the file cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path, columns)
        else:
            yield from _json_rows(path, left_in_file, broken_as_empty)
    except (OSError, EOFError, ValueError, zlib.error) as error:  # Arrow's and JSON's errors are ValueErrors
        raise UsageError(f"{path.name!r} cannot be read: {str(error).splitlines()[0]}") from error


@dataclass(frozen=True)
class ValueInFile:
    """A value of a JSON line that is read from its file when it is needed.

    Args:
        path (`Path`):
            A file of plain JSON lines.
        offset (`int`):
            Where the line begins, in bytes.
        column (`str`):
            Name of the value's column.
    """

    path: Path
    offset: int
    column: str

    def read(self) -> Any:
        """Read the value.

        Raises:
            [`UsageError`]: if the file was changed or removed.
        """
        try:
            with self.path.open("rb") as lines:
                lines.seek(self.offset)
                return json.loads(lines.readline())[self.column]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UsageError(f"{self.path.name!r} was changed or removed while it was in use; start again") from error


def _json_rows(path: Path, left_in_file: Collection[str], broken_as_empty: bool) -> Iterator[Row]:
    zipped = path.suffix == ".gz"
    offset = 0
    with gzip.open(path) if zipped else path.open("rb") as lines:
        for line in lines:
            row = _parsed(line, broken_as_empty) if line.strip() else None
            if isinstance(row, dict):
                left = () if zipped else [name for name in left_in_file if row.get(name)]
                yield row | {name: ValueInFile(path, offset, name) for name in left}
            offset += len(line)


def _parsed(line: bytes, broken_as_empty: bool) -> Any:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not broken_as_empty:
            raise ValueError(error) from error
        row = None
    return {} if broken_as_empty and not isinstance(row, dict) else row


def _parquet_rows(path: Path, columns: Collection[str] | None) -> Iterator[Row]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        there: Sequence[str] = file.schema_arrow.names
        wanted = None if columns is None else [name for name in columns if name in there]
        for batch in file.iter_batches(columns=wanted):
            yield from batch.to_pylist()
