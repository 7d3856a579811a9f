"""An OpenAI-compatible server on loopback that streams what a script says: no real model gives a known answer."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from transformers import PreTrainedTokenizerBase

PIECE = 4  # tokens of an event
NOT_OPENAI = {"return_token_ids", "skip_special_tokens", "repetition_penalty", "top_k", "min_p"}


@dataclass
class Script:
    """What one request gets.

    Args:
        text: all of the answer; `max_tokens` cuts it.
        reasoning: what a server that parts it sends in a field of its own, before the answer.
        finish_reason: where `max_tokens` does not cut.
        status, headers, body: instead of an answer, if the status is an error.
        breaks: whether the connection is closed in the middle.
        stalls: seconds before each event.
        before: called before each event with its number.
        last: events that are sent after the answer, such as usage.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str = "stop"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    breaks: bool = False
    stalls: float = 0.0
    before: Callable[[int], object] = lambda event: None
    last: tuple[Any, ...] = ()


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        messages = self.body.get("messages")
        return messages[-1]["content"] if messages else self.body["prompt"]


class ScriptedServer(ThreadingHTTPServer):
    """Args:
    script: gets the prompt and how often it was asked before.
    tokenizer: whose tokens are counted and sent.
    gives_ids: whether it knows `return_token_ids`.
    refuses: fields that it answers with 422.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        script: Callable[[str, int], Script],
        tokenizer: PreTrainedTokenizerBase,
        gives_ids: bool = True,
        refuses: frozenset[str] | set[str] = frozenset(),
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.tokenizer, self.gives_ids, self.refuses = script, tokenizer, gives_ids, refuses
        self.seen: list[Asked] = []
        self.asked: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle is part of the plan."""


@contextmanager
def scripted_server(
    script: Callable[[str, int], Script], tokenizer: PreTrainedTokenizerBase, **more: Any
) -> Iterator[ScriptedServer]:
    """A running server; gone at the end of the block."""
    server = ScriptedServer(script, tokenizer, **more)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_GET(self) -> None:
        self._send(404, {"error": "not found"}, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        server = self.server
        if unknown := server.refuses & body.keys():
            return self._send(422, {"detail": f"Unexpected fields in the request: {unknown}"}, {})
        with server.lock:
            server.seen.append(asked)
            before = server.asked[asked.prompt]
            server.asked[asked.prompt] += 1
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
        self._counted = True
        try:
            script = server.script(asked.prompt, before)
            if script.status != 200:
                self._leave()
                return self._send(script.status, script.body, script.headers)
            self._stream(script, body)
        finally:
            self._leave()

    def _leave(self) -> None:
        """No longer in flight: before the client can know that its answer is whole, and send the next request."""
        with self.server.lock:
            self.server.in_flight -= self._counted
            self._counted = False

    def _stream(self, script: Script, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        events = list(self._events(script, body))
        for number, event in enumerate(events):
            if script.breaks and number >= len(events) // 2:
                return
            time.sleep(script.stalls)
            script.before(number)
            self._event(json.dumps(event))
        for event in script.last:
            self._event(json.dumps(event))
        self._leave()
        self._event("[DONE]")

    def _events(self, script: Script, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        chat, tokenizer = "messages" in body, self.server.tokenizer
        ids = [*tokenizer(script.text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        reason = script.finish_reason if len(ids) <= body["max_tokens"] else "length"
        ids = ids[: body["max_tokens"]]
        if script.reasoning:
            yield {"choices": [{"index": 0, "delta": {"reasoning": script.reasoning}, "finish_reason": None}]}
        for start in range(0, len(ids), PIECE):
            piece = ids[start : start + PIECE]
            text = tokenizer.decode(piece, skip_special_tokens=True)
            choice: dict[str, Any] = {"index": 0, "delta": {"content": text}} if chat else {"index": 0, "text": text}
            choice["finish_reason"] = reason if start + PIECE >= len(ids) else None
            if self.server.gives_ids and body.get("return_token_ids"):
                choice["token_ids"] = piece
            yield {"choices": [choice]}

    def _event(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(payload)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *what: Any) -> None:
        """Quiet: what was asked is in `seen`."""
