"""Sends and receives messages on the host, within a time limit, and without trust in what the other side sends."""

from __future__ import annotations

import select
import socket
from typing import Any

from .host_time_limits import Budget, JointBudget, watch
from .messages import LENGTH, FrameError, framed, unpacked

_CHUNK = 1 << 20
_MUCH = 1 << 15  # bytes; a sender of fewer never has to wait for the host to read


class OverdueError(Exception):
    """The time limit was exceeded before the answer was there."""


class HostChannel:
    """The host's end of a channel to a job.

    Args:
        end (`socket`):
            One end of a socket pair; the job has the other.
        budget ([`Budget`] or [`JointBudget`]):
            The limits of the jobs that work on the answer.
    """

    def __init__(self, end: socket.socket, budget: Budget | JointBudget):
        end.setblocking(False)
        self._end = end
        self._budget = budget
        self._buffer = bytearray()
        self._poll = select.poll()

    def send(self, text: str) -> None:
        """Send a message that is given as JSON.

        Raises:
            [`OverdueError`]: if the other side does not read it in time.
            `OSError`: if the other side closed the channel.
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
            [`FrameError`]: if what came is not a message, or is too long.
            `EOFError`, `OSError`: if the other side closed the channel.
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
        """Wait until the socket is ready. Returns the seconds since the budget was last charged.

        The limit is checked only while the socket is not ready: an answer that is there is taken, however late the
        host, busy with other work, comes to read it.
        """
        self._poll.register(self._end, event)
        timeout = 0.0
        while True:
            ready, seconds = watch(self._poll, timeout)
            if ready:
                return seconds
            self._budget.charge(seconds)
            reason = self._budget.exceeded()
            if reason is not None:
                raise OverdueError(reason)
            timeout = self._budget.poll_seconds
