"""Parse a command line into a dataclass, and turn errors into one sentence and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from ..errors import RunError, UsageError


def guarded(run: Callable[[list[str]], int], argv: list[str]) -> int:
    """Call `run` with these arguments, less `--debug`; an error becomes one sentence and an exit code."""
    debug = "--debug" in argv
    argv = [argument for argument in argv if argument != "--debug"]
    ours = logging.getLogger("asap_hf")  # not the root: libraries that print their own lines would print them twice
    ours.setLevel(logging.INFO)
    ours.handlers = [logging.StreamHandler(sys.stderr)]
    try:
        return run(argv)
    except (UsageError, RunError) as error:
        if debug:
            raise
        print(f"asap-hf: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print(
            "asap-hf: stopped; what was finished is kept, and the same command continues from there", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        print(f"asap-hf: {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
        return 1


def parse(arguments: Any, argv: list[str], program: str) -> Any:
    """Flags, and the YAML file that `--config` names, into a dataclass.

    The first word may stand bare: it is the first field. Where a class names its `POSITIONAL` fields, as many may.
    What is returned says which flags were `typed`, not read from the file.

    Raises:
        `UsageError`: for a YAML file that is missing or holds a name that is no flag.
    """
    from trl.scripts.utils import TrlParser
    from yaml import YAMLError

    positional = getattr(arguments, "POSITIONAL", list(arguments.__dataclass_fields__)[:1])
    bare = list(takewhile(lambda word: not word.startswith("-"), argv))[: len(positional)]
    named = [part for name, word in zip(positional, bare, strict=False) for part in (f"--{name}", word)]
    argv = named + argv[len(bare) :]
    parser = TrlParser(arguments, prog=program, description=arguments.__doc__)
    try:
        (parsed,) = parser.parse_args_and_config(argv, fail_with_unknown_args=True)
    except (ValueError, OSError, YAMLError) as error:
        raise UsageError(" ".join(str(error).split()) or type(error).__name__) from error
    words = {word.split("=", 1)[0].lstrip("-").replace("-", "_") for word in argv if word.startswith("--")}
    parsed.typed = frozenset(words | {word.removeprefix("no_") for word in words})  # the others stand in the file
    return parsed
