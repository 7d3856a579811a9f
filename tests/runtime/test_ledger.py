"""The ledger under kills, forks, rivals, damage and a full disk. All on real files and real processes."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asap_hf.errors import RunError
from asap_hf.runtime.ledger import Ledger, ledger_key, open_ledger

WRITER = """
import sys
from asap_hf.runtime.ledger import ledger_key, open_ledger
ledger = open_ledger("llm")
first, step, count = map(int, sys.argv[1:4])
for number in range(first, first + step * count, step):
    ledger.put(ledger_key(number), {"text": f"{number} " * 2000})
    print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    return tmp_path / "ledger"


def write(*arguments: int, prelude: str = "", **more) -> subprocess.Popen:
    command = [sys.executable, "-c", prelude + WRITER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def lines(ledger: Ledger) -> list[bytes]:
    return Path(ledger.path).read_bytes().splitlines(keepends=True)


def test_a_key_is_the_same_everywhere():
    assert ledger_key() == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # sha256 of "[]"
    nested = ledger_key("llm", ({"role": "user", "content": "é\ud800"},), 0.0, None)
    assert nested == ledger_key("llm", [{"content": "é\ud800", "role": "user"}], 0.0, None)
    assert len({ledger_key("a", "b"), ledger_key("ab"), ledger_key(["a", "b"]), ledger_key("a", "b", None)}) == 4
    code = "from asap_hf.runtime.ledger import ledger_key; print(ledger_key('llm', {'b': 1, 'a': [2.5]}))"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    printed = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == ledger_key("llm", {"a": (2.5,), "b": 1})


def test_values_come_back(folder):
    ledger = open_ledger("llm")
    values = [
        {"text": 'quotes " \\ \n \r \u2028 \ud800 {"key": "x"}'},
        [1.5, None, True],
        "",
        0,
        {"value": {"key": "}"}},
    ]
    for number, value in enumerate(values):
        ledger.put(ledger_key(number), value)
    for found in (ledger, Ledger(ledger.path)):
        assert [found.get(ledger_key(number)) for number in range(len(values))] == values
        assert found.get(ledger_key("never")) is None
        assert ledger_key("never") not in found
        assert len(found) == len(values)
        assert ledger_key(0) in found
        assert found.damaged == 0
    assert stat.S_IMODE(os.stat(ledger.path).st_mode) == 0o600
    for line in lines(ledger):
        assert line[:8] == b"%08x" % zlib.crc32(line[9:-1])
        assert line[8:9] == b" "
        assert json.loads(line[9:]).keys() == {"key", "value"}


def test_the_first_value_stays(folder):
    ledger, rival = open_ledger("llm"), Ledger(str(folder / "llm.jsonl"))
    assert rival.get(ledger_key("a")) is None
    ledger.put(ledger_key("a"), "first")
    rival.put(ledger_key("a"), "second")
    ledger.put(ledger_key("a"), "third")
    assert ledger.get(ledger_key("a")) == rival.get(ledger_key("a")) == "first"
    assert len(lines(ledger)) == 1
    folded = folder / "folded.jsonl"  # two ledgers written one after the other into one file
    other = Ledger(str(folder / "other.jsonl"))
    other.put(ledger_key("a"), "elsewhere")
    folded.write_bytes(b"".join(lines(ledger) + lines(other)))
    assert Ledger(str(folded)).get(ledger_key("a")) == "first"


def test_what_is_stored_at_once_takes_one_write_and_the_first_value_stays(folder, monkeypatch):
    ledger = open_ledger("scores")
    ledger.put(ledger_key("b"), "first")
    sizes, really_write = [], os.write
    monkeypatch.setattr(os, "write", lambda fd, data: sizes.append(len(data)) or really_write(fd, data))
    ledger.put_all({ledger_key(name): f"{name} é" for name in "abc"})
    ledger.put_all({})
    ledger.put_all({ledger_key("a"): "again"})
    assert [ledger.get(ledger_key(name)) for name in "abc"] == ["a é", "first", "c é"]
    assert sizes == [sum(map(len, lines(ledger)[1:]))]
    with pytest.raises(ValueError, match="not a ledger key"):
        ledger.put_all({ledger_key("d"): 1, 'e "f"': 2})
    assert ledger.get(ledger_key("d")) is None


def test_a_disk_that_fills_up_inside_a_second_line_takes_the_first_back(folder):
    script = """
import resource
from asap_hf.errors import RunError
from asap_hf.runtime.ledger import ledger_key, open_ledger
ledger = open_ledger("llm")
ledger.put(ledger_key("before"), 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))
try:
    ledger.put_all({ledger_key("a"): "a" * 2_000, ledger_key("b"): "b" * 2_000})
except RunError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print([ledger.get(ledger_key(name)) for name in ("before", "a", "b")], len(ledger))
    ledger.put_all({ledger_key("a"): 1, ledger_key("b"): 2})
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[0, None, None] 1\n", "")
    ledger = open_ledger("llm")
    assert [ledger.get(ledger_key(name)) for name in ("before", "a", "b")] == [0, 1, 2]
    assert ledger.damaged == 0


def test_a_key_that_could_not_be_found_again_is_refused(folder):
    with pytest.raises(ValueError, match="not a ledger key"):
        open_ledger("llm").put('a "b"', 1)


def test_the_folder_is_looked_up_at_each_call(tmp_path, monkeypatch):
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "a"))
    first = open_ledger("llm")
    assert open_ledger("llm") is first
    assert open_ledger("scores") is not first
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "b"))
    assert open_ledger("llm").path == str(tmp_path / "b" / "llm.jsonl")
    monkeypatch.delenv("ASAP_HF_LEDGER")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert open_ledger("scores").path == str(tmp_path / "home" / "asap_hf" / "ledger" / "scores.jsonl")
    monkeypatch.delenv("HF_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert open_ledger("llm").path == str(tmp_path / "user" / ".cache/huggingface/asap_hf/ledger/llm.jsonl")
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    off = open_ledger("llm")
    off.put(ledger_key("a"), 1)
    assert off.get(ledger_key("a")) is None
    assert len(off) == 0
    assert ledger_key("a") not in off
    assert pickle.loads(pickle.dumps(off)).get(ledger_key("a")) is None
    assert list(tmp_path.iterdir()) == []


def test_kill_9_loses_nothing_that_was_finished(folder):
    """Every number that the writer had printed when it was killed was in the ledger, and each restart goes on from
    there."""
    clock, finished = random.Random(0), set()
    for _ in range(6):
        writer = write(0, 1, 100_000)
        printed = [writer.stdout.readline() for _ in range(clock.randint(1, 40))]
        assert printed[0] == "0\n"
        time.sleep(clock.uniform(0, 0.005))
        writer.kill()
        finished |= {int(line) for line in [*printed, *writer.communicate()[0].splitlines()] if line.strip()}
        ledger = Ledger(str(folder / "llm.jsonl"))
        for number in finished:
            assert ledger.get(ledger_key(number)) == {"text": f"{number} " * 2000}
    assert len(finished) > 10


@pytest.mark.parametrize("torn", [0, 1, 40])
def test_writing_goes_on_after_a_torn_line(folder, torn):
    ledger = open_ledger("llm")
    ledger.put(ledger_key("whole"), 1)
    with open(ledger.path, "ab") as file:
        file.write(b'01234567 {"key": "' + b"a" * torn)
    other = Ledger(ledger.path)
    other.put(ledger_key("after"), 2)
    ledger.put(ledger_key("later"), 3)
    for found in (ledger, other, Ledger(ledger.path)):
        assert [found.get(ledger_key(word)) for word in ("whole", "after", "later")] == [1, 2, 3]
        assert found.damaged == 1


def test_truncation_at_each_byte_of_the_last_line(folder):
    ledger = open_ledger("llm")
    ledger.put(ledger_key("one"), "1")
    ledger.put(ledger_key("two"), "2")
    whole = Path(ledger.path).read_bytes()
    start = whole.index(b"\n") + 1
    for cut in range(start, len(whole)):
        path = folder / f"cut{cut}.jsonl"
        path.write_bytes(whole[:cut])
        found = Ledger(str(path))
        only_newline_lost = cut == len(whole) - 1
        assert found.get(ledger_key("one")) == "1"
        assert found.get(ledger_key("two")) == ("2" if only_newline_lost else None)
        assert found.damaged == (0 if only_newline_lost or cut == start else 1)
        found.put(ledger_key("two"), "2 again")
        again = Ledger(str(path))
        assert again.get(ledger_key("one")) == "1"
        assert again.get(ledger_key("two")) == ("2" if only_newline_lost else "2 again")


def test_damage_is_passed_over_and_reported_once(folder, caplog):
    ledger = open_ledger("llm")
    for number in range(20):
        ledger.put(ledger_key(number), {"text": "x" * 50})
    content = lines(ledger)
    content[3] = content[3].replace(b"xxx", b"xyx", 1)
    content[7] = b"\0" * 300 + b"\n"
    content[9] = content[9][:30] + b"\n"
    content[11] = b"no ledger line at all\xff\n"
    Path(ledger.path).write_bytes(b"".join(content))
    found = Ledger(ledger.path)
    with caplog.at_level(logging.WARNING, logger="asap_hf.runtime.ledger"):
        there = [number for number in range(20) if found.get(ledger_key(number)) is not None]
        assert len(found) == 16
    assert there == [number for number in range(20) if number not in (3, 7, 9, 11)]
    assert found.damaged == 4
    assert [record.getMessage() for record in caplog.records] == [
        f"{ledger.path}: passed over 4 damaged lines; the rest is used"
    ]


def test_damage_after_the_index_was_made_is_a_miss_and_can_be_mended(folder):
    ledger = open_ledger("llm")
    ledger.put(ledger_key("a"), "aaaa")
    ledger.put(ledger_key("b"), "bbbb")
    with open(ledger.path, "r+b") as file:
        file.seek(Path(ledger.path).read_bytes().index(b"aaaa"))
        file.write(b"a!")
    assert ledger.get(ledger_key("a")) is None
    assert ledger.get(ledger_key("b")) == "bbbb"
    ledger.put(ledger_key("a"), "new")
    assert ledger.get(ledger_key("a")) == "new"


def test_a_file_that_shrinks_or_is_replaced_is_read_afresh(folder):
    ledger = open_ledger("llm")
    for number in range(5):
        ledger.put(ledger_key(number), number)
    content = lines(ledger)
    Path(ledger.path).write_bytes(b"".join(content[:2]))
    assert [ledger.get(ledger_key(number)) for number in range(5)] == [0, 1, None, None, None]
    Path(ledger.path).write_bytes(content[0])
    ledger.put(ledger_key("after the cut"), 6)
    assert ledger.get(ledger_key("after the cut")) == 6
    assert len(ledger) == 2
    replacement = folder / "new"
    replacement.write_bytes(b"".join(content[3:]))
    os.replace(replacement, ledger.path)
    assert ledger.get(ledger_key(4)) == 4
    ledger.put(ledger_key("more"), "more")
    assert len(lines(ledger)) == 3
    os.remove(ledger.path)
    assert ledger.get(ledger_key("never")) is None
    ledger.put(ledger_key("last"), "last")
    assert Ledger(ledger.path).get(ledger_key("last")) == "last"
    assert len(ledger) == 1


def test_two_processes_write_one_ledger(folder):
    """Of two writers with half of their numbers in common, every entry is there once and whole."""
    ledger = open_ledger("llm")
    writers = [write(0, 1, 60), write(30, 1, 60)]
    while any(writer.poll() is None for writer in writers):
        ledger.get(ledger_key("never"))
    for writer in writers:
        assert writer.communicate()[1] == ""
        assert writer.returncode == 0
    assert [ledger.get(ledger_key(number)) for number in range(90)] == [{"text": f"{n} " * 2000} for n in range(90)]
    assert len(lines(ledger)) == 90
    assert ledger.damaged == 0


def test_a_writer_waits_for_its_turn(folder):
    ledger = open_ledger("llm")
    ledger.put(ledger_key("a"), 1)
    with open(ledger.path) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = threading.Thread(target=ledger.put, args=(ledger_key("b"), 2))
        writer.start()
        writer.join(timeout=0.3)
        assert writer.is_alive()
        assert len(lines(ledger)) == 1
    writer.join()
    assert len(lines(ledger)) == 2


def test_threads_write_one_ledger(folder):
    ledger = open_ledger("llm")

    def work(first: int) -> None:
        for number in range(first, first + 30):
            ledger.put(ledger_key(number), number)
            assert ledger.get(ledger_key(number)) == number

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(ledger)) == len(ledger) == 50
    assert ledger.damaged == 0


def test_a_forked_child_has_its_own_lock_and_descriptor(folder):
    """The child is forked while a thread of the parent holds the lock; sharing it would hang the child for ever."""
    ledger = open_ledger("llm")
    ledger.put(ledger_key("parent"), 1)
    inside, release = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger._lock:
            inside.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        ledger.put(ledger_key("child"), 2)
        os._exit(0 if ledger.get(ledger_key("parent")) == 1 and open_ledger("llm") is ledger else 1)
    assert os.waitpid(child, 0)[1] == 0
    release.set()
    holder.join()
    assert ledger.get(ledger_key("child")) == 2


def test_pickling_carries_nothing_but_the_path(folder):
    ledger = open_ledger("llm")
    ledger.put(ledger_key("a"), "x" * 10_000)
    assert len(pickle.dumps(ledger)) < 500
    assert pickle.loads(pickle.dumps(ledger)) is ledger


def test_a_disk_that_fills_up_inside_a_line(folder):
    """The limit lets half of a line through, as a full disk does; the part is taken back and the rest still works."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))\n"
    ending = """
    except RunError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        ledger.put(ledger_key("room again"), 1)
        print(error)
        break
"""
    script = (
        limit + "from asap_hf.errors import RunError\n" + WRITER.replace("    ledger.put", "    try:\n     ledger.put")
    )
    script = script.replace("    print(number, flush=True)\n", "     print(number, flush=True)") + ending
    run = subprocess.run([sys.executable, "-c", script, "100", "1", "20"], capture_output=True, text=True, check=True)
    *finished, message = run.stdout.splitlines()
    ledger = open_ledger("llm")
    assert message.startswith(f"cannot write the ledger {ledger.path}: File too large; what it holds is kept.")
    assert finished == ["100", "101", "102"]
    assert run.stderr == ""
    assert all(ledger.get(ledger_key(int(number))) for number in finished)
    assert ledger.get(ledger_key("room again")) == 1
    assert len(ledger) == 4
    assert ledger.damaged == 0


def test_no_space_at_all(folder, monkeypatch):
    ledger = open_ledger("llm")
    ledger.put(ledger_key("before"), 0)
    with monkeypatch.context() as patch, open("/dev/full", "wb") as full:
        really_write = os.write
        patch.setattr(os, "write", lambda fd, data: really_write(full.fileno(), data))
        with pytest.raises(RunError, match="No space left on device"):
            ledger.put(ledger_key("a"), 1)
        assert ledger.get(ledger_key("before")) == 0
    ledger.put(ledger_key("a"), 1)
    assert Ledger(ledger.path).get(ledger_key("a")) == 1


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "file" / "ledger"))
    with pytest.raises(RunError, match="cannot read the ledger .*ASAP_HF_LEDGER"):
        open_ledger("llm").get(ledger_key("a"))


def test_importing_it_imports_nothing_heavy():
    heavy = {"numpy", "torch", "datasets", "huggingface_hub"}
    code = f"import sys, asap_hf.runtime.ledger; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def as_somebody_else(folder: Path, work: Callable[[], object]) -> object:
    """What `work` gives in a forked process that may enter the folder, where it is, but owns nothing in it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os.chdir(folder)  # what lies above it need not be open to others
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            result: object = work()
        except RunError as error:
            result = f"refused: {error}"
        except BaseException as error:
            result = repr(error)
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        told = json.load(answer)
    os.waitpid(child, 0)
    return told


def tried(kinds: Sequence[str], ledger_of: Callable[[str], Ledger]) -> list[object]:
    """What reading, keeping and checking come to, and the warnings."""
    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("asap_hf.runtime.ledger").addHandler(handler)
    found: list[object] = []
    for kind in kinds:
        ledger = ledger_of(kind)
        found += [ledger.get(ledger_key("old")), len(ledger)]
        ledger.keep({ledger_key("new"): 2})
        ledger.keep({ledger_key("newer"): 3})
        found.append(ledger.get(ledger_key("new")))
        try:
            ledger.check_writable()
        except RunError as error:
            found.append(str(error))
        try:
            ledger.put(ledger_key("paid"), 4)
        except RunError as error:
            found.append(str(error))
        found.append(ledger.get(ledger_key("old")))  # what is known of it is not lost by trying
    return [*found, warnings]


def told_of(path: str, old: int | None, why: str) -> list[object]:
    """What is to be found in a ledger of one entry, or none, that can only be read."""
    refusals = [
        f"the ledger {path} can only be read, and an LLM's answers, which may be paid for, would be lost: name a"
        " folder that can be written in ASAP_HF_LEDGER (off stores nothing)",
        f"cannot write the ledger {path}: {why}; what it holds is kept. Make room, or name another folder in "
        "ASAP_HF_LEDGER (off stores nothing)",
    ]
    warning = f"the ledger {path} can only be read: what is computed now is not kept, but computed again next time"
    return [old, int(old is not None), None, *refusals, old, [warning]]


@pytest.mark.parametrize("stored", [True, False])
def test_a_ledger_on_a_read_only_file_system_is_read(folder: Path, stored: bool) -> None:
    """A real mount, in a namespace of its own."""
    folder.mkdir()
    if stored:
        Ledger(str(folder / "scores.jsonl")).put(ledger_key("old"), 1)
    script = (
        "import json, sys; from asap_hf.runtime.ledger import open_ledger\n"
        "from tests.runtime.test_ledger import tried\n"
        "print(json.dumps(tried(['scores'], open_ledger)))"
    )
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$1" -c "$2"'
    own = [] if os.getuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *own, "sh", "-c", mount, str(folder), sys.executable, script]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    if run.returncode and not run.stdout and "Traceback" not in run.stderr:
        pytest.skip(f"no file system can be mounted here: {run.stderr.strip()}")
    assert json.loads(run.stdout) == told_of(
        str(folder / "scores.jsonl"), 1 if stored else None, "Read-only file system"
    )
    assert [path.name for path in folder.iterdir()] == ["scores.jsonl"] * stored


@pytest.mark.parametrize("stored", [True, False])
def test_a_ledger_of_another_user_is_read(tmp_path: Path, stored: bool) -> None:
    folder = tmp_path / "ledger"
    folder.mkdir()
    if stored:
        Ledger(str(folder / "scores.jsonl")).put(ledger_key("old"), 1)
        (folder / "scores.jsonl").chmod(0o444)
    tmp_path.chmod(0o755)
    folder.chmod(0o555)
    try:
        found = as_somebody_else(tmp_path, lambda: tried(["scores"], lambda kind: Ledger(f"ledger/{kind}.jsonl")))
    finally:
        folder.chmod(0o755)
    assert found == told_of("ledger/scores.jsonl", 1 if stored else None, "Permission denied")


def test_a_ledger_that_must_not_be_read_says_so(tmp_path: Path) -> None:
    Ledger(str(tmp_path / "scores.jsonl")).put(ledger_key("old"), 1)
    (tmp_path / "scores.jsonl").chmod(0o000)
    tmp_path.chmod(0o755)
    found = as_somebody_else(tmp_path, lambda: Ledger("./scores.jsonl").get(ledger_key("old")))
    assert str(found).startswith("refused: cannot read the ledger ./scores.jsonl: Permission denied; ")


def test_a_ledger_that_can_be_written_again_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, really_open = Ledger(str(folder / "scores.jsonl")), os.open
    ledger.put(ledger_key("old"), 1)
    ledger.after_fork()

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "Read-only file system")
        return really_open(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    assert ledger.get(ledger_key("old")) == 1
    ledger.keep({ledger_key("new"): 2})
    assert ledger.get(ledger_key("new")) is None
    monkeypatch.undo()
    ledger.keep({ledger_key("new"): 2})
    ledger.check_writable()
    assert [Ledger(ledger.path).get(ledger_key(name)) for name in ("old", "new")] == [1, 2]


def test_nothing_is_bought_that_could_not_be_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered before is read; the first new question is refused before it is sent (nobody listens there)."""
    from asap_hf.llm.endpoint import EndpointGenerator
    from asap_hf.llm.generator import Completion, Request

    old, new = (Request(({"role": "user", "content": text},), 0.0, max_tokens=5) for text in ("old?", "new?"))
    generator = EndpointGenerator("model", base_url="http://127.0.0.1:9")
    key = ledger_key("llm", "model", None, *old.identity)
    open_ledger("llm").put(key, {"text": "Yes.", "prompt_tokens": 1, "completion_tokens": 1, "finish_reason": "stop"})
    open_ledger("llm").after_fork()
    really_open = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR and path.endswith("llm.jsonl"):
            raise OSError(errno.EROFS, "Read-only file system")
        return really_open(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    [answer] = generator([old])
    assert isinstance(answer, Completion)
    assert answer.text == "Yes."
    with pytest.raises(RunError, match="can only be read, and an LLM's answers, which may be paid for, would be lost"):
        generator([old, new])
    assert generator.usage.calls + generator.usage.failures == 0


def test_a_full_disk_is_no_read_only_ledger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be mended, and what was computed would be lost: the run ends."""

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger = open_ledger("scores")
    ledger.check_writable()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RunError, match="No space left on device"):
        ledger.keep({ledger_key("new"): 2})
