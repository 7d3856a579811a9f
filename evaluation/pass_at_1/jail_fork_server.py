"""The first process in a jail: imports what programs need, then forks one confined child per job and reports its
end."""

from __future__ import annotations

import ctypes
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import select
import signal
import site
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from . import jail_landlock, jail_privileges
from .jail_call_server import answer_calls
from .jail_program_runner import PRELOADED, run_program
from .jail_seccomp import SeccompFilter
from .jail_test_runner import run_tests
from .jail_thread_limit import ThreadLimit
from .messages import KILL, READY

_THREAD_STACK = 8 << 20  # as much as the main thread has by default
_LONGEST_MESSAGE = 1 << 16
_MOST_OPEN, _MOST_RECEIVED = 256, 32  # descriptors that may be open, and that may come with a job

_libc_with_gil = ctypes.PyDLL(None, use_errno=True)


def main(control: str, options: str) -> None:
    """Start the server; the host's command line calls this in the jail.

    Args:
        control (`str`):
            Number of the descriptor of the control socket.
        options (`str`):
            JSON of the `options` of [`serve`].
    """
    sys.argv[:] = [""]
    descriptor = os.dup(int(control))  # a low number, however many files the host had open
    os.close(int(control))
    with socket.socket(fileno=descriptor) as end:
        serve(end, json.loads(options))


def serve(control: socket.socket, options: dict[str, Any]) -> None:
    """Confine this process, and run jobs one after the other until the host closes its end of `control`.

    Args:
        control (`socket`):
            A socket of packets. The host sends jobs as JSON with their descriptors, and [`KILL`]. This process sends a
            JSON greeting, and per job [`READY`] (from the child) and a JSON report.
        options (`dict`):
            `readable` and `listed`, for [`restrict`]; `packages`, name → folder; `required`, which of `landlock`,
            `seccomp` and `threads` must work; `input`, a file that programs may open by name as their standard input
            where /proc is missing, or `None`.

    Raises:
        `OSError`: if the kernel lacks something required.
    """
    sys.meta_path.insert(0, _AllowedPackages(options["packages"]))
    for name in PRELOADED.split():
        importlib.import_module(name)
    site.setquit()
    sys.set_int_max_str_digits(0)  # long numbers are right answers too; the limit of processor time suffices
    threading.stack_size(_THREAD_STACK)
    confinement = _Confinement(options)
    random.seed(0)  # programs that use `random` get the same numbers each time; so does the hash seed
    os.dup2(1, 2)  # the host reads errors only until the greeting
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"pid": os.getpid()}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _LONGEST_MESSAGE, _MOST_RECEIVED)
        if not message:
            return
        if message == KILL:  # sent before the host received the report of a job that had just ended
            continue
        job = json.loads(message)
        child = _bare_fork()
        if child == 0:
            _run_job(job, descriptors, control, confinement)
        for descriptor in descriptors:
            os.close(descriptor)
        _wait_for(child, control, confinement.threads)
        _, status, usage = os.wait4(child, 0)
        report = {"status": status, "cpu": usage.ru_utime + usage.ru_stime, "peak_kib": usage.ru_maxrss}
        control.send(json.dumps(report).encode())


def _bare_fork() -> int:
    """Fork without the handlers that modules registered by `os.register_at_fork`, which take longer than all else
    here: they repair locks and threads, which a process with one thread does not need, and seed `random`.

    Returns:
        `int`: the child's process id; 0 in the child.
    """
    child = int(_libc_with_gil.fork())
    if child < 0:
        raise OSError(ctypes.get_errno(), "fork")
    return child


@contextmanager
def _required(what: str, options: dict[str, Any]) -> Iterator[None]:
    """Go on if the kernel lacks something, unless it is required."""
    try:
        yield
    except OSError:
        if what in options["required"]:
            raise


class _Confinement:
    """Confines this process on creation, and each child by [`enter`].

    Args:
        options (`dict`):
            See [`serve`].
    """

    def __init__(self, options: dict[str, Any]):
        jail_privileges.drop_capabilities()
        jail_privileges.forbid_tracing()
        jail_privileges.forbid_new_privileges()
        jail_privileges.set_fixed_limits(_MOST_OPEN)
        self._input = None if options["input"] is None else os.open(options["input"], os.O_RDWR)
        with _required("landlock", options):
            jail_landlock.restrict(options["readable"], options["listed"])
        self._filter: SeccompFilter | None = None
        with _required("seccomp", options):
            self._filter = SeccompFilter()
        self.threads: ThreadLimit | None = None
        with _required("threads", options):
            self.threads = ThreadLimit()
        self._die_with_parent = jail_privileges.prepared_death_with_parent()

    def enter(self, job: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Confine the fresh child that calls this."""
        self._die_with_parent()
        if self.threads is not None:
            self.threads.close_in_child()
        if self._input is not None:
            _fill_and_close(self._input, descriptors[0] if job["role"] == "program" else None)
        jail_privileges.set_job_limits(job["cpu_seconds"], job["memory"])
        if self._filter is not None:
            self._filter.install()


def _fill_and_close(named: int, given: int | None) -> None:
    """Copy the file `given`, or nothing, into the file that programs open as /dev/stdin, and close the latter."""
    os.ftruncate(named, 0)
    size = 0 if given is None else os.fstat(given).st_size
    while given is not None and (done := os.lseek(named, 0, os.SEEK_END)) < size:
        os.sendfile(named, given, done, size - done)
    os.close(named)


def _run_job(
    job: dict[str, Any], descriptors: Sequence[int], control: socket.socket, confinement: _Confinement
) -> None:
    """Confine the fresh child that calls this, tell the host, run the job, and exit. This never returns."""
    code = 1
    try:
        confinement.enter(job, descriptors)
        control.send(READY)
        control.close()
        code = _ROLES[job["role"]](*descriptors)
    finally:
        os._exit(code)


def _wait_for(child: int, control: socket.socket, threads: ThreadLimit | None) -> None:
    """Return when the child has ended. Until then, answer its requests for threads, and kill it when the host says so.
    If the host is gone, exit."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLIN)
    if threads is not None:
        threads.restart()
        poll.register(threads, select.POLLIN)
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if ended in ready:
                return
            if threads is not None and threads.fileno() in ready:
                threads.decide()
            if control.fileno() not in ready:
                continue
            if control.recv(len(KILL)) != KILL:
                os._exit(0)  # the kernel then kills the child
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(ended)


class _AllowedPackages(importlib.abc.MetaPathFinder):
    """Finds the packages that programs may import besides the standard library, and no others installed with them."""

    def __init__(self, folders: dict[str, str]):
        self.folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        folder = self.folders.get(fullname)
        if folder is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


_ROLES: dict[str, Callable[..., int]] = {"program": run_program, "calls": answer_calls, "tests": run_tests}
"""A job's role → the function that runs it, given the job's descriptors. Besides those, only the server's own standard
streams are open, and they lead to /dev/null."""
