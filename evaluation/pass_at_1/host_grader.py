"""Grades model-written code in a jail. The candidate's process sees its own code and the inputs, nothing else."""

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
from .host_check_grader import Judge, grade_check
from .host_jail import Jail, JailError
from .host_messages import OverdueError
from .host_stdin_grader import grade_stdin
from .host_tasks import CallTask, CheckTask, PlusTask, PlusTest, Status, StdinTask, Task, Verdict
from .host_tier_check import NoJailError, choose_tier, proven_jail
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
"""Raised when the grader may give another verdict of the same task: what an earlier one stored is then not trusted."""

_ATTEMPTS = 2


class ReferenceFailedError(RuntimeError):
    """A reference solution does not say what is right."""


class Grader:
    """Grades tasks, several at once, each in a jail of its own. To be used in a `with` block.

    ```python
    with Grader() as grader:
        [verdict] = grader.grade([StdinTask("print(int(input()) + 1)", (("1", "2"),))])
    ```

    Args:
        workers (`int`, *optional*, defaults to the number of processors that this process may use):
            Tasks graded at the same time.
        allow_unsafe (`bool`, *optional*, defaults to `False`):
            Whether to run the code without a jail where no tier holds. `HF_ALLOW_CODE_EVAL=1` says the same.
        tiers (`Sequence[Tier]`, *optional*, defaults to bubblewrap, then Landlock):
            What to try, the best first.

    Raises:
        [`NoJailError`]: on entering, if no tier holds.
    """

    tier: str
    """`bubblewrap`, `landlock` or `unsafe`; known inside the `with` block."""

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
        # The kernel ends a jail together with the thread that started it, so that is one that stays.
        self._launcher = ThreadPoolExecutor(1, thread_name_prefix="jail-launcher")
        try:
            tier, first = self._launcher.submit(choose_tier, self._tiers, self._allow_unsafe).result()
        except BaseException:
            self._launcher.shutdown()
            raise
        self.tier = tier.name
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._most_memory_mb = (memory >> 20) // self.workers  # so that all of them together do not take more
        self._cells = [
            _Cell(lambda: self._launcher.submit(proven_jail, tier).result(), lambda: self._closing)
            for _ in range(self.workers)
        ]
        self._cells[0].jails["candidate"] = first
        self._free: SimpleQueue[_Cell] = SimpleQueue()
        for cell in self._cells:
            self._free.put(cell)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="grader")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for cell in self._cells:
            cell.interrupt()
        self._threads.shutdown(cancel_futures=True)
        for cell in self._cells:
            cell.close()
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
        """What a reference solution returns for these inputs, and how long it takes: what [`plus_tests`] needs. It is
        the data set's code, but it runs in a jail as well.

        Raises:
            [`ReferenceFailedError`]: if it does not answer.
        """
        cell = self._free.get()
        try:
            return reference_answers(cell.jail("candidate"), code, function, inputs)
        except (CodecError, EOFError, FrameError, JailError, OSError, OverdueError, RaisedError) as error:
            cell.close()
            raise ReferenceFailedError(f"the reference solution {function} gives no answer: {error}") from error
        finally:
            self._free.put(cell)

    def _grade(self, task: Task) -> Verdict:
        started = time.monotonic()
        task = replace(task, memory_mb=min(task.memory_mb, self._most_memory_mb))
        trouble = "the task has no tests"
        for _ in range(_ATTEMPTS if isinstance(task, CheckTask) or task.tests else 0):
            cell = self._free.get()
            try:
                status, detail, cpu_seconds = _graded(cell, task)
                return Verdict(status, _printable(detail), cpu_seconds, time.monotonic() - started)
            except (CodecError, JailError, OSError) as error:
                trouble = str(error)
                cell.close()
            finally:
                self._free.put(cell)
            if self._closing:
                break
        return Verdict("infra", trouble, 0.0, time.monotonic() - started)


def _usable_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _graded(cell: _Cell, task: Task) -> tuple[Status, str, float]:
    match task:
        case StdinTask():
            return grade_stdin(cell.jail("candidate"), task)
        case CallTask():
            return grade_calls(cell.jail("candidate"), task)
        case PlusTask():
            return grade_plus(cell.jail("candidate"), task)
        case CheckTask():
            return grade_check(cell.jail("candidate"), cell.judge(), task)


def _printable(text: str) -> str:
    """What a stranger's program wrote is not to reach a terminal as it is."""
    return "".join(one if one.isprintable() else " " for one in text)


class _Cell:
    """What one worker has: a jail for candidates and one for judges, each started when it is first needed."""

    def __init__(self, start: Callable[[], Jail], is_closing: Callable[[], bool]):
        self._start = start
        self._is_closing = is_closing
        self._judge: Judge | None = None
        self.jails: dict[str, Jail] = {}

    def jail(self, kind: str) -> Jail:
        """The jail for this kind of process."""
        if kind not in self.jails:
            self.jails[kind] = self._start()
            if self._is_closing():  # the one who closes may have looked for jails before
                raise JailError("the grader is closed")
        return self.jails[kind]

    def judge(self) -> Judge:
        """Who runs a test."""
        if self._judge is not None and not self._judge.is_usable:
            self._judge.close()
            self._judge = None
        if self._judge is None:
            self._judge = Judge(self.jail("judge"))
        return self._judge

    def interrupt(self) -> None:
        """Make whoever uses the jails fail at once."""
        for jail in list(self.jails.values()):
            jail.interrupt()

    def close(self) -> None:
        """End the jails; the next use starts others."""
        if self._judge is not None:
            self._judge.hang_up()
            self._judge = None
        while self.jails:
            self.jails.popitem()[1].close()
