"""HumanEval: 164 functions to complete."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import takewhile

from ..evaluation.pass_at_1.host_task_builders import LIMITS, humaneval_task
from ..evaluation.pass_at_1.host_tasks import Task
from .code_forms import bare_text
from .completing import after, compiles
from .extract_code import program_in
from .files import HUMANEVAL, Row
from .problems import Benchmark, Problem, UnreadableProblem

# In EvalPlus's functions for chat models, too, the function's head is in a fence and the answer wanted in another.
_PROMPT = """\
Complete this Python function:

```python
{prompt}
```

When you have thought it through, answer with one Python code block that holds the finished function, with its \
signature and with all imports and helpers that it needs."""
# How HumanEval+'s inputs stand in its `test`, where it has the form of HumanEval.
PLUS_INPUTS = re.compile(r"^    inputs = (\[.*\])$", re.MULTILINE)


class HumanEval(Benchmark):
    """HumanEval, with the prompt as EvalPlus gives it to chat models, in our words."""

    name = family = "humaneval"
    title = "HumanEval"
    files = HUMANEVAL
    size = 164
    budget = 6144  # "6K" (§4.1); K taken as 1,024, as Appendix A's token budget is 4096
    limits = LIMITS["humaneval"]
    fields = dict.fromkeys(("task_id", "prompt", "canonical_solution", "test", "entry_point"), str)

    @classmethod
    def trouble_with(cls, row: Row) -> str:
        if "plus_input" in row or PLUS_INPUTS.search(str(row.get("test"))):
            return "has the tests of HumanEval+; its name here is humaneval_plus"
        return super().trouble_with(row)

    @staticmethod
    def prompt(row: Row) -> str:
        return _PROMPT.format(prompt=row["prompt"].strip())

    def program(self, problem: Problem, answer: str) -> str | None:
        """The function that an answer gives, after the imports and helpers that stand before it in the prompt. If the
        answer is but a body, also without a fence, the prompt with this body."""
        given, entry_point = problem.row["prompt"], problem.row["entry_point"]
        code = program_in(answer, entry_point)
        if code is None:
            return next(filter(compiles, (f"{given}\n{body}" for body in _bodies(answer))), None)
        helpers = re.split(rf"^def {re.escape(entry_point)}\b", given, maxsplit=1, flags=re.MULTILINE)[0]
        module = after(helpers, code)
        if compiles(code):  # alone: after the helpers a body would be the rest of the last of them
            return module
        bodies = (code, textwrap.indent(code, "    "))
        return next(filter(compiles, (f"{given}\n{body}" for body in bodies)), module)

    def task(self, problem: Problem, program: str) -> Task:
        if not compiles(problem.row["test"]):
            raise UnreadableProblem(f"the test of {problem.task_id} is no Python program: get the file again")
        return humaneval_task(problem.row, program)


def _bodies(answer: str) -> Iterator[str]:
    """What a function's body may be in an answer without a fence: all of it, or its first lines that are indented; as
    deep as it stands, or as the prompt's docstring."""
    text = bare_text(answer).strip("\r\n")
    if not text[:1].isspace():
        return
    indented = "\n".join(takewhile(lambda line: not line.strip() or line[:1].isspace(), text.split("\n")))
    for body in (text, indented):
        yield body
        yield textwrap.indent(textwrap.dedent(body), "    ")
