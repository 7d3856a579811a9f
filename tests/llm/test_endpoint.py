"""The endpoint backend against a real HTTP server that fails on demand."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.inference._providers import CONVERSATIONAL_AUTO_ROUTER

from asap_hf.errors import RunError, UsageError
from asap_hf.llm import Completion, EndpointGenerator, Failure, Request
from asap_hf.llm.refusals import _retry_after
from asap_hf.runtime.ledger import open_ledger

from ..waiting import LONGEST, until
from .fake_endpoint import FakeEndpoint, Reply, ask

SECRET = "hf_secretsecretsecret"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch, no_proxy) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("HF_TOKEN", SECRET)


def generator(server: FakeEndpoint, **more) -> EndpointGenerator:
    return EndpointGenerator("m", base_url=server.url, **{"backoff": 0.01, **more})


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_answers_come_in_order(server):
    server.plan = lambda prompt, before: Reply(delay=0.002 * (int(prompt) * 7 % 20))
    outcomes = generator(server)([ask(number) for number in range(60)])
    assert [outcome.text for outcome in outcomes] == [f"answer to {number}" for number in range(60)]
    assert max(server.asked.values()) == 1


def test_what_is_sent(server):
    EndpointGenerator("name", base_url=server.url.removesuffix("/v1"))(
        [Request(({"role": "system", "content": "s"}, {"role": "user", "content": "u"}), 2.0, max_tokens=7)]
    )
    (seen,) = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.body == {
        "model": "name",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "temperature": 2.0,
        "top_p": 1.0,
        "max_tokens": 7,
        "stream": False,
    }


def test_what_comes_back(server):
    replies = {
        "reasons": Reply(message={"reasoning_content": "hm", "reasoning": "hm"}, finish_reason="length"),
        "only reasons": Reply(message={"content": None, "reasoning": "hm"}, finish_reason="length"),
        "no text": Reply(message={"content": None, "reasoning_content": "hm"}),
        "no finish": Reply(finish_reason=None),
        "odd finish": Reply(finish_reason=["stop"]),
        "beside it": Reply(message={"reasoning_content": "hm", "get": 1, "items": 2}),
    }
    server.plan = lambda prompt, before: replies[prompt]
    outcomes = generator(server)([ask(prompt) for prompt in replies])
    cut, only_reasons, no_text, no_finish, odd_finish, beside = outcomes
    assert cut == only_reasons == Failure("cut: the answer was cut at the token limit")
    assert no_text == Failure("empty: the answer holds no text")
    assert (no_text.prompt_tokens, no_text.completion_tokens) == (7, 5)
    assert no_finish == Completion("answer to no finish", 9, 5, "unknown")
    assert odd_finish == Completion("answer to odd finish", 10, 5, "unknown")
    assert beside == Completion("answer to beside it", 9, 5)


def test_concurrency_is_used_and_not_passed(server):
    seven = threading.Barrier(7, timeout=LONGEST)
    server.plan = lambda prompt, before: Reply() if seven.wait() >= 0 else Reply(500)
    outcomes = generator(server, max_concurrency=7)([ask(number) for number in range(28)])
    assert all(isinstance(one, Completion) for one in outcomes)
    assert server.most_in_flight == 7


def test_more_requests_in_flight_than_one_client_keeps_connections(server):
    all_of_them = threading.Barrier(120, timeout=LONGEST)
    server.plan = lambda prompt, before: Reply() if all_of_them.wait() >= 0 else Reply(500)
    outcomes = generator(server, max_concurrency=120)([ask(number) for number in range(120)])
    assert all(isinstance(one, Completion) for one in outcomes)
    assert server.most_in_flight == 120


def test_retry_after_is_honoured(server):
    moments = {"seconds": [], "date": []}

    def plan(prompt: str, before: int) -> Reply:
        moments[prompt].append(now := datetime.now(UTC))
        wait = {"seconds": "1", "date": format_datetime(now + timedelta(seconds=3), usegmt=True)}[prompt]
        return Reply(429, {}, {"retry-after": wait}) if before == 0 else Reply()

    server.plan = plan
    made = generator(server)
    outcomes = made([ask(prompt) for prompt in moments])
    assert [outcome.text for outcome in outcomes] == ["answer to seconds", "answer to date"]
    for first, again in moments.values():
        assert (again - first).total_seconds() >= 1.0  # and for the date at least two, as it is told in whole seconds
    assert made.usage.retries == 2
    assert made.usage.failures == 0


def test_what_retry_after_may_hold():
    assert _retry_after("7") == 7.0
    assert _retry_after("0.5") == 0.5
    assert _retry_after("-1") == 0.0
    assert _retry_after("nan") == 0.0
    assert _retry_after("") is None
    assert _retry_after("soon") is None
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    later = (datetime.now(UTC) + timedelta(minutes=10)).replace(microsecond=0)
    for text in (format_datetime(later, usegmt=True), later.strftime("%a, %d %b %Y %H:%M:%S -0000")):
        before = datetime.now(UTC)
        seconds = _retry_after(text)
        assert (later - datetime.now(UTC)).total_seconds() <= seconds <= (later - before).total_seconds()


@pytest.mark.parametrize("trouble", [Reply(500, {"error": "oops"}), Reply(503, b"<html>"), Reply(drop=True)])
def test_passing_trouble(server, trouble):
    server.plan = lambda prompt, before: trouble if before < 3 else Reply()
    made = generator(server)
    (outcome,) = made([ask("a")])
    assert outcome == Completion("answer to a", 1, 5)
    assert server.asked["a"] == 4
    assert made.usage.retries == 3


def test_lasting_trouble_ends_after_bounded_tries(server):
    server.plan = lambda prompt, before: Reply(503, {"error": {"message": "overloaded", "type": "server"}})
    made = generator(server, max_retries=2)
    assert made([ask("a"), ask("b")]) == [Failure("http_503: overloaded")] * 2
    assert server.asked == {"a": 3, "b": 3}
    assert (made.usage.failures, made.usage.retries, made.usage.calls) == (2, 4, 0)
    server.plan = lambda prompt, before: Reply()
    assert [outcome.text for outcome in made([ask("a"), ask("b")])] == ["answer to a", "answer to b"]


def test_a_hanging_server_times_out(server):
    server.plan = lambda prompt, before: Reply(delay=30.0) if prompt == "hangs" else Reply()
    made = generator(server, timeout=1.5, max_retries=1)
    hung, fine = made([ask("hangs"), ask("fine")])
    assert hung == Failure("timeout: no answer in time")
    assert fine.text == "answer to fine"
    assert server.asked["hangs"] == 2


def test_a_server_that_trickles_times_out():
    """Each byte comes in time, the whole answer would not: the limit is for the call."""
    with socket.create_server(("127.0.0.1", 0)) as raw:
        url = f"http://127.0.0.1:{raw.getsockname()[1]}"
        script = (
            "import socket, sys, time\n"
            "s = socket.socket(fileno=int(sys.argv[1])); c, _ = s.accept(); c.recv(9999)\n"
            "c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 10000\\r\\n\\r\\n')\n"
            "while True: c.sendall(b' '); time.sleep(0.05)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(raw.fileno())], pass_fds=[raw.fileno()], stderr=subprocess.DEVNULL
        )
        try:
            made = EndpointGenerator("m", base_url=url, timeout=0.5, max_retries=0)
            assert made([ask("a")]) == [Failure("timeout: no answer in time")]
        finally:
            child.kill()
            child.wait()


def test_an_unreachable_endpoint_is_given_up_once_for_all_rows():
    port = closed_port()
    made = EndpointGenerator("m", base_url=f"http://127.0.0.1:{port}/v1", max_concurrency=4, backoff=0.01)
    outcomes = made([ask(number) for number in range(500)])
    (reason,) = {outcome.reason for outcome in outcomes}
    assert reason.startswith(f"unreachable: http://127.0.0.1:{port}/v1: ")
    assert made.usage.failures == 500
    assert made.usage.retries <= 12


def test_an_endpoint_that_dies_is_given_up_too(server):
    def plan(prompt: str, before: int) -> Reply:
        if sum(server.answered.values()) >= 20:
            server.socket.close()
            return Reply(drop=True)
        return Reply()

    server.plan = plan
    made = generator(server, max_concurrency=2, max_retries=3)
    outcomes = made([ask(number) for number in range(300)])
    texts = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    assert 20 <= len(texts) <= 22
    assert sum("unreachable" in outcome.reason for outcome in outcomes if isinstance(outcome, Failure)) > 270
    assert made.usage.retries < 20


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"error": {"message": "context is 10 tokens"}}, "http_400: context is 10 tokens"),
        (403, {"detail": "gated"}, "http_403: not allowed with this API key: gated"),
        (422, {"detail": [{"loc": ["body"], "msg": "bad\n top_p"}]}, "http_422: bad top_p"),
        (400, [{"error": {"code": 400, "message": "in a list"}}], "http_400: in a list"),
        (413, b"too large", "http_413: too large"),
        (400, {"odd": 1}, 'http_400: {"odd": 1}'),
    ],
)
def test_a_refused_row_is_sent_once_and_says_why(server, status, body, reason):
    server.plan = lambda prompt, before: Reply(status, body) if prompt == "bad" else Reply()
    bad, good = generator(server, max_concurrency=1)([ask("bad"), ask("good")])
    assert bad == Failure(reason)
    assert good.text == "answer to good"
    assert server.asked["bad"] == 1


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "http_401: the API key is refused"), (404, "http_404: no model")]
)
def test_what_refuses_one_row_for_all_rows_is_not_asked_again(server, status, reason):
    server.plan = lambda prompt, before: Reply(status, {"error": "no model m"})
    outcomes = generator(server, max_concurrency=2)([ask(number) for number in range(200)])
    assert all(outcome.reason.startswith(reason) for outcome in outcomes)
    assert len(server.seen) <= 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"{}",
        {"choices": []},
        {"choices": [{"text": "old"}]},
        {"choices": ["x"]},
        {"choices": [[{}]]},
        {"error": "wrapped"},
        {"choices": [{"message": {"content": [{"text": "parts"}]}}]},
        {"choices": [{"message": {"content": 5}}]},
        {"choices": {"0": {}}},
        {"choices": None, "get": 1, "items": 2, "update": 3},
        b"",
        b"null",
        b"{",
        b'{"choices": [{"message": {"content": "cut off he',
        b"[" * 100_000,
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a": ' * 400 + b"1" + b"}" * 400,
        b'{"choices": [{"message": {"content": "a"}, "index": NaN}]}',
        b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": NaN}}',
        b'{"choices": [{"message": {"content": NaN}}]}',
        b'{"choices": [{"message": {"content": "a"}}], "created": 1' + b"0" * 5000 + b"}",
        b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
    ],
    ids=range(26),
)
@pytest.mark.parametrize("provider", [False, True])
def test_a_malformed_answer_is_a_failure_and_is_not_bought_again(server, body, provider, monkeypatch):
    monkeypatch.setattr(CONVERSATIONAL_AUTO_ROUTER, "base_url", server.url.removesuffix("/v1"))
    server.plan = lambda prompt, before: Reply(body=body) if prompt == "bad" else Reply()
    made = EndpointGenerator("org/name", provider="auto") if provider else generator(server)
    (bad,) = made([ask("bad")])
    assert isinstance(bad, Failure)
    assert bad.reason.startswith("malformed: ")
    assert len(bad.reason) < 400
    assert "\n" not in bad.reason
    assert [made([ask(prompt)])[0] for prompt in ("bad", "good")] == [bad, Completion("answer to good", 4, 5)]
    assert server.asked["bad"] == 1


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error": NaN}', b"\xff\xfe", b'{"error": {"error": []}}', b""])
@pytest.mark.parametrize("status", [400, 422, 503])
def test_an_error_whose_words_cannot_be_read_is_one_line_too(server, body, status):
    server.plan = lambda prompt, before: Reply(status, body)
    (outcome,) = generator(server, max_retries=1)([ask("a")])
    assert outcome.reason.startswith(f"http_{status}: ")
    assert len(outcome.reason) < 400
    assert "\n" not in outcome.reason


def test_an_answer_that_breaks_off_is_asked_for_again(server):
    server.plan = lambda prompt, before: Reply(headers={} if before else {"content-length": "5000"}, drop=False)
    assert generator(server, timeout=2.0)([ask("a")]) == [Completion("answer to a", 1, 5)]
    assert server.asked["a"] == 2


@pytest.mark.parametrize(
    "usage",
    [
        5,
        "many",
        {"prompt_tokens": "3", "completion_tokens": -1},
        {"completion_tokens": 3},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 3, "completion_tokens": 0},
        {"prompt_tokens": 3, "completion_tokens": True},
        {"prompt_tokens": 3, "completion_tokens": 2.5},
        {"prompt_tokens": 3, "completion_tokens": 10**15},
        {"prompt_tokens": 3, "completion_tokens": float("inf")},
        {"prompt_tokens": -3, "completion_tokens": 3},
        {"get": 3, "prompt_tokens": None},
    ],
    ids=str,
)
def test_odd_accounts_of_tokens_are_no_account(server, usage):
    server.plan = lambda prompt, before: Reply(usage=usage)
    made = generator(server, completion_price=1e6)
    assert made([ask("a")]) == [Completion("answer to a")]
    assert made.usage.cost == made.usage.assumed == 16.0  # max_tokens


def test_an_aborted_answer_is_asked_for_again(server):
    server.plan = lambda prompt, before: Reply(finish_reason="stop" if before else "abort")
    assert generator(server)([ask("a")]) == [Completion("answer to a", 1, 5)]


def test_a_second_run_sends_nothing(server):
    requests = [ask(number) for number in range(10)]
    first = generator(server)(requests)
    again = generator(server, max_concurrency=1)
    assert [(one.text, one.from_ledger) for one in again(requests)] == [(one.text, True) for one in first]
    assert len(server.seen) == 10
    assert (again.usage.calls, again.usage.from_ledger) == (0, 10)
    elsewhere = EndpointGenerator("m", base_url=f"http://127.0.0.1:{closed_port()}")
    assert all(isinstance(one, Completion) for one in elsewhere(requests))


def test_a_ledger_that_cannot_be_used_stops_the_run_before_anything_is_bought(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "file"))
    with pytest.raises(RunError, match="ASAP_HF_LEDGER"):
        generator(server)([ask(1)])
    assert server.seen == []


def test_a_disk_that_fills_up_stops_the_sending(server, monkeypatch):
    server.plan = lambda prompt, before: Reply(delay=0.02)
    ledger, puts = open_ledger("llm"), []
    really_append = ledger._append

    def append(fd: int, line: bytes) -> None:
        puts.append(line)
        if len(puts) == 5:
            raise OSError(28, "No space left on device")
        really_append(fd, line)

    monkeypatch.setattr(ledger, "_append", append)
    with pytest.raises(RunError, match="No space left on device"):
        generator(server, max_concurrency=2)([ask(number) for number in range(200)])
    assert len(server.seen) < 20
    assert len(ledger) == 4


CLIENT = """
import json, sys
from asap_hf.llm import EndpointGenerator, Request
url, count = sys.argv[1], int(sys.argv[2])
requests = [Request(({"role": "user", "content": str(n)},), 0.0, max_tokens=16) for n in range(count)]
generator = EndpointGenerator("m", base_url=url, max_concurrency=4)
print("ready", flush=True)
try:
    print(json.dumps([one.text for one in generator(requests)]))
except KeyboardInterrupt:
    print(generator.usage.calls)
    raise
"""


def stored_texts() -> set[str]:
    path = Path(open_ledger("llm").path)
    lines = path.read_bytes().splitlines() if path.exists() else []
    return {json.loads(line[9:])["value"]["text"] for line in lines}


def test_kill_9_halfway_and_run_again(server):
    """What was answered and stored when the client was killed is not asked for again; what was in flight may be."""
    server.plan = lambda prompt, before: Reply(delay=0.02)
    for enough in (15, 40):
        client = subprocess.Popen([sys.executable, "-c", CLIENT, server.url, "80"], stdout=subprocess.DEVNULL)
        until(lambda enough=enough: sum(server.answered.values()) >= enough, "enough is answered")
        client.kill()
        client.wait()
    stored = stored_texts()
    asked_before = dict(server.asked)
    run = subprocess.run(
        [sys.executable, "-c", CLIENT, server.url, "80"], capture_output=True, text=True, check=True, timeout=LONGEST
    )
    assert json.loads(run.stdout.splitlines()[1]) == [f"answer to {number}" for number in range(80)]
    assert len(stored) >= 30
    repeated = [n for n in map(str, range(80)) if f"answer to {n}" in stored and server.asked[n] != asked_before[n]]
    assert repeated == []
    assert sum(times - 1 for times in server.asked.values()) <= 2 * 4  # two kills, four in flight


def hear_interrupts() -> None:
    """Where the tests run in the background of a shell, they and their children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_interrupt_is_clean_and_keeps_what_had_come_in(server):
    """Half of the requests hang for a minute: Ctrl-C must not wait for them."""
    server.plan = lambda prompt, before: Reply(delay=0.0 if int(prompt) < 20 else 60.0)
    client = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", CLIENT, server.url, "40"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    until(lambda: sum(server.answered.values()) == 20 and server.in_flight == 4, "four requests hang")
    client.send_signal(signal.SIGINT)
    out, err = client.communicate(timeout=LONGEST)
    assert out.splitlines() == ["ready", "20"]
    assert len(stored_texts()) == 20
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert err.count("Traceback") == 1
    assert "never awaited" not in err
    assert "Task was destroyed" not in err
    assert "ResourceWarning" not in err


def test_an_exception_leaves_nothing_running(server):
    server.plan = lambda prompt, before: Reply(delay=0.0 if prompt == "first" else 30.0)

    def done(index: int, outcome: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        generator(server).generate([ask("first"), ask("second")], done)
    assert "asap-hf-endpoint" not in {thread.name for thread in threading.enumerate()}


def test_max_cost_is_never_passed_and_mostly_used(server):
    """The worst case of a request is 3.2 times what it costs: without waiting for answers to settle, eight in flight
    would leave most of the cap unused."""
    server.plan = lambda prompt, before: Reply(delay=0.01)
    price = {"prompt_price": 1e6, "completion_price": 1e6}  # one unit per token
    made = generator(server, **price, max_cost=600.0, max_concurrency=8)
    outcomes = made([ask(f"{number:05}") for number in range(100)])
    bought = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    assert len(bought) == len(server.seen) == 52  # of 10 each, and at 520 the 85 of one more could pass 600
    assert made.usage.cost == 520.0
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Failure)} == {
        "max_cost: may cost up to 85, and 80 of 600 is left"
    }


@pytest.mark.parametrize(
    ("trouble", "tries"),
    [(Reply(delay=30.0), 2), (Reply(drop=True), 2), (Reply(504), 2), (Reply(body=b"x"), 1), (Reply(usage=None), 1)],
)
def test_max_cost_counts_what_may_have_been_billed(server, trouble, tries):
    """Each such try is booked at its worst case, 85 here, and a third would pass the cap."""
    server.plan = lambda prompt, before: trouble
    price, timeout = {"prompt_price": 1e6, "completion_price": 1e6}, 1.0 if trouble.delay else LONGEST
    made = generator(server, **price, max_cost=200.0, timeout=timeout, max_retries=5)
    (outcome,) = made([ask("12345")])
    assert made.usage.cost == 85.0 * tries
    assert server.asked["12345"] == tries
    assert tries == 1 or outcome == Failure("max_cost: may cost up to 85, and 30 of 200 is left")


def test_errors_that_cost_nothing_leave_the_cap_alone(server):
    server.plan = lambda prompt, before: Reply(429, {}) if before < 3 else Reply()
    made = generator(server, prompt_price=1e6, completion_price=1e6, max_cost=90.0)
    assert made([ask("12345")]) == [Completion("answer to 12345", 5, 5)]
    assert made.usage.cost == 10.0


def test_the_hub_token_is_not_sent_to_a_base_url(server, monkeypatch):
    generator(server)([ask(1)])
    assert server.seen[-1].headers["authorization"] == "Bearer -"
    monkeypatch.setenv("MY_KEY", " sk-mine\n")
    generator(server, api_key_env="MY_KEY")([ask(2)])
    assert server.seen[-1].headers["authorization"] == "Bearer sk-mine"
    assert SECRET not in "".join(str(seen) for seen in server.seen)


def test_a_key_appears_nowhere(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    server.plan = lambda prompt, before: Reply(400, {"error": "no sk-very-secret!"}) if prompt == "bad" else Reply()
    made = generator(server, api_key_env="MY_KEY")
    bad, good = made([ask("bad"), ask("good")])
    assert bad == Failure("http_400: no ***!")
    assert isinstance(good, Completion)
    everything = [repr(made), repr(made.__dict__), Path(open_ledger("llm").path).read_text(), str(pickle.dumps(made))]
    assert not any("sk-very-secret" in one or SECRET in one for one in everything)
    assert pickle.loads(pickle.dumps(made)) == made
    for wrong in ("", "two words", "schlüssel"):
        monkeypatch.setenv("MY_KEY", wrong)
        with pytest.raises(UsageError, match="MY_KEY") as error:
            made([ask("other")])
        assert not wrong or wrong not in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"base_url": "http://h/v1", "provider": "auto"},
        {"base_url": "localhost:8000"},
        {"base_url": "http://h:99999/v1"},
        {"base_url": "http://two words/v1"},
        {"base_url": "http://user:pass@h/v1"},
        {"base_url": "http://h/v1?key=abc"},
        {"base_url": "http://h", "structured": "json_schema"},
        {"base_url": "http://h", "structured": "json"},
        {"base_url": "http://h", "max_concurrency": 0},
        {"base_url": "http://h", "max_cost": 1.0},
    ],
)
def test_arguments_that_do_not_fit(wrong):
    with pytest.raises(UsageError) as error:
        EndpointGenerator("m", **wrong)
    assert "pass@" not in str(error.value)
    assert "abc" not in str(error.value)


def test_offline_mode_is_one_clear_sentence(server, monkeypatch):
    generator(server)([ask("stored")])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert generator(server)([ask("stored")])[0].from_ledger
    with pytest.raises(UsageError, match="^HF_HUB_OFFLINE is set"):
        generator(server)([ask("new")])


def test_schemas_reach_the_server_as_they_are(server, monkeypatch):
    schema = {"type": "array", "items": {"type": "integer", "minimum": 1}}
    generator(server, structured="vllm")([ask(1, schema=schema), ask(2)])
    with_schema, without = sorted(server.seen, key=lambda seen: seen.prompt)
    assert with_schema.body["structured_outputs"] == {"json": schema}
    assert "structured_outputs" not in without.body
    assert "response_format" not in with_schema.body
    generator(server)([ask(3, schema=schema)])
    assert not {"structured_outputs", "response_format"} & server.seen[-1].body.keys()
    monkeypatch.setattr(CONVERSATIONAL_AUTO_ROUTER, "base_url", server.url.removesuffix("/v1"))
    EndpointGenerator("org/name", provider="auto", structured="json_schema")([ask(4, schema=schema)])
    assert server.seen[-1].body["response_format"]["json_schema"]["schema"] == schema
    assert server.seen[-1].body["model"] == "org/name"
    assert server.seen[-1].headers["authorization"] == f"Bearer {SECRET}"


def test_a_provider_that_does_not_exist():
    with pytest.raises(UsageError, match="Provider 'nobody' not supported"):
        EndpointGenerator("org/name", provider="nobody")([ask(number) for number in range(40)])


def test_it_works_inside_a_running_event_loop(server):
    async def notebook() -> list[object]:
        return generator(server)([ask(1), ask(2)])

    assert [outcome.text for outcome in asyncio.run(notebook())] == ["answer to 1", "answer to 2"]


def test_it_works_in_a_forked_child(server):
    made = generator(server)
    made([ask("parent")])
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        texts = [outcome.text for outcome in made([ask("parent"), ask("child")])]
        os._exit(0 if texts == ["answer to parent", "answer to child"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert server.asked == {"parent": 1, "child": 1}
