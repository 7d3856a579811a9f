"""`asap-hf COMMAND …`: finds the command, parses its arguments (flags or `--config` YAML), says what went wrong."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from .errors import RunError, UsageError

_COMMANDS = {"prune": "traces → pruned traces, with every decision recorded"}


def main(argv: list[str] | None = None) -> int:
    """Run a command. Returns the exit code: 0, 2 for wrong usage, 1 for a failed run, 130 for Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    argv = [argument for argument in argv if argument != "--debug"]
    ours = logging.getLogger(__package__)  # not the root: libraries that print their own lines would print them twice
    ours.setLevel(logging.INFO)
    ours.handlers = [logging.StreamHandler(sys.stderr)]
    try:
        return _run(argv)
    except (UsageError, RunError) as error:
        if debug:
            raise
        print(f"asap-hf: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print(
            "asap-hf: stopped; what was finished is in the ledger, the same command goes on from there",
            file=sys.stderr,
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


def _run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: asap-hf COMMAND …   (asap-hf COMMAND --help says more)\n")
        for name, purpose in _COMMANDS.items():
            print(f"  {name:<10}{purpose}")
        return 0 if argv else 2
    if argv[0] == "--version":
        from . import __version__

        print(__version__)
        return 0
    if argv[0] not in _COMMANDS:
        raise UsageError(f"there is no command {argv[0]!r}; there is: {', '.join(_COMMANDS)}")
    from importlib import import_module

    command = import_module(f".commands.{argv[0]}", __package__)
    command.main(parse(command.ARGUMENTS, argv[1:], f"asap-hf {argv[0]}"))
    return 0


def parse(arguments: Any, argv: list[str], program: str) -> Any:
    """Flags, and the YAML file that `--config` names, into a dataclass; the first bare word is its first field.

    Raises:
        `UsageError`: for a YAML file that is missing or holds a name that is no flag.
    """
    from trl.scripts.utils import TrlParser
    from yaml import YAMLError

    first = next(iter(arguments.__dataclass_fields__))
    if argv and not argv[0].startswith("-"):
        argv = [f"--{first}", *argv]
    parser = TrlParser(arguments, prog=program, description=arguments.__doc__)
    try:
        (parsed,) = parser.parse_args_and_config(argv, fail_with_unknown_args=True)
    except (ValueError, OSError, YAMLError) as error:
        raise UsageError(" ".join(str(error).split()) or type(error).__name__) from error
    return parsed


if __name__ == "__main__":
    sys.exit(main())
