"""Work that is killed at one moment after the other, as `kill -9` does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

_KILLED = 9


def kills(work: Callable[[], object]) -> Iterator[int]:
    """Do the work in a forked process that dies, with nothing tidied up, at the first thing that it asks of the file
    system; then at the second; and so on, until it ends by itself. Yields the number of that thing after each death.
    """
    moment = 0
    while True:
        moment += 1
        child = os.fork()
        if child == 0:
            _die_at(moment)
            try:
                work()
            except BaseException:
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return
        assert code == _KILLED, f"it failed by itself, at moment {moment}"
        yield moment


def _die_at(moment: int) -> None:
    seen = 0

    def count(event: str, _: object) -> None:
        nonlocal seen
        if event == "open" or event.startswith(("os.", "shutil.", "fcntl.")):
            seen += 1
            if seen == moment:
                os._exit(_KILLED)

    sys.addaudithook(count)
