"""Runs in the jail: a whole program as its own `__main__` module, with its standard streams, to its very end."""

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

# Modules that are imported before the forks, so that no child has to load them.
PRELOADED = (
    "abc array ast asyncio bisect cmath collections collections.abc concurrent.futures contextlib copy dataclasses"
    " datetime decimal enum fractions functools hashlib heapq inspect io itertools logging math numbers operator queue"
    " random re statistics string struct textwrap time timeit types typing warnings"
)
# Builtins that programs replace. To restore all builtins takes longer than many a program.
_RESTORED = {name: getattr(builtins, name) for name in ("input", "open", "print")}


def run_program(*descriptors: int) -> int:
    """Run a program to its end, with threads, exit handlers, buffers and finalizers, as Python itself would.

    Args:
        descriptors (`int`):
            Of its standard input, output and error stream, and of a file for [`read_source`] with `preamble` and
            `code`.

    Returns:
        `int`: 0; or 1 if an exception was not caught, also one from the last flush of its output. `SystemExit`, with
            whatever code, does not count as one.
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
    except BaseException:  # untrusted code may raise anything
        with suppress(BaseException):
            traceback.print_exc(limit=-3, file=streams[1])
        return 1
    return 0


class _Loader:
    """The program's `__loader__`: it is alive as long as the program's namespace is."""


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
    """Do what the interpreter does at its end, in its order: flush the streams while all names still exist, then
    delete the names, so that finalizers run, such as that of a file that was not closed.

    Args:
        loader (`weakref.ref`):
            Of the object in the program's namespace: by it a namespace is found that something else keeps alive.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for name in ("stdout", "stderr"):
        _flush(getattr(sys, name, None))
    if gc.isenabled():
        gc.collect()  # sorts objects such that the finalizer of an owner runs before those of what it owns
    sys.modules.pop("__main__", None)
    vars(builtins).update(_RESTORED)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__", None))
    gc.collect()
    left = loader()
    for names in gc.get_referrers(left) if left else []:
        if type(names) is dict:
            names.clear()


def _flush(stream: Any) -> None:
    """Flush a stream or what the program put in its place, which may have no attribute `closed`."""
    with suppress(AttributeError):
        if stream is None or stream.closed:
            return
    stream.flush()


def place_streams(descriptors: Sequence[int]) -> dict[str, Any]:
    """Make the first three descriptors the standard streams, and read the source from the fourth."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return read_source(descriptors[3])


def read_source(descriptor: int) -> dict[str, Any]:
    """Read and close the file in which the host passes a job's source."""
    content = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    parts: dict[str, Any] = marshal.loads(content)
    return parts


def execute(code: str, name: str, namespace: dict[str, Any]) -> None:
    """Run `code` in `namespace`, without this module's own `__future__` imports."""
    if code:
        exec(compile(code, name, "exec", dont_inherit=True), namespace)


def _open_streams() -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # type: ignore[misc]
    out = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    err = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    sys.stdout = sys.__stdout__ = out  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = err  # type: ignore[misc]
    return out, err
