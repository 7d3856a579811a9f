"""Drops privileges and sets resource limits before untrusted code runs, besides `jail_seccomp` and `jail_landlock`."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

# linux/prctl.h and linux/capability.h
_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES = 1, 4, 24, 38
_AMBIENT, _CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

# Address space that the interpreter and its libraries map before the program allocates anything.
_INTERPRETER_SPACE = 256 << 20
_SET_TO_ZERO = ("CORE", "MEMLOCK", "MSGQUEUE", "RTPRIO", "NICE")


def prepared_prctl(option: int, *values: int) -> Callable[[], None]:
    """A function that calls prctl(2) and raises `OSError` if the kernel refuses. Its arguments are made here, before a
    fork: a fresh child pays for each page of memory that it writes to."""
    padded = [*values, 0, 0, 0][:4]
    call = partial(libc.prctl, ctypes.c_int(option), *map(ctypes.c_ulong, padded))

    def made() -> None:
        if call() < 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")

    return made


def prctl(option: int, *values: int) -> None:
    """Call prctl(2).

    Raises:
        `OSError`: if the kernel refuses.
    """
    prepared_prctl(option, *values)()


def forbid_new_privileges() -> None:
    """Forbid that a program started from here on gets more rights than this process has (`no_new_privs`). The kernel
    requires this before a process may confine itself."""
    prctl(_NO_NEW_PRIVILEGES, 1)


def drop_capabilities() -> None:
    """Give up every capability, which root has by default, and empty the bounding set, so that none can come back."""
    for capability in range(64):
        with suppress(OSError):  # the kernel has fewer, or this process is not root's
            prctl(_DROP_FROM_BOUNDING_SET, capability)
    prctl(_AMBIENT, _CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    if libc.capset(header, ctypes.create_string_buffer(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def forbid_tracing() -> None:
    """Keep other processes of the same user from reading this one's memory."""
    prctl(_SET_DUMPABLE, 0)


def prepared_death_with_parent() -> Callable[[], None]:
    """A function for a child to call: the kernel then kills it as soon as the thread that started it ends."""
    return prepared_prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def set_fixed_limits(descriptors: int) -> None:
    """Set the limits that are the same for all jobs: no core dumps, locked memory, message queues or priorities, and
    at most `descriptors` open files. Threads are limited by [`ThreadLimit`]."""
    limits = {**dict.fromkeys(_SET_TO_ZERO, 0), "NOFILE": descriptors, "SIGPENDING": 64}
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _limit(kind, value, _most(kind))


def set_job_limits(cpu_seconds: float, memory: int) -> None:
    """Set the limits of one job: processor time, memory, and no writing to files.

    The kernel counts processor time in ticks here, up to a tenth too much. The exact limit is enforced by the host,
    see `host_time_limits`; this one holds if the host fails.

    Args:
        cpu_seconds (`float`):
            The job's own limit.
        memory (`int`):
            In bytes.
    """
    _limit(resource.RLIMIT_FSIZE, 0, 0)  # pipes and sockets are not files
    _limit(resource.RLIMIT_CPU, int(cpu_seconds * 1.5) + 2, _MOST_CPU)
    _limit(resource.RLIMIT_DATA, memory, _MOST_DATA)
    _limit(resource.RLIMIT_AS, memory + _INTERPRETER_SPACE, _MOST_SPACE)


def _limit(kind: int, value: int, most: int) -> None:
    value = min(value, most)
    resource.setrlimit(kind, (value, value))


def _most(kind: int) -> int:
    """The most that this process may set a limit to."""
    hard = resource.getrlimit(kind)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


_MOST_CPU, _MOST_DATA, _MOST_SPACE = map(_most, (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_AS))
