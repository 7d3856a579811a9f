"""What to change, in one sentence for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Callable

from .arguments import SftArguments
from .preparation import Preparation

_PLAIN = "train on plain text: the default config of what asap-hf prune wrote"


def _reasoning_dropped(arguments: SftArguments, preparation: Preparation) -> str:
    from trl.chat_template_utils import get_training_chat_template

    dropped = f"the chat template of {arguments.model.model_name_or_path} drops the reasoning out of messages: "
    try:
        known = not arguments.sft.assistant_only_loss and get_training_chat_template(preparation.tokenizer) is not None
    except ValueError:  # a template that TRL has no variant of
        known = False
    swapped = "set assistant_only_loss: true, for which TRL takes a template that keeps it, or " if known else ""
    return dropped + swapped + _PLAIN


def _reasoning_key_dropped(arguments: SftArguments, preparation: Preparation) -> str:
    return (
        f"the chat template of {arguments.model.model_name_or_path} ignores the key that holds the messages' "
        f"reasoning: put it into content, between <think> and </think>, or {_PLAIN}"
    )


def _prompt_trained(arguments: SftArguments, preparation: Preparation) -> str:
    change = {
        "prompt": "set completion_only_loss: true",
        "messages": f"set assistant_only_loss: true, or {_PLAIN}",
        "text": "give prompt and completion in two columns, as asap-hf prune writes them, not in one text",
        "tokens": "set completion_only_loss: true if there is a column completion_mask, or give a column labels",
    }[preparation.layout]
    return f"the prompt is in the loss, and Eq. 3 leaves it out: {change}"


def _no_eos(arguments: SftArguments, preparation: Preparation) -> str:
    eos, field = preparation.tokenizer.eos_token, arguments.sft.dataset_text_field
    if preparation.layout == "prompt" and field in preparation.rows.column_names:
        return (
            f"the column {field} takes the {eos} that belongs to the completion, so the model would never learn to "
            "stop: set dataset_text_field: completion, or remove the column"
        )
    if preparation.layout == "tokens":
        return f"the row does not end in {eos}: append it to input_ids, with its label"
    return (
        f"the chat template does not end the answer in {eos}, so the model would never learn to stop: set eos_token "
        f"to the token that ends its turns, or {_PLAIN}"
    )


def _two_bos(arguments: SftArguments, preparation: Preparation) -> str:
    bos = preparation.tokenizer.bos_token
    return f"the prompt begins with {bos}, and the tokenizer puts another in front: take it out of the column prompt"


def _foreign_prompt(arguments: SftArguments, preparation: Preparation) -> str:
    model = arguments.model.model_name_or_path
    return (
        f"the prompt was not written with the chat template of {model}: prune with --tokenizer {model}, which writes "
        "it so, or train on the messages config"
    )


REMEDIES: dict[str, Callable[[SftArguments, Preparation], str]] = {
    "no_reasoning": lambda _, __: (
        "there is no reasoning, closed by </think>: leave such rows out, as asap-hf prune does (split train)"
    ),
    "reasoning_dropped": _reasoning_dropped,
    "reasoning_key_dropped": _reasoning_key_dropped,
    "reasoning_masked": lambda _, __: (
        "the reasoning is given to the model but not trained on: it must stand in the completion, not in the prompt"
    ),
    "unclosed": lambda _, __: (
        "</think> is not in the loss, so the model would never learn to end its reasoning: put it into the completion"
    ),
    "prompt_trained": _prompt_trained,
    "no_eos": _no_eos,
    "two_eos": lambda _, preparation: (
        f"{preparation.tokenizer.eos_token} stands more than once in what is trained on: take it out of the "
        "completion, TRL appends it"
    ),
    "no_bos": lambda _, preparation: (
        f"the row does not begin with {preparation.tokenizer.bos_token}, as every text does at inference: put it first"
    ),
    "two_bos": _two_bos,
    "bos_inside": lambda _, preparation: (
        f"the text holds the word {preparation.tokenizer.bos_token}, which becomes a special token: take it out"
    ),
    "foreign_prompt": _foreign_prompt,
}
"""Fault, as [`Expectation.faults`] names it → what to change."""
