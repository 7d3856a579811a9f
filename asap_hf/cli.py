"""`asap-hf COMMAND …`: find the command, parse its arguments (flags or `--config` YAML), and report errors."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from .commands.command_line import guarded, parse
from .errors import UsageError

_COMMANDS = {
    "prune": "traces → pruned traces, with every decision recorded",
    "explore": "pruned traces → a page to see what was cut and why",
    "compare-pruners": "every method at equal budgets on the same traces → one table",
    "check-sft": "a command line of trl sft → what it would train on, and what is wrong with it",
    "train": "the same checks, then trl sft",
    "recipe": "recipes for prune and trl sft: list, show, copy",
    "publish": "dataset, model, metric or page → the Hub, with its card",
    "evaluate": "a model → Pass@1, tokens and latency on the benchmarks",
    "grade": "samples made elsewhere → Pass@1",
    "compare": "evaluations or trainings → tables, tests, plots and a report",
}


def main(argv: list[str] | None = None) -> int:
    """Run a command. Returns the exit code: 0, 2 for wrong usage, 1 for a failed run, 130 for Ctrl-C."""
    return guarded(_run, list(sys.argv[1:] if argv is None else argv))


def _run(argv: list[str]) -> int:
    if argv and argv[0] == "--version":
        from . import __version__

        print(__version__)
        return 0
    name = _chosen("asap-hf", _COMMANDS, argv)
    if name is None:
        return 0 if argv else 2
    from importlib import import_module

    command = import_module(f".commands.{name.replace('-', '_')}", __package__)
    if hasattr(command, "run"):  # most of its flags are another program's
        return int(command.run(argv[1:]))
    if not hasattr(command, "COMMANDS"):
        command.main(parse(command.ARGUMENTS, argv[1:], f"asap-hf {name}"))
        return 0
    below = _chosen(f"asap-hf {name}", {one: about for one, (_, _, about) in command.COMMANDS.items()}, argv[1:])
    if below is None:
        return 0 if argv[1:] else 2
    arguments, work, _ = command.COMMANDS[below]
    work(parse(arguments, argv[2:], f"asap-hf {name} {below}"))
    return 0


def _chosen(program: str, commands: Mapping[str, str], argv: list[str]) -> str | None:
    """The command that the first argument names; `None` where the list of them was printed instead."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: {program} COMMAND …   ({program} COMMAND --help says more)\n")
        for name, purpose in commands.items():
            print(f"  {name:<17}{purpose}")
        return None
    if argv[0] not in commands:
        raise UsageError(f"there is no command {argv[0]!r} of {program}; there is: {', '.join(commands)}")
    return argv[0]


if __name__ == "__main__":
    sys.exit(main())
