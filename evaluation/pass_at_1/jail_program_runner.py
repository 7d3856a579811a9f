"""Inside the jail: runs a whole program as its own `__main__`, from its standard input to its standard output."""

from __future__ import annotations

import atexit
import builtins
import gc
import io
import marshal
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any
from weakref import ref

# Imported before the forks, so that no child pays for it.
WARM = (
    "abc array ast asyncio bisect cmath collections collections.abc concurrent.futures contextlib copy dataclasses"
    " datetime decimal enum fractions functools hashlib heapq inspect io itertools logging math numbers operator queue"
    " random re statistics string struct textwrap time timeit types typing warnings"
)
# What programs replace for all modules. To put all builtins back takes longer than many a program.
_REPLACED = {name: getattr(builtins, name) for name in ("input", "open", "print")}


def run_program(*descriptors: int) -> int:
    """Run a program to its very end: threads, exit handlers and buffers included.

    Args:
        descriptors (`int`):
            Its input, its output, its errors, and the source, which holds `preamble` and `code`.

    Returns:
        `int`: 0; or 1 if an exception was not caught, or one was raised when its output was flushed at its end.
            `SystemExit` is none, whatever its code.
    """
    source = place_streams(descriptors)
    streams = _open_streams()
    loader = _new_main()
    try:
        with suppress(SystemExit):
            _run_as_main(source)
        _finish(loader)
        for stream in streams:
            with suppress(ValueError):  # closed, or another stream has its buffer
                stream.flush()
    except BaseException:  # whatever a stranger's program raises
        with suppress(BaseException):
            traceback.print_exc(limit=-3, file=streams[1])
        return 1
    return 0


class _Loader:
    """What stands as `__loader__` among the program's names: it lives as long as they do."""


def _new_main() -> ref[_Loader]:
    main = ModuleType("__main__")
    main.__file__ = sys.argv[0] = "main.py"
    main.__builtins__ = builtins  # type: ignore[attr-defined]
    main.__loader__ = loader = _Loader()  # type: ignore[assignment]
    sys.modules["__main__"] = main
    return ref(loader)


def _run_as_main(source: dict[str, Any]) -> None:
    names = vars(sys.modules["__main__"])
    execute(source["preamble"], "preamble.py", names)
    execute(source["code"], "main.py", names)


def _finish(loader: ref[_Loader]) -> None:
    """What the interpreter does at its end, in its order: the streams are flushed while all names still have their
    meaning, and whatever nobody holds any more, such as a file that was not closed, has its finalizer run."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for name in ("stdout", "stderr"):
        _flush(getattr(sys, name, None))
    if gc.isenabled():
        gc.collect()  # puts those who hold others before them, so that their finalizers run first
    sys.modules.pop("__main__", None)
    vars(builtins).update(_REPLACED)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__", None))
    gc.collect()
    left = loader()
    for names in gc.get_referrers(left) if left else []:
        if type(names) is dict:
            names.clear()


def _flush(stream: Any) -> None:
    """Flush what stands for a stream, which need not know whether it is closed."""
    with suppress(AttributeError):
        if stream is None or stream.closed:
            return
    stream.flush()


def place_streams(descriptors: Sequence[int]) -> dict[str, Any]:
    """Make the first three the standard streams, and read the source from the last."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return read_source(descriptors[3])


def read_source(descriptor: int) -> dict[str, Any]:
    """What the host put into the job's file, which is closed."""
    content = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    parts: dict[str, Any] = marshal.loads(content)
    return parts


def execute(code: str, name: str, namespace: dict[str, Any]) -> None:
    """Run `code` in `namespace`. This module's own `__future__` imports do not reach it."""
    if code:
        exec(compile(code, name, "exec", dont_inherit=True), namespace)


def _open_streams() -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # type: ignore[misc]
    out = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    err = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    sys.stdout = sys.__stdout__ = out  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = err  # type: ignore[misc]
    return out, err
