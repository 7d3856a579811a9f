"""Call the Hub, retry what can pass, and report anything else in one sentence with a remedy."""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from ..errors import RunError, UsageError

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

TRIES = 8
FIRST_TRIES = 3  # where nothing was reached yet: a machine without a network is not helped by waiting
FIRST_DELAY = 1.0  # seconds; doubles with every try
LONGEST_DELAY = 60.0  # seconds
LONGEST_PAUSE = 330.0  # seconds; the most that `Retry-After` may ask for. The Hub counts requests per 300 seconds.
SILENCE = 300.0  # seconds without a byte after which a connection counts as lost; the client itself waits for ever

LEFT = "main is as it was"
"""What a failure leaves behind, before anything is committed."""

NO_TOKEN = "no Hugging Face token: run `hf auth login`, or set HF_TOKEN"

_REMEDIES = {
    401: "the Hub does not accept the token (401); run `hf auth login`, or set HF_TOKEN to a valid one",
    403: "the token may not do that (403); use a token with write access to that namespace, or name another repo",
    404: "there is no such repo, or the token may not see it (404); check the name and whose token is used",
}
_XET_STATUS = re.compile(r"HTTP status \w+ error \((\d{3})")  # hf_xet tells it nowhere else
_PRIVATE = re.compile(r"\bhf_\w+|\?[^\s'\"]+")  # tokens; the query of a URL, which may be a signature

Result = TypeVar("Result")


def calling_the_hub(
    what: str,
    call: Callable[[], Result],
    left: str = LEFT,
    also_retried: Collection[int] = (),
    first: bool = False,
) -> Result:
    """Make a call, and retry it after a failure that can pass: a lost connection, 408, 429 or 5xx.

    Waits between tries grow twofold, with chance in them, so that clients do not return in step; an answer's
    `Retry-After` or rate limit goes first. Each retry is one line in the log.

    Args:
        what (`str`):
            What is being done, with the repo's name, to stand after "could not".
        call (`Callable`):
            Has to do no harm when it is made twice. Expected answers, such as a 404, it handles itself.
        left (`str`, *optional*, defaults to `"main is as it was"`):
            What a failure leaves behind.
        also_retried (`Collection[int]`, *optional*, defaults to none):
            Other statuses that pass, such as 409 where several writers meet.
        first (`bool`, *optional*, defaults to `False`):
            Whether this is the first that is asked of the Hub. If no connection to it can be made at all, it then
            gives up after seconds.

    Raises:
        [`UsageError`]: if there is no token, or the Hub does not let this one do it (401, 403, 404), or an argument
            is none that it could take.
        [`RunError`]: if the trouble did not pass, or the Hub refused for another reason.
    """
    retries = 0
    while True:
        try:
            _limit_silence()
            return call()
        except (UsageError, RunError):
            raise
        except Exception as error:
            words = _passing(error, also_retried)
            if words is None:
                sentence = _sentence(what, error)
                if sentence is None:
                    raise
                raise sentence from error
            tries = FIRST_TRIES if first and _never_connected(error) else TRIES
            if retries >= tries - 1:
                raise _given_up(what, words, retries + 1, left, tries) from error
            delay = _delay(retries, _response(error))
            retries += 1
            logger.warning("could not %s: %s; retry %d of %d in %.1f s", what, words, retries, tries - 1, delay)
            time.sleep(delay)


def _given_up(what: str, words: str, times: int, left: str, tries: int) -> RunError:
    if tries == FIRST_TRIES:
        return RunError(
            f"could not {what}: the Hub cannot be reached: {words}, {times} times; nothing was sent; see to the "
            "network (and to HF_ENDPOINT, if it is set), then run the same command again"
        )
    return RunError(f"could not {what}: {words}, {times} times; {left}; run the same command again to continue")


def _never_connected(error: BaseException) -> bool:
    """Whether no connection could be made at all: no network, no such host, no server on the port."""
    import httpx2

    refused = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)
    return any(isinstance(cause, refused) for cause in _causes(error))


def status_of(error: BaseException) -> int | None:
    """The HTTP status of the answer that an error, or what caused it, came from."""
    response = _response(error)
    if response is not None:
        return response.status_code
    statuses = (_XET_STATUS.search(str(cause)) for cause in _causes(error) if isinstance(cause, ConnectionError))
    return next((int(found[1]) for found in statuses if found), None)


def _limit_silence() -> None:
    """Set a read timeout on the client's session. There is one session per process, but a new one after a failed
    connect."""
    from huggingface_hub import get_session

    session = get_session()
    if session.timeout.read is None:
        session.timeout = SILENCE


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on: the client wraps what went wrong while it uploads."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _response(error: BaseException) -> httpx2.Response | None:
    responses = (getattr(cause, "response", None) for cause in _causes(error))
    return next((response for response in responses if response is not None), None)


def _passing(error: Exception, also_retried: Collection[int]) -> str | None:
    """A failure that can pass, in words; `None` for any other."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    status = status_of(error)
    if status is not None:
        return f"HTTP {status}" if status in (408, 429, *also_retried) or status >= 500 else None
    lost = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ProxyError)
    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return None
        if isinstance(cause, (*lost, ConnectionError, TimeoutError)):
            return f"the connection was lost ({_public(str(cause)) or type(cause).__name__})"
        if isinstance(cause, json.JSONDecodeError):
            return "the answer was cut short"
    return None


def _sentence(what: str, error: Exception) -> UsageError | RunError | None:
    """The error for the operator; `None` for one that has nothing to do with the Hub."""
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

    causes = list(_causes(error))
    status = status_of(error)
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes):
        return UsageError(f"could not {what}: HF_HUB_OFFLINE is set; unset it")
    if status is None:
        return UsageError(f"could not {what}: {_public(str(error))}") if isinstance(error, HFValidationError) else None
    if status in (401, 403) or (status == 404 and any(isinstance(cause, RepositoryNotFoundError) for cause in causes)):
        return UsageError(f"could not {what}: {_REMEDIES[status]}")
    reasons = [reason for cause in causes if (reason := getattr(cause, "server_message", None))]
    return RunError(f"could not {what}: the Hub refused it ({status}): {_public([*reasons, str(error)][0])}")


def _public(text: str) -> str:
    """One line, without tokens and signatures."""
    return _PRIVATE.sub("…", " ".join(text.split()))[:300]


def _delay(retries: int, response: httpx2.Response | None) -> float:
    asked = None if response is None else _asked_pause(response)
    if asked is not None:
        return min(asked, LONGEST_PAUSE) + random.uniform(0, FIRST_DELAY)
    return min(FIRST_DELAY * (1 << retries), LONGEST_DELAY) * random.uniform(0.5, 1)


def _asked_pause(response: httpx2.Response) -> float | None:
    """Seconds that the answer asks to wait: `Retry-After` in either form, or the Hub's own rate limit header."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    asked = response.headers.get("retry-after", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            return max((parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds(), 0)
        except (TypeError, ValueError):
            return None
    limit = parse_ratelimit_headers(response.headers)
    return float(limit.reset_in_seconds) if limit is not None and limit.remaining == 0 else None
