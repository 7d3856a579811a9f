"""What a process gives up before it runs a stranger's code, besides system calls and files."""

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
_holding_the_lock = ctypes.PyDLL(None, use_errno=True)

# linux/prctl.h and linux/capability.h
_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES = 1, 4, 24, 38
_AMBIENT, _CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

# Mapped by the interpreter and its libraries before the program asks for anything.
_INTERPRETER = 256 << 20
_NOTHING = ("CORE", "MEMLOCK", "MSGQUEUE", "RTPRIO", "NICE")


def prepared_prctl(option: int, *values: int) -> Callable[[], None]:
    """A call of prctl(2) that is made later and raises `OSError` if the kernel refuses. Everything that the call needs
    exists already: a fresh child pays for each page of memory that it touches."""
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


def allow_no_new_privileges() -> None:
    """No program started from here on gets more rights than this one, which the kernel wants before it lets a process
    confine itself."""
    prctl(_NO_NEW_PRIVILEGES, 1)


def bare_fork() -> int:
    """Fork without what modules have registered to be done in the child, which takes longer than everything else: it
    puts locks and threads in order, of which a process with one thread has none out of order, and seeds `random`.

    Returns:
        `int`: the child's process id; 0 in the child.
    """
    child = int(_holding_the_lock.fork())
    if child < 0:
        raise OSError(ctypes.get_errno(), "fork")
    return child


def drop_capabilities() -> None:
    """Give up every capability, which root has without being asked; the bounding set too, so that none comes back."""
    for capability in range(64):
        with suppress(OSError):  # the kernel has fewer, or this is no root
            prctl(_DROP_FROM_BOUNDING_SET, capability)
    prctl(_AMBIENT, _CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    if libc.capset(header, ctypes.create_string_buffer(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def refuse_tracing() -> None:
    """Keep other processes of the same user from reading this one's memory."""
    prctl(_SET_DUMPABLE, 0)


def prepared_death_with_parent() -> Callable[[], None]:
    """To be called in a child: it is killed as soon as the thread that started it ends."""
    return prepared_prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def limit_for_good(descriptors: int) -> None:
    """Set the limits that are the same for all jobs: no core dumps, locked memory, queues or priorities, and few
    descriptors. The number of threads has a limit of its own, see [`ThreadLimit`]."""
    limits = {**dict.fromkeys(_NOTHING, 0), "NOFILE": descriptors, "SIGPENDING": 64}
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _limit(kind, value, _most(kind))


def limit(cpu_seconds: float, memory: int) -> None:
    """Set the limits of a job, which writes no files. The kernel counts processor time in ticks, up to a tenth too
    much: the exact clock is read from outside, so here is only a backstop.

    Args:
        cpu_seconds (`float`):
            The job's own limit.
        memory (`int`):
            Bytes.
    """
    _limit(resource.RLIMIT_FSIZE, 0, 0)  # pipes and sockets are not files
    _limit(resource.RLIMIT_CPU, int(cpu_seconds * 1.5) + 2, _MOST_CPU)
    _limit(resource.RLIMIT_DATA, memory, _MOST_DATA)
    _limit(resource.RLIMIT_AS, memory + _INTERPRETER, _MOST_SPACE)


def _limit(kind: int, value: int, most: int) -> None:
    value = min(value, most)
    resource.setrlimit(kind, (value, value))


def _most(kind: int) -> int:
    """What this process may allow itself."""
    hard = resource.getrlimit(kind)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


_MOST_CPU, _MOST_DATA, _MOST_SPACE = map(_most, (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_AS))
