"""`StreamedAnswer`: the pieces of a streamed completion, put together."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from .engine import FinishReason, Generation
from .refusals import Refusal, malformed, shown

_REASONS: dict[str, FinishReason] = {"stop": "stop", "eos": "stop", "eos_token": "stop", "length": "length"}
_REASONING = ("reasoning", "reasoning_content")  # the fields of servers that part it from the answer


class StreamedAnswer:
    """What has come of one answer.

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
        )


def _text(value: Any) -> str:
    if not isinstance(value, str | None):
        raise TypeError(value)
    return value or ""
