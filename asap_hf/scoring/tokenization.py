"""One tokenisation per trace: which token is a step's first, and to which step every token belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import RunError, UsageError
from ..traces.think_tags import OPENING, ends_open
from ..traces.trace import Trace
from .windows import Indexes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Context = Literal["chat", "raw"]

# What a tokenizer must give back unchanged: indentation, tabs, blank lines, Windows line ends, non-ASCII text.
_SAMPLE = (
    "def f(a, b):\n    if a  <  b:\n\t\treturn 'é → 数 🙂'\n\n\n    # so far,  so good.\r\n\r\n"
    "Wait , it can 't be .\n\nOK !"
)


@dataclass(frozen=True)
class TokenisedTrace:
    """The tokens of question and reasoning, and where the steps are in them.

    Args:
        ids (`NDArray` of shape `(length,)`):
            Token ids, special tokens in front included.
        start (`int`):
            Position of the first token that holds a character of the reasoning.
        first (`NDArray` of shape `(steps,)`):
            Position of each step's first token: the first one that holds a character of the step, also where it began
            in the step before.
        owner (`NDArray` of shape `(length - start,)`):
            For each token of the reasoning the step that holds its last character, so that every token is one step's.
    """

    ids: Indexes
    start: int
    first: Indexes
    owner: Indexes


class TraceTokenizer:
    """Puts a trace's question before its reasoning and tokenises both at once.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            A fast one.
        context (`str`):
            `"chat"`: the question as a user's message in the tokenizer's chat template; `"raw"`: the bare question, as
            the authors' code has it. Both end in `<think>` and a line break.

    Raises:
        [`RunError`]: if the tokenizer does not give text back as it was, or its offsets cannot be trusted.
        [`UsageError`]: if there is no chat template for `"chat"`.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, context: Context):
        if context == "chat" and not tokenizer.chat_template:
            raise UsageError(
                f"the tokenizer of {tokenizer.name_or_path!r} has no chat template: score with context='raw'"
            )
        self._tokenizer, self._context = tokenizer, context
        self._backend = _bare_backend(tokenizer)
        self.sample_ids = _check(tokenizer, self._backend)
        self.leading = _leading_ids(tokenizer, self.sample_ids)

    def __call__(self, traces: Sequence[Trace]) -> list[TokenisedTrace | None]:
        """Tokenise each trace; `None` where the text is no valid Unicode."""
        prefixes = [self.prefix(trace.question) for trace in traces]
        texts = [prefix + trace.reasoning for prefix, trace in zip(prefixes, traces, strict=True)]
        valid = [index for index, text in enumerate(texts) if _is_encodable(text)]
        encodings = self._backend.encode_batch([texts[index] for index in valid], add_special_tokens=False)
        tokenised: list[TokenisedTrace | None] = [None] * len(traces)
        for index, encoding in zip(valid, encodings, strict=True):
            tokenised[index] = self._locate(encoding, len(prefixes[index]), traces[index].steps)
        return tokenised

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by itself, special tokens not counted."""
        return [len(encoding) for encoding in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def prefix(self, question: str) -> str:
        """What stands before the reasoning, without the special tokens that the tokenizer adds by itself."""
        if self._context == "raw":
            return f"{question}\n{OPENING}\n"
        message = [{"role": "user", "content": question}]
        thinking: Any = {"enable_thinking": True, "thinking": True}  # what templates that can do both call it
        try:
            prompt = str(
                self._tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False, **thinking)
            )
        except Exception as error:  # a template is a program of the model's author and may raise anything
            raise UsageError(
                f"the chat template of {self._tokenizer.name_or_path!r} does not render a question ({error}): "
                "score with context='raw'"
            ) from error
        if self.leading:  # else what the template writes is the only one there will be
            prompt = prompt.removeprefix(str(self._tokenizer.decode(self.leading)))
        if not ends_open(prompt):
            return f"{prompt}{OPENING}\n"
        return prompt if prompt[-1].isspace() else f"{prompt}\n"

    def _locate(self, encoding: Any, prefix_length: int, steps: Sequence[str]) -> TokenisedTrace:
        # Ends never fall: the pieces of one character share its offsets, and a normaliser may swap two characters.
        ends = np.maximum.accumulate(np.array([end for _, end in encoding.offsets], dtype=np.int64))
        starts = np.array([*accumulate(map(len, steps[:-1]), initial=prefix_length)], dtype=np.int64)
        first = np.minimum(np.searchsorted(ends, starts, side="right"), len(ends) - 1)
        last_characters = ends[first[0] :] - 1
        owner = np.searchsorted(starts, last_characters, side="right") - 1
        leading = len(self.leading)
        ids = np.array([*self.leading, *encoding.ids], dtype=np.int64)
        return TokenisedTrace(ids, int(first[0]) + leading, first + leading, owner)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _bare_backend(tokenizer: PreTrainedTokenizerBase) -> Any:
    """A copy of the tokenizer that cuts nothing off, pads nothing, and whose offsets no post-processor has trimmed."""
    from tokenizers import Tokenizer

    if not tokenizer.is_fast:
        raise UsageError(f"the tokenizer of {tokenizer.name_or_path!r} is not a fast one, and offsets are needed")
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.post_processor = None
    return backend


def _check(tokenizer: PreTrainedTokenizerBase, backend: Any) -> list[int]:
    """Refuse a tokenizer whose scores would mean nothing; the sample's ids otherwise.

    transformers 5 has loaded tokenizers of the DeepSeek-R1-Distill family with another pre-tokenizer than their own,
    which loses white space without a word (transformers issue 45488).
    """
    encoding = backend.encode(_SAMPLE, add_special_tokens=False)
    decoded = tokenizer.decode(encoding.ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    remedy = "another version of transformers may load it right (transformers issue 45488)"
    if decoded != _SAMPLE:
        raise RunError(
            f"the tokenizer of {tokenizer.name_or_path!r} does not give code back as it was: {decoded[:60]!r} for "
            f"{_SAMPLE[:60]!r}; {remedy}"
        )
    covered = 0
    for start, end in encoding.offsets:
        if start > covered or end < covered:
            raise RunError(f"the offsets of the tokenizer of {tokenizer.name_or_path!r} leave text out; {remedy}")
        covered = end
    if covered != len(_SAMPLE):
        raise RunError(f"the offsets of the tokenizer of {tokenizer.name_or_path!r} leave text out; {remedy}")
    return list(encoding.ids)


def _leading_ids(tokenizer: PreTrainedTokenizerBase, sample_ids: list[int]) -> list[int]:
    """The special tokens that the tokenizer puts before a text. Seen by calling it: configs often say otherwise."""
    ids = list(tokenizer(_SAMPLE).input_ids)
    for place in range(len(ids) - len(sample_ids) + 1):
        if ids[place : place + len(sample_ids)] == sample_ids:
            return ids[:place]
    raise RunError(
        f"the tokenizer of {tokenizer.name_or_path!r} gives other tokens when it adds its special ones; "
        "it cannot be scored with"
    )
