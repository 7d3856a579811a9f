"""Chooses a tier that works: a jail is used only if it blocks a test program that tries to escape."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .host_jail import Jail, JailError
from .host_stdin_grader import run_program
from .host_tasks import StdinTask
from .host_tiers import UNSAFE, Tier

# Prints each escape that worked. "confined" at the end shows that the program ran to its end, and that threads, which
# programs need, work.
_ESCAPES = """
import ctypes, os, resource, socket, sys, tempfile, threading
canary, host = input(), input()
folder = os.path.dirname(canary)
libc = ctypes.CDLL(None)

def replace_program():
    os.execv(sys.executable, [sys.executable, "-c", "print('another program ran')"])

escapes = {
    "start a process": lambda: os.fork() or os._exit(0),
    "start a program": replace_program,
    "open a socket": lambda: socket.socket(),
    "open a Unix socket": lambda: socket.socket(socket.AF_UNIX),
    "read a file": lambda: open(canary).read(),
    "list a folder": lambda: os.listdir(folder),
    "append to a file": lambda: open(canary, "a"),
    "make a file": lambda: open(folder + "/made", "w"),
    "make a temporary file": lambda: tempfile.mkstemp(),
    "make a file in memory": lambda: os.memfd_create("made"),
    "delete a file": lambda: os.unlink(canary),
    "make a folder": lambda: os.mkdir(folder + "/folder"),
    "see another process's environment": lambda: open(f"/proc/{host}/environ").read(),
    "signal another process": lambda: os.kill(os.getppid(), 0),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
    "enter a namespace": lambda: libc.unshare(0x10000000),
    "read another process's memory": lambda: libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0),
}
for name, escape in escapes.items():
    try:
        if escape() != -1:
            print(name)
    except (OSError, ValueError):
        pass
thread = threading.Thread(target=print, args=["confined"])
thread.start()
thread.join()
"""


class NoJailError(RuntimeError):
    """Untrusted code cannot be run safely on this machine."""


def checked_jail(tier: Tier) -> Jail:
    """Start a jail and check that it blocks the test program. One of the tier `unsafe` is not checked.

    Raises:
        [`JailError`]: if it does not start, or an escape works.
    """
    jail = Jail(tier)
    try:
        if tier is not UNSAFE:
            _check(jail)
    except JailError:
        jail.close()
        raise
    return jail


def _check(jail: Jail) -> None:
    with TemporaryDirectory() as folder:
        canary = Path(folder) / "canary"
        canary.write_text("seen")
        task = StdinTask(_ESCAPES, ())
        run = run_program(jail, task, f"{canary}\n{os.getpid()}\n", most_output=1 << 16)
    if run.status != "pass" or run.output.strip() != "confined":
        escaped = ", ".join(run.output.split("\n")).strip(", ") or run.errors.strip() or run.ending
        raise JailError(f"programs in it can: {escaped}")


def choose_tier(tiers: Sequence[Tier], allow_unsafe: bool) -> tuple[Tier, Jail]:
    """The first of these tiers whose jail passes the check, with that jail.

    Args:
        tiers (`Sequence[Tier]`):
            The tiers to try, the best one first.
        allow_unsafe (`bool`):
            Whether to use the tier `unsafe` if no other works. `HF_ALLOW_CODE_EVAL=1` allows it, too.

    Raises:
        [`NoJailError`]: if none works, with the reasons and the remedy.
    """
    if not sys.platform.startswith("linux"):
        raise NoJailError("grading code needs Linux: run it in a container or a virtual machine")
    reasons = []
    for tier in tiers:
        try:
            return tier, checked_jail(tier)
        except (JailError, OSError) as error:
            reasons.append(f"{tier.name}: {error}")
    if allow_unsafe or os.environ.get("HF_ALLOW_CODE_EVAL") == "1":
        return UNSAFE, checked_jail(UNSAFE)
    raise NoJailError(
        f"this machine has no jail for untrusted code ({'; '.join(reasons)}): install bubblewrap, or use a kernel with"
        " Landlock, or accept that the code can do all that you can with allow_unsafe=True or HF_ALLOW_CODE_EVAL=1"
    )
