"""How many threads a job may have at a time: the kernel asks the jail's first process before one begins, and tells it
when one ends. The kernel's own limit counts all processes that a user has on the machine, and none of root's."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import struct
from contextlib import suppress

from .jail_privileges import libc
from .jail_seccomp import MACHINES, announcing_program, assemble

MOST_THREADS = 256

# linux/seccomp.h
_SET_FILTER, _NEW_LISTENER = 1, 1 << 3
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1
_QUESTION = struct.Struct("=QIIi60x")  # number, thread, flags, call, and what else is known of that
_ANSWER = struct.Struct("=QqiI")  # number, value, error, flags
_SINCE = (5, 5)  # kernels that know the last one


class ThreadLimit:
    """Decides about the threads of the children that this process forks from now on, one at a time.

    Raises:
        `OSError`: if the kernel does not ask.
    """

    def __init__(self) -> None:
        machine = MACHINES.get(os.uname().machine)
        release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        if machine is None or release < _SINCE:
            raise OSError(errno.ENOSYS, "the kernel does not ask about threads")
        self._exit = machine.harmless["exit"]
        code = assemble(announcing_program(machine))
        kept = ctypes.create_string_buffer(code, len(code))
        header = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(kept))
        arguments = (machine.seccomp, _SET_FILTER, _NEW_LISTENER)
        self._listener = int(libc.syscall(*map(ctypes.c_long, arguments), ctypes.create_string_buffer(header)))
        if self._listener < 0:
            raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
        self._count = 1

    def fileno(self) -> int:
        """Readable when there is something to decide."""
        return self._listener

    def leave(self) -> None:
        """In a child: it decides nothing."""
        os.close(self._listener)

    def restart(self) -> None:
        """Another child, with one thread."""
        self._count = 1

    def decide(self) -> None:
        """Let a thread begin if there are not too many, or end. What a signal interrupted is asked again, and counts
        when it goes on."""
        question = bytearray(_QUESTION.size)
        with suppress(OSError):  # it is gone
            fcntl.ioctl(self._listener, _RECEIVE, question)
            number, _, _, call = _QUESTION.unpack(question)
            if call != self._exit and self._count >= MOST_THREADS:
                fcntl.ioctl(self._listener, _SEND, _ANSWER.pack(number, 0, -errno.EAGAIN, 0))
            else:
                fcntl.ioctl(self._listener, _SEND, _ANSWER.pack(number, 0, 0, _GO_ON))
                self._count += -1 if call == self._exit else 1
