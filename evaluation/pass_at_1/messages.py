"""The format of messages between host and jail: JSON after its length in bytes.

How they are sent and received stands in `host_messages` (with a time limit) and `jail_messages` (blocking).
"""

from __future__ import annotations

import json
import struct
from typing import Any

LONGEST = 64 << 20
"""Bytes of JSON that a message may have."""
LENGTH = struct.Struct("<I")
"""The length that stands before the JSON."""
KILL = b"K"
"""What the host sends to the fork server to kill the running job."""
READY = b"R"
"""What a job sends to the host once it is confined."""

# What `json.loads` does after looking for an encoding and for white space, of which there is none here.
# `parse_constant` makes a new object of each NaN: a list would take one object to be equal to itself.
_SCAN = json.JSONDecoder(parse_constant=float).scan_once  # type: ignore[attr-defined]
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class FrameError(Exception):
    """The bytes are not a message: too long, cut off, or not JSON."""


def text_of(message: object) -> str:
    """A message as JSON."""
    return _JSON.encode(message)


def framed(text: str) -> bytes:
    """The bytes of a message that is given as JSON.

    Raises:
        [`FrameError`]: if there are more than [`LONGEST`].
    """
    body = text.encode()
    if len(body) > LONGEST:
        raise FrameError("a message too long")
    return LENGTH.pack(len(body)) + body


def packed(message: object) -> bytes:
    """The bytes of a message."""
    return framed(text_of(message))


def unpacked(body: bytes | bytearray) -> Any:
    """The message in these bytes, without the length before them.

    Raises:
        [`FrameError`]: if they are not JSON.
    """
    try:
        text = body.decode()
        message, end = _SCAN(text, 0)
    except (RecursionError, StopIteration, ValueError) as error:
        raise FrameError(f"no JSON: {type(error).__name__}") from error
    if end != len(text):
        raise FrameError("more than JSON")
    return message
