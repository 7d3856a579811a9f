"""Grades functions that are called with data: the host sends the arguments and compares the values that come back."""

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
from .host_messages import HostChannel, OverdueError
from .host_tasks import CallTask, PlusTask, PlusTest, Status
from .host_time_limits import Budget, JointBudget
from .messages import FrameError, text_of

_LONGEST_PLUS, _MORE_PLUS = 60.0, 2.0  # seconds of processor time for all calls (EvalPlus)
_REFERENCE_SECONDS = 60.0
_REFERENCE_MB = 4096
_LONGEST_ANSWER = 16 << 20  # bytes; parsed JSON may take twenty times as much memory
_BATCH = 1 << 16  # bytes of requests that are sent together
_LONGEST_DETAIL = 300


class RaisedError(Exception):
    """The candidate's code raised an exception when it was loaded or called."""


@dataclass(frozen=True)
class Answer:
    """A value that a reference solution returned, and the processor time that the call took."""

    value: Any
    cpu_seconds: float


@dataclass(frozen=True)
class Call:
    """One call: its arguments, its limit of processor time, and the check of its answer."""

    arguments: tuple[Any, ...]
    cpu_seconds: float
    accepts: Callable[[Any], bool]
    """Whether the returned value, a tree as [`Encoder`] makes it, is right."""


def grade_calls(jail: Jail, task: CallTask) -> tuple[Status, str, float]:
    """Grade a task with at least one test: status, detail and processor time."""
    entry_point = f"Solution().{task.function}" if "class Solution" in task.code else task.function
    calls = [Call(arguments, task.cpu_seconds, partial(same_value, expected)) for arguments, expected in task.tests]
    total = task.cpu_seconds + sum(call.cpu_seconds for call in calls)
    return _grade(jail, task.code, task.preamble, entry_point, calls, total, task.memory_mb)


def grade_plus(jail: Jail, task: PlusTask) -> tuple[Status, str, float]:
    """Grade a task with at least one test: status, detail and processor time."""
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
    with candidate_process(jail, code, preamble, entry_point, calls, cpu_seconds, memory_mb) as candidate:
        status, detail = _outcome(candidate, calls)
        ending = candidate.hang_up(0.0 if status == "timeout" else GRACE)
        if status != "gone":
            return status, detail, ending.cpu_seconds
        overrun = candidate.overrun(ending)
        if overrun is not None:
            return "timeout", overrun, ending.cpu_seconds
        return "error", f"{detail}; {ending}", ending.cpu_seconds


def _outcome(candidate: CandidateProcess, calls: Sequence[Call]) -> tuple[Status | Literal["gone"], str]:
    where = "loading"
    try:
        answers = candidate.answers()
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
    """Run a reference solution on these inputs: its answers with their processor time.

    Raises:
        [`RaisedError`], [`OverdueError`], `EOFError`, `OSError`, [`FrameError`], [`CodecError`]: if it does not return
            a value that can be encoded.
    """
    calls = [Call(tuple(arguments), _REFERENCE_SECONDS, bool) for arguments in inputs]
    with candidate_process(
        jail, code, "", function, calls, _REFERENCE_SECONDS * len(inputs), _REFERENCE_MB
    ) as candidate:
        answers = candidate.answers()
        return [Answer(Decoder().decode({"value": tree}), candidate.last_seconds) for tree in answers]


@contextmanager
def candidate_process(
    jail: Jail, code: str, preamble: str, entry_point: str, calls: Sequence[Call], cpu_seconds: float, memory_mb: int
) -> Iterator[CandidateProcess]:
    """Start a process that loads this code and makes calls to it; it ends with the `with` block.

    Args:
        entry_point (`str`):
            Expression for the function to call.
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
        yield CandidateProcess(job, here, calls, cpu_seconds)


class CandidateProcess:
    """The host's side of a process with the candidate's code, see [`answer_calls`].

    Args:
        job ([`Job`]):
            The process.
        end (`socket`):
            The host's end of the channel to it.
        calls (`Sequence[Call]`):
            The limit of the first one holds for loading the code, too.
        cpu_seconds (`float`):
            Limit of processor time for everything together.
    """

    def __init__(self, job: Job, end: socket.socket, calls: Sequence[Call], cpu_seconds: float):
        self._job = job
        self._end = end
        self.last_seconds = 0.0
        """Processor time of the last call, as the host measured it."""
        self._calls = calls
        self._budget = Budget(job, calls[0].cpu_seconds)
        self._total = Budget(job, cpu_seconds)
        self._channel = HostChannel(end, JointBudget(self._budget, self._total))

    def answers(self) -> Iterator[Any]:
        """Load the code, make the calls, and yield the value of each as an untrusted tree (see [`Encoder`]).

        Raises:
            [`OverdueError`]: if a time limit is exceeded.
            [`RaisedError`]: if loading or a call raises an exception.
            `EOFError`, [`FrameError`], `OSError`: if the process ends, or sends something else.
        """
        self._answer()
        for batch in _batches(self._calls):
            self._budget.restart(batch[0][0].cpu_seconds)
            self._channel.send(f"[{','.join(text for _, text in batch)}]")
            for call, _ in batch:
                self._budget.cpu_seconds = call.cpu_seconds
                tree, waits = self._answer()
                self._budget.restart(call.cpu_seconds)
                if waits:
                    self._channel.send("null")
                yield tree

    def hang_up(self, grace: float) -> Ending:
        """Close the channel, upon which the process ends by itself, or is killed after `grace` seconds."""
        self._end.close()
        return self._job.end(grace)

    def overrun(self, ending: Ending) -> str | None:
        """Which limit a process exceeded that has ended by itself, or `None`."""
        return self._budget.overrun(ending) or self._total.overrun(ending)

    def _answer(self) -> tuple[Any, bool]:
        message = self._channel.receive(_LONGEST_ANSWER)
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
    """Calls with their requests as JSON, in groups that are sent together: for a short call, most of the time goes
    into waiting for the other process."""
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
