"""Tasks of references that are tests as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from .tasks import CallTask, StdinTask


def stdin_task(program: str, reference: Sequence[Mapping[str, str]]) -> StdinTask:
    """A program that reads standard input; 6 s for each test.

    >>> stdin_task("print(int(input()) + 1)", [{"input": "1", "output": "2"}]).tests
    (('1', '2'),)

    Args:
        program (`str`):
            The whole program.
        reference (`Sequence[Mapping]`):
            Tests: `input`, and the `output` that is expected.
    """
    return StdinTask(program, tuple((test["input"], test["output"]) for test in reference))


def call_task(program: str, reference: Mapping[str, Any]) -> CallTask:
    r"""A function that is called, or a method of the class `Solution` if the program has one; 6 s for each call.

    >>> tests = [{"input": "1\n2", "output": "3"}]
    >>> call_task("def add(a, b): return a + b", {"function": "add", "tests": tests}).tests
    (((1, 2), 3),)

    Args:
        program (`str`):
            The whole program.
        reference (`Mapping`):
            `function`, its name, and `tests`, each with its arguments as `input`, one JSON value a line, and the
            `output` that is expected, as JSON (LiveCodeBench's form).

    Raises:
        `ValueError`: if something is no JSON.
    """
    tests = [
        (tuple(map(json_value, test["input"].split("\n"))), json_value(test["output"])) for test in reference["tests"]
    ]
    return CallTask(program, reference["function"], tuple(tests))


def json_value(text: str) -> Any:
    """The value of a text in JSON, in which whole numbers may have any number of digits.

    Raises:
        `ValueError`: if it is no JSON.
    """
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a whole number of more digits than Python reads without being asked
            return json.loads(text, parse_int=lambda digits: int(Decimal(digits)))
    except ValueError as error:
        raise ValueError(f"the tests of a function are JSON, which {text[:300]!r} is not: {error}") from error
