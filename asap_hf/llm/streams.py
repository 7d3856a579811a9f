"""`Streams`: answers read as they are generated, so that the time to the first token is known."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from math import isfinite
from typing import Any

import httpx2

from .engine import Generation, Prompt
from .outcomes import Request
from .refusals import ERRORS, Refusal, malformed, refusal_of, shown, tokens_of
from .server import Server, api_key_of, root_of

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
_REASONS = {"stop": "stop", "eos": "stop", "eos_token": "stop", "length": "length"}
_REASONING = ("reasoning", "reasoning_content")  # the fields of servers that part it from the answer


class Streams:
    """Asks for answers that come in pieces; `timeout` is the longest wait for one.

    Args:
        server ([`Server`]):
            Who is asked.
        model (`str`):
            The name under which it serves the model.
        api (`str`):
            `completions` or `chat`, see [`EndpointEngine`].
    """

    def __init__(self, server: Server, model: str, api: str):
        self._server, self._model, self._api = server, model, api
        self._refused: set[str] = set()  # names of extras that this server does not take

    def client(self) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        key, seconds = api_key_of(self._server), self._server.timeout
        return httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # A host that swallows packets is given up sooner than a model that thinks.
            timeout=httpx2.Timeout(seconds, connect=min(seconds, 30.0)),
        )

    async def ask(self, client: httpx2.AsyncClient, request: Request, prompt: Prompt) -> Generation:
        while True:
            extras = {name: value for name, value in _EXTRAS.items() if name not in self._refused}
            try:
                return await self._read(client, {**self._body(request, prompt), **extras})
            except Refusal as refusal:
                if not (named := _named(refusal, extras)):
                    raise
                self._refused |= named

    def _body(self, request: Request, prompt: Prompt) -> dict[str, Any]:
        asked = {"prompt": prompt.text} if self._api == "completions" else {"messages": list(prompt.messages)}
        return {
            "model": self._model,
            **asked,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            **({"seed": prompt.seed} if request.temperature > 0 else {}),
            "stream": True,
        }

    async def _read(self, client: httpx2.AsyncClient, body: Mapping[str, Any]) -> Generation:
        answer = StreamedAnswer(time.monotonic())
        try:
            async with client.stream("POST", root_of(self._server) + _PATHS[self._api], json=body) as response:
                if response.is_error:
                    await response.aread()
                response.raise_for_status()
                async for event in httpx2.EventSource(response):
                    if event.data == "[DONE]":
                        break
                    answer.add(_chunk(event.data), time.monotonic())
        except httpx2.SSEError as error:
            raise malformed(str(error)) from error
        except ERRORS as error:
            refusal = refusal_of(error, self._server.base_url or "")
            if refusal is None:
                raise
            raise refusal from error
        return answer.finished(time.monotonic())


class StreamedAnswer:
    """The pieces of one answer, put together.

    Args:
        asked_at (`float`):
            When the request was sent, on the monotonic clock, in seconds.
    """

    def __init__(self, asked_at: float):
        self._asked_at = asked_at
        self._first_at: float | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._ids: list[int] = []
        self._usage: Any = None
        self._queue_seconds: float | None = None
        self._finish_reason: str | None = None

    def add(self, chunk: Mapping[str, Any], now: float) -> None:
        """Take in one event of the stream, of `/v1/completions` or `/v1/chat/completions`.

        Raises:
            [`Refusal`]: if it is none.
        """
        try:
            self._add(chunk, now)
        except (TypeError, AttributeError, LookupError, ValueError) as error:
            raise malformed(f"a piece of the stream has another form than it should: {shown(chunk)}") from error

    def _add(self, chunk: Mapping[str, Any], now: float) -> None:
        self._usage = chunk.get("usage") or self._usage
        waited = (chunk.get("metrics") or {}).get("queue_time_ms")  # vLLM's, where it was told to give them
        if waited is not None and isfinite(seconds := float(waited) / 1000):
            self._queue_seconds = seconds
        choices = chunk.get("choices")
        if not choices:
            return
        choice = choices[0]
        piece = choice.get("delta", choice)
        text = _text(piece.get("text") or piece.get("content"))
        reasoning = _text(next((piece[name] for name in _REASONING if piece.get(name)), ""))
        ids = list(choice.get("token_ids") or [])
        if not all(type(one) is int for one in ids):
            raise ValueError(ids)
        self._text.append(text)
        self._reasoning.append(reasoning)
        self._ids += ids
        if self._first_at is None and (text or reasoning or ids):
            self._first_at = now
        self._finish_reason = _text(choice.get("finish_reason")) or self._finish_reason

    def finished(self, now: float) -> Generation:
        """The whole, once the stream has ended.

        Raises:
            [`Refusal`]: if it ended before the answer did.
        """
        if self._finish_reason is None:
            raise Refusal("connection: the stream ended before the answer", retry=True, maybe_billed=True)
        if self._finish_reason not in _REASONS:
            raise Refusal(f"unfinished: the server ended with {self._finish_reason}")
        reason = _REASONS[self._finish_reason]
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        if reasoning:
            closed = text or reason == "stop"
            text = f"{reasoning}</think>{text}" if closed else reasoning
        return Generation(
            "" if self._ids else text.encode(errors="replace").decode(),  # JSON can hold half a surrogate pair
            tuple(self._ids),
            reason,
            self._queue_seconds,
            None if self._first_at is None else self._first_at - self._asked_at,
            now - self._asked_at,
            *tokens_of(self._usage, bool(text)),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str | None):
        raise TypeError(value)
    return value or ""


def _named(refusal: Refusal, extras: Iterable[str]) -> set[str]:
    """The extras that a refusal complains about."""
    if not refusal.reason.startswith(("http_400", "http_422")):
        return set()
    return {name for name in extras if name in refusal.reason}


def _chunk(data: str) -> dict[str, Any]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise malformed(f"a piece of the stream is not JSON: {data[:80]!r}") from error
    if not isinstance(chunk, dict):
        raise malformed(f"a piece of the stream is no object: {data[:80]!r}")
    if chunk.get("error"):
        raise Refusal(f"unfinished: the server broke off with {shown(chunk['error'])}", retry=True)
    return chunk
