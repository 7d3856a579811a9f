"""System call numbers, for each processor that the filter knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One kind of processor.

    Args:
        audit (`int`):
            AUDIT_ARCH_* of linux/audit.h; the filter kills a process that calls through another one.
        harmless (`dict[str, int]`):
            Calls allowed whatever their arguments.
        checked (`dict[str, int]`):
            Calls allowed or refused by their arguments.
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
