"""The endpoint engine against a server that streams what a script says, and fails on demand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from asap_hf.errors import UsageError
from asap_hf.llm.endpoint import EndpointEngine
from asap_hf.llm.engine import Generation, Prompt, Sampling
from asap_hf.llm.outcomes import Failure

from ..tiny_models import byte_level_tokenizer
from ..waiting import LONGEST, until
from .scripted_server import NOT_OPENAI, Script, ScriptedServer, scripted_server

SECRET = "sk-secretsecret"
GREEDY = Sampling()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_tokenizer()


@pytest.fixture
def serve(tokenizer: PreTrainedTokenizerFast) -> Iterator[Callable[..., ScriptedServer]]:
    """Starts a server with one script for all prompts, or a function of prompt and earlier tries."""
    running = []

    def start(script: Any, **more: Any) -> ScriptedServer:
        plan = script if callable(script) else lambda prompt, before: script
        context = scripted_server(plan, tokenizer, **more)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


def engine(server: ScriptedServer, **more: Any) -> EndpointEngine:
    return EndpointEngine("m", base_url=server.url, **{"backoff": 0.01, **more})


def prompts(count: int = 1) -> list[Prompt]:
    return [
        Prompt(({"role": "user", "content": f"p{number}"},), f"p{number}", (1,), number) for number in range(count)
    ]


def answers(engine: EndpointEngine, asked: list[Prompt], budget: int = 64) -> list[Generation | Failure]:
    found = dict(engine.generate(asked, budget, GREEDY))
    return [found[number] for number in range(len(asked))]


def test_token_ids_come_as_they_were_generated(
    serve: Callable[..., ScriptedServer], tokenizer: PreTrainedTokenizerFast
) -> None:
    server = serve(Script("Let me think.</think>yes"))
    [answer] = answers(engine(server), prompts())
    assert isinstance(answer, Generation)
    expected = [*tokenizer("Let me think.</think>yes", add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    assert answer.token_ids == tuple(expected)
    assert answer.finish_reason == "stop"
    assert server.seen[0].path == "/v1/completions"


class Clock:
    """The engine's clock, which the server sets: before the first event goes out to 3, before any other to 10, and not
    before the engine has read it for all that came earlier."""

    def __init__(self) -> None:
        self.now, self.reads = 0.0, 0

    def monotonic(self) -> float:
        self.reads += 1
        return self.now

    def set_before(self, event: int) -> None:
        until(lambda: self.reads == event + 1, "the engine has read the clock at the request and at each event")
        self.now = 3.0 if event == 0 else 10.0


def test_times_run_from_the_request_to_the_first_token_to_the_last(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, timings = Clock(), {"queue_time_ms": 12.5}
    monkeypatch.setattr("asap_hf.llm.streams.time", clock)
    text = "a longer answer, of more than one event"
    server = serve(Script(text, before=clock.set_before, last=({"metrics": timings},)))
    [answer] = answers(engine(server), prompts())
    assert isinstance(answer, Generation)
    assert (answer.queue_seconds, answer.first_token_seconds, answer.latency_seconds) == (0.0125, 3.0, 10.0)


def test_the_budget_ends_an_answer(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Script("one two three four five six seven"))
    [answer] = answers(engine(server), prompts(), budget=6)
    assert isinstance(answer, Generation)
    assert (len(answer.token_ids), answer.finish_reason) == (6, "length")


def test_fields_that_a_server_refuses_are_left_out(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Script("yes"), refuses={"return_token_ids", "stream_options", "min_p"})
    [answer] = answers(engine(server, max_concurrency=1), prompts())
    assert isinstance(answer, Generation)
    assert (answer.text, answer.token_ids) == ("yes", ())
    [asked] = server.seen
    assert {"repetition_penalty", "top_k", "skip_special_tokens"} <= asked.body.keys()


def test_a_server_that_knows_only_openai_s_fields_is_asked_once_more(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Script("yes"), refuses=NOT_OPENAI)
    texts = [answer.text for answer in answers(engine(server), prompts(5)) if isinstance(answer, Generation)]
    assert texts == ["yes"] * 5
    assert len(server.seen) == 5


def test_greedy_decoding_sends_no_seed_and_sampling_each_prompt_s_own(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Script("yes"))
    list(engine(server).generate(prompts(2), 7, GREEDY))
    list(engine(server).generate(prompts(2), 7, Sampling(0.6, 0.95)))
    sent = [(one.body["temperature"], one.body["top_p"], one.body["max_tokens"]) for one in server.seen]
    assert sorted(sent) == [(0.0, 1.0, 7), (0.0, 1.0, 7), (0.6, 0.95, 7), (0.6, 0.95, 7)]
    seeds = {one.prompt: one.body["seed"] for one in server.seen if "seed" in one.body}
    assert seeds == {"p0": 0, "p1": 1}


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (Script("yes", reasoning="hmm"), "hmm</think>yes"),
        (Script("", reasoning="hmm"), "hmm</think>"),
        (Script("hmm</think>yes"), "hmm</think>yes"),
    ],
    ids=["parted", "parted, no answer", "in one"],
)
def test_chat_puts_a_reasoning_that_came_apart_before_the_answer(
    serve: Callable[..., ScriptedServer], script: Script, text: str
) -> None:
    server = serve(script, gives_ids=False)
    [answer] = answers(engine(server, api="chat"), prompts())
    assert isinstance(answer, Generation)
    assert answer.text == text
    assert server.seen[0].path == "/v1/chat/completions"
    assert server.seen[0].body["messages"] == [{"role": "user", "content": "p0"}]


@pytest.mark.parametrize(
    "trouble",
    [
        Script("x" * 90, breaks=True),
        Script(status=503, body={}),
        Script(status=429, body={}, headers={"Retry-After": "0"}),
    ],
    ids=["broken off", "503", "429"],
)
def test_trouble_that_passes_is_tried_again(serve: Callable[..., ScriptedServer], trouble: Script) -> None:
    server = serve(lambda prompt, before: trouble if before < 2 else Script("x" * 90))
    [answer] = answers(engine(server), prompts(), budget=200)
    assert isinstance(answer, Generation)
    assert answer.finish_reason == "stop"
    assert len(server.seen) == 3


def test_a_prompt_that_is_refused_fails_alone(serve: Callable[..., ScriptedServer]) -> None:
    too_long = Script(status=400, body={"error": {"message": "maximum context length is 10 tokens"}})
    server = serve(lambda prompt, before: too_long if prompt == "p1" else Script("yes"))
    first, second, third = answers(engine(server), prompts(3))
    assert second == Failure("http_400: maximum context length is 10 tokens")
    assert isinstance(first, Generation) and isinstance(third, Generation)
    assert server.asked["p1"] == 1


def test_a_model_that_is_not_there_is_not_asked_for_again_and_again(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Script(status=404, body={"error": {"message": "no model m"}}))
    found = answers(engine(server, max_concurrency=2), prompts(30))
    assert set(found) == {Failure("http_404: no model m")}
    assert len(server.seen) <= 2


def test_a_server_that_is_gone_is_given_up() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gone = EndpointEngine("m", base_url=f"http://127.0.0.1:{port}", backoff=0.001, max_retries=2)
    found = answers(gone, prompts(40))
    assert all(isinstance(one, Failure) and one.reason.startswith("unreachable: ") for one in found)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script("x", finish_reason="content_filter"), "unfinished: the server ended with content_filter"),
        (Script("x", last=({"error": "out of memory"},)), "unfinished: the server broke off with out of memory"),
    ],
    ids=["filtered", "error in the stream"],
)
def test_an_answer_that_is_none_is_a_failure(
    serve: Callable[..., ScriptedServer], script: Script, reason: str
) -> None:
    assert answers(engine(serve(script), max_retries=1), prompts()) == [Failure(reason)]


ODD_PIECES = {
    "choices that are no list": {"choices": {"0": {}}},
    "a choice that is none": {"choices": ["x"]},
    "a text that is none": {"choices": [{"text": 5}]},
    "a reasoning that is none": {"choices": [{"delta": {"reasoning_content": ["x"]}}]},
    "a delta that is none": {"choices": [{"delta": 7}]},
    "token ids that are none": {"choices": [{"text": "x", "token_ids": ["x", True]}]},
    "an end that is none": {"choices": [{"text": "", "finish_reason": {"stop": 1}}]},
    "metrics that are none": {"metrics": [1], "choices": []},
    "times that are none": {"metrics": {"queue_time_ms": [3]}},
}


@pytest.mark.parametrize("name", ODD_PIECES)
def test_a_piece_of_another_form_is_a_failure_of_one_line(serve: Callable[..., ScriptedServer], name: str) -> None:
    server = serve(lambda prompt, _: Script("x", last=(ODD_PIECES[name],) if prompt == "p0" else ()))
    failure, good = answers(engine(server), prompts(2))
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("malformed: a piece of the stream")
    assert "\n" not in failure.reason
    assert isinstance(good, Generation)


def test_a_time_that_is_no_number_is_no_time(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Script("x", last=({"metrics": {"queue_time_ms": float("nan")}},)))
    [answer] = answers(engine(server), prompts())
    assert isinstance(answer, Generation)
    assert answer.queue_seconds is None


def test_the_key_is_sent_and_never_told(serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server = serve(Script(status=401, body={"error": {"message": f"{SECRET} is no key"}}))
    [failure] = answers(engine(server, api_key_env="MY_KEY"), prompts())
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert isinstance(failure, Failure)
    assert SECRET not in failure.reason and "***" in failure.reason


def test_without_a_named_key_none_is_sent(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    server = serve(Script("yes"))
    answers(engine(server), prompts())
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("value", ["", "two words", "ünïcode"])
def test_a_key_that_is_none_is_refused_before_anything_is_sent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(UsageError, match="MY_KEY"):
        EndpointEngine("m", base_url="http://127.0.0.1:9", api_key_env="MY_KEY").start()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "--base_url"),
        ({"base_url": "127.0.0.1:8000"}, "http://"),
        ({"base_url": "http://me:pw@host"}, "credentials"),
        ({"base_url": "http://host", "api": "responses"}, "completions or chat"),
        ({"base_url": "http://host", "max_concurrency": 0}, "max_concurrency"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        EndpointEngine("m", **arguments)


def test_no_more_requests_are_in_flight_than_allowed(serve: Callable[..., ScriptedServer]) -> None:
    three = threading.Barrier(3, timeout=LONGEST)
    server = serve(lambda prompt, before: Script("yes", before=lambda event: event or three.wait()))
    found = answers(engine(server, max_concurrency=3), prompts(12))
    assert all(isinstance(one, Generation) for one in found)
    assert server.most_in_flight == 3


def test_whoever_breaks_off_has_no_more_sent(serve: Callable[..., ScriptedServer]) -> None:
    closed = threading.Event()
    hangs = Script("yes", before=lambda event: closed.wait(LONGEST))
    server = serve(lambda prompt, before: Script("yes") if prompt == "p0" else hangs)
    outcomes = engine(server, max_concurrency=2).generate(prompts(100), 64, GREEDY)
    next(outcomes)
    until(lambda: server.in_flight == 2, "the next two are under way")
    outcomes.close()
    closed.set()
    until(
        lambda: "asap-hf-endpoint" not in {thread.name for thread in threading.enumerate()}, "all threads have ended"
    )
    assert sorted(one.prompt for one in server.seen) == ["p0", "p1", "p2"]


def test_records_hold_neither_the_host_nor_a_folder(tmp_path: Any) -> None:
    (tmp_path / "tok").mkdir()
    settings = EndpointEngine("m", base_url="http://secret-host", tokenizer=str(tmp_path / "tok")).settings()
    assert settings == {"api": "completions", "tokenizer": "tok", "max_concurrency": 32}
