"""Grade each program once, and store each verdict as soon as it is there."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from ..benchmarks import Benchmark, UnreadableProblem
from ..errors import RunError
from ..evaluation.pass_at_1.host_grader import GRADER_VERSION, Grader, NoJailError, Verdict
from ..runtime.progress import Progress

logger = logging.getLogger(__name__)

Program = tuple[str, str]
"""A problem's name and a program for it."""


def grading_tier() -> str:
    """The sandbox that this machine has for untrusted programs.

    Raises:
        [`RunError`]: if it has none.
    """
    with _grader(1) as grader:
        return str(grader.tier)


def grade(
    benchmark: Benchmark,
    programs: Iterable[Program],
    known: Iterable[dict[str, Any]] = (),
    keep: Callable[[dict[str, Any]], None] = lambda record: None,
    workers: int | None = None,
) -> dict[Program, Verdict]:
    """Grade programs with the benchmark's tests. Those for a problem that cannot be read get the status `infra`; the
    others are graded all the same.

    Args:
        benchmark ([`Benchmark`]):
            The benchmark of the problems.
        programs (`Iterable[tuple[str, str]]`):
            A problem's name and a program; the same one twice is graded once.
        known (`Iterable[dict]`, *optional*):
            Records of former verdicts. Those that another version of the grader gave are not used.
        keep (`Callable`, *optional*):
            Gets a record of each new verdict, with the grader's version; but not of `infra`: that is tried again.
        workers (`int`, *optional*):
            Programs that run at once; `None`: one per processor core.

    Raises:
        [`RunError`]: if this machine has no jail for them.
    """
    stored = _stored(benchmark, known)
    names = {program: (program[0], _hash(program[1])) for program in programs}
    verdicts = {program: stored[name] for program, name in names.items() if name in stored}
    todo = [program for program in names if program not in verdicts]
    if not todo:
        return verdicts
    with _grader(workers) as grader:
        benchmark.prepare(grader)
        threads = ThreadPoolExecutor(grader.workers)
        grade_one = _grade_with(grader, benchmark)
        futures = {threads.submit(grade_one, one): one for one in todo}
        try:
            with Progress(len(todo), unit="programs") as progress:
                for future in as_completed(futures):
                    program, verdict = futures[future], future.result()
                    verdicts[program] = verdict
                    progress.advance(1, int(verdict.status == "infra"))
                    if verdict.status != "infra":
                        keep(_record(benchmark, *names[program], verdict))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    return verdicts


def _stored(benchmark: Benchmark, known: Iterable[dict[str, Any]]) -> dict[Program, Verdict]:
    """Former verdicts by problem and hash of the program."""
    records = [record for record in known if record["benchmark"] == benchmark.name]
    trusted = [record for record in records if record.get("grader_version") == GRADER_VERSION]
    if others := len(records) - len(trusted):
        logger.info(
            "%s: %d verdicts are of another version of the grader than this, %d, and are not used",
            benchmark.name,
            others,
            GRADER_VERSION,
        )
    return {(record["task_id"], record["program"]): Verdict(**record["verdict"]) for record in trusted}


def _grade_with(grader: Grader, benchmark: Benchmark) -> Callable[[Program], Verdict]:
    """A function that grades one program. A task is built when it is graded, because its tests may be large."""
    problems = {problem.task_id: problem for problem in benchmark.problems}

    def grade_one(program: Program) -> Verdict:
        task_id, code = program
        try:
            if task_id in benchmark.unreadable:
                raise UnreadableProblem(f"the problem cannot be read: {benchmark.unreadable[task_id]}")
            [verdict] = grader.grade([benchmark.task(problems[task_id], code)])
        except UnreadableProblem as error:
            return Verdict("infra", str(error), 0.0, 0.0)
        return verdict

    return grade_one


def _record(benchmark: Benchmark, task_id: str, program: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "benchmark": benchmark.name,
        "task_id": task_id,
        "program": program,
        "grader_version": GRADER_VERSION,
        "verdict": asdict(verdict),
    }


def _hash(program: str) -> str:
    return hashlib.sha256(program.encode(errors="surrogatepass")).hexdigest()


@contextmanager
def _grader(workers: int | None) -> Iterator[Grader]:
    try:
        with Grader(workers) as grader:
            yield grader
    except NoJailError as error:
        raise RunError(str(error)) from error
