"""Inside a jail of its own: runs the data set's test code, in which the candidate is a stand-in that asks the
candidate's process and gets data back."""

from __future__ import annotations

import builtins
import decimal
import os
import random
import sys
import threading
from collections.abc import Iterator, Sequence
from operator import index
from typing import Any, NoReturn

from .codec import CodecError, Decoder, Encoder
from .jail_messages import receive, send_bytes
from .jail_program_runner import WARM, execute
from .messages import FrameError, packed

_LONGEST_TEXT = 300

_NOT_RAISED_AGAIN = (AssertionError, StopIteration, StopAsyncIteration, UnicodeError, BaseExceptionGroup)
_RAISED_AGAIN = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, _NOT_RAISED_AGAIN)
}


class CandidateError(Exception):
    """What the candidate raised, where it may not be raised as itself: the test's own exceptions decide."""


class _GoneError(BaseException):
    """The candidate's process ended or sent nonsense; not an `Exception`, as test code catches those."""


class _UnsendableError(Exception):
    """The test passes what is no data, such as a function."""


def judge(desk: int, *channels: int) -> int:
    """Run tests that come over `desk`, one after the other, each against the process behind the next of `channels`.

    A test is `{"prompt": code, "test": code, "entry_point": expression, "shared_classes": names}`; to each comes a
    report, `{"status": "pass" | "fail" | "error" | "gone" | "infra", "detail": text, "clean": bool}`. Where a test
    left something behind it is the last one.
    """
    world = _World()
    for channel in channels:
        try:
            task = receive(desk)
        except EOFError:
            break
        world.restore()
        status, detail = _verdict(task, _Candidate(channel, task["shared_classes"]))
        os.close(channel)
        clean = world.is_clean()
        send_bytes(desk, packed({"status": status, "detail": detail[:_LONGEST_TEXT], "clean": clean}))
        if not clean:
            break
    return 0


class _World:
    """What tests share: the state of the interpreter."""

    def __init__(self) -> None:
        self._modules = [sys.modules[name] for name in WARM.split()] + [builtins]
        self._lots = random.getstate()
        self._seen = self._look()

    def restore(self) -> None:
        """Begin anew, as far as that can be done."""
        sys.setrecursionlimit(10_000)  # messages nest deeper than most code
        random.setstate(self._lots)
        decimal.setcontext(decimal.DefaultContext)

    def is_clean(self) -> bool:
        """Whether no name of a module means anything else than before, and no thread was left."""
        return self._look() == self._seen and threading.active_count() == 1

    def _look(self) -> list[tuple[int, ...]]:
        return [(*map(id, vars(module).values()),) for module in self._modules]


def _verdict(task: dict[str, Any], candidate: _Candidate) -> tuple[str, str]:
    try:
        candidate.hear()
    except _GoneError as gone:
        return "gone", str(gone)
    except Exception as error:
        return "error", f"the code does not load: {_described(error)}"
    status, detail = _outcome(task, candidate)
    if candidate.gone:  # even if the test did not care
        return "gone", candidate.gone
    if candidate.questions == 0:
        return "infra", f"the test asked nothing of the candidate; {detail or 'it has no checks'}"
    return status, detail


def _outcome(task: dict[str, Any], candidate: _Candidate) -> tuple[str, str]:
    try:
        _test(task, candidate)
    except AssertionError as error:
        return "fail", _described(error)
    except _UnsendableError as error:
        return "infra", str(error)
    except BaseException as error:  # whatever the test raises on what it was given
        return "error", _described(error)
    return "pass", ""


def _test(task: dict[str, Any], candidate: _Candidate) -> None:
    entry_point = task["entry_point"]
    names = candidate.names = {} if entry_point else _Names(candidate)
    names["__name__"] = "judge"
    execute(task["prompt"], "<prompt>", names)
    execute(task["test"], "<test>", names)
    if entry_point:
        stand_in = _Remote(candidate, 0, entry_point)
        if entry_point.isidentifier():
            names[entry_point] = stand_in  # HumanEval/33 calls it by name for what it expects
        names["check"](stand_in)


class _Candidate:
    """The candidate's process: questions go out, data comes back."""

    def __init__(self, channel: int, shared_classes: Sequence[str]):
        self._channel = channel
        self.names: dict[str, Any] = {}
        self.questions = 0
        self.gone = ""
        self._shared_classes = shared_classes

    def ask(self, do: str, number: int = 0, given: Any = None) -> Any:
        """What comes back for a question; an exception of the candidate's is raised here."""
        self.questions += 1
        try:
            send_bytes(self._channel, packed({"do": do, "of": number, "with": given}))
        except OSError as error:
            self._leave(error)
        return self.hear()

    def hear(self) -> Any:
        """The answer that is due; `_MISSING` for a name that the candidate does not define."""
        try:
            answer, _ = receive(self._channel)
            if "raised" in answer:
                name, text = map(str, answer["raised"])
            elif "missing" in answer:
                return _MISSING
            else:
                return Decoder(self._classes, lambda number, kind: _Remote(self, number, kind)).decode(
                    answer["returned"]
                )
        except (CodecError, EOFError, FrameError, LookupError, MemoryError, OSError, TypeError, ValueError) as error:
            self._leave(error)
        raise _RAISED_AGAIN[name](text) if name in _RAISED_AGAIN else CandidateError(f"{name}: {text}")

    def encode(self, value: object) -> dict[str, Any]:
        """What is sent as `value`."""
        return Encoder(self._classes, _number).encode(value)

    def _leave(self, error: Exception) -> NoReturn:
        self.gone = f"the candidate is gone: {type(error).__name__} {error}".rstrip()
        raise _GoneError(self.gone) from None

    @property
    def _classes(self) -> dict[str, type]:
        found = {name: dict.get(self.names, name) for name in self._shared_classes}
        return {name: kind for name, kind in found.items() if isinstance(kind, type)}


class _Remote:
    """Stands for an object of the candidate's process. It is equal to itself alone and knows no arithmetic: what the
    test compares must be data."""

    __slots__ = ("_candidate", "_kind", "_number")

    def __init__(self, candidate: _Candidate, number: int, kind: str):
        self._candidate, self._number, self._kind = candidate, number, kind

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._candidate.ask("call", self._number, self._candidate.encode((arguments, named)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._candidate.ask("attribute", self._number, name)

    def __getitem__(self, key: Any) -> Any:
        return self._candidate.ask("item", self._number, self._candidate.encode(key))

    def __len__(self) -> int:
        return index(self._candidate.ask("length", self._number))

    def __bool__(self) -> bool:
        return self._candidate.ask("truth", self._number) is True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._candidate.ask("list", self._number))

    def __repr__(self) -> str:
        return f"<{self._kind} of the candidate>"


class _Names(dict[str, Any]):
    """The globals of a test that calls what the candidate defines by name. The builtins come first, so that no
    candidate gives a test another `abs`."""

    def __init__(self, candidate: _Candidate):
        super().__init__()
        self._candidate = candidate

    def __missing__(self, name: str) -> Any:
        value = _MISSING if hasattr(builtins, name) else self._candidate.ask("name", given=name)
        if value is _MISSING:
            raise KeyError(name)
        self[name] = value
        return value


_MISSING = object()


def _number(value: object) -> int:
    if type(value) is not _Remote:
        raise _UnsendableError(f"the test passes a {type(value).__name__}, which cannot be sent to the candidate")
    return value._number


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
