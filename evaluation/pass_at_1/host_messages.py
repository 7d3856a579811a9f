"""Messages to and from a candidate's process as the host exchanges them: it never waits past the budget and never
believes a length."""

from __future__ import annotations

import select
import socket
from typing import Any

from .host_time_limits import Budget, Jointly, watch
from .messages import LENGTH, FrameError, framed, unpacked

_CHUNK = 1 << 20
_MUCH = 1 << 15  # bytes; with fewer on their way nobody waits until the host takes them


class OverdueError(Exception):
    """The budget was used up before the answer was there."""


class Wire:
    """The host's end of a channel.

    Args:
        end (`socket`):
            Of a socket pair whose other end the candidate has.
        budget ([`Budget`] or [`Jointly`]):
            Of those who work on the answer.
    """

    def __init__(self, end: socket.socket, budget: Budget | Jointly):
        end.setblocking(False)
        self._end = end
        self._budget = budget
        self._buffer = bytearray()
        self._poll = select.poll()

    def send(self, text: str) -> None:
        """Send a message that is JSON already.

        Raises:
            [`OverdueError`]: if the other side does not take it in time.
            `OSError`: if it is gone.
        """
        rest = memoryview(framed(text))
        while rest:
            try:
                rest = rest[self._end.send(rest) :]
            except BlockingIOError:
                self._budget.charge(self._wait(select.POLLOUT), excused=True)

    def receive(self, longest: int) -> Any:
        """Receive a message of at most `longest` bytes.

        Raises:
            [`OverdueError`]: if it does not come in time.
            [`FrameError`]: if something else came.
            `EOFError`, `OSError`: if the other side is gone.
        """
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
        if length > longest:
            raise FrameError(f"an answer of {length} bytes")
        return unpacked(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        waited = 0.0
        while len(self._buffer) < count:
            try:
                part = self._end.recv(_CHUNK)
            except BlockingIOError:
                waited = self._wait(select.POLLIN)
                continue
            self._budget.charge(waited, excused=len(part) >= _MUCH)
            waited = 0.0
            if not part:
                raise EOFError("the candidate is gone")
            self._buffer += part
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _wait(self, event: int) -> float:
        """Return as soon as that can go on, with the seconds since the clock was last read. The clock is read only
        while it cannot: an answer that is there is taken, however late the host, busy with other things, comes to
        look."""
        self._poll.register(self._end, event)
        nap = 0.0
        while True:
            ready, seconds = watch(self._poll, nap)
            if ready:
                return seconds
            self._budget.charge(seconds)
            reason = self._budget.exceeded()
            if reason is not None:
                raise OverdueError(reason)
            nap = self._budget.nap
