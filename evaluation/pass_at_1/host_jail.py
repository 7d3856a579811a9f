"""A jail as the host sees it: a warm interpreter in another process, which runs one job at a time."""

from __future__ import annotations

import fcntl
import json
import marshal
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from .host_tiers import Tier
from .host_waiting_time import Waits
from .messages import KILL, READY

_PATIENCE = 30.0  # seconds that a healthy jail never needs to answer, however loaded the machine
GRACE = 0.5
"""Seconds in which a job that has been hung up on is expected to end by itself, without being killed."""
_LONGEST_MESSAGE = 1 << 16
_CREDENTIALS = struct.Struct("=iII")


class JailError(Exception):
    """The jail did not do its part. What it graded has no verdict."""


@dataclass(frozen=True)
class Ending:
    """How a job's process ended.

    Args:
        status (`int`):
            As from `os.wait`.
        cpu_seconds (`float`):
            Processor time that it used, all threads together.
        peak_bytes (`int`):
            The most memory that it held.
    """

    status: int
    cpu_seconds: float
    peak_bytes: int

    @property
    def clean(self) -> bool:
        """Whether it exited by itself with 0."""
        return self.status == 0

    def __str__(self) -> str:
        if os.WIFSIGNALED(self.status):
            return f"killed by signal {os.WTERMSIG(self.status)}"
        return f"exit status {os.waitstatus_to_exitcode(self.status)}"


class Jail:
    """A confined process that forks a child per job.

    Args:
        tier ([`Tier`]):
            How it is confined. Whoever calls this must be a thread that outlives the jail: the kernel ends the jail
            with it.

    Raises:
        [`JailError`]: if it does not start.
    """

    def __init__(self, tier: Tier):
        self._control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inside:
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._control.settimeout(_PATIENCE)
            self._poll = select.poll()
            self._poll.register(self._control, select.POLLIN)
            self._process = subprocess.Popen(
                tier.command(inside.fileno()),
                env=tier.environment,
                cwd="/",
                pass_fds=[inside.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        try:
            _, self.pid = self.receive()
        except JailError:
            self.close()
            raise JailError(self._last_words or "it ended without a word") from None

    def start(self, role: str, descriptors: Sequence[int], cpu_seconds: float, memory: int) -> Job:
        """Have a child forked, which begins as soon as it is confined.

        Args:
            role (`str`):
                What it plays.
            descriptors (`Sequence[int]`):
                What it has open. The host's own copies stay open.
            cpu_seconds (`float`):
                The job's limit, of which the kernel's is made.
            memory (`int`):
                Bytes.
        """
        job = json.dumps({"role": role, "cpu_seconds": cpu_seconds, "memory": memory}).encode()
        try:
            socket.send_fds(self._control, [job], descriptors)
        except OSError as error:
            raise JailError(f"lost: {error}") from error
        return Job(self)

    def send(self, message: bytes) -> None:
        """Tell the jail something."""
        try:
            self._control.send(message)
        except OSError as error:
            raise JailError(f"lost: {error}") from error

    def receive(self) -> tuple[bytes, int]:
        """What the jail says next, and who says it by this process's count of processes: the kernel knows."""
        try:
            message, ancillary, _, _ = self._control.recvmsg(_LONGEST_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
        except OSError as error:
            raise JailError(f"no answer: {error}") from error
        if not message:
            raise JailError("it is gone")
        [(_, _, credentials)] = ancillary
        return message, _CREDENTIALS.unpack(credentials)[0]

    def has_spoken(self, seconds: float = 0.0) -> bool:
        """Whether there is something to receive, now or within some time."""
        return bool(self._poll.poll(seconds * 1000))

    def fileno(self) -> int:
        """Readable when the jail says something, or broke."""
        return self._control.fileno()

    def interrupt(self) -> None:
        """Make whoever waits for this jail fail at once, and its job end. Any thread may call this."""
        with suppress(OSError):  # the other end is gone already
            self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the jail and whatever runs in it."""
        self.interrupt()  # a process forked off the host may hold the socket too
        self._control.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stderr is not None
        with self._process.stderr as words:
            lines = words.read().decode(errors="replace").strip().splitlines()
        self._last_words = lines[-1] if lines else ""


class Job:
    """A child of a jail while it runs. Leaving the `with` block ends it."""

    def __init__(self, jail: Jail):
        self._jail = jail
        self._posted = time.monotonic()
        self._pid: int | None = None
        self._cpu_seconds = 0.0
        self.waits = Waits(jail.pid)
        self._ending: Ending | None = None

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, JailError):
            self.end()

    def fileno(self) -> int:
        """Readable when the job begins and when it ends, or the jail broke."""
        return self._jail.fileno()

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far, by the kernel's exact clock."""
        if self.has_begun:
            assert self._pid is not None
            with suppress(OSError):  # it ended: then what it had used when it was last asked
                self._cpu_seconds = time.clock_gettime((~self._pid << 3) | 2)  # CPUCLOCK_SCHED of another process
        return self._cpu_seconds

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._ending is not None or (self.has_begun and self._jail.has_spoken())

    @property
    def has_begun(self) -> bool:
        """Whether it is known to have begun. Nobody waits for that: a short job is over before it matters."""
        if self._pid is None:
            is_late = time.monotonic() - self._posted > _PATIENCE  # asked first: it may say so in between
            if self._jail.has_spoken():
                self._meet()
            elif is_late:
                raise JailError("a job does not begin")
        return self._pid is not None

    def _meet(self) -> None:
        message, pid = self._jail.receive()
        if message != READY:
            raise JailError(f"a job could not be confined: {message!r}")
        self._pid = self.waits.job = pid

    def end(self, grace: float = 0.0) -> Ending:
        """Kill it if it still runs, and wait until it is gone.

        Args:
            grace (`float`, *optional*, defaults to `0.0`):
                Seconds in which it may end by itself.

        Raises:
            [`JailError`]: if the jail does not say how it ended.
        """
        if self._ending is None:
            if self._pid is None:
                self._meet()
            if not self._jail.has_spoken(grace):
                self._jail.send(KILL)
            report = json.loads(self._jail.receive()[0])
            self._ending = Ending(report["status"], report["cpu"], report["peak_kib"] << 10)
        return self._ending


@contextmanager
def sealed(content: bytes) -> Iterator[int]:
    """The descriptor of a file that holds `content` and that nobody can change any more."""
    descriptor = os.memfd_create("asap", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        yield descriptor
    finally:
        os.close(descriptor)


def sealed_source(parts: dict[str, Any]) -> AbstractContextManager[int]:
    """Such a file of a job's source, for [`read_source`]. Both sides run the same Python."""
    return sealed(marshal.dumps(parts))
