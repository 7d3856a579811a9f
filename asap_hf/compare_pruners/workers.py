"""Measure in several processes, each with its own models."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from itertools import chain
from queue import Empty
from typing import Any

from ..errors import RunError, UsageError
from ..runtime.child_guard import ChildGuard
from ..traces.trace import Trace
from .conditions import Condition
from .measuring import Meter
from .results import Measurement

Job = tuple[Trace, Sequence[Condition]]

_POLL = 2.0  # seconds between two checks of whether every process is alive


def measure_all(meter: Meter, jobs: Sequence[Job], processes: int = 1) -> Iterator[Measurement]:
    """Every result of every job as soon as it is there; in order where there is one process.

    Several processes share the machine's cores, or take one GPU after the other. They end with this generator,
    and with this process however it ends.

    Raises:
        [`RunError`]: if one of them was killed, for want of memory for instance.
    """
    if processes == 1:
        yield from chain.from_iterable(meter.measure(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")  # a forked child could not use threads or a GPU
    waiting: Any = context.Queue()
    results: Any = context.Queue()
    for job in [*jobs, *[None] * processes]:
        waiting.put(job)
    workers = [
        context.Process(target=_work, args=(rank, processes, meter, waiting, results), daemon=True)
        for rank in range(processes)
    ]
    for worker in workers:
        worker.start()
    guard = ChildGuard(filter(None, [worker.pid for worker in workers]))
    try:
        yield from _collected(workers, results)
    finally:
        for worker in workers:
            worker.terminate()
        guard.release()


def _collected(workers: Sequence[Any], results: Any) -> Iterator[Measurement]:
    working = len(workers)
    while working:
        try:
            result = results.get(timeout=_POLL)
        except Empty:
            if killed := [worker.exitcode for worker in workers if worker.exitcode]:
                raise RunError(
                    f"a process that measured was killed (exit code {killed[0]}); run the same command again, with "
                    "fewer --processes if memory ran out: what was finished is kept"
                ) from None
            continue
        if isinstance(result, BaseException):
            raise result
        if result is None:
            working -= 1
        else:
            yield result


def _work(rank: int, processes: int, meter: Meter, waiting: Any, results: Any) -> None:
    """Measure until no job is left. Every result, an error and the end go to the parent through the queue."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // processes)))
    try:
        while (job := waiting.get()) is not None:
            trace, conditions = job
            for one in (meter.judge, *(condition.pruner for condition in conditions)):
                if one is not None:
                    one.to_rank(rank)
            for result in meter.measure(trace, conditions):
                results.put(result)
        results.put(None)
    except (UsageError, RunError) as error:
        results.put(error)
