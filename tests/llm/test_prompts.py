"""The prompt as the model sees it: BOS once, `<think>` open or not at all."""

from __future__ import annotations

import pytest

from asap_hf.errors import UsageError
from asap_hf.llm.prompts import render

from ..tiny_models import CHAT, byte_level_tokenizer

MESSAGES = [{"role": "user", "content": "hi"}]
THINKING = CHAT + "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
REFUSING = "{{ raise_exception('no') }}"


@pytest.mark.parametrize("think", [True, False])
@pytest.mark.parametrize("adds_bos", [True, False])
def test_bos_is_there_once_whoever_writes_it(think: bool, adds_bos: bool) -> None:
    tokenizer = byte_level_tokenizer(bos=adds_bos)
    prompt = render(MESSAGES, tokenizer, think)
    assert prompt.token_ids[0] == tokenizer.bos_token_id
    assert prompt.token_ids.count(tokenizer.bos_token_id) == 1
    assert tuple(tokenizer(prompt.text).input_ids) == prompt.token_ids


@pytest.mark.parametrize(
    ("template", "think", "end"),
    [
        (CHAT, True, "<user>hi</user><assistant><think>\n"),
        (CHAT, False, "<user>hi</user><assistant>"),
        (CHAT + "{{ '<think>\n' }}", True, "<user>hi</user><assistant><think>\n"),
        (THINKING, False, "<user>hi</user><assistant><think></think>"),
        (THINKING, True, "<user>hi</user><assistant><think>\n"),
        (None, True, "hi\n<think>\n"),
    ],
)
def test_think_is_open_once_or_switched_off(template: str | None, think: bool, end: str) -> None:
    prompt = render(MESSAGES, byte_level_tokenizer(chat_template=template), think)
    assert prompt.text.removeprefix("<s>") == end


@pytest.mark.parametrize(("template", "think"), [(None, False), (REFUSING, True), (REFUSING, False)])
def test_a_template_that_cannot_be_used_is_a_usage_error(template: str | None, think: bool) -> None:
    with pytest.raises(UsageError, match="chat template"):
        render(MESSAGES, byte_level_tokenizer(chat_template=template), think)
