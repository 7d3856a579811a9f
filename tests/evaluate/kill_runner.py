"""Starts `asap-hf evaluate` again and again in forked children, and says which process each is.

Forked from a process that has imported everything, a run begins at once, so a kill falls into its work and not into
its imports. It says when it is ready; then one JSON list of arguments in, the child's process id out and, when it has
ended, its exit code, negative for the signal that killed it.
"""

from __future__ import annotations

import json
import os
import sys

import torch  # noqa: F401
import transformers
import trl

import asap_hf.commands.evaluate as command
from asap_hf.commands.command_line import guarded, parse

_ = (transformers.AutoTokenizer, trl.TrlParser)  # these resolve lazily


def evaluate(argv: list[str]) -> int:
    command.main(parse(command.ARGUMENTS, argv, "asap-hf evaluate"))
    return 0


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            os._exit(guarded(evaluate, json.loads(line)))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
