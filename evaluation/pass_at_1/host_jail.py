"""Starts jails and runs jobs in them. A jail is a confined fork server in another process; it runs one job at a
time."""

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
from .host_waiting_time import WaitingTime
from .messages import KILL, READY

_ANSWER_SECONDS = 30.0  # more than a working jail needs to answer, however loaded the machine is
GRACE = 0.5
"""Seconds in which a job whose channel is closed may end by itself before it is killed."""
_LONGEST_MESSAGE = 1 << 16
_CREDENTIALS = struct.Struct("=iII")


class JailError(Exception):
    """The jail failed. What it was grading has no verdict."""


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
        """Whether it exited by itself with status 0."""
        return self.status == 0

    def __str__(self) -> str:
        if os.WIFSIGNALED(self.status):
            return f"killed by signal {os.WTERMSIG(self.status)}"
        return f"exit status {os.waitstatus_to_exitcode(self.status)}"


class Jail:
    """A confined process that forks a child per job, see [`serve`].

    Args:
        tier ([`Tier`]):
            How it is confined. Create a jail in a thread that lives longer than the jail: the kernel ends a jail
            together with the thread that started it.

    Raises:
        [`JailError`]: if it does not start.
    """

    def __init__(self, tier: Tier):
        self._control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inside:
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._control.settimeout(_ANSWER_SECONDS)
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
            raise JailError(self._last_error_line or "it ended without a word") from None

    def start(self, role: str, descriptors: Sequence[int], cpu_seconds: float, memory: int) -> Job:
        """Start a job, which begins as soon as it is confined.

        Args:
            role (`str`):
                `program`, `calls` or `tests`: what the job runs, see `jail_fork_server`.
            descriptors (`Sequence[int]`):
                Files for the job. The host's own descriptors stay open.
            cpu_seconds (`float`):
                The job's limit; the kernel's limit is set a little higher.
            memory (`int`):
                Limit in bytes.
        """
        job = json.dumps({"role": role, "cpu_seconds": cpu_seconds, "memory": memory}).encode()
        try:
            socket.send_fds(self._control, [job], descriptors)
        except OSError as error:
            raise JailError(f"lost: {error}") from error
        return Job(self)

    def send(self, message: bytes) -> None:
        """Send a packet to the jail."""
        try:
            self._control.send(message)
        except OSError as error:
            raise JailError(f"lost: {error}") from error

    def receive(self) -> tuple[bytes, int]:
        """The next packet from the jail, and its sender's process id as this process sees it, which the kernel
        adds."""
        try:
            message, ancillary, _, _ = self._control.recvmsg(_LONGEST_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
        except OSError as error:
            raise JailError(f"no answer: {error}") from error
        if not message:
            raise JailError("it is gone")
        [(_, _, credentials)] = ancillary
        return message, _CREDENTIALS.unpack(credentials)[0]

    def has_packet(self, seconds: float = 0.0) -> bool:
        """Whether there is a packet to receive, now or within some seconds."""
        return bool(self._poll.poll(seconds * 1000))

    def fileno(self) -> int:
        """A descriptor that is readable when a packet is there or the jail has failed."""
        return self._control.fileno()

    def interrupt(self) -> None:
        """Make a thread that waits for this jail fail at once, and end the job. Any thread may call this."""
        with suppress(OSError):  # the other end is closed already
            self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the jail and what runs in it."""
        self.interrupt()  # closing is not enough: a process forked off the host may hold the socket, too
        self._control.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stderr is not None
        with self._process.stderr as errors:
            lines = errors.read().decode(errors="replace").strip().splitlines()
        self._last_error_line = lines[-1] if lines else ""


class Job:
    """A child of a jail while it runs. Leaving the `with` block ends it."""

    def __init__(self, jail: Jail):
        self._jail = jail
        self._requested = time.monotonic()
        self._pid: int | None = None
        self._cpu_seconds = 0.0
        self.waits = WaitingTime(jail.pid)
        self._ending: Ending | None = None

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, JailError):
            self.end()

    def fileno(self) -> int:
        """A descriptor that is readable when the job begins or ends, or the jail has failed."""
        return self._jail.fileno()

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far, by the kernel's exact clock."""
        if self.has_begun:
            assert self._pid is not None
            with suppress(OSError):  # it has ended: then the last value stays
                self._cpu_seconds = time.clock_gettime((~self._pid << 3) | 2)  # CPUCLOCK_SCHED of another process
        return self._cpu_seconds

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended."""
        return self._ending is not None or (self.has_begun and self._jail.has_packet())

    @property
    def has_begun(self) -> bool:
        """Whether it has reported that it is confined. The host does not wait for this, which a short job is not
        worth.

        Raises:
            [`JailError`]: if it does not begin within 30 s, or could not be confined.
        """
        if self._pid is None:
            is_late = time.monotonic() - self._requested > _ANSWER_SECONDS  # read first: READY may come in between
            if self._jail.has_packet():
                self._receive_ready()
            elif is_late:
                raise JailError("a job does not begin")
        return self._pid is not None

    def _receive_ready(self) -> None:
        message, pid = self._jail.receive()
        if message != READY:
            raise JailError(f"a job could not be confined: {message!r}")
        self._pid = self.waits.job = pid

    def end(self, grace: float = 0.0) -> Ending:
        """Wait until the process has ended, and kill it if it still runs after some seconds.

        Args:
            grace (`float`, *optional*, defaults to `0.0`):
                Seconds in which it may end by itself.

        Raises:
            [`JailError`]: if the jail does not report how it ended.
        """
        if self._ending is None:
            if self._pid is None:
                self._receive_ready()
            if not self._jail.has_packet(grace):
                self._jail.send(KILL)
            report = json.loads(self._jail.receive()[0])
            self._ending = Ending(report["status"], report["cpu"], report["peak_kib"] << 10)
        return self._ending


@contextmanager
def sealed_file(content: bytes) -> Iterator[int]:
    """The descriptor of a file in memory that holds `content` and that no process can change any more."""
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
    """A sealed file with a job's source, for [`read_source`]. By `marshal`, as both sides run the same Python."""
    return sealed_file(marshal.dumps(parts))
