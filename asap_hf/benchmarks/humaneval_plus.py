"""HumanEval+: HumanEval's functions with EvalPlus's tests, many times as many."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..evaluation.pass_at_1.host_task_builders import LIMITS, plus_tests
from ..evaluation.pass_at_1.host_tasks import PlusTask, Task
from .code_forms import tree
from .files import HUMANEVAL_PLUS, Row
from .humaneval import PLUS_INPUTS, HumanEval
from .problems import Problem, UnreadableProblem
from .references import Reference

if TYPE_CHECKING:
    from ..evaluation.pass_at_1.host_grader import Grader

logger = logging.getLogger(__name__)

# The last number of the last assertion of a `test`.
_TOLERANCE = re.compile(r"(?:, |<= )([\d.e-]+)\)?\s*\Z")


class HumanEvalPlus(HumanEval):
    """HumanEval+, from the Hub, where it has the form of HumanEval, or in EvalPlus's own form.

    Of its tests only the inputs and tolerances are used; what to expect, the reference solution says, which is run
    once, in a jail. The `test` that the Hub has fails every answer to HumanEval/32, and needs numpy.
    """

    name = family = "humaneval_plus"
    title = "HumanEval+"
    files = HUMANEVAL_PLUS
    limits = LIMITS["humaneval_plus"]
    fields = dict.fromkeys(("task_id", "prompt", "canonical_solution", "entry_point"), str)

    @classmethod
    def trouble_with(cls, row: Row) -> str:
        if not ("plus_input" in row or PLUS_INPUTS.search(str(row.get("test")))):
            return "has no tests of HumanEval+; HumanEval's name here is humaneval"
        return super(HumanEval, cls).trouble_with(row)

    def __init__(self, problems: Sequence[Problem], revision: str, unreadable: Mapping[str, str] | None = None):
        super().__init__(problems, revision, unreadable)
        self._failed: dict[str, str] = {}  # problems whose reference gave no answer, and why: it is asked once

    def task(self, problem: Problem, program: str) -> Task:
        if problem.task_id in self._failed:
            raise UnreadableProblem(self._failed[problem.task_id])
        row = _with_inputs(problem.row)
        reference = _reference(row)
        answers = reference.stored_answers()
        if answers is None:
            from ..evaluation.pass_at_1.host_grader import Grader

            with Grader() as grader:
                self.prepare(grader)
                answers = reference.answers(grader)
        return PlusTask(program, row["entry_point"], plus_tests(row, answers))

    def prepare(self, grader: Grader) -> None:
        """Run the reference solutions whose answers are not on disk."""

        def run(problem: Problem) -> None:
            try:
                _reference(_with_inputs(problem.row)).answers(grader)
            except UnreadableProblem as error:
                self._failed[problem.task_id] = str(error)

        missing = [problem for problem in self.problems if not _is_answered(problem)]
        if missing:
            logger.info("running %d reference solutions of HumanEval+, once", len(missing))
        with ThreadPoolExecutor(grader.workers) as threads:
            list(threads.map(run, missing))


def _is_answered(problem: Problem) -> bool:
    try:
        return _reference(_with_inputs(problem.row)).path.exists()
    except UnreadableProblem:
        return False


def _reference(row: Row) -> Reference:
    code = row["prompt"] + row["canonical_solution"]
    return Reference(code, row["entry_point"], [*row["base_input"], *row["plus_input"]])


def _with_inputs(row: Row) -> Row:
    """The row with the fields of EvalPlus's own form of which tests are made."""
    try:
        if "plus_input" in row:
            base, plus, tolerance = row["base_input"], row["plus_input"], row["atol"]
        else:
            [inputs], [tolerance] = PLUS_INPUTS.findall(row["test"]), _TOLERANCE.findall(row["test"])
            base, plus = ast.literal_eval(tree(inputs.strip(), "eval")), []
        inputs = {"base_input": [list(one) for one in base], "plus_input": [list(one) for one in plus]}
        return row | inputs | {"atol": float(tolerance)}
    except (KeyError, SyntaxError, TypeError, ValueError) as error:
        raise UnreadableProblem(
            f"the tests of {row['task_id']} are not in a known form of HumanEval+: {error}"
        ) from error
