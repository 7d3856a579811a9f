"""LeetCodeDataset: the 228 problems of its test split (v0.3.1)."""

from __future__ import annotations

from ..evaluation.pass_at_1.host_task_builders import LIMITS, leetcode_task
from ..evaluation.pass_at_1.host_tasks import Task
from .completing import after, compiles
from .extract_code import program_in
from .files import LEETCODE, Row
from .problems import Benchmark, Problem, UnreadableProblem


class LeetCode(Benchmark):
    """LeetCodeDataset, with the prompt that comes with it: its `query` ends by asking for a fenced block."""

    name = family = "leetcode"
    title = "LeetCodeDataset"
    files = LEETCODE
    size = 228
    budget = 10240  # "10K" (§4.1)
    limits = LIMITS["leetcode"]
    fields = dict.fromkeys(("task_id", "query", "prompt", "test", "entry_point"), str)

    @staticmethod
    def prompt(row: Row) -> str:
        query: str = row["query"]
        return query

    def program(self, problem: Problem, answer: str) -> str | None:
        """The class that an answer gives, after the imports and classes that LeetCode's own programs have."""
        code = program_in(answer, "Solution")
        return None if code is None else after(problem.row["prompt"], code)

    def task(self, problem: Problem, program: str) -> Task:
        if not compiles(problem.row["test"]):
            raise UnreadableProblem(f"the test of {problem.task_id} is no Python program: get the file again")
        return leetcode_task(problem.row, program)
