"""The system call filter: threads, files opened for reading and pipes go on working; processes, sockets, writing to
files and everything unheard of do not."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Sequence

from .kernel import prepared_prctl
from .syscalls import MACHINES, Machine

Instruction = tuple[int, int, int, int]
"""Operation, constant, and how many instructions to skip if the condition holds and if it does not."""

# linux/filter.h and linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO, _ASK = 0x7FFF0000, 0x80000000, 0x00050000, 0x7FC00000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000  # calls of the x32 interface on x86_64; no processor has numbers this high otherwise

_SET_SECCOMP, _FILTER_MODE = 22, 2

# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, __O_TMPFILE
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
_CLONE_THREAD = 0x10000
# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_CLONE_NEW = 0x7E020080
# TCGETS, FIOCLEX, FIONCLEX, FIONBIO, FIONREAD, TIOCGWINSZ
_IOCTLS = (0x5401, 0x5451, 0x5450, 0x5421, 0x541B, 0x5413)
# PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
_PRCTLS = (15, 16, 0x53564D41)
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
_FCNTLS = (0, 1, 2, 3, 4, 1030)
_AF_UNIX = 1


def filter_program(machine: Machine, pid: int) -> list[Instruction]:
    """The filter of a process that may signal nobody but itself.

    The kernel runs the program for every number there is when it is installed, so it searches by halves.

    Args:
        machine ([`Machine`]):
            Numbers of the calls.
        pid (`int`):
            The process's id as it sees it itself.
    """
    rules: dict[int, list[Instruction]] = {number: [_answer(_ALLOW)] for number in machine.harmless.values()}
    rules |= {machine.checked[name]: rule for name, rule in _rules(pid).items() if name in machine.checked}
    return [
        (_LOAD, _ARCHITECTURE, 0, 0),
        (_JUMP_EQUAL, machine.audit, 1, 0),
        _answer(_KILL),
        (_LOAD, _NUMBER, 0, 0),
        (_JUMP_AT_LEAST, _X32, 0, 1),
        _answer(_KILL),
        *_search(_segments(rules)),
    ]


def announcing_program(machine: Machine) -> list[Instruction]:
    """A filter that refuses nothing, but lets another process decide whether a thread begins, and know when one ends.

    Args:
        machine ([`Machine`]):
            Numbers of the calls.
    """
    return [
        (_LOAD, _ARCHITECTURE, 0, 0),
        (_JUMP_EQUAL, machine.audit, 1, 0),
        _answer(_ALLOW),
        (_LOAD, _NUMBER, 0, 0),
        (_JUMP_EQUAL, machine.harmless["exit"], 4, 0),
        (_JUMP_EQUAL, machine.checked["clone"], 1, 0),
        _answer(_ALLOW),
        _load(0),
        (_JUMP_ANY_BIT, _CLONE_THREAD, 0, 1),
        _answer(_ASK),
        _answer(_ALLOW),
    ]


def _rules(pid: int) -> dict[str, list[Instruction]]:
    return {
        "open": _without_bits(1, _WRITING, errno.EACCES),
        "openat": _without_bits(2, _WRITING, errno.EACCES),
        "clone": [
            _load(0),
            (_JUMP_ANY_BIT, _CLONE_THREAD, 0, 1),
            (_JUMP_ANY_BIT, _CLONE_NEW, 0, 1),
            _answer(_ERRNO | errno.EPERM),
            _answer(_ALLOW),
        ],
        # The C library falls back to the older calls, whose arguments a filter can see.
        "clone3": [_answer(_ERRNO | errno.ENOSYS)],
        "openat2": [_answer(_ERRNO | errno.ENOSYS)],
        "kill": _one_of(0, [pid], errno.EPERM),
        "tgkill": _one_of(0, [pid], errno.EPERM),
        "ioctl": _one_of(1, _IOCTLS, errno.ENOTTY),
        "prctl": _one_of(0, _PRCTLS, errno.EPERM),
        "prlimit64": _one_of(0, [0], errno.EPERM),
        "socketpair": _one_of(0, [_AF_UNIX], errno.EPERM),
        "sendto": [  # a pointer: both halves must be null
            _load(4),
            (_JUMP_EQUAL, 0, 1, 0),
            _answer(_ERRNO | errno.EPERM),
            _load(4, upper=True),
            (_JUMP_EQUAL, 0, 1, 0),
            _answer(_ERRNO | errno.EPERM),
            _answer(_ALLOW),
        ],
        "fcntl": _one_of(1, _FCNTLS, errno.EPERM),
    }


def _answer(action: int) -> Instruction:
    return (_RETURN, action, 0, 0)


def _load(argument: int, upper: bool = False) -> Instruction:
    return (_LOAD, _ARGUMENTS + 8 * argument + 4 * upper, 0, 0)


def _without_bits(argument: int, bits: int, error: int) -> list[Instruction]:
    return [_load(argument), (_JUMP_ANY_BIT, bits, 0, 1), _answer(_ERRNO | error), _answer(_ALLOW)]


def _one_of(argument: int, values: Sequence[int], error: int) -> list[Instruction]:
    tests = [(_JUMP_EQUAL, value, len(values) - position, 0) for position, value in enumerate(values)]
    return [_load(argument), *tests, _answer(_ERRNO | error), _answer(_ALLOW)]


Segment = tuple[int, list[Instruction]]
"""The first number of a range of calls, which ends where the next one begins, and what to do with them."""


def _segments(rules: dict[int, list[Instruction]]) -> list[Segment]:
    refuse = [_answer(_ERRNO | errno.EPERM)]
    segments: list[Segment] = [(0, rules.get(0, refuse))]
    for number in sorted({edge for call in rules for edge in (call, call + 1)}):
        rule = rules.get(number, refuse)
        if rule != segments[-1][1]:
            segments.append((number, rule))
    return segments


def _search(segments: Sequence[Segment]) -> list[Instruction]:
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _search(segments[:middle]), _search(segments[middle:])
    return [(_JUMP_AT_LEAST, segments[middle][0], len(below), 0), *below, *above]


def assemble(program: Sequence[Instruction]) -> bytes:
    """The program as `struct sock_filter[]`."""
    return b"".join(struct.pack("=HBBI", code, yes, no, constant) for code, constant, yes, no in program)


class Filter:
    """A filter assembled ahead of the forks that install it; only the process id is filled in afterwards.

    Raises:
        `OSError`: if the processor is not known.
    """

    # No argument of a rule has this value otherwise.
    _PID = 0x7ABCDEF1

    def __init__(self) -> None:
        machine = MACHINES.get(os.uname().machine)
        if machine is None:
            raise OSError(f"no system call filter for {os.uname().machine}")
        code = assemble(filter_program(machine, self._PID))
        self._code = ctypes.create_string_buffer(code, len(code))
        self._pids = [found.start() for found in re.finditer(re.escape(struct.pack("=I", self._PID)), code)]
        header = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(self._code))
        self._header = ctypes.create_string_buffer(header, len(header))
        self._install = prepared_prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(self._header))

    def install(self) -> None:
        """Confine this process for good; it must have been allowed no new privileges.

        Raises:
            `OSError`: if the kernel refuses.
        """
        pid = os.getpid()
        for position in self._pids:
            struct.pack_into("=I", self._code, position, pid)
        self._install()
