"""Selective Context: sentences alone, phrases by pattern, the authors' way of sharing a token, exact budgets."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.fingerprint import Hasher
from transformers import AutoModelForCausalLM

from asap_hf.errors import UsageError
from asap_hf.models.tokens import count_tokens, load_tokenizer
from asap_hf.pruners.selective_context import SelectiveContextPruner, phrase_information, phrases, sentences
from asap_hf.runtime.ledger import open_ledger
from asap_hf.scoring.self_information import self_information, start_token, tokenise
from asap_hf.scoring.steps import load

from ..tiny_models import byte_level_tokenizer, save_model, tiny_llama
from .texts import is_subsequence, letters, trace_of

TEXT = (
    "Okay, so I need to read n and print the answer.  Wait, maybe it is simpler?\n\n"
    "def solve(n):\n    for i in range(n):\n        return i\n\n"
    "Let me think again. Hmm, é 数 🙂 that cannot be right, e.g. for 3.5 apples.\n\nThe total is 10."
)


@pytest.fixture(scope="module", autouse=True)
def _ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", str(tmp_path_factory.mktemp("ledger")))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("llama"), tiny_llama(max_position_embeddings=64))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two? Three! Four", ["One.", "Two?", "Three! Four"]),
        ("See e.g. this, i.e. that. Dr. Who came.", ["See e.g. this, i.e. that.", "Dr. Who came."]),
        ("It is 3.14 or a.b. Yes.", ["It is 3.14 or a.b. Yes."]),
        ("Wait... Then. So. So.", ["Wait...", "Then.", "So. So."]),  # "So." reads like "Dr."
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The total is 10.", ["The total", " is", " 10", "."]),
        (
            "if a[i] == all the rest: it's 3.14",
            ["if", " a", "[", "i", "]", " ==", " all the rest", ":", " it's", " 3.14"],
        ),
        ("What is the", ["What is", " the"]),
        ("the the the", ["the the the"]),
        ("🙂🙂 数を", ["🙂🙂", " 数を"]),
    ],
)
def test_phrases(sentence: str, expected: list[str]) -> None:
    assert phrases(sentence) == expected


def test_phrases_joined_are_the_sentence() -> None:
    chance = random.Random(0)
    for _ in range(300):
        sentence = " ".join(
            "".join(chance.choices("ab_1.'-=é数🙂\x07\u200b", k=chance.randint(1, 6))) for _ in range(5)
        )
        sentence += chance.choice(("", " the", " the a", " all of that."))
        assert "".join(phrases(sentence)) == sentence


@pytest.mark.parametrize(
    ("units", "tokens", "expected"),
    [
        (("The total", " is"), ("The", " total", " is"), (1.5, 3.0)),
        (("a", "[", "i"), ("a[", "i"), (0.5, 0.5, 2.0)),  # the first token ends two phrases
        (("ab", "cd"), ("abc", "d"), (1.0, 2.0)),  # begun phrases get nothing of it
        (("ab", " c"), ("ab", " ", "c"), (1.0, 3.0)),  # a space alone counts for nothing
        (("ab", "c"), ("abc",), (0.5, 0.5)),
    ],
)
def test_what_a_token_gives(units: Sequence[str], tokens: Sequence[str], expected: Sequence[float]) -> None:
    spans = list(pairwise(accumulate(map(len, tokens), initial=0)))
    assert phrase_information(units, spans, [1.0, 2.0, 3.0][: len(tokens)]) == pytest.approx(expected)


def given_by_cursor(units: Sequence[str], tokens: Sequence[str], information: Sequence[float]) -> list[float]:
    """The authors' bookkeeping: one cursor through phrases, moved by the length of each token."""
    given: list[list[float]] = [[] for _ in units]
    unit, inside = 0, 0
    for token, value in zip(tokens, information, strict=True):
        inside += len(token)
        ended = []
        while unit < len(units) and inside >= len(units[unit]):
            inside -= len(units[unit])
            ended.append(unit)
            unit += 1
        if not ended and token != " ":
            given[unit].append(value)
        for one in ended:
            given[one].append(value / len(ended))
    return [sum(values) / len(values) for values in given]


def cut_at_random(text: str, chance: random.Random) -> list[str]:
    cuts = [0, *sorted(chance.sample(range(1, len(text)), chance.randint(0, len(text) - 1))), len(text)]
    return [text[begin:end] for begin, end in pairwise(cuts)]


def test_what_a_token_gives_is_what_the_authors_give() -> None:
    chance = random.Random(0)
    for _ in range(400):
        text = "a" + " ".join("".join(chance.choices("ab  c", k=chance.randint(2, 14))).split()) + "b"
        units, tokens = cut_at_random(text, chance), cut_at_random(text, chance)
        information = [chance.random() for _ in tokens]
        spans = list(pairwise(accumulate(map(len, tokens), initial=0)))
        assert phrase_information(units, spans, information) == pytest.approx(
            given_by_cursor(units, tokens, information)
        )


def test_self_information_is_the_models_own(model: str) -> None:
    parts = ["Wait, maybe it is simpler?", "Let me think again.", "é 数 🙂", "x"]
    tokenizer = load_tokenizer(model)
    ids = [one.ids for one in tokenise(tokenizer, parts)]
    found = self_information(ids, start_token(tokenizer), load(model, None, "raw", "float32", "cpu", None)[1], 4096)
    bare = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    assert found is not None
    for sentence, values in zip(ids, found, strict=True):
        with torch.inference_mode():
            log_p = bare(torch.tensor([[tokenizer.bos_token_id, *sentence]])).logits[0].log_softmax(-1)
        expected = [-float(log_p[place, token]) for place, token in enumerate(sentence)]
        assert values == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_sentence_longer_than_the_context_is_scored_whole(model: str) -> None:
    trace = trace_of("w x y z " * 60)
    pruning = SelectiveContextPruner(model, "embedded", ratio=0.5).prune([trace])[0]
    assert pruning.reason == ""
    assert pruning.record["words"] == 240
    assert 0 < pruning.record["words_kept"] < 240


def test_without_a_bos_the_end_token_stands_before_a_sentence(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer(bos=False)
    assert start_token(tokenizer) == 0
    tokenizer.bos_token = None
    assert start_token(tokenizer) == 1
    tokenizer.eos_token = None
    with pytest.raises(UsageError, match="no token that begins or ends a text"):
        start_token(tokenizer)


@pytest.mark.parametrize("reduce_ratio", [0.2, 0.5, 0.9])
def test_the_authors_rule_counts_phrases(reduce_ratio: float, model: str) -> None:
    pruning = SelectiveContextPruner(model, "embedded", reduce_ratio=reduce_ratio).prune([trace_of(TEXT)])[0]
    flat = " ".join(TEXT.split())
    units = [unit for sentence in sentences(flat) for unit in phrases(sentence)]
    assert pruning.record["words"] == len(units)
    assert pruning.record["words_kept"] == pytest.approx((1 - reduce_ratio) * len(units), abs=1.01)
    assert pruning.reason == ""
    assert "\n" not in pruning.trace.reasoning
    assert "  " not in pruning.trace.reasoning


def test_every_budget_holds_and_steps_hold_their_own_words(model: str) -> None:
    before = trace_of(TEXT)
    whole = count_tokens("embedded", [TEXT])[0]
    kept: list[int] = []
    for budget in (1, 2, 5, 17, 40, whole - 1):
        pruning = SelectiveContextPruner(model, "embedded", max_tokens=budget).prune([before])[0]
        after, record = pruning.trace, pruning.record
        assert record["tokens"] == count_tokens("embedded", [after.reasoning])[0]
        over = f"over_budget: {record['tokens']} > {budget} tokens"
        assert pruning.remark == (over if record["tokens"] > budget else "")
        assert record["tokens"] <= budget or record["words_kept"] == 1
        assert record["rewritten"] == list(after.steps)
        for step, position in zip(after.steps, after.kept, strict=True):
            assert is_subsequence(letters(step), letters(before.steps[position]))
        kept.append(record["words_kept"])
    assert kept == sorted(kept)
    assert len(set(kept)) >= 5
    assert json.loads(json.dumps(pruning.record)) == pruning.record
    assert after.source is before


def test_a_trace_that_fits_is_the_same_trace() -> None:
    trace = trace_of(TEXT)
    for fields in ({"max_tokens": 4096}, {"ratio": 1.0}):
        pruning = SelectiveContextPruner("never/loaded", "embedded", **fields).prune([trace])[0]  # type: ignore[arg-type]
        assert pruning.trace is trace
        assert pruning.reason == ""


HOSTILE = {
    "one word": "x" * 10_000,
    "signs": "=" * 3000,
    "determiners": "the " * 2000,
    "no sentence end": "count the apples " * 300,
    "emoji": "🙂🙃 👩‍👩‍👧",
    "control": "a\x00b\x01 c\x7f\x1b[0m \u202egnp\u202c d \x1c\x1d e\u2028f",
    "special": "<s></s> <|endoftext|>",
    "stops": ". . ? . ...",
    "one letter": "a",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts(name: str, model: str) -> None:
    trace = trace_of(HOSTILE[name])
    for fields in ({"reduce_ratio": 0.5}, {"max_tokens": 6}):
        pruning = SelectiveContextPruner(model, "embedded", **fields).prune([trace])[0]  # type: ignore[arg-type]
        assert pruning.trace.reasoning.strip()
        if "max_tokens" in fields and not pruning.reason and not pruning.remark:
            assert pruning.record["tokens"] <= 6
        assert is_subsequence(letters(pruning.trace.reasoning), letters(trace.reasoning))


def test_what_was_scored_needs_no_model_again(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of("A text that no other test has pruned. Wait.")
    before = len(open_ledger("scores"))
    first = SelectiveContextPruner(model, "embedded").prune([trace])
    assert len(open_ledger("scores")) == before + 1

    def unloadable(*_: Any) -> None:
        raise AssertionError("the ledger holds it")

    monkeypatch.setattr("asap_hf.scoring.steps.load", unloadable)
    assert SelectiveContextPruner(model, "embedded").prune([trace]) == first
    SelectiveContextPruner(model, "embedded", max_tokens=4).prune([trace])
    with pytest.raises(AssertionError, match="the ledger holds it"):
        SelectiveContextPruner(model, "embedded").prune([trace_of("Nor this one.")])


def test_identity(model: str) -> None:
    pruner = SelectiveContextPruner(model, "embedded", ratio=0.5)
    before = Hasher.hash(pruner)
    traces = [trace_of(TEXT), trace_of("Wait. So the total is five."), trace_of(TEXT)]
    together = pruner.prune(traces)
    assert together == [pickle.loads(pickle.dumps(pruner)).prune([trace])[0] for trace in traces]
    assert Hasher.hash(pruner) == before
    assert Hasher.hash(SelectiveContextPruner(model, "embedded", ratio=0.25)) != before
    assert together[0].record["scorer"]["model"] == Path(model).name
    assert pruner.prune([]) == []


def test_the_embedded_model_keeps_what_it_does_not_expect(embedded_model: str) -> None:
    trace = trace_of("The capital of France is Paris. The capital of France is a xylophone.")
    pruner = SelectiveContextPruner(embedded_model, embedded_model, max_tokens=8, dtype="float32")
    left = pruner.prune([trace])[0].trace.reasoning
    assert "xylophone" in left
    assert " of" not in left


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": 5, "ratio": 0.5}, "one budget"),
        ({"ratio": 0.0}, "over 0 and at most 1"),
        ({"reduce_ratio": 1.0}, "over 0 and below 1; got 1.0"),
        ({"dtype": "float8"}, "not 'float8'"),
        ({"max_batch_tokens": 0}, "1 or more, not 0"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        SelectiveContextPruner("any", "any", **fields)
