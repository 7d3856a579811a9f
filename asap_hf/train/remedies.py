"""The remedy for each fault of a training set, in one sentence."""

from __future__ import annotations

from collections.abc import Callable

from .arguments import SftArguments
from .preparation import Preparation, marks_answers

_PLAIN = "train on plain text: the default config of what asap-hf prune wrote"


def _reasoning_dropped(arguments: SftArguments, preparation: Preparation) -> str:
    dropped = f"the chat template of {arguments.model.model_name_or_path} drops the reasoning out of messages: "
    known = not arguments.sft.assistant_only_loss and marks_answers(preparation.tokenizer)
    swapped = "set assistant_only_loss: true, for which TRL takes a template that keeps it, or " if known else ""
    return dropped + swapped + _PLAIN


def _reasoning_key_dropped(arguments: SftArguments, preparation: Preparation) -> str:
    return (
        f"the chat template of {arguments.model.model_name_or_path} ignores the key that holds the messages' "
        f"reasoning: put it into content, between <think> and </think>, or {_PLAIN}"
    )


def _prompt_trained(arguments: SftArguments, preparation: Preparation) -> str:
    if preparation.layout == "text":
        return (
            f"every token of the column {arguments.sft.dataset_text_field} is in the loss, and Eq. 3 leaves the "
            "prompt out: give prompt and completion in two columns, as asap-hf prune writes them, not in one text"
        )
    change = {
        "prompt": "set completion_only_loss: true",
        "messages": _answers_alone(arguments, preparation),
        "tokens": "set completion_only_loss: true if there is a column completion_mask, or give a column labels",
    }[preparation.layout]
    return f"the prompt is in the loss, and Eq. 3 leaves it out: {change}"


def _answers_alone(arguments: SftArguments, preparation: Preparation) -> str:
    if marks_answers(preparation.tokenizer):
        return f"set assistant_only_loss: true, or {_PLAIN}"
    return (
        f"{_PLAIN}; assistant_only_loss: true needs a chat template with {{% generation %}} marks, which neither "
        f"{arguments.model.model_name_or_path} nor TRL has (chat_template_path names another one)"
    )


def _no_prompt(arguments: SftArguments, preparation: Preparation) -> str:
    where = {
        "prompt": "the column prompt holds nothing that a user asks",
        "messages": "no message before the last one has the role user and words in it",
        "tokens": "nothing stands before <think>",
    }[preparation.layout]
    return (
        f"there is no prompt ({where}), so the model would learn to reason about nothing that it is told: leave such "
        "rows out, as asap-hf prune does (split train), or give the question"
    )


def _no_eos(arguments: SftArguments, preparation: Preparation) -> str:
    eos, field = preparation.tokenizer.eos_token, arguments.sft.dataset_text_field
    if preparation.layout == "prompt" and field in preparation.rows.column_names:
        change = "remove the column" if field != "prompt" else "leave it out"
        return (
            f"the column {field} takes the {eos} that belongs to the completion, so the model would never learn to "
            f"stop: set dataset_text_field: completion, or {change}"
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
    known = marks_answers(preparation.tokenizer)
    other = ", or train on the messages config with assistant_only_loss: true" if known else ""
    return (
        f"the prompt was not written with the chat template of {model}: prune with --tokenizer {model}, the result "
        f"itself or the traces, which writes it so{other}"
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
    "answer_masked": lambda _, __: (
        "the answer after </think> is given to the model but not trained on: it must stand in the completion, and its "
        "labels must not be masked"
    ),
    "no_answer": lambda _, __: (
        "nothing follows </think>, so the model would learn to end without an answer: leave such rows out, as asap-hf "
        "prune does (split train)"
    ),
    "two_openings": lambda _, __: (
        "the prompt ends in <think> and the completion begins with it, so the model would learn to open its reasoning "
        "twice: take the tag out of the completion"
    ),
    "prompt_trained": _prompt_trained,
    "no_prompt": _no_prompt,
    "answered_prompt": lambda _, __: (
        "the prompt ends in a message of the assistant, so the model is shown an answer to what it is asked: end the "
        "prompt with the user's message, and leave the assistant's to the completion"
    ),
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
