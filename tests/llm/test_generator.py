"""What every engine gets from `Generator`: the ledger, the account, the cap. The engine here is a stand-in, because
what is tested is what happens around one."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asap_hf.errors import UsageError
from asap_hf.llm import Account, Completion, Failure, Generator, Request, Usage
from asap_hf.llm.engine import Engine, Generation
from asap_hf.runtime.ledger import ledger_key, open_ledger


@dataclass(frozen=True)
class Echo(Generator):
    """Answers backwards in time; `fail` fails, `stop` interrupts."""

    revision: str | None = None
    sent: list[str] = field(default_factory=list, compare=False, kw_only=True)

    def generate(self, requests, done) -> None:
        for index in reversed(range(len(requests))):
            prompt = requests[index].messages[-1]["content"]
            if reason := self.account.reserve(requests[index]):
                done(index, Failure(reason))
                continue
            self.sent.append(prompt)
            if prompt == "stop":
                raise KeyboardInterrupt
            done(index, Failure("http_500: no") if prompt == "fail" else Completion(f"to {prompt}", len(prompt), 2))


@pytest.fixture(autouse=True)
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    return open_ledger("llm")


def ask(prompt: str, **more) -> Request:
    return Request(({"role": "user", "content": prompt},), **{"temperature": 0.0, **more})


def test_each_request_gets_its_outcome_in_order():
    echo = Echo("m", prompt_price=2e6, completion_price=3e6)
    outcomes = echo([ask("a"), ask("fail"), ask("bb")])
    assert outcomes == [Completion("to a", 1, 2), Failure("http_500: no"), Completion("to bb", 2, 2)]
    assert echo.usage == Usage(calls=2, failures=1, prompt_tokens=3, completion_tokens=4, cost=3 * 2 + 4 * 3)
    assert echo([]) == []


def test_nothing_is_bought_twice():
    first, second = Echo("m"), Echo("m")
    first([ask("a"), ask("fail")])
    answers = second([ask("b"), ask("a"), ask("fail")])
    assert second.sent == ["fail", "b"]
    assert [answer.from_ledger for answer in answers[:2]] == [False, True]
    assert replace(answers[1], from_ledger=False) == Completion("to a", 1, 2)
    assert (second.usage.calls, second.usage.from_ledger, second.usage.failures) == (1, 1, 1)


def test_duplicates_in_one_call_are_bought_once():
    echo, one = Echo("m"), ask("a")
    answers = echo([one, ask("b"), one, ask("a"), ask("fail"), ask("fail")])
    assert sorted(echo.sent) == ["a", "b", "fail"]
    assert [answer.from_ledger for answer in answers[:4]] == [False, False, True, True]
    assert answers[4] == answers[5] == Failure("http_500: no")
    assert echo.usage.calls == 2
    assert echo.usage.from_ledger == 2
    assert echo.usage.failures == 1


def test_what_makes_another_question_or_another_model():
    echo = Echo("m")
    asked = [
        ask("a"),
        ask("a", temperature=2.0),
        ask("a", top_p=0.9),
        ask("a", max_tokens=1),
        ask("a", attempt=1),
        ask("a", schema={"type": "array"}),
        Request(({"role": "system", "content": "a"},), 0.0),
    ]
    echo(asked)
    assert len(echo.sent) == len(asked)
    for other in (Echo("n"), Echo("m", revision="v2")):
        other(asked[:1])
        assert other.sent == ["a"]
    again = Echo("m", completion_price=5.0)
    again([ask("a", temperature=0, top_p=1)])  # integers, as YAML may have them
    assert again.sent == []


def test_a_folder_whose_files_changed_is_another_model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"one")
    Echo(str(folder))([ask("a")])
    same, trained = Echo(str(folder)), Echo(str(folder))
    same([ask("a")])
    os.utime(folder / "model.safetensors", ns=(0, 1))
    trained([ask("a")])
    assert same.sent == []
    assert trained.sent == ["a"]


class Late(Engine):
    """Has three more answers when it is interrupted."""

    version = "1"

    def start(self) -> None: ...
    def facts(self) -> dict: ...
    def close(self) -> None: ...
    def answer(self, asked, account=None):
        assert len(list(asked)) == 4
        try:
            yield 0, Generation("first", (), "stop", prompt_tokens=1, completion_tokens=2)
        except KeyboardInterrupt:
            for number in (1, 2, 3):
                yield number, Generation(f"late {number}", (), "stop", prompt_tokens=1, completion_tokens=2)
            raise


def test_an_interrupt_of_the_caller_loses_nothing_that_an_engine_had(ledger, monkeypatch):
    monkeypatch.setattr(Generator, "engine", Late("m"))

    def tick(what: str) -> None:
        if len(ledger) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("asap_hf.llm.generator.tick", tick)
    with pytest.raises(KeyboardInterrupt):
        Generator("m")([ask(one) for one in "abcd"])
    assert len(ledger) == 4


def test_an_interrupt_goes_up_and_what_had_come_in_is_kept(ledger):
    echo = Echo("m", completion_price=1e6, max_cost=1e5)
    with pytest.raises(KeyboardInterrupt):
        echo([ask("never sent"), ask("stop", max_tokens=7), ask("b"), ask("a")])
    assert len(ledger) == 2
    assert echo.usage.calls == 2
    assert echo.usage.cost == 4 + 7  # the one in flight may have been billed
    again = Echo("m")
    assert [answer.from_ledger for answer in again([ask("a"), ask("b")])] == [True, True]
    assert not echo.account.pending


def test_a_request_that_was_not_answered_is_never_stored(ledger):
    Echo("m")([ask("fail")])
    assert len(ledger) == 0


UNUSABLE = {
    "nothing": (Completion("", 3, 0), "empty: the answer holds no text"),
    "blanks": (Completion(" \n\t\u00a0\u200b", 3, 4), "empty: the answer holds no text"),
    "cut": (
        Completion("So far", 3, 9, "length"),
        "cut: the answer was cut at the token limit",
    ),
    "cut, elsewhere": (
        Completion("So far", 3, 9, "MAX_TOKENS"),
        "cut: the answer was cut at the token limit",
    ),
    "full, unsaid": (
        Completion("So", 3, 4096, "unknown"),
        "cut: the answer was cut at the token limit",
    ),
    "filtered": (Completion("So", 3, 9, "content_filter"), "cut: the answer was cut by the server's content filter"),
}


@dataclass(frozen=True)
class Says(Generator):
    """Answers everything with one outcome."""

    outcome: Completion | Failure
    asked: list[int] = field(default_factory=list, compare=False)

    def generate(self, requests, done) -> None:
        for index, request in enumerate(requests):
            self.asked.append(request.attempt)
            done(index, self.outcome)


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_a_failed_attempt_and_paid_for_once(name, ledger):
    outcome, reason = UNUSABLE[name]
    says = Says("m", outcome, prompt_price=1e6, completion_price=1e6)
    assert says([ask("a")]) == [Failure(reason)]
    paid = outcome.prompt_tokens + outcome.completion_tokens
    assert (says.usage.calls, says.usage.failures, says.usage.cost) == (1, 1, paid)
    assert says([ask("a"), ask("a", attempt=1)]) == [Failure(reason)] * 2
    assert says.asked == [0, 1]
    assert says.usage.from_ledger == 1
    values = [json.loads(line[9:])["value"] for line in Path(ledger.path).read_text().splitlines()]
    assert [set(value) for value in values] == [{"reason", "prompt_tokens", "completion_tokens"}] * 2


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_an_earlier_version_stored_as_an_answer_is_a_failed_attempt(name, ledger):
    outcome, reason = UNUSABLE[name]
    told = {one: getattr(outcome, one) for one in ("text", "prompt_tokens", "completion_tokens", "finish_reason")}
    ledger.put(ledger_key("llm", "m", None, *ask("a").identity), told)
    says = Says("m", Completion("Good."))
    assert says([ask("a"), ask("a", attempt=1)]) == [Failure(reason), Completion("Good.")]
    assert says.asked == [1]


def test_a_malformed_answer_is_a_failed_attempt_too(ledger):
    says = Says("m", Failure("malformed: no choices in {}", answered=True))
    for _ in range(2):
        assert says([ask("a")]) == [Failure("malformed: no choices in {}")]
    assert says.asked == [0]


def test_what_is_no_text_fails_alone():
    """Real traces hold lone surrogates, over which encoders and tokenizers stumble each in its own way."""
    echo = Echo("m")
    bad, good = echo([ask("a\ud800"), ask("b")])
    assert bad.reason.startswith("bad_request: ")
    assert good.text == "to b"
    assert echo.sent == ["b"]
    assert echo.usage.failures == 1


def test_only_the_answer_is_stored(ledger):
    Echo("m")([ask("a secret question")])
    (line,) = Path(ledger.path).read_text().splitlines()
    assert json.loads(line[9:])["value"] == {
        "text": "to a secret question",
        "prompt_tokens": 17,
        "completion_tokens": 2,
        "finish_reason": "stop",
    }


def test_without_a_ledger_everything_is_bought(monkeypatch):
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    echo = Echo("m")
    for _ in range(2):
        assert echo([ask("a"), ask("a")])[0] == Completion("to a", 1, 2)
    assert echo.sent == ["a", "a"]


def test_pickling_carries_the_arguments_only():
    echo = Echo("m", completion_price=1.0, max_cost=10.0)
    echo([ask("a")])
    copy = pickle.loads(pickle.dumps(echo))
    assert copy == echo
    assert copy.usage == echo.usage == Usage(calls=1, prompt_tokens=1, completion_tokens=2, cost=2e-6)
    assert copy.sent == ["a"]
    assert set(echo.__getstate__()) == {"model", "revision", "prompt_price", "completion_price", "max_cost", "sent"}


def test_a_cap_needs_prices():
    with pytest.raises(UsageError, match="prompt_price"):
        Echo("m", max_cost=1.0)


def test_one_account_for_all_threads():
    echo, found = Echo("m"), []
    gate = threading.Barrier(8)

    def look() -> None:
        gate.wait()
        found.append(echo.account.store)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store) for store in found}) == 1


def test_the_account():
    account, one, two = Account(0.0, 1e6, 100.0), ask("", max_tokens=60), ask("", max_tokens=40)
    assert account.reserve(one) == ""
    assert account.reserve(one) == ""
    assert account.pending
    assert account.reserve(two) == ""
    assert account.reserve(ask("", max_tokens=1)) == "max_cost: may cost up to 1, and 0 of 100 is left"
    account.settle(one, Completion("", 0, 5))
    account.forfeit(two)
    account.forfeit(two)
    assert account.usage.cost == 45.0
    assert not account.pending
    assert account.reserve(ask("", max_tokens=55)) == ""
    assert account.reserve(ask("", max_tokens=1)).startswith("max_cost: ")


def test_the_worst_case_of_a_prompt_counts_every_byte():
    """One token per digit, as the tokenizers of the paper's models have it, is one per byte; é has two bytes."""
    account = Account(1e6, 0.0)
    assert account.worst(ask("1234567890")) == 10 + account.worst(ask(""))
    assert account.worst(ask("é")) == 2 + account.worst(ask(""))


@given(
    st.lists(st.tuples(st.integers(1, 50), st.sampled_from(["settle", "fail", "forfeit", "keep"]), st.floats(0, 1)))
)
def test_the_cap_holds_whatever_happens(steps):
    """Real bills never exceed what was set aside, so granted requests together never exceed the cap."""
    account, kept = Account(0.0, 1e6, 100.0), []
    for size, then, share in steps:
        request = ask("", max_tokens=size)
        if not account.reserve(request):
            if then == "settle":
                account.settle(request, Completion("", 0, int(size * share)))
            elif then == "fail":
                account.settle(request, Failure("http_500"))
            elif then == "forfeit":
                account.forfeit(request)
            else:
                kept.append(request)
    assert account.usage.cost + sum(request.max_tokens for request in kept) <= 100.0


def test_importing_it_loads_no_engine():
    heavy = "{'torch', 'transformers', 'datasets', 'vllm', 'huggingface_hub', 'httpx2', 'numpy'}"
    code = f"import sys, asap_hf.llm as g; print({heavy} & set(sys.modules), sorted(g.__all__) == g.__all__)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "set() True\n"
    )
