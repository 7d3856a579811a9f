"""`Refusal`: what an endpoint's error means for the request, for its retry and for the requests after it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from traceback import walk_tb
from typing import Any, TypeGuard

import httpx2
from huggingface_hub import ChatCompletionOutputMessage
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

from .engine import Generation

RETRIED = {408, 425, 429}
SHARED = {401, 402, 404}  # wrong key, no money left, wrong model or path: the next request would fare no better
MAYBE_BILLED = {408, 502, 504, 520, 522, 524}  # a gateway gave up on a model that may have answered
# What a try can raise; huggingface_hub trips over odd answers in many ways, over a NaN with a RecursionError.
_TRIPPED = (AttributeError, TypeError, LookupError, ArithmeticError, RecursionError)
ERRORS = (httpx2.HTTPError, TimeoutError, ValueError, *_TRIPPED)
MOST_TOKENS = 10**8  # no model reads or writes as many: a number above it is nonsense, and no account
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
        answered (`bool`, *optional*, defaults to `False`):
            As [`Failure`] has it.
    """

    reason: str
    retry: bool = False
    wait: float | None = None
    unanswered: bool = False
    shared: bool = False
    maybe_billed: bool = False
    answered: bool = False


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
    if isinstance(error, RecursionError) and while_reading(error):
        return malformed("the answer holds a NaN, or is nested too deeply")
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return malformed(f"the answer is not JSON ({_line(error)})")
    return malformed(_line(error)) if isinstance(error, ValueError) or while_reading(error) else None


def while_reading(error: BaseException) -> bool:
    """Whether huggingface_hub had an answer, and stumbled over what is in it."""
    return any(frame.f_code.co_name == "parse_obj_as_instance" for frame, _ in walk_tb(error.__traceback__))


def malformed(detail: str) -> Refusal:
    """An answer that is none. Sending the request again would mostly bring, and cost, the same."""
    return Refusal(f"malformed: {detail}", maybe_billed=True, answered=True)


def generation_of(output: Any) -> Generation:
    """The text of a chat completion without the reasoning, which servers that part the two send next to `content`. A
    model that spent all its tokens on reasoning has no text.

    Args:
        output (`ChatCompletionOutput`):
            From `AsyncInferenceClient.chat_completion`, which accepts almost anything.

    Raises:
        [`Refusal`]: if it holds no answer.
    """
    choices = output.choices
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    if not isinstance(message, ChatCompletionOutputMessage):
        raise malformed(f"no choices in {shown(output)}")
    content, finish_reason = message.content, choices[0].finish_reason
    if not isinstance(content, str | None):
        raise malformed("the content is not text")
    if not isinstance(finish_reason, str) or not finish_reason:
        finish_reason = "unknown"
    if finish_reason in ("abort", "error"):
        raise Refusal(f"unfinished: the server ended with {finish_reason}", retry=True, maybe_billed=True)
    asked, answered = tokens_of(output.usage, bool(content and content.strip()))
    return Generation(content or "", (), finish_reason, prompt_tokens=asked, completion_tokens=answered)


def tokens_of(usage: Any, has_text: bool) -> tuple[int, int]:
    """Tokens of the prompt and of the answer as the server counted them; 0 and 0 where what it says cannot be so: with
    one of the two unknown, the cost is unknown."""
    if not isinstance(usage, dict):
        return 0, 0
    # A key of the server's may stand in the place of a method, so the class is asked.
    asked, answered = dict.get(usage, "prompt_tokens"), dict.get(usage, "completion_tokens")
    return (asked, answered) if _is_count(asked, 1) and _is_count(answered, int(has_text)) else (0, 0)


def _is_count(value: Any, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_TOKENS


def _response(error: Exception) -> httpx2.Response | None:
    # Some servers (Google's) put an error into a JSON list, over which huggingface_hub trips with an AttributeError.
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, (HfHubHTTPError, httpx2.HTTPStatusError)):
            return one.response
        one = one.__context__
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
    except (ValueError, RecursionError):
        return response.reason_phrase if "html" in response.headers.get("content-type", "") else _line(response.text)
    while isinstance(said, (dict, list)) and said:
        inner = said[:1] if isinstance(said, list) else [said[word] for word in _SAYING if said.get(word)]
        if not inner:
            return shown(said)
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
    except (ValueError, OverflowError):
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def shown(said: Any) -> str:
    """Text or JSON in a line; a type's name for what cannot be written."""
    try:
        return _line(said if isinstance(said, str) else json.dumps(said))
    except (ValueError, TypeError, RecursionError):
        return type(said).__name__


def _line(said: Any) -> str:
    text = " ".join(str(said).split()) or type(said).__name__
    return text if len(text) <= SAID else text[: SAID - 1] + "…"
