"""The content of a file to publish: a path on disk, or bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

Content = Path | bytes
"""A file's place, or its bytes."""

Files = Mapping[str, Content]
"""Path in the repo → content."""

_BLOCK = 1 << 20


def size_of(content: Content) -> int:
    """Size in bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def text_of(content: Content) -> str:
    """The content of a text file."""
    return (content if isinstance(content, bytes) else content.read_bytes()).decode()


def blocks_of(content: Content) -> Iterator[bytes]:
    """The content in pieces that fit into memory."""
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def sha256_of(content: Content) -> str:
    """The Hub's name for a large file (LFS)."""
    digest = hashlib.sha256()
    for block in blocks_of(content):
        digest.update(block)
    return digest.hexdigest()


def git_sha1_of(content: Content) -> str:
    """The Hub's name for a small file: git's name of the blob."""
    digest = hashlib.sha1(b"blob %d\0" % size_of(content), usedforsecurity=False)
    for block in blocks_of(content):
        digest.update(block)
    return digest.hexdigest()


def parquet_of(path: str, content: Content) -> pq.ParquetFile:
    """A Parquet file, opened. Nothing but its footer has been read.

    Raises:
        [`UsageError`]: names the path, if it is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(pa.BufferReader(content) if isinstance(content, bytes) else content)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path} cannot be read as a Parquet file; write it anew") from error
