"""Limits the threads that a job has at a time. The kernel asks the fork server before a thread begins, and tells it
when one ends (seccomp's user notification). RLIMIT_NPROC is of no use: it counts all processes of the user on the
machine, and none of root's."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import struct
from contextlib import suppress

from .jail_privileges import libc
from .jail_seccomp import MACHINES, assemble, notifying_program

MOST_THREADS = 256

# linux/seccomp.h
_SET_FILTER, _NEW_LISTENER = 1, 1 << 3
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_REQUEST = struct.Struct("=QIIi60x")  # struct seccomp_notif: id, thread, flags, system call; the rest is not used
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_SINCE = (5, 5)  # the first kernel with SECCOMP_USER_NOTIF_FLAG_CONTINUE


class ThreadLimit:
    """Decides about the threads of the children that this process forks from now on; one child runs at a time.

    Raises:
        `OSError`: if the kernel lacks this feature.
    """

    def __init__(self) -> None:
        machine = MACHINES.get(os.uname().machine)
        release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        if machine is None or release < _SINCE:
            raise OSError(errno.ENOSYS, "the kernel does not ask about threads")
        self._exit = machine.harmless["exit"]
        code = assemble(notifying_program(machine))
        kept = ctypes.create_string_buffer(code, len(code))
        header = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(kept))
        arguments = (machine.seccomp, _SET_FILTER, _NEW_LISTENER)
        self._listener = int(libc.syscall(*map(ctypes.c_long, arguments), ctypes.create_string_buffer(header)))
        if self._listener < 0:
            raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
        self._count = 1

    def fileno(self) -> int:
        """The descriptor that is readable when there is a request."""
        return self._listener

    def close_in_child(self) -> None:
        """Close the descriptor in a child, which must not decide."""
        os.close(self._listener)

    def restart(self) -> None:
        """Begin to count for a new child, which has one thread."""
        self._count = 1

    def decide(self) -> None:
        """Answer one request: let a thread begin if there are not too many, or let it end. A call that a signal
        interrupted is requested again, and counted only when it goes on."""
        request = bytearray(_REQUEST.size)
        with suppress(OSError):  # the child ended
            fcntl.ioctl(self._listener, _RECEIVE, request)
            number, _, _, call = _REQUEST.unpack(request)
            if call != self._exit and self._count >= MOST_THREADS:
                fcntl.ioctl(self._listener, _SEND, _RESPONSE.pack(number, 0, -errno.EAGAIN, 0))
            else:
                fcntl.ioctl(self._listener, _SEND, _RESPONSE.pack(number, 0, 0, _CONTINUE))
                self._count += -1 if call == self._exit else 1
