"""Inside the jail: a warm interpreter that forks one child per job, confines it, and reports how it ended."""

from __future__ import annotations

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
from .jail_program_runner import WARM, run_program
from .jail_seccomp import Filter
from .jail_test_runner import judge
from .jail_thread_limit import ThreadLimit
from .messages import KILL, READY

_THREAD_STACK = 8 << 20  # else as much as the main thread has
_LONGEST_MESSAGE = 1 << 16
_DESCRIPTORS, _MOST_DESCRIPTORS = 256, 32  # that can be open, and that can come with a job


def main(control: str, options: str) -> None:
    """The first of the project's own code that runs in a jail.

    Args:
        control (`str`):
            Number of the descriptor through which the host controls the jail.
        options (`str`):
            JSON for [`serve`].
    """
    sys.argv[:] = [""]
    descriptor = os.dup(int(control))  # a low number, whatever the host had open
    os.close(int(control))
    with socket.socket(fileno=descriptor) as end:
        serve(end, json.loads(options))


def serve(control: socket.socket, options: dict[str, Any]) -> None:
    """Confine this process and run jobs until the other end of `control` is closed.

    Args:
        control (`socket`):
            Packets. In come a job as JSON with its descriptors, and [`KILL`]; out go a JSON greeting, and per job
            [`READY`] and a JSON report.
        options (`dict`):
            `readable` and `listed`, for [`restrict`]; `packages`, name → folder; `required`, which of `landlock`,
            `seccomp` and `threads` it cannot do without; `input`, the file that stands for the input of a program
            where no name leads to its descriptor, or `None`.

    Raises:
        `OSError`: if what is required cannot be had.
    """
    sys.meta_path.insert(0, _Packages(options["packages"]))
    for name in WARM.split():
        importlib.import_module(name)
    site.setquit()
    sys.set_int_max_str_digits(0)  # long numbers are right answers too, and the processor time is limited anyway
    threading.stack_size(_THREAD_STACK)
    confinement = _Confinement(options)
    random.seed(0)  # programs that draw lots draw the same ones each time, as with the hash seed
    os.dup2(1, 2)  # nobody listens any more
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"pid": os.getpid()}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _LONGEST_MESSAGE, _MOST_DESCRIPTORS)
        if not message:
            return
        if message == KILL:  # it crossed the report of a job that had just ended
            continue
        job = json.loads(message)
        child = jail_privileges.bare_fork()
        if child == 0:
            _become(job, descriptors, control, confinement)
        for descriptor in descriptors:
            os.close(descriptor)
        _watch(child, control, confinement.threads)
        _, status, usage = os.wait4(child, 0)
        report = {"status": status, "cpu": usage.ru_utime + usage.ru_stime, "peak_kib": usage.ru_maxrss}
        control.send(json.dumps(report).encode())


@contextmanager
def _required(what: str, options: dict[str, Any]) -> Iterator[None]:
    """Go on without what this kernel does not have, unless it is required."""
    try:
        yield
    except OSError:
        if what in options["required"]:
            raise


class _Confinement:
    """What this process gives up for good, and each child besides.

    Args:
        options (`dict`):
            See [`serve`].
    """

    def __init__(self, options: dict[str, Any]):
        jail_privileges.drop_capabilities()
        jail_privileges.refuse_tracing()
        jail_privileges.allow_no_new_privileges()
        jail_privileges.limit_for_good(_DESCRIPTORS)
        self._input = None if options["input"] is None else os.open(options["input"], os.O_RDWR)
        with _required("landlock", options):
            jail_landlock.restrict(options["readable"], options["listed"])
        self._filter: Filter | None = None
        with _required("seccomp", options):
            self._filter = Filter()
        self.threads: ThreadLimit | None = None
        with _required("threads", options):
            self.threads = ThreadLimit()
        self._die_with_parent = jail_privileges.prepared_death_with_parent()

    def enter(self, job: dict[str, Any], descriptors: Sequence[int]) -> None:
        """In the fresh child."""
        self._die_with_parent()
        if self.threads is not None:
            self.threads.leave()
        if self._input is not None:
            _fill(self._input, descriptors[0] if job["role"] == "program" else None)
        jail_privileges.limit(job["cpu_seconds"], job["memory"])
        if self._filter is not None:
            self._filter.install()


def _fill(named: int, given: int | None) -> None:
    """Make the file that stands for the input hold what `given` does, or nothing, and let go of it."""
    os.ftruncate(named, 0)
    size = 0 if given is None else os.fstat(given).st_size
    while given is not None and (done := os.lseek(named, 0, os.SEEK_END)) < size:
        os.sendfile(named, given, done, size - done)
    os.close(named)


def _become(
    job: dict[str, Any], descriptors: Sequence[int], control: socket.socket, confinement: _Confinement
) -> None:
    """In the fresh child: confine it, say so, play the job's role, and end. Nothing returns from here."""
    code = 1
    try:
        confinement.enter(job, descriptors)
        control.send(READY)
        control.close()
        code = _ROLES[job["role"]](*descriptors)
    finally:
        os._exit(code)


def _watch(child: int, control: socket.socket, threads: ThreadLimit | None) -> None:
    """Return when the child has ended. Decide about its threads. End it when the host says so; if the host is gone,
    end this process too."""
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
                os._exit(0)  # the child dies with this process
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(ended)


class _Packages(importlib.abc.MetaPathFinder):
    """Finds the few packages that programs may import besides the standard library, without their neighbours."""

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


_ROLES: dict[str, Callable[..., int]] = {
    "program": run_program,
    "calls": answer_calls,
    "tests": judge,
}
"""Role → what plays it, given the job's descriptors. Besides them only the zygote's own streams are open, which lead
nowhere."""
