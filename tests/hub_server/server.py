"""A Hub on loopback that stores what it is sent: `python -m tests.hub_server.server --port 0` prints its address."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import IO

from tests.hub_server import content, discussions, repositories
from tests.hub_server.access import TOKENS
from tests.hub_server.control import PREFIX, Control
from tests.hub_server.faults import Rule, kill
from tests.hub_server.store import Store
from tests.hub_server.web import Answer, Request, Routes

_CHUNK = 1 << 20
_IN_MEMORY = 8 << 20


class HubServer(ThreadingHTTPServer):
    """One test Hub."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.store = Store(folder)
        self.control = Control(self.store)
        self.answer = Routes(self.control.routes, repositories.ROUTES, discussions.ROUTES, content.ROUTES)
        self.numbers = count(1)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed or went away is no fault of ours; anything else is, and is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Connection(BaseHTTPRequestHandler):
    """One kept-alive connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: HubServer

    def log_message(self, *_: object) -> None:
        """The log is asked for; nothing is printed."""

    def _serve(self) -> None:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
            received = self._receive(body)
            request = Request(self.command, self.path, self.headers, body, self.server.store)
            if request.path.startswith(PREFIX):
                self._send(self.server.answer(request))
                return
            rule = self.server.control.faults.due(f"{self.command} {self.path}")
            executes = rule is None or rule.executed
            answer = self.server.answer(request) if executes else Answer(0)
            if rule is not None and rule.action == "status":
                answer = rule.answer()
            self._note(request, received, answer, executes, rule)
            if rule is None or rule.action == "status":
                self._send(answer)
            else:
                _FAULTS[rule.action](self, rule, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _receive(self, body: IO[bytes]) -> int:
        """Read the request's body, of known length or in chunks; returns its bytes."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body.write(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            left = int(self.headers.get("Content-Length", 0))
            while left:
                chunk = self.rfile.read(min(left, _CHUNK))
                if not chunk:
                    raise ConnectionAbortedError("the client went away inside its request")
                body.write(chunk)
                left -= len(chunk)
        received = body.tell()
        body.seek(0)
        return received

    def _note(self, request: Request, received: int, answer: Answer, executed: bool, rule: Rule | None) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        entry = {
            "method": self.command,
            "path": self.path,  # with the query
            "status": answer.status,  # 0: nothing was executed, so there is no answer
            "executed": executed,
            "received": received,  # bytes of the request's body
            "sent": 0 if self.command == "HEAD" else len(answer),  # bytes of the answer's body, were it not cut
            "role": TOKENS[token].role if token in TOKENS else "unknown" if token else "",
            "fault": rule.action if rule else "",
        }
        self.server.control.log.append(entry)

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("X-Request-Id", f"Root=1-{next(self.server.numbers):08x}")
        self.end_headers()

    def _send(self, answer: Answer) -> None:
        self._head(answer)
        if self.command != "HEAD":
            for chunk in answer.chunks():
                self.wfile.write(chunk)

    def _cut(self, rule: Rule, answer: Answer) -> None:
        self.close_connection = True

    def _cut_body(self, rule: Rule, answer: Answer) -> None:
        self.close_connection = True
        self._head(answer)
        if self.command != "HEAD" and len(answer) > 1:
            self.wfile.write(next(answer.chunks(len(answer) // 2)))

    def _slow(self, rule: Rule, answer: Answer) -> None:
        pieces = [] if self.command == "HEAD" else list(answer.chunks(max(1, len(answer) // 10)))
        if not pieces:
            time.sleep(rule.seconds)
        self._head(answer)
        for piece in pieces:
            self.wfile.flush()
            time.sleep(rule.seconds / len(pieces))
            self.wfile.write(piece)

    def _hang(self, rule: Rule, answer: Answer) -> None:
        self.close_connection = True
        rule.released.wait(rule.seconds)

    def _kill(self, rule: Rule, answer: Answer) -> None:
        self.close_connection = True
        kill(rule, self.client_address[1])


_FAULTS: dict[str, Callable[[Connection, Rule, Answer], None]] = {
    "cut_before": Connection._cut,
    "cut_after": Connection._cut,
    "cut_body": Connection._cut_body,
    "slow": Connection._slow,
    "hang": Connection._hang,
    "kill": Connection._kill,
}


def main() -> None:
    """Serve until stdin closes, so that no server outlives the test that started it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    port = parser.parse_args().port
    with tempfile.TemporaryDirectory(prefix="test-hub-", ignore_cleanup_errors=True) as folder:
        server = HubServer(port, Path(folder))
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        while os.read(sys.stdin.fileno(), _CHUNK):
            pass
        server.shutdown()


if __name__ == "__main__":
    main()
