"""Grades model-written code in jails. The candidate's process gets its own code and the inputs, and no expected
values."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from .codec import CodecError
from .host_call_grader import Answer, RaisedError, grade_calls, grade_plus, reference_answers
from .host_check_grader import TestRunner, grade_check
from .host_jail import Jail, JailError
from .host_messages import OverdueError
from .host_stdin_grader import grade_stdin
from .host_tasks import CallTask, CheckTask, PlusTask, PlusTest, Status, StdinTask, Task, Verdict
from .host_tier_check import NoJailError, checked_jail, choose_tier
from .host_tiers import BUBBLEWRAP, LANDLOCK, Tier
from .messages import FrameError

__all__ = [
    "GRADER_VERSION",
    "CallTask",
    "CheckTask",
    "Grader",
    "NoJailError",
    "PlusTask",
    "PlusTest",
    "ReferenceFailedError",
    "StdinTask",
    "Task",
    "Verdict",
]

GRADER_VERSION = 2
"""Raised when the grader may give another verdict of the same task. Stored verdicts of other versions are not used."""

_ATTEMPTS = 2


class ReferenceFailedError(RuntimeError):
    """A reference solution gives no answer, so that there is no expected value."""


class Grader:
    """Grades tasks, several at a time, each in a jail of its own. Use it in a `with` block.

    ```python
    with Grader() as grader:
        [verdict] = grader.grade([StdinTask("print(int(input()) + 1)", (("1", "2"),))])
    ```

    Args:
        workers (`int`, *optional*, defaults to the number of processors that this process may use):
            Tasks graded at the same time.
        allow_unsafe (`bool`, *optional*, defaults to `False`):
            Whether to run the code without a jail if no tier works. `HF_ALLOW_CODE_EVAL=1` allows it, too.
        tiers (`Sequence[Tier]`, *optional*, defaults to bubblewrap, then Landlock):
            The ways to confine to try, the best first.

    Raises:
        [`NoJailError`]: on entering, if no tier works.
    """

    tier: str
    """`bubblewrap`, `landlock` or `unsafe`; set inside the `with` block."""

    def __init__(
        self,
        workers: int | None = None,
        allow_unsafe: bool = False,
        tiers: Sequence[Tier] = (BUBBLEWRAP, LANDLOCK),
    ):
        self.workers = _usable_processors() if workers is None else workers
        if self.workers < 1:
            raise ValueError(f"a grader needs a worker, not {workers}")
        self._allow_unsafe = allow_unsafe
        self._tiers = tiers

    def __enter__(self) -> Grader:
        self._closing = False
        # The kernel ends a jail together with the thread that started it, so one thread that stays starts them all.
        self._launcher = ThreadPoolExecutor(1, thread_name_prefix="jail-launcher")
        try:
            tier, first = self._launcher.submit(choose_tier, self._tiers, self._allow_unsafe).result()
        except BaseException:
            self._launcher.shutdown()
            raise
        self.tier = tier.name
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._most_memory_mb = (memory >> 20) // self.workers  # so that all workers together fit into memory
        self._all_workers = [
            _Worker(lambda: self._launcher.submit(checked_jail, tier).result(), lambda: self._closing)
            for _ in range(self.workers)
        ]
        self._all_workers[0].jails["candidate"] = first
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._all_workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="grader")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for worker in self._all_workers:
            worker.interrupt()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._all_workers:
            worker.close()
        self._launcher.shutdown()

    def grade(self, tasks: Sequence[Task]) -> list[Verdict]:
        """The verdicts of these tasks, in their order. Any thread may call this."""
        futures = [self._threads.submit(self._grade, task) for task in tasks]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def answers(self, code: str, function: str, inputs: Sequence[tuple[Any, ...]]) -> list[Answer]:
        """Run a reference solution on these inputs in a jail: its answers and their processor time, for
        [`plus_tests`].

        Raises:
            [`ReferenceFailedError`]: if it gives no answer.
        """
        worker = self._free.get()
        try:
            return reference_answers(worker.jail("candidate"), code, function, inputs)
        except (CodecError, EOFError, FrameError, JailError, OSError, OverdueError, RaisedError) as error:
            worker.close()
            raise ReferenceFailedError(f"the reference solution {function} gives no answer: {error}") from error
        finally:
            self._free.put(worker)

    def _grade(self, task: Task) -> Verdict:
        started = time.monotonic()
        task = replace(task, memory_mb=min(task.memory_mb, self._most_memory_mb))
        trouble = "the task has no tests"
        for _ in range(_ATTEMPTS if isinstance(task, CheckTask) or task.tests else 0):
            worker = self._free.get()
            try:
                status, detail, cpu_seconds = _graded(worker, task)
                return Verdict(status, _printable(detail), cpu_seconds, time.monotonic() - started)
            except (CodecError, JailError, OSError) as error:
                trouble = str(error)
                worker.close()
            finally:
                self._free.put(worker)
            if self._closing:
                break
        return Verdict("infra", trouble, 0.0, time.monotonic() - started)


def _usable_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _graded(worker: _Worker, task: Task) -> tuple[Status, str, float]:
    match task:
        case StdinTask():
            return grade_stdin(worker.jail("candidate"), task)
        case CallTask():
            return grade_calls(worker.jail("candidate"), task)
        case PlusTask():
            return grade_plus(worker.jail("candidate"), task)
        case CheckTask():
            return grade_check(worker.jail("candidate"), worker.test_runner(), task)


def _printable(text: str) -> str:
    """Text of an untrusted program without control characters, which could change a terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


class _Worker:
    """The jails of one worker: one for candidates and one for test code, each started when it is first used."""

    def __init__(self, start: Callable[[], Jail], is_closing: Callable[[], bool]):
        self._start = start
        self._is_closing = is_closing
        self._test_runner: TestRunner | None = None
        self.jails: dict[str, Jail] = {}

    def jail(self, kind: str) -> Jail:
        """The jail of this kind, `candidate` or `tests`."""
        if kind not in self.jails:
            self.jails[kind] = self._start()
            if self._is_closing():  # `interrupt` may have run before this jail was there
                raise JailError("the grader is closed")
        return self.jails[kind]

    def test_runner(self) -> TestRunner:
        """A usable process that runs test code."""
        if self._test_runner is not None and not self._test_runner.is_usable:
            self._test_runner.close()
            self._test_runner = None
        if self._test_runner is None:
            self._test_runner = TestRunner(self.jail("tests"))
        return self._test_runner

    def interrupt(self) -> None:
        """Make a thread that uses the jails fail at once."""
        for jail in list(self.jails.values()):
            jail.interrupt()

    def close(self) -> None:
        """End the jails; the next use starts new ones."""
        if self._test_runner is not None:
            self._test_runner.hang_up()
            self._test_runner = None
        while self.jails:
            self.jails.popitem()[1].close()
