"""Tests the system call filter, interpreted as the kernel would run it, for both kinds of processors."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from evaluation.pass_at_1.jail_seccomp import MACHINES, Instruction, assemble, filter_program, notifying_program

PID = 4242
ALLOWED, KILLED, ASKED = 0x7FFF0000, 0x80000000, 0x7FC00000
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def decision(
    machine: str,
    number: int,
    arguments: tuple[int, ...] = (),
    audit: int | None = None,
    program: list[Instruction] | None = None,
) -> int:
    """Run the filter on a call, by an interpreter of the instructions that it uses."""
    memory = {0: number, 4: MACHINES[machine].audit if audit is None else audit}
    for position, value in enumerate((*arguments, 0, 0, 0, 0, 0, 0)[:6]):
        memory[16 + 8 * position] = value & 0xFFFFFFFF
        memory[20 + 8 * position] = value >> 32
    program = program or filter_program(MACHINES[machine], PID)
    accumulator, position = 0, 0
    while True:
        code, constant, yes, no = program[position]
        position += 1
        match code:
            case 0x20:
                accumulator = memory[constant]
            case 0x15:
                position += yes if accumulator == constant else no
            case 0x35:
                position += yes if accumulator >= constant else no
            case 0x45:
                position += yes if accumulator & constant else no
            case 0x06:
                return constant


def refused(error: int) -> int:
    return 0x00050000 | error


NEVER = {
    "x86_64": """
        fork=57 vfork=58 execve=59 execveat=322 socket=41 connect=42 sendmsg=46 recvmsg=47 ptrace=101 mount=165
        unshare=272 setns=308 bpf=321 io_uring_setup=425 unlink=87 rename=82 mkdir=83 chmod=90 truncate=76
        memfd_create=319 keyctl=250 process_vm_readv=310 userfaultfd=323 pidfd_open=434 shmget=29 setrlimit=160
        tkill=200 seccomp=317
    """,
    "aarch64": """
        execve=221 execveat=281 socket=198 connect=203 sendmsg=211 recvmsg=212 ptrace=117 mount=40 unshare=97 setns=268
        bpf=280 io_uring_setup=425 unlinkat=35 renameat=38 mkdirat=34 memfd_create=279 keyctl=219 process_vm_readv=270
        tkill=130 seccomp=277
    """,
}
THREAD = 0x3D0F00  # as pthread_create calls clone
# call, arguments, answer
CHECKED = [
    ("openat", (0, 0, 0o2000000), ALLOWED),
    ("openat", (0, 0, 0o1), refused(errno.EACCES)),
    ("openat", (0, 0, 0o2), refused(errno.EACCES)),
    ("openat", (0, 0, 0o100), refused(errno.EACCES)),
    ("openat", (0, 0, 0o20200000), refused(errno.EACCES)),
    ("clone", (THREAD,), ALLOWED),
    ("clone", (17,), refused(errno.EPERM)),
    ("clone", (THREAD | 0x10000000,), refused(errno.EPERM)),
    ("clone", (THREAD | 0x80,), refused(errno.EPERM)),
    ("clone3", (), refused(errno.ENOSYS)),
    ("openat2", (), refused(errno.ENOSYS)),
    ("kill", (PID, 9), ALLOWED),
    ("kill", (1, 9), refused(errno.EPERM)),
    ("kill", (0xFFFFFFFF, 9), refused(errno.EPERM)),
    ("tgkill", (PID, PID, 6), ALLOWED),
    ("tgkill", (PID + 1, PID + 1, 6), refused(errno.EPERM)),
    ("ioctl", (1, 0x5401), ALLOWED),
    ("ioctl", (1, 0x5412), refused(errno.ENOTTY)),
    ("prctl", (15,), ALLOWED),
    ("prctl", (1, 0), refused(errno.EPERM)),
    ("prlimit64", (0,), ALLOWED),
    ("prlimit64", (PID,), refused(errno.EPERM)),
    ("socketpair", (1,), ALLOWED),
    ("socketpair", (2,), refused(errno.EPERM)),
    ("sendto", (3, 0, 0, 0, 0), ALLOWED),
    ("sendto", (3, 0, 0, 0, 1), refused(errno.EPERM)),
    ("sendto", (3, 0, 0, 0, 1 << 40), refused(errno.EPERM)),
    ("fcntl", (3, 2), ALLOWED),
    ("fcntl", (3, 1030), ALLOWED),
    ("fcntl", (3, 8), refused(errno.EPERM)),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("call", "arguments", "answer"), CHECKED)
def test_arguments_decide(machine: str, call: str, arguments: tuple[int, ...], answer: int) -> None:
    assert decision(machine, MACHINES[machine].checked[call], arguments) == answer


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_harmless_is_allowed_and_everything_else_refused(machine: str) -> None:
    known = MACHINES[machine]
    for number in range(600):
        if number not in known.checked.values():
            allowed = number in known.harmless.values()
            assert decision(machine, number) == (ALLOWED if allowed else refused(errno.EPERM)), number
    for pair in NEVER[machine].split():
        assert decision(machine, int(pair.partition("=")[2])) == refused(errno.EPERM), pair


@pytest.mark.parametrize("machine", MACHINES)
def test_the_beginning_and_the_end_of_threads_are_announced_and_nothing_else(machine: str) -> None:
    known = MACHINES[machine]
    program = notifying_program(known)
    clone, leave = known.checked["clone"], known.harmless["exit"]
    assert decision(machine, clone, (THREAD,), program=program) == ASKED
    # a process: the fork server starts jobs so
    assert decision(machine, clone, (17,), program=program) == ALLOWED
    assert decision(machine, leave, program=program) == ASKED
    for number in set(range(600)) - {clone, leave}:
        assert decision(machine, number, (THREAD,), program=program) == ALLOWED
    assert decision(machine, clone, (THREAD,), audit=0, program=program) == ALLOWED  # the other filter ends it


def test_other_interfaces_of_the_kernel_end_the_process() -> None:
    i386 = 0x40000003
    assert decision("x86_64", 4, audit=i386) == KILLED
    assert decision("x86_64", 0x40000000 | 1) == KILLED
    assert decision("aarch64", 64, audit=MACHINES["x86_64"].audit) == KILLED


def test_the_old_way_to_open_a_file_is_checked_too() -> None:
    number = MACHINES["x86_64"].checked["open"]
    assert decision("x86_64", number, (0, 0)) == ALLOWED
    assert decision("x86_64", number, (0, 0o1)) == refused(errno.EACCES)


@pytest.mark.parametrize("machine", MACHINES)
def test_jumps_fit_in_their_byte(machine: str) -> None:
    program = filter_program(MACHINES[machine], PID)
    assert all(yes < 256 and no < 256 for _, _, yes, no in program)
    assert len(assemble(program)) == 8 * len(program)


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    lines = HEADERS[machine].read_text().replace("__NR3264", "__NR").replace("__NR_fstatat ", "__NR_newfstatat ")
    numbers = {}
    for line in lines.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == "#define" and words[2].isdigit():
            numbers[words[1].removeprefix("__NR_")] = int(words[2])
    known = MACHINES[machine].harmless | MACHINES[machine].checked | {"seccomp": MACHINES[machine].seccomp}
    assert {name: numbers.get(name, number) for name, number in known.items()} == known
    assert len(known.keys() & numbers.keys()) > 80
