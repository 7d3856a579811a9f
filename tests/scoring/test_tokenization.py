"""Prefixes, special tokens, first tokens and owners; and tokenizers that must be refused."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from asap_hf.errors import RunError, UsageError
from asap_hf.scoring.tokenization import TraceTokenizer
from asap_hf.traces.trace import Trace

from ..tiny_models import CHAT, byte_level_tokenizer

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "tokenizers"

TRACE = Trace(
    "Reverse a list, é?",
    ("Okay.\n\n", "    for i in x:\n\n", "Wait.\n\n", "\tWait.\n\n", "数 🙂\n\n", "🙂 é\r\n\r\n", "Wait.\n\n", "Done"),
    "x[::-1]",
)


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("context", ["raw", "chat"])
def test_there_is_one_bos_or_none(bos: bool, context: Any) -> None:
    [tokenised] = TraceTokenizer(byte_level_tokenizer(bos), context)([TRACE])
    # The template renders "<s>" itself; a tokenizer that adds none must not lose that one.
    assert tokenised.ids.tolist().count(0) == (1 if bos or context == "chat" else 0)
    assert (tokenised.ids[0] == 0) == (bos or context == "chat")


@pytest.mark.parametrize(
    ("ending", "expected"),
    [("", "<assistant><think>\n"), ("<think>\n", "<assistant><think>\n"), ("<think>", "<assistant><think>\n")],
)
def test_the_prefix_opens_the_thinking_once(ending: str, expected: str) -> None:
    template = CHAT.replace("<assistant>", f"<assistant>{ending}")
    tokenizer = TraceTokenizer(byte_level_tokenizer(chat_template=template), "chat")
    assert tokenizer.prefix("Q") == f"<user>Q</user>{expected}"


def test_templates_that_can_think_are_asked_to() -> None:
    template = CHAT.replace("<assistant>", "<assistant><think>{% if not enable_thinking %}</think>{% endif %}")
    tokenizer = TraceTokenizer(byte_level_tokenizer(chat_template=template), "chat")
    assert tokenizer.prefix("Q") == "<user>Q</user><assistant><think>\n"


def test_the_raw_prefix_is_the_reference_s() -> None:
    assert TraceTokenizer(byte_level_tokenizer(), "raw").prefix("Q") == "Q\n<think>\n"


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("context", ["raw", "chat"])
def test_first_tokens_and_owners(bos: bool, context: Any) -> None:
    tokenizer = byte_level_tokenizer(bos)
    check_places(tokenizer, TraceTokenizer(tokenizer, context), TRACE)


def check_places(tokenizer: Any, ours: TraceTokenizer, trace: Trace) -> None:
    """Against what the tokens spell: everything before a step's first token is text before the step."""
    [tokenised] = ours([trace])
    ids, prefix = tokenised.ids.tolist(), ours.prefix(trace.question)
    leading = len(ours.leading)
    assert ids[:leading] == ours.leading
    text = (prefix + trace.reasoning).encode()
    spell = spelling(tokenizer)
    assert b"".join(map(spell, ids[leading:])) == text
    ends = [*accumulate(len(spelled) for spelled in map(spell, ids[leading:]))]
    start = len(prefix.encode())
    assert tokenised.start == tokenised.first[0]
    owners = tokenised.owner.tolist()
    assert len(owners) == len(ids) - tokenised.start
    assert owners == sorted(owners)
    for number, step in enumerate(trace.steps):
        first = int(tokenised.first[number]) - leading
        assert ends[first] > start, "the token before the step"
        assert first == 0 or ends[first - 1] <= start, "an earlier token holds the step's beginning, too"
        start += len(step.encode())
        last = max(place for place, owner in enumerate(owners) if owner == number) + tokenised.start - leading
        assert ends[last] <= start
    assert set(owners) == set(range(len(trace.steps)))


def spelling(tokenizer: Any) -> Any:
    """Bytes of a byte-level token."""
    printable = {byte for byte in range(256) if chr(byte).isprintable() and not chr(byte).isspace()}
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    special = {id: token.content.encode() for id, token in tokenizer.added_tokens_decoder.items()}
    return lambda id: special.get(id) or bytes(byte_of[c] for c in tokenizer.convert_ids_to_tokens(id))


def test_a_step_inside_one_token_has_that_token() -> None:
    tokenizer = byte_level_tokenizer()
    [tokenised] = TraceTokenizer(tokenizer, "raw")([Trace("Q", (" re", "tu", "rn"), "1")])
    assert tokenizer.convert_ids_to_tokens(int(tokenised.ids[-1])) == "Ġreturn"
    assert tokenised.first.tolist() == [tokenised.start] * 3
    assert tokenised.owner.tolist() == [2]


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data")
@pytest.mark.parametrize(
    ("folder", "template"),
    [
        ("deepseek-r1-distill-qwen", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"),
        ("qwen2.5", "Qwen-Qwen2.5-7B-Instruct"),
        ("qwen2.5", "Qwen-QwQ-32B"),
        ("qwen2.5", "Qwen-Qwen3-0.6B"),
    ],
)
def test_real_tokenizers_with_real_templates(folder: str, template: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(SHARED / folder)
    tokenizer.chat_template = (SHARED / "chat_templates" / f"{template}.jinja").read_text()
    ours = TraceTokenizer(tokenizer, "chat")
    check_places(tokenizer, ours, TRACE)
    assert ours.prefix("Q").endswith("<think>\n")
    assert ours.prefix("Q").count("<think>") == 1
    [tokenised] = ours([TRACE])
    if tokenizer.bos_token is not None:
        assert tokenised.ids.tolist().count(tokenizer.bos_token_id) == 1
        assert tokenised.ids[0] == tokenizer.bos_token_id


def broken(pre_tokenizer: Any = None, normalizer: Any = None) -> PreTrainedTokenizerFast:
    tokenizer = byte_level_tokenizer()
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    if pre_tokenizer is not None:
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizer, byte_level])
    if normalizer is not None:
        backend.normalizer = normalizer
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", chat_template=CHAT)


@pytest.mark.parametrize(
    "tokenizer",
    [
        broken(pre_tokenizers.WhitespaceSplit()),  # what transformers 5 made of R1-Distill-Llama's
        broken(pre_tokenizers.ByteLevel(add_prefix_space=True)),
        broken(normalizer=normalizers.Replace("\r\n", "\n")),
        broken(normalizer=normalizers.Lowercase()),
        broken(normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])),
    ],
    ids=["drops-white-space", "adds-a-space", "line-ends", "case", "accents"],
)
def test_tokenizers_that_change_text_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(RunError, match="does not give code back"):
        TraceTokenizer(tokenizer, "raw")


def test_words_only_is_refused() -> None:
    backend = Tokenizer(models.WordLevel({"def": 0, "[UNK]": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(RunError):
        TraceTokenizer(PreTrainedTokenizerFast(tokenizer_object=backend), "raw")


def test_stored_truncation_and_padding_cut_nothing() -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=64)
    [tokenised] = TraceTokenizer(tokenizer, "raw")([TRACE])
    [expected] = TraceTokenizer(byte_level_tokenizer(), "raw")([TRACE])
    assert tokenised.ids.tolist() == expected.ids.tolist()


def test_no_chat_template_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="context='raw'"):
        TraceTokenizer(byte_level_tokenizer(chat_template=None), "chat")


def test_a_template_that_fails_says_what_to_do() -> None:
    tokenizer = TraceTokenizer(byte_level_tokenizer(chat_template="{{ raise_exception('no users') }}"), "chat")
    with pytest.raises(UsageError, match=r"no users.*context='raw'"):
        tokenizer([TRACE])
