"""C3oT: what counts as a shorter reasoning, what is asked again, and which marker the prompt bears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asap_hf.errors import RunError, UsageError
from asap_hf.llm.generator import Completion, Failure, Request
from asap_hf.pruners.base import Pruning
from asap_hf.pruners.c3ot import C3oTPruner
from asap_hf.traces.trace import Trace

from .scripted import Scripted, inside

STEPS = ("Let me count them.", "Wait, is that right?", "There are 2 + 3 = 5 apples.")
TRACE = Trace.parse("How many {answer}?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\nIt is 5.", "paper")
SHORT = "2 + 3 = 5."


@pytest.fixture(autouse=True)
def _no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")


def answering(*answers: str | Completion | Failure) -> Scripted:
    """An LLM that gives these answers one after the other, and the last one from then on."""
    left = list(answers)
    return Scripted(answer=lambda _: left.pop(0) if len(left) > 1 else left[0])


def prune(generator: Scripted, **fields: Any) -> Pruning:
    return C3oTPruner(generator, **fields).prune([TRACE])[0]


REWRITES = {
    SHORT: SHORT,
    f"\n\n{SHORT}\n": SHORT,
    f"<think>Let me see.</think>\n\n{SHORT}": SHORT,
    f"```\n{SHORT}\n```": SHORT,
    "2 + 3.\n\nSo 5.": "2 + 3.\n\nSo 5.",
    TRACE.reasoning: TRACE.reasoning,
}


@pytest.mark.parametrize("answer", REWRITES, ids=lambda answer: answer[:20])
def test_the_rewrite_takes_the_reasonings_place(answer: str) -> None:
    pruning = prune(answering(answer))
    assert pruning.trace.completion == f"<think>\n{REWRITES[answer]}\n</think>\n\nIt is 5."
    assert (pruning.trace.source, pruning.trace.kept) == (TRACE, ())
    assert (pruning.reason, pruning.conditioned) == ("", ("[short] ", ""))
    assert pruning.record == {"attempts": 1, "rewritten": [REWRITES[answer]]}


REFUSED = {
    "": "empty",
    " \n": "empty",
    "<think>I never stop thinking": "empty",
    f"<think>{SHORT}</think>\n": "empty",
    f"{SHORT}</think>": "empty",
    Failure("malformed: no choices", answered=True): "malformed",
    f"so <think> {SHORT}": "<think> tag",
    TRACE.reasoning + ".": "longer than the original by 1 characters",
    Completion(SHORT, finish_reason="length"): "cut at the token limit",
    Failure("timeout"): "timeout",
}


@pytest.mark.parametrize("answer", REFUSED, ids=str)
def test_an_answer_that_is_no_rewrite_is_asked_for_again(answer: str | Completion | Failure) -> None:
    generator = answering(answer, SHORT)
    pruning = prune(generator)
    assert (pruning.trace.reasoning, pruning.record["attempts"]) == (SHORT, 2)
    assert [request.attempt for request in generator.asked] == [0, 1]
    failing = answering(answer)
    failed = prune(failing, max_attempts=3, first_attempt=4)
    assert failed.trace is TRACE
    assert failed.reason.startswith("c3ot: ")
    assert REFUSED[answer] in failed.reason
    assert (failed.conditioned, failed.record, failed.dropped) == (("", ""), {"attempts": 7}, False)
    assert [request.attempt for request in failing.asked] == [4, 5, 6]


def test_asking_again_where_it_is_vain_costs_nothing() -> None:
    generator = answering(Failure("prompt_too_long: 9 tokens"))
    assert prune(generator).reason == "c3ot: prompt_too_long: 9 tokens"
    assert len(generator.asked) == 1


def test_what_happens_to_a_failure_is_the_operators_choice() -> None:
    assert prune(answering(""), on_failure="drop").dropped
    with pytest.raises(RunError, match="c3ot: empty: the answer holds no text; on_failure='keep' goes on"):
        prune(answering(""), on_failure="error")


def test_an_llm_that_answers_nobody_stops_the_run() -> None:
    with pytest.raises(RunError, match=r"the LLM of c3ot answers nothing \(http_401: no\)"):
        prune(answering(Failure("http_401: no")))


def test_the_request() -> None:
    generator = answering(SHORT)
    prune(generator, temperature=0.3, top_p=0.9, max_tokens=77)
    [request] = generator.asked
    assert inside(request, "problem") == "How many {answer}?"
    assert inside(request, "chain_of_thought") == TRACE.reasoning
    assert inside(request, "final_answer") == "It is 5."
    assert (request.temperature, request.top_p, request.max_tokens) == (0.3, 0.9, 77)
    own = answering(SHORT)
    prune(own, prompt="Shorter: {reasoning}")
    assert own.asked[0].messages == ({"role": "user", "content": f"Shorter: {TRACE.reasoning}"},)


def test_the_marker_is_a_field() -> None:
    assert prune(answering(SHORT), before="", after=" /short").conditioned == ("", " /short")


def test_each_trace_has_its_own_answer_and_only_failures_are_asked_again() -> None:
    def answer(request: Request) -> str | Failure:
        question = inside(request, "problem")
        return Failure("timeout") if question == "b" and request.attempt == 0 else f"For {question}."

    generator = Scripted(answer=answer)
    traces = [Trace(question, TRACE.steps, "5") for question in "abc"]
    prunings = C3oTPruner(generator).prune(traces)
    assert [pruning.trace.reasoning for pruning in prunings] == ["For a.", "For b.", "For c."]
    assert [pruning.record["attempts"] for pruning in prunings] == [1, 2, 1]
    assert len(generator.asked) == 4
    assert C3oTPruner(generator).prune([]) == []


def test_a_second_run_buys_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    assert prune(answering("", SHORT)).record["attempts"] == 2
    again = answering("never asked")
    assert prune(again).trace.reasoning == SHORT
    assert again.asked == []


@pytest.mark.parametrize("fields", [{"max_attempts": 0}, {"on_failure": "ignore"}])
def test_arguments_that_cannot_work(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        C3oTPruner(Scripted(), **fields)
