"""Encode and check one line of a ledger: `crc32 {"key": …, "value": …}`."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

# Taken apart by hand because reading every value only to find the keys made opening a large ledger several times
# slower.
_LINE = re.compile(rb'([0-9a-f]{8}) (\{"key": ("[^"\\]*"), "value": (.*)\})\n?', re.DOTALL)


def encode_line(key: str, value: Any) -> bytes:
    """The line of an entry, with its newline.

    Raises:
        `ValueError`: if the key holds quotes or backslashes.
    """
    body = json.dumps({"key": key, "value": value}).encode()
    line = b"%08x %s\n" % (zlib.crc32(body), body)
    if decode_line(line) is None:
        raise ValueError(f"not a ledger key: {key!r}")
    return line


def decode_line(line: bytes) -> tuple[bytes, bytes] | None:
    """Key and value of a line as JSON, or `None` if it is damaged."""
    found = _LINE.fullmatch(line)
    if found is None or int(found[1], 16) != zlib.crc32(found[2]):
        return None
    return found[3], found[4]
