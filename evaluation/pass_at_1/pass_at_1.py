# ruff: noqa: F401
"""Pass@k of model-written Python (Chen et al. 2021), with the interface of `code_eval`. The code runs in a jail,
without access to files, the network or the tests. The time limit is on processor time, and a failure of the machine is
never counted as a wrong program."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import datasets
import evaluate

# `evaluate.load` copies the siblings that this file imports, and not those that they import: all are listed here.
from .codec import CodecError
from .codec_types import PLAIN
from .host_call_grader import grade_calls
from .host_check_grader import grade_check
from .host_comparisons import same_output
from .host_grader import Grader
from .host_jail import Jail
from .host_messages import HostChannel
from .host_pass_at_k import pass_at_k, verdicts_of
from .host_stdin_grader import grade_stdin
from .host_task_builders import call_task, code_eval_task, stdin_task
from .host_tasks import CallTask, CheckTask, StdinTask, Verdict
from .host_tier_check import NoJailError
from .host_tiers import Tier
from .host_time_limits import Budget
from .host_waiting_time import WaitingTime
from .jail_call_server import answer_calls
from .jail_fork_server import serve
from .jail_landlock import restrict
from .jail_messages import receive
from .jail_privileges import libc
from .jail_program_runner import run_program
from .jail_seccomp import SeccompFilter
from .jail_test_runner import run_tests
from .jail_thread_limit import MOST_THREADS
from .messages import FrameError

_CITATION = """\
@article{chen2021evaluating,
  title = {Evaluating Large Language Models Trained on Code},
  author = {Chen, Mark and Tworek, Jerry and Jun, Heewoo and Yuan, Qiming and others},
  journal = {arXiv preprint arXiv:2107.03374},
  year = {2021}
}
"""

_TEXT = datasets.Value("string")
_TESTS = datasets.List({"input": _TEXT, "output": _TEXT})
_FORMS: dict[str, tuple[Any, Callable[[str, Any], CheckTask | StdinTask | CallTask]]] = {
    "default": (_TEXT, code_eval_task),
    "stdin": (_TESTS, stdin_task),
    "call": ({"function": _TEXT, "tests": _TESTS}, call_task),
}


class PassAt1(evaluate.Metric):  # type: ignore[misc]
    r"""Grades the programs that were sampled for each problem, and estimates pass@k.

    >>> import evaluate
    >>> pass_at_1 = evaluate.load("evaluation/pass_at_1")
    >>> programs = ["def add(a, b): return a + b", "def add(a, b): return a * b"]
    >>> scores = pass_at_1.compute(predictions=[programs], references=["assert add(2, 3) == 5"], k=[1, 2])
    >>> results = scores.pop("results")
    >>> scores
    {'pass@1': 0.5, 'pass@2': 1.0}
    >>> [results[0][sample][1]["status"] for sample in range(2)]
    ['pass', 'fail']

    The configs `stdin` and `call` take tests as data, for programs that read standard input and for functions:

    >>> pass_at_1 = evaluate.load("evaluation/pass_at_1", "stdin")
    >>> tests = [{"input": "2 3\n", "output": "5\n"}, {"input": "1 1\n", "output": "2\n"}]
    >>> pass_at_1.compute(predictions=[["print(sum(map(int, input().split())))"]], references=[tests])["pass@1"]
    1.0
    >>> pass_at_1 = evaluate.load("evaluation/pass_at_1", "call")
    >>> tests = {"function": "add", "tests": [{"input": "2\n3", "output": "5"}]}
    >>> pass_at_1.compute(predictions=[["def add(a, b): return a - b"]], references=[tests])["pass@1"]
    0.0

    Args:
        predictions (`list[list[str]]`):
            Problem → the programs that were sampled for it, at least `max(k)` of them.
        references (`list`):
            Per problem, by config:

            - `default`: code (`str`) that calls by name what the program defines, and raises an exception if something
              is wrong;
            - `stdin`: tests (`list[dict]`) with `input` and the expected `output`; all must pass;
            - `call`: a `dict` of `function`, the name of the function to call, and `tests` with the arguments as
              `input`, one JSON value a line, and the expected `output`, as JSON; all must pass.
        k (`list[int]` or `int`, *optional*, defaults to `[1]`):
            The values of k to estimate pass@k for.
        num_workers (`int`, *optional*, defaults to the number of processors that this process may use):
            Programs graded at the same time.
        timeout (`float`, *optional*, defaults to 3.0, and to 6.0 in the configs `stdin` and `call`):
            Limit of processor time for a program, in seconds; in `stdin` and `call`, for each test.
        allow_unsafe (`bool`, *optional*, defaults to `False`):
            Whether to run the code without a jail on a machine where none works. `HF_ALLOW_CODE_EVAL=1` allows it,
            too. Where a jail works, it is always used.

    Returns:
        `dict`: `pass@k` for each k, the mean over the problems; and `results`, problem → list of pairs of a sample's
        number and a `dict` with `task_id`, `completion_id`, `passed`, `status` (`pass`, `fail`, `error` or `timeout`),
        `detail` (why it did not pass) and `cpu_seconds`.

    Raises:
        `ValueError`: if a problem has fewer programs than a k needs, or tests that cannot be read; or if `timeout` is
            not above 0.
        `NoJailError`: if no jail works on this machine.
        `RuntimeError`: if a program has no verdict: the machine failed twice, or the tests never use the program.
    """

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in _FORMS:
            raise ValueError(f"pass_at_1 has the configs {', '.join(_FORMS)}; got {self.config_name!r}")
        references, _ = _FORMS[self.config_name]
        return evaluate.MetricInfo(
            description=__doc__ or "",
            citation=_CITATION,
            inputs_description=inspect.getdoc(self) or "",
            features=datasets.Features({"predictions": datasets.List(_TEXT), "references": references}),
            license="apache-2.0",
            reference_urls=["https://arxiv.org/abs/2107.03374"],
        )

    def _compute(
        self,
        *,
        predictions: Sequence[Sequence[str]],
        references: Sequence[Any],
        k: Sequence[int] | int = (1,),
        num_workers: int | None = None,
        timeout: float | None = None,
        allow_unsafe: bool = False,
    ) -> dict[str, Any]:
        ks = [k] if isinstance(k, int) else list(k)
        _require_enough_programs(predictions, ks)
        _, task_of = _FORMS[self.config_name]
        tasks = [
            [task_of(program, reference) for program in programs]
            for programs, reference in zip(predictions, references, strict=True)
        ]
        if timeout is not None:
            if not 0 < timeout < inf:
                raise ValueError(f"timeout is a number of seconds above 0; got {timeout}")
            tasks = [[replace(task, cpu_seconds=timeout) for task in samples] for samples in tasks]
        verdicts = verdicts_of(tasks, num_workers, allow_unsafe)
        counts = [(sum(verdict.status == "pass" for verdict in samples), len(samples)) for samples in verdicts]
        scores = {f"pass@{one}": sum(pass_at_k(*count, one) for count in counts) / len(counts) for one in ks}
        return {**scores, "results": _results(verdicts)}


def _require_enough_programs(predictions: Sequence[Sequence[str]], ks: Sequence[int]) -> None:
    """Raise `ValueError` if a problem has fewer programs than a k needs, before grading, which may take long."""
    if not predictions:
        raise ValueError("there is nothing to grade: predictions is empty")
    for problem, programs in enumerate(predictions):
        for k in ks:
            if not 1 <= k <= len(programs):
                raise ValueError(f"pass@{k} cannot be had of the {len(programs)} programs in predictions[{problem}]")


def _results(verdicts: Sequence[Sequence[Verdict]]) -> dict[int, list[tuple[int, dict[str, Any]]]]:
    return {
        problem: [(sample, _result(problem, sample, verdict)) for sample, verdict in enumerate(samples)]
        for problem, samples in enumerate(verdicts)
    }


def _result(problem: int, sample: int, verdict: Verdict) -> dict[str, Any]:
    return {
        "task_id": problem,
        "completion_id": sample,
        "passed": verdict.status == "pass",
        "status": verdict.status,
        "detail": verdict.detail,
        "cpu_seconds": verdict.cpu_seconds,
    }
