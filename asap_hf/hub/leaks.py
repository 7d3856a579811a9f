"""Refuse to publish secrets, and paths of the machine that wrote the files."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from .content import Content, Files, blocks_of, parquet_of, size_of

_MOST_BYTES = 64 << 20  # what is larger and no text holds weights
_TEXT = (".json", ".jsonl", ".md", ".txt", ".yaml", ".yml", ".py", ".log")

# Kind, a part of it (searched for first, as that is many times faster), form. A key holds a digit and a capital;
# "sk-learn-compatible-estimators" does not.
_SECRETS = [
    ("a Hugging Face token", b"hf_", rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,}"),
    ("a Hugging Face token", b"api_org_", rb"(?<![A-Za-z0-9_])api_org_[A-Za-z0-9]{30,}"),
    ("an API key (sk-…)", b"sk-", rb"(?<![A-Za-z0-9_-])sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,}"),
    ("an AWS access key", b"AKIA", rb"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![A-Za-z0-9])"),
    ("a bearer token", b"earer", rb"\b[Bb]earer\s+(?=[\w.~+/-]*\d)[\w.~+/-]{20,}"),
    ("a private key", b"-----BEGIN", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
]
_SECRET_NAMES = re.compile("KEY(?!BOARD)|TOKEN(?!IZ)|SECRET|PASSWORD")
_SHORTEST_VALUE = 8


def refuse_leaks(files: Files) -> None:
    """Stop a publication that would give away a secret or a path of this machine.

    Searched for are tokens and keys by their form, the values of environment variables whose names contain KEY, TOKEN,
    SECRET or PASSWORD (8 characters or more), the user's home folder, the current folder, the folder for temporary
    files and `HF_HOME`. Looked at: text files, other files of up to 64 MB, and of Parquet files the schema and the
    footer's metadata. The rows of a dataset are not searched: they are the source's text, and the publisher
    has to know them.

    Args:
        files (`Mapping[str, Path | bytes]`):
            Path in the repo → content.

    Raises:
        [`UsageError`]: names each file and what kind of thing it holds, never the thing.
    """
    wanted = [*_SECRETS, *_own_values(), *_own_folders()]
    found: dict[str, None] = {}  # each once, in order
    for path, content in files.items():
        text = _searched(path, content)
        kinds = [kind for kind, part, form in wanted if part in text and re.search(form, text)]
        found |= dict.fromkeys(f"{path} holds {kind}" for kind in kinds)
    if found:
        raise UsageError(f"nothing is published, as {'; '.join(found)}: take that out first")


def _own_values() -> Iterator[tuple[str, bytes, bytes]]:
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name.upper()) and len(value) >= _SHORTEST_VALUE:
            yield f"the value of the environment variable {name}", os.fsencode(value), re.escape(os.fsencode(value))


def _own_folders() -> Iterator[tuple[str, bytes, bytes]]:
    folders = {
        "the path of your home folder": os.path.expanduser("~"),
        "the path of the current folder": os.getcwd(),
        "the path of the folder for temporary files": tempfile.gettempdir(),
        "the path in HF_HOME": os.environ.get("HF_HOME", ""),
    }
    for kind, folder in folders.items():
        for path in {os.path.abspath(folder), os.path.realpath(folder)} if folder else ():
            depth = len(Path(path).parts) - 1
            if depth:
                # A folder right below the root may be in a tokenizer's vocabulary; a path below it is not.
                end = rb"(?![\w.-])" if depth > 1 else rb"/[\w.]"
                yield kind, os.fsencode(path), rb"(?<![\w.])" + re.escape(os.fsencode(path)) + end


def _searched(path: str, content: Content) -> bytes:
    if path.endswith(".parquet"):
        return _parquet_metadata(path, content)
    if size_of(content) > _MOST_BYTES and not path.endswith(_TEXT):
        return b""
    return b"".join(blocks_of(content))


def _parquet_metadata(path: str, content: Content) -> bytes:
    """Column names and metadata of a Parquet file."""
    with parquet_of(path, content) as file:
        schema, footer = file.schema_arrow, file.metadata
    holders = [footer.metadata, schema.metadata, *(field.metadata for field in schema)]
    pairs = [b"%s=%s" % pair for metadata in holders if metadata for pair in metadata.items()]
    return b"\n".join([*(name.encode() for name in schema.names), *pairs])
