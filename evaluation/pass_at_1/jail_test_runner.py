"""Runs in a jail of its own: the data set's test code, on a stand-in that passes each call on to the candidate's
process and returns the data that comes back."""

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
from .jail_program_runner import PRELOADED, execute
from .messages import FrameError, packed

_LONGEST_TEXT = 300

_NOT_RERAISED = (AssertionError, StopIteration, StopAsyncIteration, UnicodeError, BaseExceptionGroup)
_RERAISED = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, _NOT_RERAISED)
}


class CandidateError(Exception):
    """The candidate raised an exception of a type that is not raised again here: `AssertionError`, for example, must
    come from the test alone."""


class _GoneError(BaseException):
    """The candidate's process ended, or sent something invalid. Not an `Exception`, because test code catches
    those."""


class _UnsendableError(Exception):
    """The test passes something that is not data, such as a function."""


def run_tests(requests: int, *channels: int) -> int:
    """Run the tests that the host sends, one after the other, and report on each.

    A test is `{"prompt": code, "test": code, "entry_point": expression, "shared_classes": names}`, a report
    `{"status": "pass" | "fail" | "error" | "gone" | "infra", "detail": text, "clean": bool}`. A test that changed the
    state of the interpreter is the last one; `clean` is false then.

    Args:
        requests (`int`):
            Descriptor of the socket on which tests come and reports go.
        channels (`int`):
            Descriptors of sockets to candidates' processes, one for each test, in order.
    """
    state = _InterpreterState()
    for channel in channels:
        try:
            task = receive(requests)
        except EOFError:
            break
        state.restore()
        status, detail = _verdict(task, _CandidateClient(channel, task["shared_classes"]))
        os.close(channel)
        clean = state.is_clean()
        send_bytes(requests, packed({"status": status, "detail": detail[:_LONGEST_TEXT], "clean": clean}))
        if not clean:
            break
    return 0


class _InterpreterState:
    """The state of the interpreter, which one test could change for the next."""

    def __init__(self) -> None:
        self._modules = [sys.modules[name] for name in PRELOADED.split()] + [builtins]
        self._random_state = random.getstate()
        self._names = self._current_names()

    def restore(self) -> None:
        """Restore what can be restored."""
        sys.setrecursionlimit(10_000)  # values in messages may be nested deeply
        random.setstate(self._random_state)
        decimal.setcontext(decimal.DefaultContext)

    def is_clean(self) -> bool:
        """Whether the names of all preloaded modules mean the same as before, and no thread is left."""
        return self._current_names() == self._names and threading.active_count() == 1

    def _current_names(self) -> list[tuple[int, ...]]:
        return [(*map(id, vars(module).values()),) for module in self._modules]


def _verdict(task: dict[str, Any], candidate: _CandidateClient) -> tuple[str, str]:
    try:
        candidate.receive_answer()
    except _GoneError as gone:
        return "gone", str(gone)
    except Exception as error:
        return "error", f"the code does not load: {_described(error)}"
    status, detail = _outcome(task, candidate)
    if candidate.gone:  # even if the test caught it
        return "gone", candidate.gone
    if candidate.requests == 0:
        return "infra", f"the test asked nothing of the candidate; {detail or 'it has no checks'}"
    return status, detail


def _outcome(task: dict[str, Any], candidate: _CandidateClient) -> tuple[str, str]:
    try:
        _test(task, candidate)
    except AssertionError as error:
        return "fail", _described(error)
    except _UnsendableError as error:
        return "infra", str(error)
    except BaseException as error:  # a test may raise anything on a wrong value
        return "error", _described(error)
    return "pass", ""


def _test(task: dict[str, Any], candidate: _CandidateClient) -> None:
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


class _CandidateClient:
    """Sends requests to the candidate's process, and decodes its answers. The protocol stands at [`answer_calls`]."""

    def __init__(self, channel: int, shared_classes: Sequence[str]):
        self._channel = channel
        self.names: dict[str, Any] = {}
        self.requests = 0
        self.gone = ""
        self._shared_classes = shared_classes

    def ask(self, do: str, number: int = 0, given: Any = None) -> Any:
        """Send a request and return the answer; an exception of the candidate's is raised here."""
        self.requests += 1
        try:
            send_bytes(self._channel, packed({"do": do, "of": number, "with": given}))
        except OSError as error:
            self._raise_gone(error)
        return self.receive_answer()

    def receive_answer(self) -> Any:
        """The next answer; `_MISSING` for a name that the candidate does not define."""
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
            self._raise_gone(error)
        raise _RERAISED[name](text) if name in _RERAISED else CandidateError(f"{name}: {text}")

    def encode(self, value: object) -> dict[str, Any]:
        """The message that means `value`."""
        return Encoder(self._classes, _handle_of).encode(value)

    def _raise_gone(self, error: Exception) -> NoReturn:
        self.gone = f"the candidate is gone: {type(error).__name__} {error}".rstrip()
        raise _GoneError(self.gone) from None

    @property
    def _classes(self) -> dict[str, type]:
        found = {name: dict.get(self.names, name) for name in self._shared_classes}
        return {name: kind for name, kind in found.items() if isinstance(kind, type)}


# Its name stands in details of verdicts, such as "unsupported operand type(s)".
class _Remote:
    """Stands for an object in the candidate's process that is not data. It is equal to itself alone and has no
    arithmetic: what a test compares must be data."""

    __slots__ = ("_candidate", "_kind", "_number")

    def __init__(self, candidate: _CandidateClient, number: int, kind: str):
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
    """The globals of a test that calls by name what the candidate defines. Builtins come first, so that a candidate
    cannot replace a test's `abs`."""

    def __init__(self, candidate: _CandidateClient):
        super().__init__()
        self._candidate = candidate

    def __missing__(self, name: str) -> Any:
        value = _MISSING if hasattr(builtins, name) else self._candidate.ask("name", given=name)
        if value is _MISSING:
            raise KeyError(name)
        self[name] = value
        return value


_MISSING = object()


def _handle_of(value: object) -> int:
    if type(value) is not _Remote:
        raise _UnsendableError(f"the test passes a {type(value).__name__}, which cannot be sent to the candidate")
    return value._number


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
