"""Sends and receives messages inside the jail, where a call may block for as long as it takes."""

from __future__ import annotations

import os
from typing import Any

from .messages import LENGTH, LONGEST, FrameError, unpacked


def send_bytes(descriptor: int, message: bytes) -> None:
    """Write the bytes of a message, as [`framed`] or [`packed`] makes them."""
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> Any:
    """Read a message.

    Raises:
        `EOFError`: if the other side closed the channel.
        [`FrameError`]: if what came is not a message.
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
