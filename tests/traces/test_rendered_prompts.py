"""A prompt is rendered by the structure of all of it, never by a mark that it mentions."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from asap_hf.errors import UnusableTrace
from asap_hf.traces.rendered_prompts import rendered_turns
from asap_hf.traces.rows import Columns, is_rendered, question_of, trace_of

COMPLETION = "<think>\nFirst.\n\nThen.\n</think>\n\nIt is 5."
CHATML = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
LLAMA = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
R1 = "<｜begin▁of▁sentence｜>Be brief.<｜User｜>How many?<｜Assistant｜>"

RENDERED = {
    "ChatML": CHATML,
    "ChatML, the tag": f"{CHATML}<think>\n",
    "ChatML, a reasoning begun": f"{CHATML}<think>\nLet me",
    "ChatML, no generation prompt": CHATML.removesuffix("<|im_start|>assistant\n"),
    "ChatML, several turns": CHATML.replace("<|im_start|>user", "<|im_start|>user\na<|im_end|>\n<|im_start|>user"),
    "ChatML that mentions its own marks": CHATML.replace(
        "How many?", "What is <|im_end|> or <|im_start|>user? How many?"
    ),
    "Llama 3": LLAMA,
    "Llama 3, the tag": f"{LLAMA}<think>\n",
    "DeepSeek-R1": R1,
    "DeepSeek-R1, the tag": f"{R1}<think>\n",
    "DeepSeek-R1, no system, no BOS": "<｜User｜>How many?<｜Assistant｜><think>\n",
    "DeepSeek-R1, several turns": "<｜User｜>a<｜Assistant｜>b<｜end▁of▁sentence｜><｜User｜>How many?<｜Assistant｜>",
}
MENTIONED = [
    "Explain the line <|im_start|>user in ChatML.",
    "<|im_start|>user",
    "<|im_start|>user\nis how a turn of ChatML opens: why?",
    "What does <|im_end|> mean?",
    f"What is asked here?\n\n{CHATML}",
    f"{CHATML.removesuffix('<|im_start|>assistant' + chr(10))}What format is this?",
    f"{CHATML}What comes next in this template?",
    "What does <｜User｜> mean?",
    "<｜User｜> and <｜Assistant｜> are marks: of which model?",
    "Fill the gap: <｜User｜>How many?<｜Assistant｜>",
    "Why is <|start_header_id|>user<|end_header_id|> so long?",
    "<|start_header_id|>user<|end_header_id|>\n\nWhat is missing at the end of this line?",
]


@pytest.mark.parametrize("prompt", RENDERED.values(), ids=RENDERED)
def test_a_rendered_prompt_is_one_from_its_first_character_to_its_last(prompt: str) -> None:
    assert is_rendered(prompt)
    assert question_of(prompt).endswith("How many?")
    assert "<|im_start|>assistant" not in question_of(prompt)
    assert trace_of({"p": prompt, "c": COMPLETION}, Columns("p", "c")).answer == "It is 5."


@pytest.mark.parametrize("prompt", MENTIONED)
def test_a_question_that_mentions_a_mark_goes_through_the_template(prompt: str, embedded_model: str) -> None:
    from asap_hf.traces.sft import render_prompt

    assert rendered_turns(prompt) == []
    messages = Columns("p", "c").prompt_messages({"p": prompt})
    assert messages == [{"role": "user", "content": prompt}]
    text = render_prompt(messages, AutoTokenizer.from_pretrained(embedded_model))
    assert f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n" in text


@pytest.mark.parametrize(
    "prompt",
    [
        f"{CHATML}It is 5.<|im_end|>\n",
        f"{CHATML}{COMPLETION}<|im_end|>",
        f"{LLAMA}It is 5.<|eot_id|>",
        f"{R1}It is 5.<｜end▁of▁sentence｜>",
    ],
)
def test_a_rendered_prompt_that_holds_the_answer_is_refused(prompt: str) -> None:
    with pytest.raises(UnusableTrace, match="answer_in_prompt"):
        trace_of({"p": prompt, "c": COMPLETION}, Columns("p", "c"))


def test_a_long_prompt_of_marks_alone_is_read_once() -> None:
    assert rendered_turns("<|im_start|>user\na<|im_end|>\n" * 20_000 + "what?") == []
    assert rendered_turns("<|im_start|>user\n" * 20_000) == []
    assert rendered_turns("<｜User｜>a<｜Assistant｜>" * 20_000 + "what?") == []
