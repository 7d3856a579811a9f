"""`asap-hf check-sft`: what a command line of `trl sft` would train on, before it does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .prune_arguments import option

if TYPE_CHECKING:
    from ..train.arguments import SftArguments


@dataclass
class CheckArguments:
    """Arguments of `asap-hf check-sft`; every other flag, `--config` too, is one of `trl sft`."""

    allow_truncation: bool = option(False, "accept that rows longer than max_length are cut")
    check_rows: int | None = option(None, "check this many rows, spread evenly; none: all of them")


def run(argv: list[str]) -> int:
    """Check, print, refuse."""
    arguments, flags = read(CheckArguments, argv, "asap-hf check-sft")
    check_or_refuse(flags, arguments)
    return 0


def read(arguments: Any, argv: list[str], program: str) -> tuple[Any, list[str]]:
    """Flags of ours into a dataclass, and what is left for `trl sft`."""
    from trl.scripts.utils import TrlParser

    parser = TrlParser(arguments, prog=program, description=arguments.__doc__, allow_abbrev=False)
    ours, rest = parser.parse_args_into_dataclasses(argv, return_remaining_strings=True, look_for_args_file=False)
    return ours, list(rest)


def check_or_refuse(flags: Sequence[str], options: CheckArguments) -> SftArguments:
    """Print what `trl sft` with these flags would train on.

    Raises:
        `UsageError`: with every reason not to.
    """
    from datasets import disable_progress_bars

    from ..train.arguments import read_arguments
    from ..train.plan import hardware, plan_of
    from ..train.preparation import prepare
    from ..train.report import report
    from ..train.verdict import check

    if options.check_rows is not None and options.check_rows < 1:
        raise UsageError(f"--check_rows is at least 1, got {options.check_rows}")
    if not sys.stderr.isatty():
        disable_progress_bars()  # which fill a log file with lines
    with TemporaryDirectory() as folder:
        arguments = read_arguments(flags, folder)
        preparation = prepare(arguments, options.check_rows)
    verdict = check(arguments, preparation)
    print(report(verdict, plan_of(verdict), hardware(arguments)), flush=True)
    if reasons := verdict.reasons(options.allow_truncation):
        raise UsageError("\n  ".join(["not to be trained on like that:", *reasons]))
    cut = " before it is cut" if verdict.cut else ""
    print(f"\nevery row{cut}: reasoning and answer in the loss, prompt outside, one {preparation.tokenizer.eos_token}")
    return arguments
