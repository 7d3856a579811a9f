"""Messages between processes: JSON with its length before it. Here with patience; the host's own way is in wires."""

from __future__ import annotations

import json
import struct
from typing import Any

LONGEST = 64 << 20
LENGTH = struct.Struct("<I")
# What `json.loads` does after it has looked for an encoding and for white space, which there is none.
# Each NaN is another object: lists take the same one to be equal to itself.
_SCAN = json.JSONDecoder(parse_constant=float).scan_once  # type: ignore[attr-defined]
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


KILL = b"K"
"""What the host sends to end the job that runs."""
READY = b"R"
"""What a child sends once it is confined."""


class FrameError(Exception):
    """Not a message: too long, cut off, or no JSON."""


def text_of(message: object) -> str:
    """A message as JSON."""
    return _JSON.encode(message)


def framed(text: str) -> bytes:
    """The bytes of a message that is JSON already.

    Raises:
        [`FrameError`]: if there are more than anybody accepts.
    """
    body = text.encode()
    if len(body) > LONGEST:
        raise FrameError("a message too long")
    return LENGTH.pack(len(body)) + body


def unpacked(body: bytes | bytearray) -> Any:
    """The message of these bytes, which follow its length.

    Raises:
        [`FrameError`]: if it is no JSON.
    """
    try:
        text = body.decode()
        message, end = _SCAN(text, 0)
    except (RecursionError, StopIteration, ValueError) as error:
        raise FrameError(f"no JSON: {type(error).__name__}") from error
    if end != len(text):
        raise FrameError("more than JSON")
    return message


def packed(message: object) -> bytes:
    """The bytes of a message."""
    return framed(text_of(message))
