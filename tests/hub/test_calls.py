from __future__ import annotations

import json
import logging
import re

import pytest

from asap_hf.errors import RunError, UsageError
from asap_hf.hub import calls as hub_calls


def test_an_answer_that_is_cut_short_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(waits(json.JSONDecodeError("Unterminated string", '{"sha": "', 8), 3, monkeypatch)) == 3


def answer(status: int, **headers: str) -> Exception:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    request = httpx2.Request("POST", "http://127.0.0.1/api?signature=abcdef")
    response = httpx2.Response(
        status, headers={name.replace("_", "-"): text for name, text in headers.items()}, request=request
    )
    return HfHubHTTPError(f"{status} for url http://127.0.0.1/api?signature=abcdef hf_abcdefgh", response=response)


def waits(error: Exception, times: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds slept between the tries of a call that fails some times."""
    slept: list[float] = []
    left = [error] * times
    monkeypatch.setattr("time.sleep", slept.append)

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    assert hub_calls.calling_the_hub("try it", call) == "done"
    return slept


def test_the_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = waits(answer(500), 7, monkeypatch)
    assert all(low <= one <= 2 * low for low, one in zip([0.5, 1, 2, 4, 8, 16, 30], slept, strict=True))
    assert slept != waits(answer(500), 7, monkeypatch)


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry_after": "7"}, 7, 8),
        ({"retry_after": "100000"}, 330, 331),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, 1),
        ({"retry_after": "Wed, 21 Oct 2215 07:28:00 GMT"}, 330, 331),
        ({"retry_after": "soon"}, 0.5, 1),
        ({"ratelimit": '"api";r=0;t=55'}, 55, 56),
        ({"ratelimit": '"api";r=3;t=55'}, 0.5, 1),
    ],
)
def test_the_pause_that_the_hub_asks_for(
    headers: dict[str, str], low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert low <= waits(answer(429, **headers), 1, monkeypatch)[0] <= high


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_retry_is_one_line_without_secrets(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="asap_hf"):
        assert len(waits(answer(status), 2, monkeypatch)) == 2
    assert len(caplog.messages) == 2
    assert re.fullmatch(rf"could not try it: HTTP {status}; retry 2 of 7 in \d\.\d s", caplog.messages[-1])


@pytest.mark.parametrize("status", [400, 404, 409, 410, 412, 413, 422])
def test_what_does_not_pass_is_not_tried_again(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def call() -> None:
        raise answer(status)

    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("a pause"))
    with pytest.raises(RunError, match=rf"could not try it: the Hub refused it \({status}\)") as caught:
        hub_calls.calling_the_hub("try it", call)
    assert "signature" not in str(caught.value)
    assert "hf_abcdefgh" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "Network error: Request error: HTTP status client error (403 Forbidden), domain: http",
            UsageError,
            "(403); use",
        ),
        (
            "Network error: Request error: HTTP status client error (404 Not Found), domain: x",
            RunError,
            "refused it (404)",
        ),
        (
            "Server error: Request error: HTTP status server error (503 Service Unavailable)",
            RunError,
            "HTTP 503, 8 times",
        ),
        (
            "Network error: error sending request",
            RunError,
            "lost (Network error: error sending request), 8 times; main",
        ),
    ],
)
def test_what_xet_says(text: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Xet's own client raises nothing but this, after tries of its own."""

    def call() -> None:
        raise ConnectionError(text)

    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(error, match=re.escape(message)):
        hub_calls.calling_the_hub("try it", call)


def test_an_error_that_is_not_the_hubs_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        hub_calls.calling_the_hub("divide", lambda: 1 // 0)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from huggingface_hub import HfApi

    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(
        RunError, match="could not ask: the connection was lost .*Connection refused.*, 8 times; main is"
    ):
        hub_calls.calling_the_hub("ask", lambda: HfApi(endpoint="http://127.0.0.1:9").whoami(token="x"))
    assert len(caplog.messages) == 7


def test_nobody_listens_to_the_first_question(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from huggingface_hub import HfApi

    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(RunError, match="could not ask: the Hub cannot be reached: .*Connection refused.*, 3 times"):
        hub_calls.calling_the_hub("ask", lambda: HfApi(endpoint="http://127.0.0.1:9").whoami(token="x"), first=True)
    assert len(caplog.messages) == 2


def test_trouble_of_a_hub_that_answers_is_as_long_waited_for_at_the_first_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = [answer(503)] * 7
    monkeypatch.setattr("time.sleep", lambda _: None)

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    assert hub_calls.calling_the_hub("ask", call, first=True) == "done"


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="could not ask: HF_HUB_OFFLINE is set; unset it"):
        hub_calls.calling_the_hub("ask", lambda: HfApi().whoami(token="x"))
