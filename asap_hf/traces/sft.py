"""What TRL's `SFTTrainer` is given: a rendered prompt and the completion that belongs into the loss (Eq. 3).

Plain text on purpose: TRL would render conversational rows with the model's chat template, and DeepSeek-R1-Distill's
drops everything before `</think>` without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UnusableTrace, UsageError
from .rows import Message, is_rendered
from .think_tags import OPENING, canonical, ends_open, without_open_end
from .trace import Trace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Templates of models that can also answer at once ask for one of these, and close an empty block without it.
_THINKING: dict[str, Any] = {"enable_thinking": True, "thinking": True}


def render_prompt(prompt: list[Message] | str, tokenizer: PreTrainedTokenizerBase) -> str:
    """The prompt as the model sees it at inference, ending in the open `<think>` tag, without a BOS that the tokenizer
    would add a second time.

    A text that was rendered before stays as it is. Where the tokenizer has no chat template, the messages' texts stand
    one after the other.

    Raises:
        `UnusableTrace`: `prompt_refused`; `prompt_cut` where the template leaves a message out, or its thoughts.
    """
    from jinja2 import TemplateError

    if isinstance(prompt, str):
        text = prompt if is_rendered(prompt) else prompt + "\n"
    elif tokenizer.chat_template:
        try:
            text = str(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False, **_THINKING))
        except TemplateError as error:
            raise UnusableTrace("prompt_refused") from error
        if not all(message["content"].strip() in text for message in prompt):
            raise UnusableTrace("prompt_cut")
    else:
        text = "\n\n".join(message["content"] for message in prompt) + "\n"
    bos = tokenizer.bos_token
    if bos and text.startswith(bos) and tokenizer(text).input_ids[:2] == [tokenizer.bos_token_id] * 2:
        text = text.removeprefix(bos)
    if text.rstrip().endswith(OPENING):
        return text
    return f"{without_open_end(text) if ends_open(text) else text}{OPENING}\n"


def conditioned_prompt(prompt: list[Message] | str, before: str, after: str) -> list[Message]:
    """The prompt with text before and after what the user said last.

    Raises:
        `UsageError`: if the prompt is text that a chat template rendered, which does not tell whose words are whose.
    """
    if isinstance(prompt, str):
        raise UsageError("this method adds words to the user's message: give prompts that no template rendered yet")
    last = max((at for at, message in enumerate(prompt) if message["role"] == "user"), default=len(prompt) - 1)
    said = {**prompt[last], "content": f"{before}{prompt[last]['content']}{after}"}
    return [*prompt[:last], said, *prompt[last + 1 :]]


def render_completion(trace: Trace) -> str:
    """Reasoning, `</think>` and answer: what follows a prompt from `render_prompt`, without the EOS that TRL adds."""
    return f"{trace.reasoning}{render_end(trace)}"


def render_end(trace: Trace) -> str:
    """What follows the reasoning: `</think>`, in whatever form the source had it, and the answer."""
    return f"{canonical(trace.closing)}{trace.answer}"
