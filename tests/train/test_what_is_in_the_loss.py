"""What TRL itself puts into the loss: rows without a prompt, conversations, and labels that leave something out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
import trl
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from asap_hf.errors import UsageError
from asap_hf.models.tokens import load_tokenizer
from asap_hf.train.verdict import CheckResult

from .rows import ANSWER, QUESTIONS, REASONINGS, checked, model_folder, plain, tokens, turns, write

Rows = list[dict[str, Any]]
TEMPLATES = Path(str(trl.__file__)).parent / "chat_templates"


def reasons(model: str, folder: Path, rows: Rows, *flags: str) -> list[str]:
    return checked(model, write(folder, rows), *flags).reasons()


def in_the_loss(found: CheckResult) -> list[str]:
    tokenizer = found.preparation.tokenizer
    labels = [[label for label in one if label != -100] for _, _, one in found.preparation.examples()]
    return [str(tokenizer.decode(one, skip_special_tokens=False)) for one in labels]


def one_text(rows: Rows, form: str) -> Rows:
    return [{"text": form.format(**row)} for row in rows]


def with_prompts(rows: Rows, prompt: str | None) -> Rows:
    return [
        {**row, "prompt": row["prompt"].replace(question, "") if prompt is None else prompt}
        for row, question in zip(rows, QUESTIONS, strict=True)
    ]


NO_QUESTION = "there is no prompt (the column prompt holds nothing that a user asks)"
EVERY_TOKEN = "every token of the column text is in the loss, and Eq. 3 leaves the prompt out"
SYSTEM = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>assistant\n<think>\n"
WITHOUT: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "a text without a prompt": (lambda rows: one_text(rows, "<think>\n{completion}"), EVERY_TOKEN),
    "a text without an opening tag": (lambda rows: one_text(rows, "{completion}"), EVERY_TOKEN),
    "a text with its question in plain words": (lambda rows: one_text(rows, "Q: why? A: {completion}"), EVERY_TOKEN),
    "an empty prompt": (lambda rows: with_prompts(rows, ""), NO_QUESTION),
    "a blank prompt": (lambda rows: with_prompts(rows, " \n\t"), NO_QUESTION),
    "the opening tag alone": (lambda rows: with_prompts(rows, "<think>\n"), NO_QUESTION),
    "a template around nothing": (lambda rows: with_prompts(rows, None), NO_QUESTION),
    "a system message alone": (lambda rows: with_prompts(rows, SYSTEM), NO_QUESTION),
}


@pytest.mark.parametrize(("rows", "sentence"), WITHOUT.values(), ids=WITHOUT)
def test_rows_without_a_prompt_are_refused(
    embedded: str, tmp_path: Path, rows: Callable[[Rows], Rows], sentence: str
) -> None:
    (reason,) = reasons(embedded, tmp_path / "d", rows(plain(load_tokenizer(embedded))))
    assert reason.startswith(f"3 of 3 rows (the first: row 0): {sentence}")


def test_the_rows_without_a_prompt_are_counted(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    rows[2]["prompt"] = ""
    (reason,) = reasons(embedded, tmp_path / "d", rows)
    assert reason.startswith(f"1 of 3 rows (the first: row 2): {NO_QUESTION}")


NOBODY_ASKS: dict[str, Callable[[list[dict[str, str]]], list[dict[str, str]]]] = {
    "no user": lambda one: one[1:],
    "an empty user": lambda one: [{"role": "user", "content": " "}, one[1]],
    "a system message": lambda one: [{"role": "system", "content": "Be brief."}, one[1]],
}


@pytest.mark.parametrize("change", NOBODY_ASKS.values(), ids=NOBODY_ASKS)
def test_conversations_in_which_nobody_asks_are_refused(
    r1: str, tmp_path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]
) -> None:
    rows = [{"messages": change(one)} for one in turns()]
    (reason,) = reasons(r1, tmp_path / "d", rows, "--assistant_only_loss")
    assert "no message before the last one has the role user" in reason


def test_a_prompt_that_ends_in_the_assistants_answer_is_refused(embedded: str, tmp_path: Path) -> None:
    rows = [{"prompt": one, "completion": one[1:]} for one in turns()]
    found = reasons(embedded, tmp_path / "d", rows)
    assert any("the prompt ends in a message of the assistant" in reason for reason in found)


@pytest.fixture(scope="module")
def qwen3(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The embedded model with Qwen3's chat template, of which TRL has a variant with generation marks."""
    folder = model_folder("embedded", embedded, tmp_path_factory.mktemp("models") / "qwen3")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = (TEMPLATES / "qwen3.jinja").read_text(encoding="utf-8")
    tokenizer.save_pretrained(folder)
    return folder


def test_messages_train_on_the_prompt_and_the_setting_that_is_named_leaves_it_out(qwen3: str, tmp_path: Path) -> None:
    data = write(tmp_path / "d", [{"messages": one} for one in turns()])
    unasked = checked(qwen3, data)
    assert all(question in text for question, text in zip(QUESTIONS, in_the_loss(unasked), strict=True))
    (reason,) = unasked.reasons()
    assert "the prompt is in the loss, and Eq. 3 leaves it out: set assistant_only_loss: true, or" in reason
    asked = checked(qwen3, data, "--assistant_only_loss", "true")
    assert asked.reasons() == []
    expected = [f"<think>\n{one.strip()}\n</think>\n\n{ANSWER}<|im_end|>\n" for one in REASONINGS]
    assert in_the_loss(asked) == expected


def test_messages_of_r1_distill_keep_their_reasoning_with_the_setting_that_is_named(r1: str, tmp_path: Path) -> None:
    """Its own template drops the reasoning; TRL takes another one where `assistant_only_loss` is set."""
    data = write(tmp_path / "d", [{"messages": one} for one in turns()])
    unasked, asked = checked(r1, data), checked(r1, data, "--assistant_only_loss", "true")
    for reasoning, without, kept in zip(REASONINGS, in_the_loss(unasked), in_the_loss(asked), strict=True):
        assert reasoning.strip() not in without
        # Where the tokenizer has no token for the template's mark, one that straddles it comes along.
        expected = f"\n{reasoning.strip()}\n</think>\n\n{ANSWER}<｜end▁of▁sentence｜>"
        # Some tokenizers compose the letters.
        assert normalize("NFC", kept.partition("<think>")[2]) == normalize("NFC", expected)
        assert len(kept.partition("<｜Assistant｜>")[0]) <= 1
    assert asked.reasons() == []


def test_a_setting_that_trl_would_refuse_is_not_advised(embedded: str, tmp_path: Path) -> None:
    """There is no variant with generation marks of the embedded model's chat template."""
    rows = [{"messages": one} for one in turns()]
    (reason,) = reasons(embedded, tmp_path / "d", rows)
    assert "Eq. 3 leaves it out: train on plain text: the default config of what asap-hf prune wrote" in reason
    assert "needs a chat template with {% generation %} marks" in reason
    with pytest.raises(UsageError, match="leave assistant_only_loss out, and train on the default config"):
        reasons(embedded, tmp_path / "d", rows, "--assistant_only_loss")


def test_reasoning_that_is_dropped_from_an_earlier_answer_is_named(qwen3: str, tmp_path: Path) -> None:
    rows = [{"messages": [*one, *other]} for one, other in zip(turns(), turns()[1:], strict=False)]
    found = reasons(qwen3, tmp_path / "d", rows)
    assert any("drops the reasoning out of messages: set assistant_only_loss: true" in reason for reason in found)
    assert reasons(qwen3, tmp_path / "d", rows, "--assistant_only_loss") == []


def half_masked(row: dict[str, Any], _: PreTrainedTokenizerBase) -> dict[str, Any]:
    prompt = row["labels"].count(-100)
    return {**row, "labels": [-100] * (prompt // 2) + row["input_ids"][prompt // 2 :]}


def without_answer(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    answer = len(tokenizer(ANSWER, add_special_tokens=False).input_ids)
    return {**row, "labels": [*row["labels"][: -answer - 1], *[-100] * answer, row["labels"][-1]]}


LABELS = [
    (half_masked, "the prompt is in the loss, and Eq. 3 leaves it out"),
    (without_answer, "the answer after </think> is given to the model but not trained on"),
]


@pytest.mark.parametrize(("change", "sentence"), LABELS, ids=["half of the prompt", "no answer"])
def test_labels_that_are_not_those_of_the_completion_are_named(
    embedded: str, tmp_path: Path, change: Callable[..., dict[str, Any]], sentence: str
) -> None:
    tokenizer = load_tokenizer(embedded)
    rows = tokens(tokenizer, label=True)
    assert reasons(embedded, tmp_path / "good", rows) == []
    (reason,) = reasons(embedded, tmp_path / "d", [change(row, tokenizer) for row in rows])
    assert sentence in reason


def test_tokens_without_a_prompt_are_named(with_bos: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(with_bos)
    ids = [tokenizer(f"<think>\n{row['completion']}</s>").input_ids for row in plain(tokenizer)]
    (reason,) = reasons(with_bos, tmp_path / "d", [{"input_ids": one, "labels": one} for one in ids])
    assert "there is no prompt (nothing stands before <think>)" in reason


def test_a_tag_that_is_opened_twice_and_an_answer_that_is_missing_are_named(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    twice = [{**row, "completion": f"<think>\n{row['completion']}"} for row in rows]
    (reason,) = reasons(embedded, tmp_path / "twice", twice)
    assert "open its reasoning twice: take the tag out of the completion" in reason
    unanswered = [{**row, "completion": row["completion"].replace(ANSWER, "")} for row in rows]
    (reason,) = reasons(embedded, tmp_path / "d", unanswered)
    assert "nothing follows </think>" in reason


GAPS: list[tuple[Callable[[Rows], Rows], str]] = [
    (lambda rows: [rows[0], {**rows[1], "prompt": None}], "row 1 has nothing in the column prompt"),
    (lambda rows: [rows[0], {**rows[1], "completion": None}], "row 1 has nothing in the column completion"),
    (lambda rows: [{"text": "a"}, {"text": None}], "row 1 has nothing in the column text"),
    (lambda rows: [{"messages": turns()[0]}, {"messages": []}], "row 1 has nothing in the column messages"),
    (lambda rows: [{"conversations": one} for one in turns()], "TRL cannot prepare this dataset: KeyError('text')"),
]


@pytest.mark.parametrize(("rows", "sentence"), GAPS, ids=[sentence for _, sentence in GAPS])
def test_what_trl_would_stop_at_is_one_sentence(
    embedded: str, tmp_path: Path, rows: Callable[[Rows], Rows], sentence: str
) -> None:
    with pytest.raises(UsageError) as raised:
        reasons(embedded, tmp_path / "d", rows(plain(load_tokenizer(embedded))))
    assert sentence in str(raised.value)


def test_a_preparation_that_is_skipped_is_refused(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    with pytest.raises(UsageError, match="skip_prepare_dataset hands the rows to the model as they are: leave it out"):
        reasons(embedded, tmp_path / "d", rows, "--dataset_kwargs", '{"skip_prepare_dataset": true}')


def test_what_is_cut_first_depends_on_the_truncation_mode(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    (start,) = reasons(embedded, tmp_path / "d", rows, "--max_length", "50")
    (end,) = reasons(embedded, tmp_path / "d", rows, "--max_length", "50", "--truncation_mode", "keep_end")
    assert "answers and ends first" in start
    assert "questions first" in end
