"""Prepare a dataset as TRL does: its own preparation and collator, the real tokenizer, none of the model's weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .arguments import SftArguments

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl.trainer.sft_trainer import SFTTrainer


@dataclass(frozen=True)
class Preparation:
    """A dataset as TRL prepared it.

    Args:
        rows (`Dataset`):
            Every checked row with the `input_ids` and `labels` that TRL gave it, before anything is cut.
        trained (`Dataset`):
            What is trained on: cut to `max_length`, packed where packing is on.
        total (`int`):
            Rows of the whole dataset, checked or not; 0 where a stream does not say.
        layout (`str`):
            What TRL reads of a row: `"tokens"`, `"prompt"` (and completion), `"messages"` or `"text"`.
        tokenizer (`PreTrainedTokenizerBase`):
            With the chat template and the end-of-sequence token that training will use.
        trainer (`SFTTrainer`):
            Of a toy model; it prepared `rows`.
    """

    rows: Dataset
    trained: Dataset
    total: int
    layout: str
    tokenizer: PreTrainedTokenizerBase
    trainer: SFTTrainer

    def examples(self) -> Iterator[tuple[dict[str, Any], list[int], list[int]]]:
        """Each row, its input and its labels (-100: not in the loss), as TRL's collator hands them to the model."""
        for row in self.rows:
            batch = self.trainer.data_collator([{name: row[name] for name in ("input_ids", "labels")}])
            size = len(row["input_ids"])  # what follows is padding
            yield row, batch["input_ids"][0].tolist()[:size], batch["labels"][0].tolist()[:size]


def prepare(arguments: SftArguments, check_rows: int | None = None) -> Preparation:
    """Send the training split through `SFTTrainer` twice: with whole rows, and as they are trained on.

    Args:
        arguments (`SftArguments`):
            The arguments of `trl sft`.
        check_rows (`int`, *optional*):
            Take this many rows, spread evenly over the split (of a stream, the first ones); all rows by default.

    Raises:
        `UsageError`: if the dataset or the tokenizer cannot be loaded, or TRL refuses them.
    """
    from jinja2 import TemplateError

    source, total = _source(arguments, check_rows)
    layout = _layout(source.column_names, arguments)
    if isinstance(asked := arguments.sft.dataset_kwargs, dict) and asked.get("skip_prepare_dataset"):
        raise UsageError("dataset_kwargs: skip_prepare_dataset hands the rows to the model as they are: leave it out")
    _refuse_gaps(source, layout, arguments.sft.dataset_text_field, total)
    whole = copy.copy(arguments.sft)
    whole.max_length, whole.packing, whole.shuffle_dataset = None, False, False
    tokenizer = _tokenizer(arguments)
    try:
        trainer = _trainer(tokenizer, whole, source)
        rows = trainer.train_dataset
        trained = _trainer(tokenizer, arguments.sft, rows).train_dataset
    except (ValueError, RuntimeError, TypeError, LookupError, AttributeError, TemplateError) as error:
        reason = str(error) if isinstance(error, (ValueError, RuntimeError, TemplateError)) else repr(error)
        reason = " ".join(reason.split()).rstrip(".") + _without_answers_alone(arguments)
        raise UsageError(f"TRL cannot prepare this dataset: {reason}") from error
    return Preparation(rows, trained, total, layout, tokenizer, trainer)


def marks_answers(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether `assistant_only_loss` has a chat template to work with: the tokenizer's, or TRL's variant of it."""
    from trl.chat_template_utils import get_training_chat_template

    if not tokenizer.chat_template:
        return False
    try:
        get_training_chat_template(tokenizer)
    except ValueError:  # a template that TRL has no variant of
        return False
    return True


def _source(arguments: SftArguments, check_rows: int | None) -> tuple[Dataset, int]:
    """The training split, or some of its rows, and how many it has. Loaded as TRL's script does."""
    from datasets import Dataset, load_dataset
    from trl.scripts.utils import get_dataset

    script, mixture = arguments.script, arguments.mixture
    if not mixture.datasets and not script.dataset_name:
        raise UsageError("there is nothing to train on: give --dataset_name")
    try:
        if mixture.datasets:
            splits = get_dataset(mixture)
        else:
            name, streaming = script.dataset_name, script.dataset_streaming
            splits = load_dataset(name, name=script.dataset_config, streaming=streaming)
    except (OSError, ValueError) as error:
        raise UsageError(f"the dataset cannot be loaded: {' '.join(str(error).split())}") from error
    asked = {"dataset_train_split": script.dataset_train_split}
    if arguments.asked["eval_strategy"] != "no":
        asked["dataset_test_split"] = script.dataset_test_split
    for key, split in asked.items():
        if split not in splits:
            raise UsageError(f"the dataset has no split {split!r} ({key}); it has: {', '.join(splits)}")
    rows = splits[script.dataset_train_split]
    if not isinstance(rows, Dataset):
        if check_rows is None:
            raise UsageError(
                "a stream is checked as far as --check_rows says: give it, or leave dataset_streaming out"
            )
        return Dataset.from_list(list(rows.take(check_rows)), features=rows.features), 0
    total = len(rows)
    if not total:
        raise UsageError(f"the split {script.dataset_train_split!r} is empty")
    if check_rows is not None and check_rows < total:
        rows = rows.select([place * total // check_rows for place in range(check_rows)])
    return rows, total


def _layout(columns: list[str], arguments: SftArguments) -> str:
    """Which columns TRL will read, by the order in which it looks for them."""
    text = arguments.sft.dataset_text_field
    if "input_ids" in columns:
        return "tokens"
    if "prompt" in columns:
        if "completion" not in columns:
            raise UsageError(
                "beside a column prompt TRL wants one called completion, which is not here; asap-hf prune writes both"
            )
        return "prompt"
    if "messages" in columns or "conversations" in columns:
        return "messages"
    if text in columns:
        return "text"
    raise UsageError(
        f"TRL finds neither prompt and completion, nor messages, nor {text} among the columns: {', '.join(columns)}"
    )


def _refuse_gaps(rows: Dataset, layout: str, text_field: str, total: int) -> None:
    """TRL stops at the first row that lacks what it reads, and does not say which one it is."""
    columns = {"tokens": ["input_ids"], "prompt": ["prompt", "completion"], "text": [text_field]}
    present = set(rows.column_names)
    for column in columns.get(layout, [name for name in ("messages", "conversations") if name in present]):
        for place, value in enumerate(rows[column]):
            if value is None or (not isinstance(value, str) and not len(value)):
                row = place * max(total, len(rows)) // len(rows)
                raise UsageError(f"row {row:,} has nothing in the column {column}, where TRL stops: leave it out")


def _without_answers_alone(arguments: SftArguments) -> str:
    """What to do where `assistant_only_loss` may be what TRL refuses; empty where it is off."""
    if not arguments.sft.assistant_only_loss:
        return ""
    return ": leave assistant_only_loss out, and train on the default config of what asap-hf prune wrote"


def _trainer(tokenizer: PreTrainedTokenizerBase, sft: Any, rows: Dataset) -> SFTTrainer:
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl.trainer.sft_trainer import SFTTrainer

    # Preparation asks a model for nothing but the place to write token ids to, so the smallest one will do.
    config = LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    return SFTTrainer(LlamaForCausalLM(config), args=sft, train_dataset=rows, processing_class=tokenizer)


def _tokenizer(arguments: SftArguments) -> PreTrainedTokenizerBase:
    from transformers import AutoProcessor

    model = arguments.model
    if not model.model_name_or_path:
        raise UsageError("there is nothing to train: give --model_name_or_path")
    if model.model_name_or_path == "embedded":
        raise UsageError(
            "trl sft knows no model called embedded: asap-hf train --model_name_or_path embedded finds it"
        )
    try:
        tokenizer: PreTrainedTokenizerBase = AutoProcessor.from_pretrained(
            model.model_name_or_path,
            revision=model.model_revision,
            trust_remote_code=arguments.sft.trust_remote_code,
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no tokenizer could be loaded for {model.model_name_or_path!r}: give a Hub id or a folder that holds one "
            f"({str(error).splitlines()[0]})"
        ) from error
    return tokenizer
