"""Tests the end of a program and the ways to open its streams: they work as in a shell."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.pass_at_1.host_grader import CallTask, Grader, StdinTask

INPUT = "20 22\n"
ADDS = "print(sum(map(int, input().split())))\n"
KEEPS = (
    "import io, os, sys\nclass Kept(io.IOBase):\n    def __init__(self): self.parts = []\n"
    "    def write(self, text): self.parts.append(text)\n    def flush(self):\n"
    "        os.write(1, ''.join(self.parts).encode())\n        self.parts.clear()\n"
)
LOW = "import io, os\nout = io.BufferedWriter(io.FileIO(os.dup(1), 'w'), 1 << 20)\nout.write(b'42')\n"

PROGRAMS = {
    "a stream of its own": KEEPS + "sys.stdout = Kept()\n" + ADDS,
    "a stream that is no file": KEEPS.replace("(io.IOBase)", "") + "sys.stdout = Kept()\n" + ADDS,
    "a wrapper around one": KEEPS + "class Outer:\n    def __init__(self):\n        self.inner = Kept()\n"
    "        self.write = lambda text: self.inner.write(text)\n        self.flush = self.inner.flush\n"
    "sys.stdout = Outer()\n" + ADDS,
    "both streams": KEEPS + "class In:\n    def __init__(self): self.rest = io.BytesIO(os.read(0, 1 << 16))\n"
    "    def readline(self): return self.rest.readline().decode()\n"
    "sys.stdin, sys.stdout = In(), Kept()\ninput = lambda: sys.stdin.readline().rstrip()\n" + ADDS,
    "another writer, not flushed": KEEPS + "out = Kept()\nout.write(str(sum(map(int, input().split()))))",
    "another writer that print uses": KEEPS + "import builtins\nout = Kept()\nbuiltins.print = "
    "lambda one: out.write(str(one))\n" + ADDS,
    "another print": "real = print\n__builtins__.print = lambda *all: real(*all, flush=True)\n" + ADDS,
    "a text that nobody prints": "import io, sys\nsys.stdout = io.StringIO()\n" + ADDS,
    "a text printed by an exit handler": "import atexit, io, sys\nsys.stdout = io.StringIO()\n"
    "atexit.register(lambda: sys.__stdout__.write(sys.stdout.getvalue()))\n" + ADDS,
    "a text printed by hand": "import io, sys\nsys.stdout = io.StringIO()\n"
    + ADDS
    + "sys.__stdout__.write(sys.stdout.getvalue())",
    "another encoding": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), 'latin-1')\n" + ADDS,
    "another one of the same buffer": "import io, sys\n"
    "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8')\n" + ADDS,
    "codecs": "import codecs, sys\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer)\n" + ADDS,
    "first the new one, then the old one": "import os, sys\nsys.stdout.write('1\\n')\n"
    "sys.stdout = open(1, 'w', closefd=False)\nsys.stdout.write('2\\n')",
    "a buffer": LOW,
    "a buffer in a circle": "class A: pass\none = A()\none.one = one\n" + LOW.replace("out", "one.out"),
    "a buffer that a function knows": LOW + "def f(): return out",
    "a buffer that a module knows": "import math\n" + LOW + "math.known = lambda: out",
    "a buffer that a signal handler knows": "import signal\n" + LOW + "signal.signal(signal.SIGALRM, lambda *_: out)",
    "a finalizer": "import os\nclass Last:\n    def __del__(self): os.write(1, text().encode())\n"
    "def text(): return '42'\none = Last()\none.one = one",
    "a finalizer that prints": "class Last:\n    def __del__(self): print(42)\none = Last()",
    "weakref.finalize": "import os, weakref\nclass A: pass\na = A()\nweakref.finalize(a, os.write, 1, b'42')",
    "a generator that is not finished": "def f():\n    try: yield\n    finally: print(42)\nf = f()\nnext(f)",
    "without collections": "import gc\ngc.disable()\n" + KEEPS + "out = Kept()\nout.write('42')",
    "logging": "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(message)s')\nlogging.error(42)",
    "closed": ADDS + "import sys\nsys.stdout.close()",
    "closed descriptor": ADDS + "import os, sys\nsys.stdout.flush()\nos.close(1)",
    "closed descriptor, too early": ADDS + "import os\nos.close(1)",
    "no stream": ADDS + "import sys\nsys.stdout.flush()\nsys.stdout = None",
    "no name for it": ADDS + "import sys\nsys.stdout.flush()\ndel sys.stdout",
    "stderr is closed": "import sys\nsys.stderr.close()\n" + ADDS,
    "a stream without flush": "import os, sys\nclass Out:\n    def write(self, text): os.write(1, text.encode())\n"
    "sys.stdout = Out()\n" + ADDS,
    "a flush that raises": KEEPS.replace("self.parts.clear()", "1 / 0") + "sys.stdout = Kept()\n" + ADDS,
    "exit": ADDS + "import sys\nsys.exit()",
    "exit in a thread": "import sys, threading\ndef main():\n    " + ADDS + "    sys.exit()\n"
    "threading.Thread(target=main).start()",
    "os._exit": ADDS + "import os\nos._exit(0)",
    "os._exit, but flushed": ADDS + "import os, sys\nsys.stdout.flush()\nos._exit(0)",
    "a thread that goes on": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=[60], daemon=True).start()\n" + ADDS,
    "an exception": ADDS + "1 / 0",
    "an exit handler that raises": "import atexit\natexit.register(lambda: 1 / 0)\n" + ADDS,
    "not the main module": "import sys, types\nout = open(1, 'w')\nsys.modules['__main__'] = types.ModuleType('x')\n"
    "out.write('42')",
    "/dev/stdin": "print(sum(map(int, open('/dev/stdin').read().split())))",
    "/dev/stdin after input": ADDS + "print(open('/dev/stdin').read())",
    "/dev/stdin of a large input": "import sys\nprint(len(open('/dev/stdin').read()) == len(sys.stdin.read()))",
    "/dev/fd/0": "print(sum(map(int, open('/dev/fd/0').read().split())))",
    "/proc/self/fd/0": "import pathlib\nprint(sum(map(int, pathlib.Path('/proc/self/fd/0').read_text().split())))",
    "numpy": "import numpy\nprint(int(numpy.loadtxt('/dev/stdin').sum()))",
    "fileinput": "import fileinput\nfor line in fileinput.input(): print(sum(map(int, line.split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "mmap": "import mmap\nprint(sum(map(int, mmap.mmap(0, 0, access=mmap.ACCESS_READ)[:].split())))",
    "cannot write to its input": "try: open('/dev/stdin', 'r+')\nexcept OSError: print('no')\nelse: print('no')",
}


def as_from_a_shell(program: str, given: str, folder: Path) -> tuple[str, int]:
    """Run a program in plain Python: its output and exit status."""
    (folder / "program.py").write_text(program)
    (folder / "input").write_text(given)
    with open(folder / "input") as stdin:
        command = [sys.executable, "-E", "-X", "utf8", str(folder / "program.py")]
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True)
    return done.stdout, done.returncode


def test_programs_end_as_the_interpreter_ends_them(grader: Grader, tmp_path: Path) -> None:
    inputs = {name: INPUT * (50_000 if "large" in name else 1) for name in PROGRAMS}
    real = {name: as_from_a_shell(code, inputs[name], tmp_path) for name, code in PROGRAMS.items()}
    tasks = [StdinTask(code, ((inputs[name], real[name][0]),)) for name, code in PROGRAMS.items()]
    verdicts = dict(zip(PROGRAMS, grader.grade(tasks), strict=True))
    expected = {name: "pass" if status == 0 else "error" for name, (_, status) in real.items()}
    assert {name: verdict for name, verdict in verdicts.items() if verdict.status != expected[name]} == {}
    assert sum(status == 0 for _, status in real.values()) > 40


def test_what_was_not_flushed_does_not_come_later(grader: Grader) -> None:
    code = KEEPS + "sys.stdout = Kept()\n" + ADDS + "os._exit(0)"
    silent = StdinTask("", ((INPUT, ""),))
    tasks = [StdinTask(code, ((INPUT, "42"),)), silent] * 2 * grader.workers
    assert [verdict.status for verdict in grader.grade(tasks)] == ["fail", "pass"] * 2 * grader.workers


def test_the_input_of_one_job_is_not_there_for_the_next(grader: Grader) -> None:
    read = "def f(x):\n    try: return open('/dev/stdin').read()\n    except OSError: return ''"
    tasks = [StdinTask(ADDS, ((INPUT, "42"),)), CallTask(read, "f", (((1,), ""),))] * 2 * grader.workers
    assert {(verdict.status, verdict.detail) for verdict in grader.grade(tasks)} == {("pass", "")}


@pytest.mark.parametrize("limit", ["", "import sys\nsys.set_int_max_str_digits(5000)\n"])
def test_whole_numbers_have_any_number_of_digits(grader: Grader, limit: str) -> None:
    task = StdinTask("print(int(input()) * 10)", (("7" * 6000, "7" * 6000 + "0"),))
    literal = StdinTask(f"print({'7' * 6000})", (("", "7" * 6000),))
    statuses = {v.status for v in grader.grade([replace(task, preamble=limit), replace(literal, preamble=limit)])}
    assert statuses == {"error" if limit else "pass"}
