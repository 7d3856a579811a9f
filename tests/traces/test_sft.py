"""What TRL's `SFTTrainer` makes of a row: a loss on the reasoning, `</think>`, the answer and one EOS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM
from trl import SFTConfig, SFTTrainer

from asap_hf.dataset.records import Row, Tokens, training_row
from asap_hf.errors import UnusableTrace, UsageError
from asap_hf.pruners.base import Pruning
from asap_hf.traces.rows import Columns, trace_of
from asap_hf.traces.sft import conditioned_prompt, render_completion, render_prompt
from asap_hf.traces.trace import Trace

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = PROJECT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
TOKENIZERS = PROJECT.parent / "shared" / "data" / "tokenizers"
R1_TEMPLATE = TOKENIZERS / "chat_templates" / "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja"
NAMES = ["embedded", "embedded, with a BOS", *(["deepseek-r1-distill-qwen"] if R1_TEMPLATE.exists() else [])]


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(request: pytest.FixtureRequest, embedded_model: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "embedded":
        return AutoTokenizer.from_pretrained(embedded_model)
    folder = tmp_path_factory.mktemp("tokenizer") / "model"
    if request.param == "deepseek-r1-distill-qwen":
        shutil.copytree(TOKENIZERS / request.param, folder)
        (folder / "chat_template.jinja").write_text(R1_TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
        return AutoTokenizer.from_pretrained(folder)
    shutil.copytree(embedded_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    written = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    bos = {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}
    start = {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}
    written["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_start|>": start},
    }
    (folder / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder)


LAST = "It is 5: `print(5)`"
PROMPTS: list[Any] = [
    "How many?",
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How many?"}],
    [
        {"role": "user", "content": "How many?"},
        {"role": "assistant", "content": "Of what?"},
        {"role": "user", "content": "Apples."},
    ],
    "How many?\n<think>\n",
    "  Leading space, 数 🧮, </think> and a tag: what then?  ",
]
COMPLETIONS = [
    f"<think>\nFirst.\n\nThen.\n</think>\n\n{LAST}",
    f"First.\n\nThen.\n</think>\n\n{LAST}",
    f"<think>First.\n\nThen.</think>{LAST}",
    f"<think>\r\nFirst.\r\n\r\nThen.\r\n</think>\r\n\r\n{LAST}\r\n",
    f"<think>\n数一数 🧮\n\n```py\nx = 1\n```\n</think>\n\n\n    {LAST}\n\n",
    f"<think>\n{{'a': 1}} [INST] <s> </s> %s\n</think>\n\n{LAST}",
]


def traces() -> list[tuple[Any, Trace]]:
    columns = Columns("prompt", "completion")
    rows = [{"prompt": prompt, "completion": COMPLETIONS[0]} for prompt in PROMPTS]
    rows += [{"prompt": PROMPTS[0], "completion": completion} for completion in COMPLETIONS]
    with SAMPLES.open(encoding="utf-8") as file:
        rows += [json.loads(line) for line in list(file)[:3]]
    whole = [(columns.prompt_messages(row), trace_of(row, columns)) for row in rows]
    return whole + [(prompt, trace.select(range(0, len(trace.steps), 2))) for prompt, trace in whole]


def training_rows(tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    return [
        training_row(
            Row(number, {"id": f"r{number}"}, prompt=render_prompt(prompt, tokenizer)), Pruning(trace), Tokens(9, 5, 4)
        )
        for number, (prompt, trace) in enumerate(traces())
    ]


@pytest.fixture(scope="module")
def prepared(
    tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Any], list[Any]]:
    """The rows, and what the trainer's own collator hands to a model for each."""
    rows = training_rows(tokenizer)
    config = Qwen2Config(
        vocab_size=max(len(tokenizer), max(tokenizer.get_vocab().values()) + 1),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    arguments = SFTConfig(
        output_dir=str(tmp_path_factory.mktemp("trainer")),
        max_length=16384,
        report_to="none",
        use_cpu=True,
        bf16=False,
    )
    trainer = SFTTrainer(
        Qwen2ForCausalLM(config), arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    assert trainer.train_dataset is not None
    assert len(trainer.train_dataset) == len(rows)
    return rows, [trainer.data_collator([example]) for example in trainer.train_dataset]


def test_the_loss_is_on_all_that_the_model_has_to_write(prepared: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    for row, batch, (_, trace) in zip(*prepared, traces(), strict=True):
        labels = batch["labels"][0].tolist()
        learned = [label for label in labels if label != -100]
        assert tokenizer.decode(learned) == f"{trace.reasoning}{trace.closing}{trace.answer}{tokenizer.eos_token}"
        assert learned == labels[-len(learned) :]
        assert learned.count(tokenizer.eos_token_id) == 1
        assert row["completion"] == render_completion(trace)


def test_the_prompt_stands_before_it_with_one_bos_at_most(prepared: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    adds_bos = tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    for row, batch in zip(*prepared, strict=True):
        ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
        given = [one for one, label in zip(ids, labels, strict=True) if label == -100]
        assert tokenizer.decode(given) == (tokenizer.bos_token if adds_bos else "") + row["prompt"]
        assert ids[:2] != [tokenizer.bos_token_id] * 2
        assert row["prompt"].endswith("<think>\n")
        assert row["prompt"].count("<think>") == 1
        assert batch["attention_mask"].all() if "attention_mask" in batch else True


def test_the_prompt_is_what_the_model_meets_at_inference(tokenizer: PreTrainedTokenizerBase) -> None:
    for prompt in PROMPTS[1:3]:
        met = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, enable_thinking=True, return_dict=True)
        ours = tokenizer(render_prompt(prompt, tokenizer)).input_ids
        assert ours[: len(met.input_ids)] == met.input_ids


@pytest.mark.parametrize("switch", ["enable_thinking", "thinking"])
def test_a_model_that_may_also_answer_at_once_is_asked_to_think(switch: str, embedded_model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    closes = "{% if not " + switch + " %}<think>\n\n</think>\n\n{% endif %}"
    tokenizer.chat_template = "{{ messages[0].content }}\n" + closes
    assert render_prompt([{"role": "user", "content": "How many?"}], tokenizer) == "How many?\n<think>\n"


RENDERED = [
    "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n",
    "<｜User｜>How many?<｜Assistant｜><think>\n",
    "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n<think>",
]


def test_a_rendered_prompt_stays_as_it_is(tokenizer: PreTrainedTokenizerBase) -> None:
    for prompt in RENDERED:
        rendered = render_prompt(prompt, tokenizer)
        whole = prompt if prompt.rstrip().endswith("<think>") else prompt + "<think>\n"
        bos = tokenizer.bos_token if tokenizer("a").input_ids[0] == tokenizer.bos_token_id else ""
        assert rendered == (whole.removeprefix(bos) if bos else whole)


def test_without_a_chat_template_the_words_stand_alone(embedded_model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    tokenizer.chat_template = None
    assert render_prompt(PROMPTS[1], tokenizer) == "Be brief.\n\nHow many?\n<think>\n"
    assert render_prompt("How many?", tokenizer) == "How many?\n<think>\n"


def test_a_prompt_that_the_template_refuses(embedded_model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(UnusableTrace, match="prompt_refused"):
        render_prompt(PROMPTS[1], tokenizer)


def test_words_around_a_prompt_stand_in_the_users_last_message() -> None:
    prompt = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "second"},
    ]
    assert [message["content"] for message in conditioned_prompt(prompt, "[short] ", " 0.5")] == [
        *("first", "answer"),
        "[short] second 0.5",
    ]
    assert prompt[2]["content"] == "second"
    with pytest.raises(UsageError, match="no template rendered yet"):
        conditioned_prompt("<|im_start|>user\nfirst", "", " 0.5")
