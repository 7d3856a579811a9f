"""Grades functions that are called with data: the host sends the arguments and compares what comes back."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from .codec import Decoder, Encoder
from .host_comparisons import close_value, is_root, same_value
from .host_jail import GRACE, Ending, Jail, Job, sealed_source
from .host_messages import OverdueError, Wire
from .host_tasks import CallTask, PlusTask, PlusTest, Status
from .host_time_limits import Budget, Jointly
from .messages import FrameError, text_of

_LONGEST_PLUS, _MORE_PLUS = 60.0, 2.0  # EvalPlus
_REFERENCE_SECONDS = 60.0
_REFERENCE_MB = 4096
_LONGEST_ANSWER = 16 << 20  # read as JSON it may take twenty times as much memory
_BATCH = 1 << 16
_LONGEST_DETAIL = 300


class RaisedError(Exception):
    """The candidate's code raised something, when it was loaded or called."""


@dataclass(frozen=True)
class Answer:
    """What a reference solution returned, and the processor time that it took."""

    value: Any
    cpu_seconds: float


@dataclass(frozen=True)
class Call:
    """One call and what to make of its answer."""

    arguments: tuple[Any, ...]
    cpu_seconds: float
    accepts: Callable[[Any], bool]
    """Whether what came back, a tree as [`Encoder`] makes it, is right."""


def grade_calls(jail: Jail, task: CallTask) -> tuple[Status, str, float]:
    """Status, detail and processor time of a task with at least one test."""
    entry_point = f"Solution().{task.function}" if "class Solution" in task.code else task.function
    calls = [Call(arguments, task.cpu_seconds, partial(same_value, expected)) for arguments, expected in task.tests]
    total = task.cpu_seconds + sum(call.cpu_seconds for call in calls)
    return _grade(jail, task.code, task.preamble, entry_point, calls, total, task.memory_mb)


def grade_plus(jail: Jail, task: PlusTask) -> tuple[Status, str, float]:
    """Status, detail and processor time of a task with at least one test."""
    calls = [Call(test.arguments, test.cpu_seconds, _acceptance(test)) for test in task.tests]
    total = min(_LONGEST_PLUS, sum(call.cpu_seconds for call in calls)) + _MORE_PLUS
    return _grade(jail, task.code, "", task.function, calls, total, task.memory_mb)


def _acceptance(test: PlusTest) -> Callable[[Any], bool]:
    if test.is_root:
        return partial(is_root, test.arguments[0], test.tolerance)
    return partial(close_value, test.expected, test.tolerance)


def _grade(
    jail: Jail, code: str, preamble: str, entry_point: str, calls: Sequence[Call], cpu_seconds: float, memory_mb: int
) -> tuple[Status, str, float]:
    with callee(jail, code, preamble, entry_point, calls, cpu_seconds, memory_mb) as called:
        status, detail = _outcome(called, calls)
        ending = called.hang_up(0.0 if status == "timeout" else GRACE)
        if status != "gone":
            return status, detail, ending.cpu_seconds
        overrun = called.overrun(ending)
        if overrun is not None:
            return "timeout", overrun, ending.cpu_seconds
        return "error", f"{detail}; {ending}", ending.cpu_seconds


def _outcome(called: Callee, calls: Sequence[Call]) -> tuple[Status | Literal["gone"], str]:
    where = "loading"
    try:
        answers = called.answers()
        for number, call in enumerate(calls, 1):
            tree = next(answers)
            where = f"test {number}"
            if not call.accepts(tree):
                return "fail", f"{where}: another value was expected"
    except OverdueError as error:
        return "timeout", f"after {where}: {error}"
    except RaisedError as error:
        return "error", f"after {where}: {error}"
    except FrameError as error:
        return "error", f"after {where}: {error}"
    except (EOFError, OSError) as error:
        return "gone", f"after {where}: {error}"
    return "pass", ""


def reference_answers(jail: Jail, code: str, function: str, inputs: Sequence[tuple[Any, ...]]) -> list[Answer]:
    """What a trusted solution returns for these inputs.

    Raises:
        [`RaisedError`], [`OverdueError`], `EOFError`, `OSError`, [`FrameError`], [`CodecError`]: if it does not return
            a value that can be sent.
    """
    calls = [Call(tuple(arguments), _REFERENCE_SECONDS, bool) for arguments in inputs]
    with callee(jail, code, "", function, calls, _REFERENCE_SECONDS * len(inputs), _REFERENCE_MB) as called:
        answers = called.answers()
        return [Answer(Decoder().decode({"value": tree}), called.last_seconds) for tree in answers]


@contextmanager
def callee(
    jail: Jail, code: str, preamble: str, entry_point: str, calls: Sequence[Call], cpu_seconds: float, memory_mb: int
) -> Iterator[Callee]:
    """A process that holds this code, to which calls are made.

    Args:
        entry_point (`str`):
            Expression for what is called.
        calls (`Sequence[Call]`):
            One at least.
        cpu_seconds (`float`):
            Processor time for all of them together.
    """
    source = {"preamble": preamble, "code": code, "entry_point": entry_point, "shared_classes": []}
    with ExitStack() as open_here, ExitStack() as open_there:
        here, there = socket.socketpair()
        open_here.enter_context(here)
        open_there.enter_context(there)
        text = open_there.enter_context(sealed_source(source))
        job = open_here.enter_context(jail.start("calls", [there.fileno(), text], cpu_seconds, memory_mb << 20))
        open_there.close()
        yield Callee(job, here, calls, cpu_seconds)


class Callee:
    """The candidate's process as the host calls it.

    Args:
        job ([`Job`]):
            The process.
        end (`socket`):
            Of the channel to it.
        calls (`Sequence[Call]`):
            The first one's time is also that of loading the code.
        cpu_seconds (`float`):
            Processor time for everything.
    """

    def __init__(self, job: Job, end: socket.socket, calls: Sequence[Call], cpu_seconds: float):
        self._job = job
        self._end = end
        self.last_seconds = 0.0
        """Processor time of the last call, as it is seen from here."""
        self._calls = calls
        self._budget = Budget(job, calls[0].cpu_seconds)
        self._total = Budget(job, cpu_seconds)
        self._wire = Wire(end, Jointly(self._budget, self._total))

    def answers(self) -> Iterator[Any]:
        """What each call returns, once the code is loaded, as trees that are not to be trusted.

        Raises:
            [`OverdueError`]: if one takes longer than it may.
            [`RaisedError`]: if one raises.
            `EOFError`, [`FrameError`], `OSError`: if one ends the process, or sends something else.
        """
        self._answer()
        for batch in _batches(self._calls):
            self._budget.restart(batch[0][0].cpu_seconds)
            self._wire.send(f"[{','.join(text for _, text in batch)}]")
            for call, _ in batch:
                self._budget.cpu_seconds = call.cpu_seconds
                tree, waits = self._answer()
                self._budget.restart(call.cpu_seconds)
                if waits:
                    self._wire.send("null")
                yield tree

    def hang_up(self, grace: float) -> Ending:
        """Let the process end, for which it gets some seconds."""
        self._end.close()
        return self._job.end(grace)

    def overrun(self, ending: Ending) -> str | None:
        """In what respect a process that has ended by itself took too long, or `None`."""
        return self._budget.overrun(ending) or self._total.overrun(ending)

    def _answer(self) -> tuple[Any, bool]:
        message = self._wire.receive(_LONGEST_ANSWER)
        self.last_seconds = self._budget.used
        for budget in (self._budget, self._total):
            if budget.used > budget.cpu_seconds:
                raise OverdueError(budget.too_much)
        match message:
            case [{"returned": {"value": tree}}, bool(waits)]:
                return tree, waits
            case [{"raised": [str(kind), str(text)]}, _]:
                raise RaisedError(f"{kind}: {text}"[:_LONGEST_DETAIL])
        raise FrameError("not an answer")


def _batches(calls: Sequence[Call]) -> Iterator[list[tuple[Call, str]]]:
    """Calls with their questions as JSON, some of them together: waiting for each other takes most of the time of a
    short call."""
    batch: list[tuple[Call, str]] = []
    size = 0
    for call in calls:
        batch.append((call, text_of({"do": "call", "with": Encoder().encode((call.arguments, {}))})))
        size += len(batch[-1][1])
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
