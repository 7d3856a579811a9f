"""What an endpoint sends back: a completion, or a `Refusal` that says what an error means for the request, for its
retry and for the requests after it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from huggingface_hub import ChatCompletionOutputMessage
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

from .base import Completion

RETRIED = {408, 425, 429}
SHARED = {401, 402, 404}  # wrong key, no money left, wrong model or path: the next request would fare no better
MAYBE_BILLED = {408, 502, 504, 520, 522, 524}  # a gateway gave up on a model that may have answered
ERRORS = (httpx2.HTTPError, TimeoutError, ValueError, AttributeError)
SAID = 300  # characters of a server's message that a reason quotes
_SAYING = ("error", "message", "detail", "msg")


@dataclass(eq=False)
class Refusal(Exception):
    """One try that brought no completion.

    Args:
        reason (`str`):
            As [`Failure`] has it.
        retry (`bool`, *optional*, defaults to `False`):
            Whether another try may fare better.
        wait (`float`, *optional*):
            Seconds that the server asked to wait before it.
        unanswered (`bool`, *optional*, defaults to `False`):
            Nothing was reached.
        shared (`bool`, *optional*, defaults to `False`):
            Any other request would have been refused as well.
        maybe_billed (`bool`, *optional*, defaults to `False`):
            The request was sent, and may be charged for.
    """

    reason: str
    retry: bool = False
    wait: float | None = None
    unanswered: bool = False
    shared: bool = False
    maybe_billed: bool = False


def refusal_of(error: Exception, where: str) -> Refusal | None:
    """What `error`, one of `ERRORS`, means, or `None` if it is not the endpoint's doing.

    Args:
        error (`Exception`):
            From `AsyncInferenceClient.chat_completion`.
        where (`str`):
            What was called, for the operator.
    """
    if (response := _response(error)) is not None:
        return _status(response)
    cause = error.__cause__ if isinstance(error, InferenceTimeoutError) else error
    if isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
        return Refusal(f"unreachable: {where}: {_line(cause)}", retry=True, unanswered=True)
    if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
        return Refusal("timeout: no answer in time", retry=True, maybe_billed=True)
    if isinstance(cause, httpx2.TransportError):
        return Refusal(f"connection: {_line(cause)}", retry=True, maybe_billed=True)
    if isinstance(cause, httpx2.HTTPError):
        return Refusal(f"connection: {_line(cause)}", maybe_billed=True)
    return malformed(_line(error)) if isinstance(error, ValueError) else None


def malformed(detail: str) -> Refusal:
    """An answer that is none. Asking again would mostly bring, and cost, the same."""
    return Refusal(f"malformed: {detail}", maybe_billed=True)


def completion_of(output: Any) -> Completion:
    """The text without the reasoning, which servers that tell the two apart send beside `content`. A model that spent
    all its tokens on reasoning has no text.

    Args:
        output (`ChatCompletionOutput`):
            From `AsyncInferenceClient.chat_completion`, which accepts almost anything.

    Raises:
        [`Refusal`]: if it holds no answer.
    """
    choices = output.choices
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    if not isinstance(message, ChatCompletionOutputMessage):
        raise malformed(f"no choices in {_line(json.dumps(output))}")
    content, finish_reason = message.content, choices[0].finish_reason or "unknown"
    if not isinstance(content, str | None):
        raise malformed("the content is not text")
    if finish_reason in ("abort", "error"):
        raise Refusal(f"unfinished: the server ended with {finish_reason}", retry=True, maybe_billed=True)
    usage = output.usage if isinstance(output.usage, dict) else {}
    asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (isinstance(asked, int) and isinstance(answered, int) and asked > 0 and answered >= 0):
        asked = answered = 0  # half an account is none
    return Completion(content or "", asked, answered, finish_reason)


def _response(error: Exception) -> httpx2.Response | None:
    # Some servers (Google's) put an error into a JSON list, over which huggingface_hub trips with an AttributeError.
    for one in (error, error.__context__):
        if isinstance(one, (HfHubHTTPError, httpx2.HTTPStatusError)):
            return one.response
    return None


def _status(response: httpx2.Response) -> Refusal:
    status = response.status_code
    hint = {401: "the API key is refused or missing, see api_key_env: ", 403: "not allowed with this API key: "}
    return Refusal(
        f"http_{status}: {hint.get(status, '')}{_said(response)}",
        retry=status in RETRIED or status >= 500,
        wait=_retry_after(response.headers.get("retry-after", "")),
        shared=status in SHARED,
        maybe_billed=status in MAYBE_BILLED,
    )


def _said(response: httpx2.Response) -> str:
    """The server's own words, in whichever of the usual shapes they come."""
    try:
        said = response.json()
    except ValueError:
        return response.reason_phrase if "html" in response.headers.get("content-type", "") else _line(response.text)
    while isinstance(said, (dict, list)) and said:
        inner = said[:1] if isinstance(said, list) else [said[word] for word in _SAYING if said.get(word)]
        if not inner:
            return _line(json.dumps(said))
        said = inner[0]
    return _line(said)


def _retry_after(header: str) -> float | None:
    """Seconds, from a number or an HTTP date; `None` if there is neither."""
    try:
        return float(header) if float(header) > 0 else 0.0
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _line(said: Any) -> str:
    text = " ".join(str(said).split()) or type(said).__name__
    return text if len(text) <= SAID else text[: SAID - 1] + "…"
