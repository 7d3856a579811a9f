"""A chat completions server on loopback that fails as it is told: no real server fails on demand."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from asap_hf.llm import Request


@dataclass
class Reply:
    """What one request gets.

    Args:
        body: bytes are sent as they are, anything else as JSON; `None` is a completion that repeats the question.
        delay: seconds before anything is sent.
        drop: whether the connection is closed instead.
        message, finish_reason, usage: of the completion, where they differ from the usual.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    message: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = "stop"
    usage: Any = ""


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        return self.body["messages"][-1]["content"]


class FakeEndpoint(ThreadingHTTPServer):
    """Args:
    plan: gets the prompt and how often it was asked before, and gives the reply.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, plan: Callable[[str, int], Reply] | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plan = plan or (lambda prompt, before: Reply())
        self.seen: list[Seen] = []
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle is part of the plan."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeEndpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        seen = Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with server.lock:
            server.seen.append(seen)
            before = server.asked[seen.prompt]
            server.asked[seen.prompt] += 1
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
        try:
            reply = server.plan(seen.prompt, before)
            server.closing.wait(reply.delay)
        finally:
            with server.lock:
                server.in_flight -= 1
        if reply.drop or server.closing.is_set():
            self.close_connection = True
            return
        self._send(reply, seen)

    def _send(self, reply: Reply, seen: Seen) -> None:
        content = completion(reply, seen.prompt) if reply.body is None and reply.status == 200 else reply.body
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        with self.server.lock:
            self.server.answered[seen.prompt] += reply.status == 200
        self.send_response(reply.status)
        headers = {"content-type": "application/json", "content-length": str(len(data)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Silence: what was asked is in `seen`."""


def completion(reply: Reply, prompt: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"answer to {prompt}", **reply.message}
    usage = {"prompt_tokens": len(prompt), "completion_tokens": 5, "total_tokens": len(prompt) + 5}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        **({} if reply.usage is None else {"usage": reply.usage or usage}),
    }


def ask(prompt: object, **more: Any) -> Request:
    """A request that the server understands: its whole text is the prompt."""
    return Request(({"role": "user", "content": str(prompt)},), **{"temperature": 0.0, "max_tokens": 16, **more})
