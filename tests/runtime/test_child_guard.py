"""Processes that must not outlive this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.waiting import until

PARENT = """
import os, signal, subprocess, sys
from asap_hf.runtime.child_guard import ChildGuard
child = subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL, start_new_session=True)
guard = ChildGuard([child.pid])
print(child.pid, guard._holder.pid, flush=True)
{then}
"""


def alive(pid: int) -> bool:
    """A zombie, which nobody may have reaped, is not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("then", "left"),
    [("os.kill(os.getpid(), signal.SIGKILL)", False), ("sys.exit()", False), ("guard.release()", True)],
    ids=["killed", "ended", "released"],
)
def test_guarded_processes_end_with_their_holder(then: str, left: bool) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT.format(then=then)], stdout=subprocess.PIPE, text=True, check=False
    )
    child, holder = map(int, parent.stdout.split())
    until(lambda: not alive(holder), "the process with the guard has done what it does")
    if left:
        assert alive(child)
        os.kill(child, signal.SIGKILL)
    until(lambda: not alive(child), "the process has ended")
