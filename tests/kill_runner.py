"""Starts `asap-hf prune` again and again in forked children, and kills each one when told to.

Forked from a process that has imported everything and computed nothing, a run begins at once, so a kill falls into
its work and not into its imports. One JSON line in: `{"argv": […], "kill_after": seconds or null}`; one out:
`{"killed": bool, "code": int or null, "seconds": float}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import datasets  # noqa: F401
import torch  # noqa: F401
import transformers
import trl

import asap_hf.dataset.run
import asap_hf.scoring.surprisal
from asap_hf.cli import main

# These resolve lazily; touch what a run needs.
_ = (transformers.AutoModelForCausalLM, transformers.AutoTokenizer, trl.TrlParser, asap_hf.dataset.run.PruningRun)


def run(argv: list[str], kill_after: float | None) -> dict[str, object]:
    """One child, from its start to its end."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        os._exit(main(argv))
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        seconds = time.monotonic() - started
        if done:
            return {"killed": False, "code": os.waitstatus_to_exitcode(status), "seconds": seconds}
        if kill_after is not None and seconds >= kill_after:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return {"killed": True, "code": None, "seconds": seconds}
        time.sleep(0.002)


if __name__ == "__main__":
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(run(order["argv"], order["kill_after"])), flush=True)
