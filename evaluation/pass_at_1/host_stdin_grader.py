"""Grades programs that read standard input: one process per test, whose output the host compares."""

from __future__ import annotations

import fcntl
import os
import select
from contextlib import ExitStack
from dataclasses import dataclass

from .host_comparisons import same_output
from .host_jail import Ending, Jail, Job, sealed_file, sealed_source
from .host_tasks import Status, StdinTask
from .host_time_limits import Budget, watch

_CHUNK = 1 << 16
_KEPT_ERRORS = 1 << 12


@dataclass(frozen=True)
class Run:
    """The outcome of one run of a program."""

    output: str
    errors: str
    stopped: str | None
    """Why the host ended the run, or a limit that it exceeded; `None` otherwise."""
    status: Status
    """`pass` if the program ended by itself without an exception, whatever it wrote."""
    ending: Ending


def grade_stdin(jail: Jail, task: StdinTask) -> tuple[Status, str, float]:
    """Grade a task with at least one test: status, detail and processor time."""
    cpu_seconds = 0.0
    for number, (given, expected) in enumerate(task.tests, 1):
        run = run_program(jail, task, given, most_output=max(1 << 20, 4 * len(expected) + (1 << 16)))
        cpu_seconds += run.ending.cpu_seconds
        if run.status != "pass":
            return run.status, f"test {number}: {run.stopped or _last_line(run.errors) or run.ending}", cpu_seconds
        if not same_output(run.output, expected):
            return "fail", f"test {number}: another output was expected", cpu_seconds
    return "pass", "", cpu_seconds


def run_program(jail: Jail, task: StdinTask, given: str, most_output: int) -> Run:
    """Run the task's program on one input.

    Args:
        most_output (`int`):
            Bytes of output after which the program is ended.
    """
    source = {"preamble": task.preamble, "code": task.code}
    with ExitStack() as open_here, ExitStack() as open_there:
        descriptors = [open_there.enter_context(sealed_file(given.encode(errors="surrogatepass")))]
        pipes = []
        for _ in range(2):
            reading, writing = os.pipe()
            open_here.callback(os.close, reading)
            open_there.callback(os.close, writing)
            pipes.append(reading)
            descriptors.append(writing)
        descriptors.append(open_there.enter_context(sealed_source(source)))
        with jail.start("program", descriptors, task.cpu_seconds, task.memory_mb << 20) as job:
            open_there.close()
            return _collect(job, Budget(job, task.cpu_seconds), pipes[0], pipes[1], most_output)


def _collect(job: Job, budget: Budget, out: int, err: int, most_output: int) -> Run:
    """Read a job's output and errors until it ends or exceeds a limit.

    A program that writes to a full pipe waits for the host, and that time must not count. A pipe may be full when it
    holds half of its size, as each write may begin a new page.
    """
    output, errors, stopped = bytearray(), bytearray(), None
    status: Status = "timeout"
    poll = select.poll()
    full = {pipe: fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2 for pipe in (out, err)}
    for pipe in full:
        poll.register(pipe, select.POLLIN)
    while stopped is None:
        has_ended = job.has_ended  # asked before reading: once it has ended, all its output is in the pipes
        if has_ended and not full:
            break
        events, seconds = watch(poll, 0.0 if has_ended else budget.poll_seconds)
        ready = [descriptor for descriptor, _ in events if descriptor in full]
        waits_for_host = False
        for pipe in ready:
            chunk = os.read(pipe, _CHUNK)
            waits_for_host |= len(chunk) >= full[pipe]
            if not chunk:
                poll.unregister(pipe)
                del full[pipe]
            elif pipe == out:
                output += chunk
            else:
                errors = (errors + chunk)[-_KEPT_ERRORS:]
        if len(output) > most_output:
            status, stopped = "error", f"more than {most_output} bytes of output"
        elif not has_ended:
            budget.charge(seconds, excused=waits_for_host)
            stopped = budget.exceeded()
        elif not ready:
            break
        if not full:
            poll.register(job, select.POLLIN)
    ending = job.end()
    if stopped is None:
        stopped = budget.overrun(ending)
        status = "timeout" if stopped else "pass" if ending.clean else "error"
    return Run(output.decode(errors="replace"), errors.decode(errors="replace"), stopped, status, ending)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][:300]
