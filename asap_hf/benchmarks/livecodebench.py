"""LiveCodeBench: problems of contests, by the release that brought them."""

from __future__ import annotations

import dataclasses
import logging
import pickle
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ..evaluation.pass_at_1.host_task_builders import LIMITS, livecodebench_task
from ..evaluation.pass_at_1.host_tasks import Task
from .extract_code import program_in
from .files import LIVECODEBENCH, HubFiles, Row, ValueInFile
from .problems import Benchmark, Problem, UnreadableProblem

logger = logging.getLogger(__name__)

# In LiveCodeBench's own prompts, too, the statement comes first, then the form of the program, or code to start from.
_PROGRAM = """\
Solve this programming problem in Python.

{question_content}

Write a program that reads its input from standard input and prints the answer, and nothing else, to standard output. \
Do not build the examples into it. When you have thought it through, answer with one Python code block that holds the \
whole program."""
_METHOD = """\
Solve this programming problem in Python.

{question_content}

Complete this code:

```python
{starter_code}
```

When you have thought it through, answer with one Python code block that holds the finished class, with its method as \
it is called here, and with all imports that it needs."""
_UNREADABLE = (
    *(ValueError, LookupError, TypeError, AttributeError, EOFError, RecursionError),
    *(zlib.error, pickle.UnpicklingError),
)
_METHOD_NAME = re.compile(r"^\s+def (\w+)\(", re.MULTILINE)


class _LiveCodeBench(Benchmark):
    """Some releases of LiveCodeBench (code generation, lite). On the Hub each release added one file."""

    family = "livecodebench"
    limits = LIMITS["livecodebench"]
    budget = 10240  # "10K" (§4.1)
    id_field = "question_id"
    fields: ClassVar = {
        **dict.fromkeys(("question_id", "question_content", "starter_code"), str),
        "public_test_cases": (str, list),
    }
    left_in_file = ("private_test_cases",)
    releases: ClassVar[range]
    """Numbers of the releases."""

    def __init__(self, problems: Sequence[Problem], revision: str, unreadable: Mapping[str, str] | None = None):
        super().__init__(problems, revision, unreadable)
        public = sum(not problem.row.get("private_test_cases") for problem in self.problems)
        if public:
            logger.warning(
                "%s: %d of %d problems come without their private tests and are graded on the public examples alone, "
                "which more programs pass",
                self.name,
                public,
                len(self.problems),
            )

    @classmethod
    def family_files(cls) -> HubFiles:
        return LIVECODEBENCH

    @classmethod
    def has(cls, row: Row) -> bool:
        """A file of the Hub does not say of which release it is, but only those of the right ones are read."""
        return "release" not in row or row["release"] in {f"v{number}" for number in cls.releases}

    @staticmethod
    def prompt(row: Row) -> str:
        return (_METHOD if row["starter_code"] else _PROGRAM).format_map(
            {name: row[name].strip() for name in ("question_content", "starter_code")}
        )

    def program(self, problem: Problem, answer: str) -> str | None:
        """The program that an answer gives, as it is: the task has what LiveCodeBench puts before it. LiveCodeBench
        itself takes what stands between the last two lines with a fence, closed or not."""
        return program_in(answer, "Solution" if problem.row["starter_code"] else None)

    def task(self, problem: Problem, program: str) -> Task:
        row = dict(problem.row)
        private = row.get("private_test_cases")
        if isinstance(private, ValueInFile):
            row["private_test_cases"] = private.read()
        try:
            if not row.get("metadata") and row["starter_code"]:
                row["metadata"] = {"func_name": _METHOD_NAME.findall(row["starter_code"])[-1]}
            return livecodebench_task(row, program)
        except _UNREADABLE as error:
            raise UnreadableProblem(
                f"the tests of {problem.task_id} cannot be read ({error}): get the file again"
            ) from error


class LiveCodeBenchV1V3(_LiveCodeBench):
    """Releases v1, v2 and v3."""

    name = "lcb_v1_v3"
    title = "LiveCodeBench v1_v3"
    config = "v1_v3"
    releases = range(1, 4)
    files = dataclasses.replace(LIVECODEBENCH, names=LIVECODEBENCH.names[:3])
    size = 612


class LiveCodeBenchV4V5(_LiveCodeBench):
    """Releases v4 and v5."""

    name = "lcb_v4_v5"
    title = "LiveCodeBench v4_v5"
    config = "v4_v5"
    releases = range(4, 6)
    files = dataclasses.replace(LIVECODEBENCH, names=LIVECODEBENCH.names[3:5])
    size = 268
