"""LLMLingua-2: the same words as the original, exact budgets, and texts that nobody wrote for it."""

from __future__ import annotations

import importlib.util
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.fingerprint import Hasher
from transformers import AutoModelForTokenClassification, BertConfig, BertForTokenClassification

from asap_hf.errors import UsageError
from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.llmlingua2 import LLMLingua2Pruner
from asap_hf.runtime.ledger import open_ledger
from asap_hf.scoring.token_classes import load_classifier

from ..tiny_models import byte_level_tokenizer, save_model
from .llmlingua_original import SETTINGS, TEXTS, digest
from .texts import is_subsequence, letters, trace_of
from .tiny_classifiers import BERT, XLM_R, save_classifiers, text_of

PROJECT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).with_name("llmlingua_kept.json")
ORIGINALS = json.loads(RECORDED.read_text(encoding="utf-8"))
LONG = text_of(30)


@pytest.fixture(scope="module", autouse=True)
def _ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", str(tmp_path_factory.mktemp("ledger")))
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, embedded_model: str) -> dict[str, str]:
    return save_classifiers(tmp_path_factory.mktemp("classifiers"))


@pytest.mark.parametrize(("place", "name"), enumerate(SETTINGS))
def test_the_original_keeps_the_same_words(
    place: int, name: str, models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    model, options = SETTINGS[name]
    pruner = LLMLingua2Pruner("embedded", model_name_or_path=models[model], **options)
    seeds = range(TEXTS) if place == 0 else range(place, TEXTS, 6)
    emptied = digest("")
    for seed in seeds:
        pruning = pruner.prune([trace_of(text_of(seed))])[0]
        assert pruning.reason == ""
        if ORIGINALS[name][seed] == emptied:
            assert pruning.record["words_kept"] == 1
        else:
            assert digest(pruning.trace.reasoning) == ORIGINALS[name][seed], f"text {seed}"


def test_the_recorded_words_are_many_and_differ() -> None:
    assert {name: len(digests) for name, digests in ORIGINALS.items()} == dict.fromkeys(SETTINGS, TEXTS)
    assert len(set(ORIGINALS["xlm_r"])) > 200
    assert sum(digests.count(digest("")) for digests in ORIGINALS.values()) < 20


@pytest.mark.skipif(importlib.util.find_spec("llmlingua") is None, reason="llmlingua is not installed here")
def test_the_recorded_words_are_what_the_original_says(tmp_path: Path, embedded_model: str) -> None:
    fresh = tmp_path / "kept.json"
    command = [sys.executable, "-m", "tests.pruners.llmlingua_original", str(fresh)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    assert json.loads(fresh.read_text(encoding="utf-8")) == ORIGINALS


@pytest.mark.parametrize("model", [XLM_R, BERT])
def test_every_budget_holds_and_one_word_more_would_not_fit(model: str, models: dict[str, str]) -> None:
    trace = trace_of(LONG)
    whole = count_tokens("embedded", [trace.reasoning])[0]
    assert whole > 200
    words: list[int] = []
    for budget in (1, 2, 7, 50, 111, whole - 1):
        pruner = LLMLingua2Pruner("embedded", max_tokens=budget, model_name_or_path=models[model])
        pruning = pruner.prune([trace])[0]
        tokens = count_tokens("embedded", [pruning.trace.reasoning])[0]
        assert pruning.record["tokens"] == tokens
        assert pruning.record["budget"] == budget
        over = f"over_budget: {tokens} > {budget} tokens"
        assert pruning.remark == (over if tokens > budget else "")
        assert tokens <= budget or pruning.record["words_kept"] == 1
        assert tokens >= budget - 6 or pruning.record["words_kept"] == pruning.record["words"]
        words.append(pruning.record["words_kept"])
    assert words == sorted(words)
    assert len(set(words)) >= 5


def test_a_trace_that_fits_is_the_same_trace(models: dict[str, str]) -> None:
    trace = trace_of("Two  lines,\n\n    one of them indented.")
    whole = count_tokens("embedded", [trace.reasoning])[0]
    for fields in ({"max_tokens": whole}, {"ratio": 1.0}, {"rate": 1.0}):
        pruning = LLMLingua2Pruner("embedded", model_name_or_path="never/loaded", **fields).prune([trace])[0]
        assert pruning.trace is trace
        assert (pruning.reason, pruning.record["tokens"]) == ("", whole)


def test_a_ratio_is_of_the_source(models: dict[str, str]) -> None:
    trace = trace_of(LONG)
    whole = count_tokens("embedded", [trace.reasoning])[0]
    half = trace.select(range(len(trace.steps) // 2))
    pruner = LLMLingua2Pruner("embedded", ratio=0.1, model_name_or_path=models[XLM_R])
    pruning = pruner.prune([half])[0]
    assert pruning.record["budget"] == int(0.1 * whole)
    assert pruning.trace.source is trace


@pytest.mark.parametrize("fields", [{"rate": 0.5}, {"ratio": 0.3}, {"rate": 0.5, "force_tokens": ("\n", "Step")}])
def test_each_step_holds_words_of_its_own_in_order(fields: dict[str, Any], models: dict[str, str]) -> None:
    pruner = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], **fields)
    dropped = 0
    for seed in range(0, 60, 2):
        before = trace_of(text_of(seed).replace("▁", ""))
        after = pruner.prune([before])[0].trace
        dropped += len(before.steps) - len(after.steps)
        assert list(after.kept) == sorted(set(after.kept))
        assert after.source is before
        for step, position in zip(after.steps, after.kept, strict=True):
            assert is_subsequence(letters(step), letters(before.steps[position])), (seed, position)
        assert not any(step[:1].isspace() for step in after.steps[1:])
    assert dropped > 0 or "ratio" not in fields  # the authors' rule keeps something of each window


def test_steps_and_record_are_the_text(models: dict[str, str]) -> None:
    trace = trace_of(LONG)
    pruning = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R]).prune([trace])[0]
    assert pruning.record["rewritten"] == list(pruning.trace.steps)
    assert "".join(pruning.record["rewritten"]) == pruning.trace.reasoning
    assert json.loads(json.dumps(pruning.record)) == pruning.record
    assert pruning.record["scorer"]["model"] == XLM_R
    assert pruning.record["scorer"]["dtype"] == "float32"
    assert (pruning.trace.question, pruning.trace.answer) == (trace.question, trace.answer)


HOSTILE = {
    "one word": "x" * 10_000,
    "digits": "1234567890" * 500,
    "no sentence end": "count the apples " * 700,
    "emoji": "a 🙂🙃 👩‍👩‍👧 b",
    "control": "a\x00b\x01\x02 c\x7f\x1b[0m \u202egnp\u202c d \x1c\x1d e\u2028f",
    "stand-ins": "a \U0010f000\U0010f001 b\U0010f000c",
    "marks": "▁▁▁ ▁a▁ ##b ## #### c",
    "special": "<s></s><pad><unk><mask>[CLS][SEP][PAD][MASK] text <|endoftext|>",
    "one letter": "a",
    "lines": "a\n\n\n\n\n\nb\r\n\r\nc",
}


@pytest.mark.parametrize("model", [XLM_R, BERT])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts(name: str, model: str, models: dict[str, str]) -> None:
    trace = trace_of(HOSTILE[name])
    for fields in ({"rate": 0.5}, {"max_tokens": 5}, {"max_tokens": 3, "force_tokens": ("\n", "a", "the b")}):
        pruning = LLMLingua2Pruner("embedded", model_name_or_path=models[model], **fields).prune([trace])[0]
        assert pruning.trace.reasoning.strip()
        assert not set("\U0010f000\U0010f001") & set(pruning.trace.reasoning) or pruning.trace is trace
        if "max_tokens" in fields and not pruning.reason and not pruning.remark:
            assert pruning.record["tokens"] <= fields["max_tokens"]


def test_a_text_of_which_the_vocabulary_holds_nothing_stays(models: dict[str, str]) -> None:
    trace = trace_of("🙂🙃 🙂🙃\n\n🙃🙃 🙃 🙂")
    for fields in ({"rate": 0.5}, {"max_tokens": 5}):
        pruning = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], **fields).prune([trace])[0]
        assert pruning.trace is trace
        assert pruning.reason == "no_words: the model's vocabulary holds nothing of this text"


def test_line_breaks_can_be_forced(models: dict[str, str]) -> None:
    text = "Read the numbers.\n\nWait.\nThe answer is 5."
    pruner = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], rate=0.2, force_tokens=("\n",))
    pruning = pruner.prune([trace_of(text)])[0]
    assert pruning.trace.reasoning.count("\n") == 3
    assert len(pruning.trace.reasoning) < len(text)


def test_digits_can_be_forced(models: dict[str, str]) -> None:
    text = "There are 10 apples in 3 baskets and 42 pears.\n\nSo 52 pieces of fruit and 3.14 pies."
    for fields, budget in (({"rate": 0.3}, None), ({"max_tokens": 20}, 20)):
        pruner = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], force_reserve_digit=True, **fields)
        pruning = pruner.prune([trace_of(text)])[0]
        assert [character for character in pruning.trace.reasoning if character.isdigit()] == list("1034252314")
        assert budget is None or pruning.record["tokens"] <= budget


def test_a_forced_word_is_said_once_where_nothing_stands_between(models: dict[str, str]) -> None:
    text = "::: Step Step : : Step::: read"
    fields: dict[str, Any] = {"model_name_or_path": models[BERT], "max_tokens": 9, "force_tokens": (":", "Step")}
    again = LLMLingua2Pruner("embedded", **fields).prune([trace_of(text)])[0].trace.reasoning
    once = LLMLingua2Pruner("embedded", drop_consecutive=True, **fields).prune([trace_of(text)])[0].trace.reasoning
    assert ": :" in again
    assert once.replace(" ", "").startswith(":Step:Step:")


def test_the_frame_can_be_the_models_own(models: dict[str, str]) -> None:
    trace = trace_of(LONG)
    own = [LLMLingua2Pruner("embedded", model_name_or_path=models[one], own_ends=True) for one in (XLM_R, BERT)]
    released = [LLMLingua2Pruner("embedded", model_name_or_path=models[one]) for one in (XLM_R, BERT)]
    texts = [[one.prune([trace])[0].trace.reasoning for one in pruners] for pruners in (own, released)]
    assert texts[0][0] != texts[1][0]  # XLM-R does not know BERT's ends
    assert texts[0][1] == texts[1][1]


def test_the_classifier_gives_what_the_model_gives(models: dict[str, str]) -> None:
    windows = [[0, 5, 6, 7, 8, 2], [0, 9, 2]]
    model = AutoModelForTokenClassification.from_pretrained(models[XLM_R])
    with torch.inference_mode():
        expected = [model(torch.tensor([window])).logits[0].softmax(-1)[:, 1].tolist() for window in windows]
    found = load_classifier(models[XLM_R], None, "float32", "cpu")(windows)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_what_was_classified_needs_no_model_again(models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of("A text that no other test has pruned. Wait.")
    before = len(open_ledger("scores"))
    first = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R]).prune([trace])[0]
    assert len(open_ledger("scores")) == before + 1

    def unloadable(*_: Any) -> None:
        raise AssertionError("the ledger holds it")

    monkeypatch.setattr("asap_hf.scoring.token_classes.load_classifier", unloadable)
    assert LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R]).prune([trace]) == [first]
    LLMLingua2Pruner("embedded", max_tokens=4, model_name_or_path=models[XLM_R]).prune([trace])
    with pytest.raises(AssertionError, match="the ledger holds it"):
        LLMLingua2Pruner("embedded", model_name_or_path=models[BERT]).prune([trace])


def test_batches_and_copies_agree_and_no_random_stream_is_touched(models: dict[str, str]) -> None:
    pruner = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R])
    traces = [trace_of(text_of(seed)) for seed in (30, 3, 8)]
    fingerprint, state = Hasher.hash(pruner), torch.get_rng_state()
    together = pruner.prune(traces)
    assert torch.equal(torch.get_rng_state(), state)
    assert together == [pickle.loads(pickle.dumps(pruner)).prune([trace])[0] for trace in traces]
    assert Hasher.hash(pruner) == fingerprint
    listed = LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], force_tokens=["a"])  # type: ignore[arg-type]
    assert listed == LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], force_tokens=("a",))
    assert pruner.prune([]) == []


def test_a_model_that_gives_no_numbers_is_a_reason(models: dict[str, str], tmp_path: Path) -> None:
    model = AutoModelForTokenClassification.from_pretrained(models[XLM_R])
    with torch.no_grad():
        model.classifier.bias.fill_(math.nan)
    model.save_pretrained(tmp_path)
    for file in Path(models[XLM_R]).glob("token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    trace, stored = trace_of("Read the numbers. Wait."), len(open_ledger("scores"))
    pruning = LLMLingua2Pruner("embedded", model_name_or_path=str(tmp_path)).prune([trace])[0]
    assert pruning.trace is trace
    assert pruning.reason == "scoring: not_finite"
    assert len(open_ledger("scores")) == stored


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": 5, "ratio": 0.5}, "one budget"),
        ({"max_tokens": 0}, "1 or more; got 0"),
        ({"ratio": 1.5}, "at most 1; got 1.5"),
        ({"rate": 0.0}, "over 0 and at most 1; got 0.0"),
        ({"force_tokens": ("a", "")}, "an empty text"),
        ({"dtype": "float8"}, "not 'float8'"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        LLMLingua2Pruner("embedded", **fields)


def test_models_that_cannot_be(models: dict[str, str], tmp_path: Path) -> None:
    trace = trace_of("Read the numbers. Wait.")
    with pytest.raises(UsageError, match="max_length is 16 to 512"):
        LLMLingua2Pruner("embedded", model_name_or_path=models[XLM_R], max_length=513).prune([trace])
    causal = save_model(tmp_path / "causal", tokenizer=byte_level_tokenizer())
    with pytest.raises(UsageError, match="marks words neither as XLM-R's nor as BERT's"):
        LLMLingua2Pruner("embedded", model_name_or_path=causal).prune([trace])
    config = BertConfig.from_pretrained(models[BERT], num_labels=3)
    BertForTokenClassification(config).save_pretrained(tmp_path / "three")
    for file in Path(models[BERT]).glob("token*"):
        (tmp_path / "three" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match="no head for two classes of tokens"):
        LLMLingua2Pruner("embedded", model_name_or_path=str(tmp_path / "three")).prune([trace])
