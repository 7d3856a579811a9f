"""Filters system calls (seccomp): threads, reading files and pipes go on working; starting processes, sockets, writing
to files and every call that is not listed fail."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from .jail_privileges import prepared_prctl

Instruction = tuple[int, int, int, int]
"""Operation, constant, and how many instructions to skip if the condition holds and if it does not."""

# linux/filter.h and linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO, _NOTIFY = 0x7FFF0000, 0x80000000, 0x00050000, 0x7FC00000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000  # calls of the x32 interface on x86_64; no other call has a number this high

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
    """The filter of a job, which may send signals to itself alone.

    The rule of a call is found by binary search: when a filter is installed, the kernel runs it for every number.

    Args:
        machine ([`Machine`]):
            Numbers of the calls.
        pid (`int`):
            The process's id as it sees it itself.
    """
    rules: dict[int, list[Instruction]] = {number: [_return(_ALLOW)] for number in machine.harmless.values()}
    rules |= {machine.checked[name]: rule for name, rule in _rules(pid).items() if name in machine.checked}
    return [
        (_LOAD, _ARCHITECTURE, 0, 0),
        (_JUMP_EQUAL, machine.audit, 1, 0),
        _return(_KILL),
        (_LOAD, _NUMBER, 0, 0),
        (_JUMP_AT_LEAST, _X32, 0, 1),
        _return(_KILL),
        *_search(_segments(rules)),
    ]


def notifying_program(machine: Machine) -> list[Instruction]:
    """A filter that refuses nothing, but notifies another process before a thread begins or ends, and lets it decide.

    Args:
        machine ([`Machine`]):
            Numbers of the calls.
    """
    return [
        (_LOAD, _ARCHITECTURE, 0, 0),
        (_JUMP_EQUAL, machine.audit, 1, 0),
        _return(_ALLOW),
        (_LOAD, _NUMBER, 0, 0),
        (_JUMP_EQUAL, machine.harmless["exit"], 4, 0),
        (_JUMP_EQUAL, machine.checked["clone"], 1, 0),
        _return(_ALLOW),
        _load(0),
        (_JUMP_ANY_BIT, _CLONE_THREAD, 0, 1),
        _return(_NOTIFY),
        _return(_ALLOW),
    ]


def _rules(pid: int) -> dict[str, list[Instruction]]:
    return {
        "open": _without_bits(1, _WRITING, errno.EACCES),
        "openat": _without_bits(2, _WRITING, errno.EACCES),
        "clone": [
            _load(0),
            (_JUMP_ANY_BIT, _CLONE_THREAD, 0, 1),
            (_JUMP_ANY_BIT, _CLONE_NEW, 0, 1),
            _return(_ERRNO | errno.EPERM),
            _return(_ALLOW),
        ],
        # On ENOSYS the C library uses the older calls, whose arguments are not behind a pointer: a filter can check
        # them.
        "clone3": [_return(_ERRNO | errno.ENOSYS)],
        "openat2": [_return(_ERRNO | errno.ENOSYS)],
        "kill": _one_of(0, [pid], errno.EPERM),
        "tgkill": _one_of(0, [pid], errno.EPERM),
        "ioctl": _one_of(1, _IOCTLS, errno.ENOTTY),
        "prctl": _one_of(0, _PRCTLS, errno.EPERM),
        "prlimit64": _one_of(0, [0], errno.EPERM),
        "socketpair": _one_of(0, [_AF_UNIX], errno.EPERM),
        "sendto": [  # the address, a pointer: both halves must be null
            _load(4),
            (_JUMP_EQUAL, 0, 1, 0),
            _return(_ERRNO | errno.EPERM),
            _load(4, upper=True),
            (_JUMP_EQUAL, 0, 1, 0),
            _return(_ERRNO | errno.EPERM),
            _return(_ALLOW),
        ],
        "fcntl": _one_of(1, _FCNTLS, errno.EPERM),
    }


def _return(action: int) -> Instruction:
    return (_RETURN, action, 0, 0)


def _load(argument: int, upper: bool = False) -> Instruction:
    return (_LOAD, _ARGUMENTS + 8 * argument + 4 * upper, 0, 0)


def _without_bits(argument: int, bits: int, error: int) -> list[Instruction]:
    return [_load(argument), (_JUMP_ANY_BIT, bits, 0, 1), _return(_ERRNO | error), _return(_ALLOW)]


def _one_of(argument: int, values: Sequence[int], error: int) -> list[Instruction]:
    tests = [(_JUMP_EQUAL, value, len(values) - position, 0) for position, value in enumerate(values)]
    return [_load(argument), *tests, _return(_ERRNO | error), _return(_ALLOW)]


Segment = tuple[int, list[Instruction]]
"""The first number of a range of calls, which ends where the next begins, and their rule."""


def _segments(rules: dict[int, list[Instruction]]) -> list[Segment]:
    refuse = [_return(_ERRNO | errno.EPERM)]
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


class SeccompFilter:
    """A filter that is assembled once, and installed in each fork with its process id filled in.

    Raises:
        `OSError`: if there is no filter for this processor.
    """

    # Stands for the process id in the assembled program; no rule has this value otherwise.
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
        """Confine this process for good. [`forbid_new_privileges`] must have been called before.

        Raises:
            `OSError`: if the kernel rejects it.
        """
        pid = os.getpid()
        for position in self._pids:
            struct.pack_into("=I", self._code, position, pid)
        self._install()


@dataclass(frozen=True)
class Machine:
    """The system calls of one kind of processor, by name and number.

    Args:
        audit (`int`):
            AUDIT_ARCH_* of linux/audit.h; the filter kills a process that uses another interface of the kernel.
        harmless (`dict[str, int]`):
            Calls that are allowed with any arguments.
        checked (`dict[str, int]`):
            Calls that are allowed or refused by their arguments.
        seccomp (`int`):
            The call that installs a filter.
    """

    audit: int
    harmless: dict[str, int]
    checked: dict[str, int]
    seccomp: int


def _numbers(text: str) -> dict[str, int]:
    return {name: int(number) for name, number in (pair.split("=") for pair in text.split())}


# asm/unistd_64.h
_X86_64 = Machine(
    audit=0xC000003E,
    harmless=_numbers("""
        read=0 write=1 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12
        rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 readv=19 writev=20 access=21 pipe=22 select=23
        sched_yield=24 mremap=25 mincore=27 madvise=28 dup=32 dup2=33 pause=34 nanosleep=35 getitimer=36 alarm=37
        setitimer=38 getpid=39 recvfrom=45 shutdown=48 getsockname=51 getpeername=52 setsockopt=54 getsockopt=55
        exit=60 uname=63 getdents=78 getcwd=79 readlink=89 umask=95 gettimeofday=96 getrlimit=97 getrusage=98
        sysinfo=99 times=100 getuid=102 getgid=104 geteuid=107 getegid=108 getppid=110 getpgrp=111 getgroups=115
        getresuid=118 getresgid=120 getpgid=121 getsid=124 capget=125 rt_sigpending=127 sigaltstack=131 statfs=137
        fstatfs=138 getpriority=140 arch_prctl=158 gettid=186 time=201 futex=202 sched_getaffinity=204
        epoll_create=213 getdents64=217 set_tid_address=218 restart_syscall=219 fadvise64=221 clock_gettime=228
        clock_getres=229 clock_nanosleep=230 exit_group=231 epoll_wait=232 epoll_ctl=233 newfstatat=262
        readlinkat=267 faccessat=269 pselect6=270 ppoll=271 set_robust_list=273 get_robust_list=274 epoll_pwait=281
        eventfd2=290 epoll_create1=291 dup3=292 pipe2=293 getcpu=309 getrandom=318 membarrier=324 statx=332 rseq=334
        faccessat2=439
    """),
    checked=_numbers("""
        open=2 ioctl=16 sendto=44 socketpair=53 clone=56 kill=62 fcntl=72 prctl=157 tgkill=234 openat=257
        prlimit64=302 clone3=435 openat2=437
    """),
    seccomp=317,
)

# asm-generic/unistd.h
_AARCH64 = Machine(
    audit=0xC00000B7,
    harmless=_numbers("""
        getcwd=17 eventfd2=19 epoll_create1=20 epoll_ctl=21 epoll_pwait=22 dup=23 dup3=24 statfs=43 fstatfs=44
        faccessat=48 close=57 pipe2=59 getdents64=61 lseek=62 read=63 write=64 readv=65 writev=66 pread64=67
        pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 capget=90 exit=93 exit_group=94
        set_tid_address=96 futex=98 set_robust_list=99 get_robust_list=100 nanosleep=101 getitimer=102
        setitimer=103 clock_gettime=113 clock_getres=114 clock_nanosleep=115 sched_getaffinity=123 sched_yield=124
        restart_syscall=128 sigaltstack=132 rt_sigaction=134 rt_sigprocmask=135 rt_sigpending=136 rt_sigreturn=139
        getpriority=141 getresuid=148 getresgid=150 times=153 getpgid=155 getsid=156 getgroups=158 uname=160
        getrlimit=163 getrusage=165 umask=166 getcpu=168 gettimeofday=169 getpid=172 getppid=173 getuid=174
        geteuid=175 getgid=176 getegid=177 gettid=178 sysinfo=179 getsockname=204 getpeername=205 recvfrom=207
        setsockopt=208 getsockopt=209 shutdown=210 brk=214 munmap=215 mremap=216 mmap=222 fadvise64=223
        mprotect=226 mincore=232 madvise=233 getrandom=278 membarrier=283 statx=291 rseq=293 faccessat2=439
    """),
    checked=_numbers("""
        fcntl=25 ioctl=29 openat=56 kill=129 tgkill=131 prctl=167 socketpair=199 sendto=206 clone=220 prlimit64=261
        clone3=435 openat2=437
    """),
    seccomp=277,
)

MACHINES = {"x86_64": _X86_64, "aarch64": _AARCH64}
"""By `os.uname().machine`."""
