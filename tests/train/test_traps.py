"""Each way to train on something else than the paper does is refused, and what the sentence says helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from asap_hf.errors import UsageError
from asap_hf.models.tokens import load_tokenizer

from .rows import ANSWER, QUESTIONS, REASONINGS, checked, plain, tokens, turns, write

Rows = list[dict[str, Any]]


def reasons(model: str, folder: Path, rows: Rows, *flags: str) -> list[str]:
    return checked(model, write(folder, rows), *flags).reasons()


def with_answer_alone(rows: Rows) -> Rows:
    return [{**row, "completion": ANSWER} for row in rows]


def with_text(rows: Rows) -> Rows:
    return [{**row, "text": "a note"} for row in rows]


def with_own_eos(rows: Rows, eos: str) -> Rows:
    return [{**row, "completion": f"{row['completion']}{eos}\n"} for row in rows]


def as_text(rows: Rows) -> Rows:
    return [{"text": f"{row['prompt']}{row['completion']}"} for row in rows]


def with_bare_questions(rows: Rows) -> Rows:
    return [{**row, "prompt": question} for row, question in zip(rows, QUESTIONS, strict=True)]


def test_what_prune_writes_passes(model: str, tmp_path: Path) -> None:
    assert reasons(model, tmp_path / "d", plain(load_tokenizer(model))) == []


@pytest.mark.parametrize("flags", [("--packing",), ("--padding_free", "true", "--max_length", "none")])
def test_what_prune_writes_passes_without_padding_too(embedded: str, tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert reasons(embedded, tmp_path / "d", plain(load_tokenizer(embedded)), *flags) == []


TRAPS: list[tuple[str, Callable[[PreTrainedTokenizerBase], Rows], tuple[str, ...], str, tuple[str, ...] | None]] = [
    (
        "the prompt in the loss",
        plain,
        ("--completion_only_loss", "false"),
        "the prompt is in the loss, and Eq. 3 leaves it out: set completion_only_loss: true",
        ("--completion_only_loss", "true"),
    ),
    ("one text column", lambda t: as_text(plain(t)), (), "give prompt and completion in two columns", None),
    (
        "a text column that takes the EOS",
        lambda t: with_text(plain(t)),
        (),
        "so the model would never learn to stop: set dataset_text_field: completion",
        ("--dataset_text_field", "completion"),
    ),
    ("a second EOS", lambda t: with_own_eos(plain(t), t.eos_token), (), "stands more than once", None),
    ("no reasoning", lambda t: with_answer_alone(plain(t)), (), "there is no reasoning, closed by </think>", None),
    (
        "prompts without a template",
        lambda t: with_bare_questions(plain(t)),
        (),
        "the prompt was not written with the chat template of",
        None,
    ),
    (
        "tokens with a mask that TRL ignores",
        lambda t: tokens(t, label=False),
        ("--completion_only_loss", "false"),
        "set completion_only_loss: true if there is a column completion_mask",
        ("--completion_only_loss", "true"),
    ),
    (
        "packing that cuts",
        plain,
        ("--max_length", "50", "--packing"),
        "tokens would be cut off, answers and ends first",
        ("--max_length", "120", "--packing"),
    ),
    (
        "packing that splits",
        plain,
        ("--max_length", "50", "--packing", "--packing_strategy", "bfd_split"),
        "the second part never sees its question",
        ("--max_length", "120", "--packing", "--packing_strategy", "bfd_split"),
    ),
    (
        "packing that ignores where rows end",
        plain,
        ("--packing", "--packing_strategy", "wrapped"),
        "cuts rows wherever a sequence is full, and lets them see each other: set packing_strategy: bfd",
        ("--packing", "--packing_strategy", "bfd"),
    ),
]


@pytest.mark.parametrize(
    ("rows", "flags", "sentence", "remedy"), [one[1:] for one in TRAPS], ids=[t[0] for t in TRAPS]
)
def test_a_trap_is_named_and_its_remedy_works(
    embedded: str,
    tmp_path: Path,
    rows: Callable[[PreTrainedTokenizerBase], Rows],
    flags: tuple[str, ...],
    sentence: str,
    remedy: tuple[str, ...] | None,
) -> None:
    trap = rows(load_tokenizer(embedded))
    (reason,) = reasons(embedded, tmp_path / "d", trap, *flags)
    assert sentence in reason
    if remedy is not None:
        assert reasons(embedded, tmp_path / "d", trap, *remedy) == []


CONVERSATIONS = {
    "messages": lambda: [{"messages": one} for one in turns()],
    "prompt and completion": lambda: [{"prompt": one[:1], "completion": one[1:]} for one in turns()],
}


@pytest.mark.parametrize("rows", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_template_that_drops_the_reasoning_is_named_and_assistant_only_loss_keeps_it(
    r1: str, tmp_path: Path, rows: Callable[[], Rows]
) -> None:
    found = reasons(r1, tmp_path / "d", rows())
    assert "drops the reasoning out of messages: set assistant_only_loss: true" in found[0]
    assert reasons(r1, tmp_path / "d", rows(), "--assistant_only_loss") == []


def test_every_answer_of_a_conversation_may_end_in_an_eos(r1: str, tmp_path: Path) -> None:
    rows = [{"messages": [*one, *one]} for one in turns()]
    assert reasons(r1, tmp_path / "d", rows, "--assistant_only_loss") == []


def test_a_template_that_drops_the_reasoning_is_named_where_trl_has_no_other_one(
    embedded: str, tmp_path: Path
) -> None:
    (tmp_path / "own.jinja").write_text(
        "{% for message in messages %}{{ message.content.split('</think>')[-1] }}<|im_end|>{% endfor %}"
    )
    rows = [{"conversations": [{"from": turn["role"], "value": turn["content"]} for turn in one]} for one in turns()]
    found = reasons(embedded, tmp_path / "d", rows, "--chat_template_path", str(tmp_path / "own.jinja"))
    assert "drops the reasoning out of messages: train on plain text" in found[0]


def test_reasoning_under_a_key_that_the_template_ignores_is_named(embedded: str, tmp_path: Path) -> None:
    rows = [
        {"prompt": one[:1], "completion": [{"role": "assistant", "content": ANSWER, "reasoning_content": reasoning}]}
        for one, reasoning in zip(turns(), REASONINGS, strict=True)
    ]
    (reason,) = reasons(embedded, tmp_path / "d", rows)
    assert "ignores the key that holds the messages' reasoning" in reason


def test_an_eos_that_the_template_does_not_write_is_named(embedded: str, tmp_path: Path) -> None:
    rows = [{"prompt": one[:1], "completion": one[1:]} for one in turns()]
    (reason,) = reasons(embedded, tmp_path / "d", rows, "--eos_token", "<|endoftext|>")
    assert "does not end the answer in <|endoftext|>" in reason
    assert reasons(embedded, tmp_path / "d", rows) == []


def test_a_second_bos_is_named(with_bos: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(with_bos))
    assert reasons(with_bos, tmp_path / "good", rows) == []
    (reason,) = reasons(with_bos, tmp_path / "d", [{**row, "prompt": f"<s>{row['prompt']}"} for row in rows])
    assert "the prompt begins with <s>, and the tokenizer puts another in front" in reason


def test_a_bos_that_somebody_wrote_about_is_named(with_bos: str, tmp_path: Path) -> None:
    rows = [{**row, "completion": f"It is <s>. {row['completion']}"} for row in plain(load_tokenizer(with_bos))]
    (reason,) = reasons(with_bos, tmp_path / "d", rows)
    assert "the text holds the word <s>, which becomes a special token" in reason


def test_tokens_without_a_bos_are_named(with_bos: str, tmp_path: Path) -> None:
    rows = tokens(load_tokenizer(with_bos), label=True)
    assert reasons(with_bos, tmp_path / "good", rows) == []
    (reason,) = reasons(with_bos, tmp_path / "d", [{key: ids[1:] for key, ids in row.items()} for row in rows])
    assert "the row does not begin with <s>" in reason


def test_tokens_without_an_eos_are_named(with_bos: str, tmp_path: Path) -> None:
    rows = [{key: ids[:-1] for key, ids in row.items()} for row in tokens(load_tokenizer(with_bos), label=True)]
    (reason,) = reasons(with_bos, tmp_path / "d", rows)
    assert "the row does not end in </s>: append it to input_ids" in reason


def test_labels_without_the_reasoning_are_named(embedded: str, tmp_path: Path) -> None:
    rows = tokens(load_tokenizer(embedded), label=True)
    for row in rows:
        row["labels"] = [-100] * (len(row["labels"]) - 3) + row["labels"][-3:]
    (reason,) = reasons(embedded, tmp_path / "d", rows)
    assert "the reasoning is given to the model but not trained on" in reason


def test_labels_without_the_end_of_the_reasoning_are_named(embedded: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(embedded)
    rows = tokens(tokenizer, label=True)
    closing = tokenizer("</think>", add_special_tokens=False).input_ids[-2]  # k, of "think", stands nowhere else
    for row in rows:
        row["labels"] = [-100 if token == closing else token for token in row["labels"]]
    (reason,) = reasons(embedded, tmp_path / "d", rows)
    assert "</think> is not in the loss" in reason


def test_prompts_of_another_model_are_named(embedded: str, with_bos: str, tmp_path: Path) -> None:
    (reason,) = reasons(embedded, tmp_path / "d", plain(load_tokenizer(with_bos)))
    assert f"was not written with the chat template of {embedded}: prune with --tokenizer {embedded}" in reason


def test_only_the_rows_that_are_wrong_are_counted_and_the_first_is_named(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded)) * 3
    for place in (4, 7):
        rows[place] = {**rows[place], "completion": ANSWER}
    (reason,) = reasons(embedded, tmp_path / "d", rows)
    assert reason.startswith("2 of 9 rows (the first: row 4): there is no reasoning")


def test_rows_over_max_length_are_counted_and_the_length_it_names_is_enough(embedded: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(embedded)
    rows = plain(tokenizer)
    lengths = sorted(len(tokenizer(row["prompt"] + row["completion"]).input_ids) + 1 for row in rows)
    limit = lengths[-1] - 7
    found = checked(embedded, write(tmp_path / "d", rows), "--max_length", str(limit))
    assert (found.over, found.cut, found.dropped) == (1, 7, 0)
    (reason,) = found.reasons()
    assert f"1 of 3 rows are longer than max_length: {limit:,}: 7 tokens would be cut off" in reason
    assert f"set max_length: {lengths[-1]} (the longest row)" in reason
    assert found.reasons(allow_truncation=True) == []
    assert reasons(embedded, tmp_path / "d", rows, "--max_length", str(lengths[-1])) == []


def test_rows_that_trl_drops_are_counted(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    long = "Read this. " * 100
    rows[1]["prompt"] = rows[1]["prompt"].replace(QUESTIONS[1], long + QUESTIONS[1])
    found = checked(embedded, write(tmp_path / "d", rows), "--max_length", "150")
    assert (found.over, found.dropped) == (1, 1)
    assert "with them 1 whole rows" in found.reasons()[0]


def test_what_trl_itself_refuses_is_one_sentence(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    with pytest.raises(UsageError, match="TRL cannot prepare this dataset: You set `assistant_only_loss=True`, but"):
        reasons(embedded, tmp_path / "d", rows, "--assistant_only_loss")
    with pytest.raises(UsageError, match="TRL cannot prepare this dataset: When `padding_free=True` without packing"):
        reasons(embedded, tmp_path / "d", rows, "--padding_free", "true")


SOURCES = [
    ([], {"prompt": "q", "generation": "a"}, "beside a column prompt TRL wants one called completion"),
    ([], {"question": "q", "answer": "a"}, "TRL finds neither prompt and completion, nor messages, nor text among"),
    (["--dataset_train_split", "main"], {"text": "a"}, "has no split 'main' (dataset_train_split); it has: train"),
    (["--eval_strategy", "epoch"], {"text": "a"}, "has no split 'test' (dataset_test_split); it has: train"),
    (["--dataset_name", "no-such-folder/"], {"text": "a"}, "the dataset cannot be loaded"),
    (["--model_name_or_path", "no-such-model/"], {"text": "a"}, "no tokenizer could be loaded for 'no-such-model/'"),
    (["--dataset_streaming", "true"], {"text": "a"}, "a stream is checked as far as --check_rows says"),
]


@pytest.mark.parametrize(("flags", "row", "sentence"), SOURCES, ids=[sentence[:30] for *_, sentence in SOURCES])
def test_a_dataset_that_trl_could_not_read_is_one_sentence(
    embedded: str, tmp_path: Path, flags: list[str], row: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as raised:
        reasons(embedded, tmp_path / "d", [row], *flags)
    assert sentence in str(raised.value)


def test_a_mixture_of_datasets_is_checked_as_one(embedded: str, tmp_path: Path) -> None:
    rows = plain(load_tokenizer(embedded))
    parts = [write(tmp_path / "good", rows), write(tmp_path / "bad", with_answer_alone(rows))]
    (tmp_path / "mix.yaml").write_text(json.dumps({"datasets": [{"path": part} for part in parts]}))
    (reason,) = checked(embedded, parts[0], "--config", str(tmp_path / "mix.yaml")).reasons()
    assert reason.startswith("3 of 6 rows (the first: row 3): there is no reasoning")


def test_a_stream_is_checked_as_far_as_asked(embedded: str, tmp_path: Path) -> None:
    rows = with_answer_alone(plain(load_tokenizer(embedded)))
    dataset = write(tmp_path / "d", rows)
    found = checked(embedded, dataset, "--dataset_streaming", "true", "--max_steps", "1", check_rows=2)
    assert found.faults == {"no_reasoning": 2}
    (tmp_path / "mix.yaml").write_text(json.dumps({"datasets": [{"path": dataset}], "streaming": True}))
    with pytest.raises(UsageError, match="a stream is checked as far as --check_rows says"):
        checked(embedded, dataset, "--config", str(tmp_path / "mix.yaml"))
