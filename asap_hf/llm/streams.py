"""`Streams`: the requests of one call to a server, some at a time, each read as it streams."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import httpx2

from .engine import Failure, Generation, Prompt, Sampling
from .refusals import ERRORS, Refusal, malformed, refusal_of, shown
from .streamed import StreamedAnswer
from .workers import LONGEST_WAIT

if TYPE_CHECKING:
    from .endpoint_engine import EndpointEngine

# What OpenAI's API does not know, or not every server. `skip_special_tokens`: `</think>` is special for some models.
_EXTRAS: dict[str, Any] = {
    "stream_options": {"include_usage": True},
    "return_token_ids": True,
    "skip_special_tokens": False,
    "repetition_penalty": 1.0,
    "top_k": -1,
    "min_p": 0.0,
}
_PATHS = {"completions": "/v1/completions", "chat": "/v1/chat/completions"}


class Streams:
    """Threads that share the prompts of one call.

    Args:
        engine (`EndpointEngine`):
            Where the server is, and how patient to be.
        prompts (`Sequence[Prompt]`):
            What to ask.
        budget (`int`):
            Most tokens of an answer.
        sampling (`Sampling`):
            How the server draws.
    """

    def __init__(self, engine: EndpointEngine, prompts: Sequence[Prompt], budget: int, sampling: Sampling):
        self._engine = engine
        self._budget = budget
        self._sampling = sampling
        self._headers = engine.headers()
        self._todo: SimpleQueue[tuple[int, Prompt]] = SimpleQueue()
        for item in enumerate(prompts):
            self._todo.put(item)
        self._count = len(prompts)
        self._arrived: SimpleQueue[tuple[int, Generation | Failure] | BaseException] = SimpleQueue()
        self._refused: set[str] = set()  # names of extras that this server does not take
        self._closed = ""  # why nothing more is sent
        self._stopping = Event()

    def outcomes(self) -> Iterator[tuple[int, Generation | Failure]]:
        """Place and outcome of every prompt, as each arrives."""
        connections = httpx2.Limits(max_connections=None, max_keepalive_connections=self._engine.max_concurrency)
        # A host that swallows packets is given up sooner than a model that thinks.
        seconds = httpx2.Timeout(self._engine.timeout, connect=min(self._engine.timeout, 30.0))
        with httpx2.Client(headers=self._headers, timeout=seconds, limits=connections) as client:
            for _ in range(min(self._engine.max_concurrency, self._count)):
                Thread(target=self._work, args=(client,), name="asap-hf-stream", daemon=True).start()
            for _ in range(self._count):
                item = self._arrived.get()
                if isinstance(item, BaseException):
                    raise item
                yield item

    def stop(self) -> None:
        """Send nothing more; what is in flight ends with its next token."""
        self._stopping.set()

    def _work(self, client: httpx2.Client) -> None:
        try:
            while not self._stopping.is_set():
                number, prompt = self._todo.get_nowait()
                self._arrived.put((number, self._outcome(client, prompt)))
        except Empty:
            return
        except BaseException as error:
            self._arrived.put(error)

    def _outcome(self, client: httpx2.Client, prompt: Prompt) -> Generation | Failure:
        attempt = 0
        while True:
            if self._closed:
                return Failure(self._closed)
            extras = {name: value for name, value in _EXTRAS.items() if name not in self._refused}
            try:
                return self._ask(client, {**self._body(prompt), **extras})
            except Refusal as refusal:
                if refused := _named(refusal, extras):
                    self._refused |= refused
                    continue
                last = refusal
            if not last.retry or attempt == self._engine.max_retries or self._stopping.is_set():
                break
            self._pause(attempt, last.wait)
            attempt += 1
        if last.shared or last.unanswered:  # the next request would fare no better
            self._closed = self._closed or last.reason
        return Failure(last.reason)

    def _pause(self, attempt: int, wait: float | None) -> None:
        step = self._engine.backoff
        seconds = step * 2**attempt * random.uniform(0.5, 1.0) if wait is None else wait + step * random.random()
        self._stopping.wait(min(seconds, LONGEST_WAIT))

    def _ask(self, client: httpx2.Client, body: Mapping[str, Any]) -> Generation:
        answer = StreamedAnswer(time.monotonic())
        url = self._engine.root + _PATHS[self._engine.api]
        try:
            with client.stream("POST", url, json=body) as response:
                if response.is_error:
                    response.read()
                response.raise_for_status()
                for event in httpx2.EventSource(response):
                    if self._stopping.is_set():
                        raise Refusal("stopped")
                    if event.data == "[DONE]":
                        break
                    answer.add(_chunk(event.data), time.monotonic())
        except httpx2.SSEError as error:
            raise malformed(str(error)) from error
        except ERRORS as error:
            refusal = refusal_of(error, self._engine.base_url)
            if refusal is None:
                raise
            refusal.reason = self._without_key(refusal.reason)
            raise refusal from error
        return answer.finished(time.monotonic())

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        asked = {"prompt": prompt.text} if self._engine.api == "completions" else {"messages": list(prompt.messages)}
        sampled = self._sampling.temperature > 0
        return {
            "model": self._engine.model,
            **asked,
            "max_tokens": self._budget,
            "temperature": self._sampling.temperature,
            "top_p": self._sampling.top_p,
            **({"seed": prompt.seed} if sampled else {}),
            "stream": True,
        }

    def _without_key(self, reason: str) -> str:
        key = self._headers.get("Authorization", "").removeprefix("Bearer ")
        return reason.replace(key, "***") if key else reason


def _named(refusal: Refusal, extras: Iterable[str]) -> set[str]:
    """The extras that a refusal complains about."""
    if not refusal.reason.startswith(("http_400", "http_422")):
        return set()
    return {name for name in extras if name in refusal.reason}


def _chunk(data: str) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise malformed(f"a piece of the stream is not JSON: {data[:80]!r}") from error
    if not isinstance(told, dict):
        raise malformed(f"a piece of the stream is no object: {data[:80]!r}")
    if told.get("error"):
        raise Refusal(f"unfinished: the server broke off with {shown(told['error'])}", retry=True)
    return told
