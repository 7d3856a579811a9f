"""Tests programs that try to pass without a solution, to do harm or to escape: none passes, and none has an effect."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.pass_at_1.host_grader import CallTask, CheckTask, Grader, PlusTask, PlusTest, StdinTask, Task

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
LIMIT = 0.6

CHECKS = {
    "check": (
        "incr_all",
        "def check(candidate):\n    assert candidate([1, 2, 3], 2) == [3, 4, 5]\n    assert candidate([], 5) == []\n"
        "    assert candidate([10], -1) == [9]\n",
    ),
    "abs": (
        "third",
        "import math\ndef check(candidate):\n    assert abs(candidate(9.0) - 3.0) < 1e-6\n"
        "    assert math.isclose(candidate(1.5), 0.5)\n",
    ),
}
SUMS = (("2 3\n", "5\n"), ("40 2\n", "42\n"))
CALLS = (((2, 3), 5), ((40, 2), 42))
ROOTS = tuple(PlusTest((coefficients,), 0.0, 1e-4, LIMIT, is_root=True) for coefficients in ([1, 2], [-6, 11, -6, 1]))

# kind → name → code; @DIR@ is a folder of the host with files that must not be read or changed
OURS = {
    "check": {
        "exit 0": "import os\nos._exit(0)",
        "equal to everything": "class E:\n    def __eq__(self, other): return True\n"
        "    __hash__ = object.__hash__\ndef incr_all(xs, k): return E()",
        "a list that equals everything": "class L(list):\n    def __eq__(self, other): return True\n"
        "def incr_all(xs, k): return L([1, 2, 3])",
        "looks for the test in frames and heap": "import gc, sys\ndef incr_all(xs, k):\n    texts = []\n"
        "    frame = sys._getframe()\n    while frame:\n        texts += map(repr, frame.f_locals.values())\n"
        "        frame = frame.f_back\n    texts += [repr(o)[:10**6] for o in gc.get_objects() if type(o) is dict]\n"
        "    found = any('assert ' + 'candidate(' in text for text in texts)\n"
        "    return [x + k for x in xs] if found else None",
        "answers nobody asked for": "import os, json, struct\ndef incr_all(xs, k):\n"
        "    body = json.dumps({'status': 'pass', 'detail': '', 'returned': {'value': [3, 4, 5]}}).encode()\n"
        "    for fd in range(3, 64):\n        try: os.write(fd, struct.pack('<I', len(body)) + body)\n"
        "        except OSError: pass\n    os._exit(0)",
        "half a message": "import os, time\ndef incr_all(xs, k):\n    for fd in range(3, 64):\n"
        "        try: os.write(fd, b'\\xff\\xff')\n        except OSError: pass\n    time.sleep(60)",
        "attributes that make a class": "import os, json, struct\ndef incr_all(xs, k):\n"
        '    body = b\'[{"returned":{"value":{"node":0},"nodes":[["object",{"__class__":1}]]}},false]\'\n'
        "    for fd in range(3, 64):\n        try: os.write(fd, struct.pack('<I', len(body)) + body)\n"
        "        except OSError: pass\n    os._exit(0)",
        "endless iterator": "def incr_all(xs, k):\n    while True: yield 1",
        "its own list": "def incr_all(xs, k):\n    xs.append(xs)\n    return xs",
        "an exception that never ends": "class E(Exception):\n    def __str__(self):\n        while True: pass\n"
        "def incr_all(xs, k): raise E()",
        "overwrites": "open('@DIR@/precious.txt', 'w').write('gone')\ndef incr_all(xs, k): pass",
        "deletes": "import posix\nposix.unlink('@DIR@/precious.txt')\ndef incr_all(xs, k): pass",
        "shell": "import posix\nposix.system('echo > @DIR@/made')\ndef incr_all(xs, k): pass",
        "kills the parent": "import os\nfor p in (os.getppid(), @PID@):\n    try: os.kill(p, 9)\n"
        "    except OSError: pass\ndef incr_all(xs, k): pass",
        "calls home": "import socket\ns = socket.create_connection(('127.0.0.1', @PORT@), 1)\ns.sendall(b'x')\n"
        "def incr_all(xs, k): pass",
    },
    "stdin": {
        "reads the answers": "import glob\nfor path in glob.glob('@DIR@/*'): print(open(path).read())",
        "leaves a process": "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\nprint(5)",
        "other streams": "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'5\\n')\n"
        "    except OSError: pass",
    },
    "call": {
        "equal to everything": "class E(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
        "class Solution:\n    def addup(self, a, b): return E(7)",
        "an answer ahead": "import os, struct\nclass Solution:\n    def addup(self, a, b):\n"
        '        body = b\'[{"returned":{"value":5}},false]\'\n        for fd in range(3, 64):\n'
        "            try: os.write(fd, (struct.pack('<I', len(body)) + body) * 9)\n"
        "            except OSError: pass\n        return 5",
    },
    "plus": {"empties the input": "def find_zero(xs):\n    xs.clear()\n    return 1.0"},
}


def attacks() -> Iterator[tuple[str, str, str]]:
    for kind, programs in OURS.items():
        yield from ((kind, name, code) for name, code in programs.items())
    if (SHARED / "attacks.jsonl").exists():
        rows = map(json.loads, (SHARED / "attacks.jsonl").read_text().splitlines())
        yield from ((row["kind"], row["name"], row["code"]) for row in rows)


def task(kind: str, code: str, seconds: float = LIMIT) -> Task:
    match kind:
        case "stdin":
            return StdinTask(code, SUMS, seconds)
        case "call":
            return CallTask(code, "addup", CALLS, seconds)
        case "plus":
            return PlusTask(code, "find_zero", ROOTS)
    return CheckTask(code, CHECKS[kind][1], CHECKS[kind][0], cpu_seconds=seconds)


class Canary:
    """Files, sockets and a process on the host that an attack could reach, and a check whether one did."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "precious.txt").write_text("precious")
        (folder / "secret.txt").write_text("secret")
        answers = {"test": CHECKS["check"][1], "inputs": [i for i, _ in SUMS], "outputs": [o for _, o in SUMS]}
        (folder / "data.jsonl").write_text(json.dumps(answers))
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (folder / "pid").write_text(str(self.process.pid))
        self.listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        self.port = self.listeners[0].getsockname()[1]
        self.listeners[1].bind(str(folder / "sock"))
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0asap_canary_{self.port}")
        self.listeners.append(abstract)
        self.heard: list[str] = []
        for listener in self.listeners:
            listener.listen()
            threading.Thread(target=self._listen, args=[listener], daemon=True).start()
        self.before = self._state()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.heard.append(str(listener))
            connection.close()

    def _state(self) -> dict[str, tuple[int, bytes]]:
        files = [path for path in sorted(self.folder.iterdir()) if not path.is_socket()]
        return {path.name: (path.stat().st_mode, path.read_bytes()) for path in files}

    def prepared(self, code: str) -> str:
        replaced = {"@DIR@": self.folder, "@PORT@": self.port, "@PID@": os.getpid()}
        for name, value in replaced.items():
            code = code.replace(name, str(value))
        return code

    def damage(self) -> list[str]:
        found = [f"heard {one}" for one in self.heard]
        found += ["killed"] if self.process.poll() is not None else []
        found += ["files"] if self._state() != self.before else []
        found += [str(path) for path in Path("/dev/shm").glob("asap_canary*")]
        return found

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    made = Canary(tmp_path)
    yield made
    made.close()


def parents() -> dict[int, int]:
    """Process → parent, of all processes that descend from this one."""
    known = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            known[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {os.getpid()}
    while more := {pid for pid, parent in known.items() if parent in found} - found:
        found |= more
    return {pid: known[pid] for pid in found}


@pytest.fixture
def adopts_orphans() -> Iterator[None]:
    """Processes that outlive their parent become children of this process, and not of process 1."""
    libc = ctypes.CDLL(None)
    libc.prctl(36, ctypes.c_ulong(1))
    yield
    libc.prctl(36, ctypes.c_ulong(0))


@pytest.mark.usefixtures("adopts_orphans")
def test_no_attack_passes_and_none_does_harm(grader: Grader, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_SECRET", "secret")
    named = list(attacks())
    grader.grade([task("check", "def incr_all(xs, k): pass")] * 4 * grader.workers)  # now all jails are started
    before = parents()
    verdicts = grader.grade([task(kind, canary.prepared(code)) for kind, _, code in named])
    passed = [name for (_, name, _), verdict in zip(named, verdicts, strict=True) if verdict.status == "pass"]
    unclear = [(name, v) for (_, name, _), v in zip(named, verdicts, strict=True) if v.status == "infra"]
    assert (passed, unclear, canary.damage()) == ([], [], [])
    judges = {pid: parent for pid, parent in parents().items() if pid not in before}
    assert len(judges) <= grader.workers
    assert set(judges.values()) <= before.keys(), "jails were replaced, or something lives on"


BENIGN = {
    "check": {
        "plain": "def incr_all(xs, k): return [x + k for x in xs]",
        "prints": "def incr_all(xs, k):\n    print('x' * 10**6)\n    return [x + k for x in xs]",
        "honest subclass": "class L(list): pass\ndef incr_all(xs, k): return L(x + k for x in xs)",
        "numpy numbers": "import numpy\ndef incr_all(xs, k): return [n for n in numpy.array(xs, dtype=int) + k]",
        "main guard": "def incr_all(xs, k): return [x + k for x in xs]\nif __name__ == '__main__':\n    1 / 0",
        "dataclass": "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n"
        "    x: int\ndef incr_all(xs, k): return [P(x + k).x for x in xs]",
        "changes its input": "def incr_all(xs, k):\n    for i in range(len(xs)): xs[i] += k\n    return xs",
        "cache": "from functools import cache\n@cache\ndef f(x, k): return x + k\n"
        "def incr_all(xs, k): return [f(x, k) for x in xs]",
        "threads": "from concurrent.futures import ThreadPoolExecutor\ndef incr_all(xs, k):\n"
        "    with ThreadPoolExecutor(4) as e: return list(e.map(lambda x: x + k, xs))",
    },
    "abs": {
        "float": "def third(x): return x / 3",
        "fraction": "def third(x):\n    import numpy\n    return numpy.float64(x) / 3",
    },
    "call": {
        "method": "class Solution:\n    def addup(self, a, b): return a + b",
        "function": "def addup(a, b): return a + b",
        "state": "class Solution:\n    def __init__(self): self.n = 0\n"
        "    def addup(self, a, b):\n        self.n += 1\n        return a + b + 0 * self.n",
    },
    "plus": {
        "bisection": "def find_zero(xs):\n    f = lambda x: sum(c * x**i for i, c in enumerate(xs))\n"
        "    a, b = -9.0, 9.1\n    while b - a > 1e-9:\n        m = (a + b) / 2\n"
        "        a, b = (a, m) if f(a) * f(m) <= 0 else (m, b)\n    return a"
    },
}


def benign() -> Iterator[tuple[str, str, str]]:
    for kind, programs in BENIGN.items():
        yield from ((kind, name, code) for name, code in programs.items())
    if (SHARED / "benign.jsonl").exists():
        rows = map(json.loads, (SHARED / "benign.jsonl").read_text().splitlines())
        yield from ((row["kind"], row["name"], row["code"]) for row in rows)


def test_right_programs_pass_however_they_are_written(grader: Grader) -> None:
    named = list(benign())
    verdicts = grader.grade([task(kind, code, 3.0) for kind, _, code in named])
    assert [(name, v) for (_, name, _), v in zip(named, verdicts, strict=True) if v.status != "pass"] == []
