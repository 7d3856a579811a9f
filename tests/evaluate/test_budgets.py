"""One generation read under several budgets."""

from __future__ import annotations

import random

import pytest
from transformers import PreTrainedTokenizerFast

from asap_hf.errors import UsageError
from asap_hf.evaluate.budgets import Reader, Reading, parse_budgets
from asap_hf.llm.engine import Generation

from ..tiny_models import byte_level_tokenizer

TEXT = "I need to add.\n\nEasy: 1 + 1.\n</think>\n\n```python\ndef f():\n    return 2\n```"


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """`</think>` is several tokens for it, as for most models that were not trained to reason."""
    return byte_level_tokenizer()


@pytest.fixture(scope="module")
def reasoner() -> PreTrainedTokenizerFast:
    """`</think>` is one token for it, a special one."""
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["<think>", "</think>"], special_tokens=True)
    return tokenizer


def ids_of(tokenizer: PreTrainedTokenizerFast, text: str, ended: bool = True) -> tuple[int, ...]:
    return (*tokenizer(text, add_special_tokens=False).input_ids, *([tokenizer.eos_token_id] if ended else []))


def naive(tokenizer: PreTrainedTokenizerFast, ids: tuple[int, ...], budget: int, think: bool) -> Reading:
    """Straight from the words of the contract, token by token."""
    cut = len(ids) > budget
    body = [token for token in ids[:budget] if token != tokenizer.eos_token_id]
    decoded = [tokenizer.decode(body[:count]) for count in range(len(body) + 1)]
    closed = next((count for count, text in enumerate(decoded) if "</think>" in text), None)
    reason = "length" if cut or ids[-1] != tokenizer.eos_token_id else "stop"
    if closed is None:
        counts = (len(body), 0) if think else (0, len(body))
        return Reading(reason, *counts, min(len(ids), budget), None if think else decoded[-1])  # type: ignore[arg-type]
    start = max(begin for begin in range(closed) if "</think>" in tokenizer.decode(body[begin:closed]))
    answer = decoded[-1].split("</think>", 1)[1]
    return Reading(reason, start, len(body) - closed, min(len(ids), budget), answer)  # type: ignore[arg-type]


@pytest.mark.parametrize("which", ["tokenizer", "reasoner"])
@pytest.mark.parametrize("think", [True, False])
@pytest.mark.parametrize("ended", [True, False])
def test_every_cut_is_as_read_token_by_token(
    which: str, think: bool, ended: bool, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(which)
    ids = ids_of(tokenizer, TEXT, ended)
    budgets = range(1, len(ids) + 2)
    generation = Generation("", ids, "stop" if ended else "length")
    found = Reader(tokenizer, think).read(generation, budgets)
    assert found == [naive(tokenizer, ids, budget, think) for budget in budgets]


def test_counts_add_up_to_all_but_the_tag_and_the_end(reasoner: PreTrainedTokenizerFast) -> None:
    reasoning, answer = TEXT.split("</think>")
    ids = ids_of(reasoner, TEXT)
    [reading] = Reader(reasoner, True).read(Generation("", ids, "stop"), [1000])
    assert reading.reasoning_tokens == len(ids_of(reasoner, reasoning, False))
    assert reading.answer_tokens == len(ids_of(reasoner, answer, False))
    assert reading.generated_tokens == reading.reasoning_tokens + 1 + reading.answer_tokens + 1
    assert reading.answer == answer


@pytest.mark.parametrize(
    ("text", "think", "answer"),
    [
        ("a</think>b", True, "b"),
        ("a</think>b</think>c", True, "b</think>c"),
        ("<think>a</think>b", True, "b"),
        ("a", True, None),
        ("", True, None),
        ("a", False, "a"),
        ("", False, ""),
        ("\n<think>a", False, None),
        ("<think>a</think>b", False, "b"),
        ("say <think> aloud", False, "say <think> aloud"),
    ],
)
def test_the_answer_is_what_follows_the_first_closing_tag(
    tokenizer: PreTrainedTokenizerFast, text: str, think: bool, answer: str | None
) -> None:
    reader = Reader(tokenizer, think)
    by_ids = Generation("", ids_of(tokenizer, text), "stop")
    by_text = Generation(text, (), "stop")
    for generation in (by_ids, by_text):
        [reading] = reader.read(generation, [1000])
        assert reading.answer == answer
        assert reader.text(generation) == text


def test_a_closing_tag_that_is_special_is_not_taken_for_the_end(reasoner: PreTrainedTokenizerFast) -> None:
    ids = ids_of(reasoner, "a</think>", ended=False)
    [reading] = Reader(reasoner, True).read(Generation("", ids, "stop"), [1000])
    assert (reading.answer, reading.reasoning_tokens) == ("", 1)


def test_without_token_ids_the_text_is_cut_where_its_own_tokens_end(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = ids_of(tokenizer, TEXT)
    budgets = [5, 20, len(ids) - 3, 1000]
    reader = Reader(tokenizer, True)
    assert reader.read(Generation(TEXT, (), "stop"), budgets) == reader.read(Generation("", ids, "stop"), budgets)


def test_a_server_that_counts_otherwise_is_believed_at_its_own_budget(tokenizer: PreTrainedTokenizerFast) -> None:
    """Its answer fitted; that it is longer in our tokens does not cut it."""
    [reading] = Reader(tokenizer, True).read(Generation(TEXT, (), "stop"), [10])
    assert (reading.finish_reason, reading.generated_tokens) == ("stop", 10)
    assert reading.answer == TEXT.split("</think>")[1]


def test_a_token_within_a_character_does_no_harm(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "數學🙂</think>🙂"
    ids = ids_of(tokenizer, text)
    for reading in Reader(tokenizer, True).read(Generation("", ids, "stop"), range(1, len(ids))):
        assert reading.generated_tokens <= len(ids)
    [whole] = Reader(tokenizer, True).read(Generation("", ids, "stop"), [len(ids)])
    assert whole.answer == "🙂"


def test_the_tag_is_found_wherever_it_is(tokenizer: PreTrainedTokenizerFast) -> None:
    randomness = random.Random(0)
    for _ in range(60):
        before, after = ("".join(randomness.choices("ab <>/think\n", k=randomness.randrange(30))) for _ in range(2))
        ids = ids_of(tokenizer, f"{before}</think>{after}")
        [reading] = Reader(tokenizer, True).read(Generation("", ids, "stop"), [10**6])
        assert reading == naive(tokenizer, ids, 10**6, True)


@pytest.mark.parametrize(
    ("text", "budgets"), [("2048", (2048,)), ("4096, 2048,4096", (2048, 4096)), ("12_288", (12288,))]
)
def test_budgets_are_ascending_and_each_once(text: str, budgets: tuple[int, ...]) -> None:
    assert parse_budgets(text) == budgets


@pytest.mark.parametrize("text", ["", ",", "0", "-1", "2k", "1.5", "2048;4096", "²"])
def test_what_is_no_number_of_tokens_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--budget"):
        parse_budgets(text)
