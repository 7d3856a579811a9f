"""Messages between processes: JSON with its length before it. Here with patience; the host's own way is in wires."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

LONGEST = 64 << 20
LENGTH = struct.Struct("<I")
# What `json.loads` does after it has looked for an encoding and for white space, which there is none.
# Each NaN is another object: lists take the same one to be equal to itself.
_SCAN = json.JSONDecoder(parse_constant=float).scan_once  # type: ignore[attr-defined]
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


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


def send_bytes(descriptor: int, message: bytes) -> None:
    """Write a message that is packed already."""
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> Any:
    """Read a message.

    Raises:
        `EOFError`: if the other side is gone.
        [`FrameError`]: if it sent something else.
    """
    (length,) = LENGTH.unpack(_exactly(descriptor, LENGTH.size))
    if length > LONGEST:
        raise FrameError("a message too long")
    return unpacked(_exactly(descriptor, length))


def _exactly(descriptor: int, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = os.read(descriptor, min(1 << 20, count - len(parts)))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
