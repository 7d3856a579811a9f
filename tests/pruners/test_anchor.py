"""Stage 1: what is asked of the LLM, and what becomes of each kind of answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asap_hf.errors import RunError, UsageError
from asap_hf.llm.generator import Completion, Failure, Request
from asap_hf.pruners.anchor import AnchorPruner
from asap_hf.pruners.anchor_answers import final_answer, read_rewrite, read_select, unfenced, without_thinking
from asap_hf.pruners.base import Pruning
from asap_hf.runtime.ledger import ledger_key, open_ledger
from asap_hf.traces.trace import Trace

from .scripted import Scripted, every_second_step, inside, is_direct

STEPS = (
    "Okay, the task is to count the apples in every basket.",
    "Wait, could a basket be empty? The statement says n >= 0, so yes.",
    "Sum the counts of all baskets and print the sum.",
    "Let me check the example once more: 2 and 3 make 5.",
    "So the program reads all numbers and prints their sum.",
)
TRACE = Trace.parse("How many apples?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\nprint(sum(a))", "paper")
INVENTED = "Nothing like this stands in the original at all, it was made up."


@pytest.fixture(autouse=True, scope="module")
def _no_ledger() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", "off")
        yield


def answering(*answers: str | Completion | Failure) -> Scripted:
    """Gives these answers to the pruning requests in turn, the last one for ever."""
    given = iter(answers)
    last = answers[-1]
    return Scripted(answer=lambda request: "Sum the counts." if is_direct(request) else next(given, last))


def prune(generator: Scripted, **fields: Any) -> Pruning:
    return AnchorPruner(generator, **fields).prune([TRACE])[0]


def test_a_valid_rewrite_at_once() -> None:
    generator = answering(f"{STEPS[0]}\n\n{STEPS[2].replace('counts', 'numbers')}\n\n{STEPS[4]}")
    pruning = prune(generator)
    assert pruning.trace.kept == (0, 2, 4)
    assert pruning.trace.texts == (STEPS[0], STEPS[2], STEPS[4])
    assert (pruning.reason, pruning.dropped) == ("", False)
    assert pruning.record["anchor"] == "Sum the counts."
    assert pruning.record["attempts"] == 1
    first, second, third = pruning.record["similarities"]
    assert first == third == 1.0 > second >= 0.6


def test_sampling_is_that_of_appendix_a() -> None:
    generator = answering(INVENTED)
    prune(generator, max_attempts=3)
    direct, *prunings = generator.asked
    assert (direct.temperature, direct.top_p, direct.max_tokens, direct.attempt) == (0.0, 1.0, 16384, 0)
    assert [(one.temperature, one.top_p, one.max_tokens) for one in prunings] == [(2.0, 1.0, 16384)] * 3
    assert [one.attempt for one in prunings] == [0, 1, 2]


def test_an_invented_step_is_asked_for_again() -> None:
    generator = answering(
        f"{STEPS[0]}\n\n{INVENTED}", Failure("timeout"), Completion(STEPS[0], finish_reason="length"), STEPS[2]
    )
    pruning = prune(generator)
    assert pruning.trace.texts == (STEPS[2],)
    assert pruning.record["attempts"] == 4
    assert [request.attempt for request in generator.prunings_asked] == [0, 1, 2, 3]


NEVER_VALID = {
    "invented": (INVENTED, "step 1 of 1 is not in the original"),
    "out of order": (f"{STEPS[4]}\n\n{STEPS[0]}", "step 2 of 2 is not in the original"),
    "empty": (" \n", "empty: the answer holds no text"),
    "an empty fence": ("```\n```", "the pruned reasoning is empty"),
    "only thoughts": ("<think>\nHm.", "the pruned reasoning is empty"),
    "a tag inside": (f"{STEPS[0]} <think> {STEPS[2]}", "there is a <think> tag"),
    "cut": (Completion(STEPS[0], finish_reason="length"), "cut at the token limit"),
    "endpoint": (Failure("http_503: overloaded"), "http_503: overloaded"),
}


@pytest.mark.parametrize("name", NEVER_VALID)
def test_never_valid(name: str) -> None:
    answer, reason = NEVER_VALID[name]
    for attempts in (1, 3):
        generator = answering(answer)
        pruning = prune(generator, max_attempts=attempts)
        assert pruning.trace is TRACE
        assert pruning.reason.startswith("anchor_rewrite: ")
        assert reason in pruning.reason
        assert not pruning.dropped
        assert pruning.record["attempts"] == len(generator.prunings_asked) == attempts
        assert pruning.record["anchor"] == "Sum the counts."


def test_the_failing_step_is_recorded() -> None:
    record = prune(answering(f"{STEPS[0]}\n\n{INVENTED}"), max_attempts=1).record
    assert record["failed_step"] == 1
    assert 0 < record["best_similarity"] < 0.6
    assert "similarities" not in record


def test_on_failure() -> None:
    assert prune(answering(INVENTED), on_failure="drop").dropped
    with pytest.raises(RunError, match="on_failure='keep'"):
        prune(answering(INVENTED), on_failure="error")


@pytest.mark.parametrize(
    "reason", ["max_cost: may cost up to 1", "prompt_too_long: 9 tokens", "unreachable: no server"]
)
def test_what_would_fail_the_same_way_is_not_asked_again(reason: str) -> None:
    generator = answering(INVENTED, Failure(reason), STEPS[0])
    pruning = prune(generator)
    assert reason in pruning.reason
    assert pruning.record["attempts"] == 2


NO_ANCHOR = {
    "empty": ("", "empty: the answer holds no text"),
    "blanks": ("\n \n", "empty: the answer holds no text"),
    "never stops thinking": ("<think>\nSo", "empty: the answer holds nothing but thoughts"),
    "only thinks": ("<think>\nSo.\n</think>\n", "empty: the answer holds nothing but thoughts"),
    "cut": (
        Completion("So", finish_reason="length"),
        "cut: the answer was cut at the token limit",
    ),
    "malformed": (Failure("malformed: no", answered=True), "malformed: no"),
    "no answer": (Failure("timeout"), "timeout"),
}


@pytest.mark.parametrize("name", NO_ANCHOR)
def test_without_a_direct_chain_of_thought_an_attempt_is_used_up(name: str) -> None:
    answer, reason = NO_ANCHOR[name]
    generator = Scripted(answer=lambda _: answer)
    pruning = prune(generator, max_attempts=3)
    assert pruning.reason == f"anchor_rewrite: no direct CoT ({reason})"
    assert pruning.trace is TRACE
    assert pruning.record == {"attempts": 3}
    assert not generator.prunings_asked
    assert [request.attempt for request in generator.asked] == [0, 1, 2]
    hotter = 0.0 if name == "no answer" else 1.0  # a server that fails says nothing against the paper's temperature
    assert [request.temperature for request in generator.asked] == [0.0, hotter, hotter]


@pytest.mark.parametrize("name", NO_ANCHOR)
@pytest.mark.parametrize("mode", ["rewrite", "select"])
def test_a_later_attempt_brings_the_direct_chain_of_thought(name: str, mode: Any) -> None:
    answers = [NO_ANCHOR[name][0], NO_ANCHOR[name][0], "Sum the counts."]

    def answer(request: Request) -> str | Completion | Failure:
        return answers[request.attempt] if is_direct(request) else every_second_step(request)

    generator = Scripted(answer=answer)
    pruning = prune(generator, mode=mode, max_attempts=3)
    assert (pruning.trace.kept, pruning.reason) == ((0, 2, 4), "")
    assert (pruning.record["anchor"], pruning.record["attempts"]) == ("Sum the counts.", 3)
    assert [request.attempt for request in generator.prunings_asked] == [2]


def test_no_money_for_a_direct_chain_of_thought_is_not_asked_for_again() -> None:
    generator = Scripted(answer=lambda _: Failure("max_cost: may cost up to 1"))
    assert prune(generator).record == {"attempts": 1}
    assert len(generator.asked) == 1


def test_thoughts_before_the_direct_chain_of_thought_are_no_part_of_it() -> None:
    generator = Scripted(answer=lambda r: "<think>\nHm.\n</think>\n\nSum." if is_direct(r) else STEPS[0])
    assert prune(generator).record["anchor"] == "Sum."


def test_each_trace_has_its_own_fate() -> None:
    def answer(request: Request) -> str | Failure:
        number = int(inside(request, "problem").split()[1])
        if is_direct(request):
            return Failure("timeout") if number == 3 else "Sum."
        return STEPS[number] if request.attempt == number else INVENTED

    generator = Scripted(answer=answer)
    traces = [Trace.parse(f"Task {number}", TRACE.completion, "paper") for number in range(5)]
    prunings = AnchorPruner(generator, max_attempts=3).prune(traces)
    assert [pruning.trace.kept for pruning in prunings] == [(0,), (1,), (2,), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4)]
    assert [pruning.record["attempts"] for pruning in prunings] == [1, 2, 3, 3, 3]
    assert [pruning.trace.question for pruning in prunings] == [trace.question for trace in traces]
    assert len(generator.asked) == (5 + 1 + 1) + (4 + 3 + 2)


def test_no_traces_no_questions() -> None:
    generator = answering(INVENTED)
    assert AnchorPruner(generator).prune([]) == []
    assert generator.asked == []


PRUNED = f"{STEPS[0]}\n\n{STEPS[2]}"
WRAPPED = [
    PRUNED,
    f"\n\n{PRUNED}\n\n",
    f"```\n{PRUNED}\n```",
    f"```text\n{PRUNED}\n```\n",
    f"<think>\nWhich steps? These.\n</think>\n\n{PRUNED}",
    f"Which steps? These.\n</think>\n\n{PRUNED}",
    f"<think>\n{PRUNED}\n</think>",
    f"<chain_of_thought>\n{PRUNED}\n</chain_of_thought>",
    f"<think>\nHm.\n</think>\n<chain_of_thought>\n```\n{PRUNED}\n```\n</chain_of_thought>",
    PRUNED.replace("\n", "\r\n"),
]


@pytest.mark.parametrize("answer", WRAPPED)
def test_an_answer_in_wrapping(answer: str) -> None:
    decision = read_rewrite(TRACE, answer, 0.6)
    assert decision.kept == (0, 2)
    assert decision.record == {"similarities": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("```\na\n```", "a"),
        ("```text\na\n\nb\n```", "a\n\nb"),
        ("```\n    a\n```", "    a"),
        ("```\nThe code:\n```python\nx = 1\n```\nDone.\n```", "The code:\n```python\nx = 1\n```\nDone."),
        ("```\n\n```", ""),
        ("```\n```", ""),
    ],
)
def test_the_fence_around_a_text(text: str, inner: str) -> None:
    assert unfenced(text) == inner


@pytest.mark.parametrize(
    "text", ["", "a", "```\na", "a\n```\nb\n```", "```\na\n```\nb", "```py\nx\n```\n\nSo:\n\n```\ny\n```"]
)
def test_no_fence_around_a_text(text: str) -> None:
    assert unfenced(text) == text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("a", "a"),
        ("<think>b</think>a", "a"),
        ("b</think>a", "a"),
        ("<think>a</think>\n", "a"),
        ("<think>b</think><think>a</think>", "a"),
        ("<think>a", ""),
        ("a \ud83d b", "a ? b"),
        ("", ""),
    ],
)
def test_thoughts_around_an_answer(answer: str, text: str) -> None:
    assert without_thinking(answer) == text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("a", "a"),
        ("<think>b</think>\na", "\na"),
        ("b</think>a", "a"),
        ("<think>a</think>\n", ""),
        ("a</think>", ""),
        ("<think>a", ""),
        ("", ""),
    ],
)
def test_thoughts_alone_are_no_answer_where_nothing_checks_it(answer: str, text: str) -> None:
    assert final_answer(answer) == text


EVERY_FIELD = "{steps} {reasoning} {anchor} {question} {answer} {} {0} %s \\1 $x"


@pytest.mark.parametrize("mode", ["rewrite", "select"])
def test_prompts_hold_the_data_as_it_is(mode: Any) -> None:
    """Braces and back references in the data are no placeholders. (A text that closes a prompt's tag does get through:
    the worst that comes of it is an answer that is not valid.)"""
    trace = Trace.parse(f"Q {EVERY_FIELD}", f"<think>\nS {EVERY_FIELD}\n\nLast.\n</think>\n\nA {EVERY_FIELD}", "paper")
    generator = Scripted(answer=lambda r: f"D {EVERY_FIELD}" if is_direct(r) else INVENTED)
    AnchorPruner(generator, mode=mode, max_attempts=1).prune([trace])
    direct, pruning = generator.asked
    assert inside(direct, "problem") == trace.question
    assert inside(direct, "solution") == trace.answer
    assert inside(pruning, "problem") == trace.question
    assert inside(pruning, "direct_reasoning") == f"D {EVERY_FIELD}"
    if mode == "rewrite":
        assert inside(pruning, "chain_of_thought") == trace.reasoning
        assert pruning.schema is None
    else:
        assert inside(pruning, "steps") == f"[1] S {EVERY_FIELD}\n\n[2] Last."
        assert pruning.schema is not None
    assert trace.answer not in pruning.messages[0]["content"]
    assert [message["role"] for request in generator.asked for message in request.messages] == ["user", "user"]


def test_own_words_to_ask_with() -> None:
    generator = Scripted(answer=lambda _: STEPS[0])
    prune(
        generator,
        direct_prompt="Solve {question} by {answer}",
        prune_prompt="{steps} | {anchor} | {reasoning} | {question}",
    )
    direct, pruning = generator.asked
    assert direct.messages[0]["content"] == f"Solve {TRACE.question} by {TRACE.answer}"
    numbered = "\n\n".join(f"[{number}] {step}" for number, step in enumerate(STEPS, 1))
    assert pruning.messages[0]["content"] == f"{numbered} | {STEPS[0]} | {TRACE.reasoning} | {TRACE.question}"


def test_the_llm_s_own_text_on_request() -> None:
    edited = f"{STEPS[0]} Yes.\n\n  {STEPS[2].replace('counts', 'numbers')}"
    pruning = prune(answering(f"```\n{edited} \n```"), keep_llm_text=True)
    assert pruning.trace.reasoning == edited
    assert pruning.trace.kept == (0, 2)
    assert pruning.trace.source is TRACE
    assert pruning.trace.completion == f"<think>\n{edited}\n</think>\n\nprint(sum(a))"
    assert pruning.trace.select([1]).kept == (2,)


def test_the_llm_s_own_text_of_every_step() -> None:
    pruning = prune(answering(TRACE.reasoning.replace("Wait, ", "")), keep_llm_text=True)
    assert "Wait" not in pruning.trace.reasoning
    assert pruning.trace.kept == (0, 1, 2, 3, 4)
    assert pruning.trace.source is TRACE


EDITS = st.tuples(st.integers(0, 2**32), st.sets(st.sampled_from(range(len(STEPS))), min_size=1))


@given(EDITS)
@settings(deadline=None)
def test_no_character_of_the_llm_reaches_the_trace(edits: tuple[int, set[int]]) -> None:
    """An LLM that edits what it copies, with characters that the original does not hold."""
    rng = random.Random(edits[0])
    coarse = []
    for position in sorted(edits[1]):
        words = STEPS[position].split(" ")
        words[rng.randrange(len(words))] = rng.choice(["", "ZZ", "été", "№ 5", "\N{ZERO WIDTH SPACE}"])
        coarse.append(" ".join(words).strip())
    pruning = prune(answering("\n\n".join(coarse)), max_attempts=1)
    assert set(pruning.trace.texts) <= set(STEPS)
    assert not set(pruning.trace.completion) - set(TRACE.completion)
    if not pruning.reason:
        assert len(pruning.trace.kept) == len(coarse)


SELECTED: dict[str, tuple[int, ...]] = {
    '{"keep": "1-3,5"}': (0, 1, 2, 4),
    '{"keep": "5, 1 - 2 ,2"}': (0, 1, 4),
    '{"keep": "1–2"}': (0, 1),
    '{"keep": "3"}': (2,),
    '{"keep": "1,,3,"}': (0, 2),
    '{"keep": [1, 3, 5]}': (0, 2, 4),
    '{"keep": ["1-2", 4]}': (0, 1, 3),
    '{ "why": {"all": "{needed}"}, "keep": "2" }': (1,),
    '```json\n{"keep": "1-2"}\n```': (0, 1),
    'Steps {1} and {2} matter:\n\n{"keep": "1-2"}\n\nThat is all {really}.': (0, 1),
    'As in {"keep": "1-4"}, my answer is {"keep": "5"}': (4,),
    '<think>\n{"keep": "1"}? No.\n</think>\n{"keep": "2"}': (1,),
    '<think>\n{"keep": "1"}\n</think>': (0,),
}


@pytest.mark.parametrize("answer", SELECTED)
def test_selected_steps(answer: str) -> None:
    pruning = prune(answering(answer), mode="select")
    assert pruning.trace.kept == SELECTED[answer]
    assert pruning.trace.texts == tuple(STEPS[position] for position in SELECTED[answer])
    assert (pruning.reason, pruning.record) == ("", {"anchor": "Sum the counts.", "attempts": 1})


NOT_SELECTED = {
    "": "the answer holds no text",
    "1-3": "not the JSON",
    '"1-3"': "not the JSON",
    '{"keep": "1-3"': "not the JSON",
    "{'keep': '1-3'}": "not the JSON",
    '{"kept": "1-3"}': "not the JSON",
    '{"keep": null}': "not the JSON",
    '{"keep": 3}': "not the JSON",
    '{"keep": true}': "not the JSON",
    '{"keep": {"1": 2}}': "not the JSON",
    '{"keep": [true]}': "'True' is no step",
    '{"keep": [[1, 2]]}': "is no step",
    '{"keep": "1 to 3"}': "'1 to 3' is no step",
    '{"keep": "-1"}': "'-1' is no step",
    '{"keep": "1.5"}': "is no step",
    '{"keep": "' + "9" * 5000 + '"}': "is no step",
    '{"keep": ' * 3000: "not the JSON",
    '{"keep": ""}': "no step was selected",
    '{"keep": []}': "no step was selected",
    '{"keep": "0-2"}': "step 0-2 was selected, there are 5",
    '{"keep": "3,0"}': "step 0 was selected, there are 5",
    '{"keep": "4-6"}': "step 4-6 was selected, there are 5",
    '{"keep": "3-1"}': "step 3-1 was selected, there are 5",
    '{"keep": "1-999999999"}': "step 1-999999999 was selected, there are 5",
}


@pytest.mark.parametrize("answer", NOT_SELECTED, ids=lambda answer: answer[:30])
def test_no_selected_steps(answer: str) -> None:
    generator = answering(answer)
    pruning = prune(generator, mode="select", max_attempts=2)
    assert pruning.trace is TRACE
    assert NOT_SELECTED[answer] in pruning.reason
    assert pruning.record["attempts"] == len(generator.prunings_asked) == 2


@given(st.one_of(st.text(), st.text(alphabet='{}"keep:[],-0123456789 \n', max_size=60)))
def test_no_answer_breaks_the_readers(answer: str) -> None:
    for read in (read_select, read_rewrite):
        decision = read(TRACE, answer, 0.6)
        assert bool(decision.kept) != bool(decision.reason)
        assert set(decision.kept) <= set(range(5))


def test_select_asks_for_few_tokens() -> None:
    long = Trace.parse("q", "<think>" + "\n\n".join(f"Step {n}." for n in range(300)) + "</think>5", "paper")
    requests = []
    for trace in (TRACE, long):
        generator = Scripted(answer=every_second_step)
        assert AnchorPruner(generator, mode="select").prune([trace])[0].trace.kept == tuple(
            range(0, len(trace.steps), 2)
        )
        requests += generator.prunings_asked
    assert [request.max_tokens for request in requests] == [512, 2400]


def test_a_retry_asks_anew_and_pays_for_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    assert prune(answering(INVENTED), max_attempts=2).reason
    again = answering(STEPS[0])
    assert prune(again, max_attempts=2).reason
    assert again.asked == []
    onward = answering(INVENTED, STEPS[0])
    pruning = prune(onward, max_attempts=2, first_attempt=2)
    assert [request.attempt for request in onward.asked] == [2, 3]
    assert (pruning.trace.kept, pruning.record["attempts"]) == ((0,), 4)


def test_a_retry_asks_anew_for_an_anchor_only_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    assert prune(Scripted(answer=lambda _: ""), max_attempts=2).record == {"attempts": 2}
    resumed = Scripted(answer=lambda _: "")
    assert prune(resumed, max_attempts=3).record == {"attempts": 3}
    assert [request.attempt for request in resumed.asked] == [2], "what was answered is paid for, of use or not"
    onward = Scripted(answer=lambda request: "Sum." if is_direct(request) else INVENTED)
    assert prune(onward, max_attempts=1, first_attempt=3).record["anchor"] == "Sum."
    assert [(is_direct(one), one.attempt, one.temperature) for one in onward.asked] == [
        (True, 3, 1.0),
        (False, 3, 2.0),
    ]
    last = answering(STEPS[0])
    assert prune(last, max_attempts=1, first_attempt=4).trace.kept == (0,)
    assert [is_direct(one) for one in last.asked] == [False]


def test_what_was_never_asked_is_asked_as_the_paper_does_however_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    generator = answering(STEPS[0])
    prune(generator, first_attempt=5)
    assert (generator.asked[0].attempt, generator.asked[0].temperature) == (5, 0.0)


@pytest.mark.parametrize(("finish_reason", "asked"), [("stop", 0), ("length", 1)])
def test_a_direct_chain_of_thought_under_the_former_limit_serves_if_it_is_whole(
    finish_reason: str, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path))
    former = Scripted(answer=lambda _: "Sum the counts.")
    request = AnchorPruner(former, direct_max_tokens=2048).direct_request(TRACE)
    stored = {"text": "Sum.", "prompt_tokens": 1, "completion_tokens": 1, "finish_reason": finish_reason}
    open_ledger("llm").put(ledger_key("llm", "scripted", None, *request.identity), stored)
    generator = answering(STEPS[0])
    assert prune(generator).trace.kept == (0,)
    directs = [one for one in generator.asked if is_direct(one)]
    assert [(one.max_tokens, one.temperature) for one in directs] == [(16384, 0.0)] * asked


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "guess"},
        {"max_attempts": 0},
        {"on_failure": "ignore"},
        {"threshold": 0.0},
        {"threshold": 1.5},
        {"mode": "select", "keep_llm_text": True},
    ],
)
def test_arguments_that_cannot_work(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        AnchorPruner(Scripted(), **fields)
