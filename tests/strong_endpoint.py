"""An OpenAI-compatible chat server on loopback that answers stage 1's prompts as a strong model would.

The tests need one because no model that fits here prunes a trace well. It reads the prompt, not the test: the direct
chain of thought comes from the solution's own words, and the pruning keeps the steps that share words with it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PART = re.compile(r"<(problem|solution|direct_reasoning|chain_of_thought|steps)>\n(.*?)\n</\1>", re.DOTALL)
_STEP = re.compile(r"^\[(\d+)\] (.*?)(?=\n\n\[\d+\] |\Z)", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"[^\W\d]\w*")


class StrongEndpoint(ThreadingHTTPServer):
    """Counts what it was asked, by the SHA-256 of the messages.

    Args:
        spoil (`Callable`, *optional*):
            Gets the prompt's hash, how often it was asked before, and the good answer; returns what is sent instead.
    """

    daemon_threads = True
    request_queue_size = 128  # with the usual 5, connections are refused when many requests come at once

    def __init__(self, spoil: Callable[[str, int, str], str] | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()
        self.spoil = spoil
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, prompt: str) -> str:
        name = hashlib.sha256(prompt.encode()).hexdigest()
        good = answer(prompt)
        with self.lock:
            before = self.asked[name]
            self.asked[name] += 1
        return self.spoil(name, before, good) if self.spoil else good


@contextmanager
def strong_endpoint(spoil: Callable[[str, int, str], str] | None = None) -> Iterator[StrongEndpoint]:
    """A running server; gone at the end of the block."""
    server = StrongEndpoint(spoil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def answer(prompt: str) -> str:
    """What a strong model would say to one of stage 1's prompts."""
    parts = dict(_PART.findall(prompt))
    if "solution" in parts:
        words = sorted(set(_WORD.findall(parts["solution"])))
        return "Read the input.\n\nThe solution needs " + ", ".join(words) + ".\n\nPrint the result."
    anchor = set(_WORD.findall(parts["direct_reasoning"]))
    if "steps" in parts:
        kept = [int(number) for number, text in _STEP.findall(parts["steps"]) if _needed(text, anchor)]
        return json.dumps({"keep": ",".join(str(number) for number in kept or [1])})
    steps = re.split(r"\n\n+", parts["chain_of_thought"])
    kept_text = [_lightly_edited(step) for step in steps if _needed(step, anchor)] or steps[:1]
    return "\n\n".join(kept_text)


def _needed(step: str, anchor: set[str]) -> bool:
    words = _WORD.findall(step)
    return bool(words) and sum(word in anchor for word in words) / len(words) >= 0.4


def _lightly_edited(step: str) -> str:
    """LLMs that are told to copy word for word still drop a word or change a mark now and then."""
    return step.replace(",", "", 1).replace("Okay ", "") if len(step) > 40 else step


class _Handler(BaseHTTPRequestHandler):
    server: StrongEndpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        text = self.server.answer(prompt)
        message = {"role": "assistant", "content": text}
        reply = {
            "id": "chat",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {
                "prompt_tokens": len(prompt) // 4,
                "completion_tokens": len(text) // 4,
                "total_tokens": (len(prompt) + len(text)) // 4,
            },
        }
        payload = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *what: object) -> None:
        """Quiet: pytest shows what matters."""
