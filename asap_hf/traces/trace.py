"""The paper's triple {Q, C, A} (§3.1): parse it out of a completion, cut it by position, put it back byte for byte.

Works on text only: no tokens, no models, no files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import UnusableTrace
from .loops import is_looping
from .splitting import DEFAULT_SPLITTER, split_steps
from .think_tags import CLOSING_TAG, OPENING_TAG

# Reasons why a completion is no usable trace, with the sentence that the summary shows for each.
REASONS = {
    "no_question": "there is no prompt, or it holds no text",
    "prompt_refused": "the tokenizer's chat template refuses the prompt's messages",
    "prompt_cut": "the tokenizer's chat template leaves out words of the prompt's messages",
    "no_conversation": "a conversation is a list of messages with role and content, and this is another form",
    "answer_in_prompt": "the prompt holds the answer: it ends in the assistant's turn, or repeats the reasoning",
    "several_turns": "the completion is several messages, and those before the last are not in the prompt",
    "tool_call": "a message calls a tool or answers such a call, which would be lost",
    "not_only_text": "a message holds more than text (an image, a part of another kind), which would be lost",
    "other_reasoning": "a message holds reasoning beside its text (an earlier or a second one), which would be lost",
    "named_speaker": "a message names its speaker, which would be lost",
    "not_text": "the completion is missing or is no text",
    "not_encodable": "the text holds half a surrogate pair, which no tokenizer and no Parquet file takes",
    "no_think": "there is no <think> block",
    "unclosed_think": "the reasoning never ends: there is no </think>",
    "several_think_tags": "more than one <think> or </think>: which text is the reasoning is not certain",
    "text_before_think": "there is text before <think>",
    "empty_reasoning": "the <think> block is empty",
    "no_answer": "nothing follows </think>",
    "loop": "the reasoning repeats one span over and over",
}

# A model that was prompted with "<think>" may write it again: a doubled opening is one opening.
_OPENING = re.compile(rf"\s*(?:{OPENING_TAG.pattern}\s*)+", OPENING_TAG.flags)
# Blank lines around the reasoning belong to the tags; the indentation of its first line belongs to the first step.
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # which json.loads('"\\ud800"') lets in


@dataclass(frozen=True, slots=True)
class Trace:
    r"""One question, the reasoning as steps, and the answer (§3.1).

    `"".join(steps)` is the reasoning, byte for byte: each step carries the blank lines that follow it. `opening` and
    `closing` hold the tags with the white space around them, so that `completion` is the text that was parsed.

    Example:
        >>> from asap_hf import Trace
        >>> trace = Trace.parse("What is 2 + 3?", "<think>Let me add.\n\nWait.\n\nThat is 5.</think>5")
        >>> trace.texts
        ('Let me add.', 'Wait.', 'That is 5.')
        >>> trace.select([0, 2]).completion
        '<think>Let me add.\n\nThat is 5.</think>5'
    """

    question: str
    steps: tuple[str, ...]
    answer: str
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    splitter: str = DEFAULT_SPLITTER
    """Name of the splitter that cut the reasoning."""
    origin: Trace | None = None
    """The uncut trace that this one was selected from; `None` for an uncut one."""
    positions: tuple[int, ...] = ()
    """Position in `origin` of each step; empty for an uncut trace (see `kept`)."""

    @classmethod
    def parse(cls, question: str, completion: str, splitter: str = DEFAULT_SPLITTER) -> Trace:
        """Read a trace out of `<think> … </think> answer`.

        The opening tag may be missing, since templates such as DeepSeek-R1's end the prompt with it; the closing tag
        may not. Tags are those of `asap_hf.traces.think_tags`: in capitals and with attributes too.

        Args:
            question (`str`):
                What the model was asked, as plain text.
            completion (`str`):
                What it wrote.
            splitter (`str`, *optional*, defaults to `"code"`):
                A name from `asap_hf.traces.splitting.SPLITTERS`.

        Raises:
            `UnusableTrace`: with one of `REASONS`.
        """
        opening, reasoning, closing, answer = _locate(completion)
        if not (is_encodable(question) and is_encodable(completion)):
            raise UnusableTrace("not_encodable")
        return cls(question, split_steps(reasoning, splitter), answer, opening, closing, splitter)

    @property
    def reasoning(self) -> str:
        """The text between the tags, without the blank lines next to them."""
        return "".join(self.steps)

    @property
    def completion(self) -> str:
        """The whole text again: opening tag, reasoning, closing tag, answer."""
        return f"{self.opening}{self.reasoning}{self.closing}{self.answer}"

    @property
    def texts(self) -> tuple[str, ...]:
        """The steps without the blank lines after them; indentation stays."""
        return tuple(step.rstrip() for step in self.steps)

    @property
    def source(self) -> Trace:
        """The uncut trace: `origin`, or this one."""
        return self.origin or self

    @property
    def kept(self) -> tuple[int, ...]:
        """Position in `source` of every step that is still here, ascending."""
        return self.positions if self.origin else tuple(range(len(self.steps)))

    def select(self, kept: Iterable[int]) -> Trace:
        """Keep the steps at these positions of *this* trace, in their order, and nothing else.

        By position, never by text: traces hold equal steps ("Wait."). Keeping every position returns the same trace.

        Raises:
            `ValueError`: if nothing is kept, or a position does not exist: a reasoning is never emptied.
        """
        positions = sorted(set(kept))
        if not positions or positions[0] < 0 or positions[-1] >= len(self.steps):
            raise ValueError(f"keep at least one of the positions 0 to {len(self.steps) - 1}, got {positions[:5]}")
        if len(positions) == len(self.steps):
            return self
        steps = [self.steps[position] for position in positions]
        steps[-1] = steps[-1].rstrip()  # the blank lines after the last step are `closing`'s
        return self._with(steps, positions)

    def rewritten(self, steps: Sequence[str], kept: Sequence[int] = ()) -> Trace:
        """The reasoning in other words: an LLM's, or the steps with words missing.

        Args:
            steps (`Sequence[str]`):
                The new text, cut into steps; each carries what separates it from the next.
            kept (`Sequence[int]`, *optional*):
                Positions of *this* trace whose content they carry; none at all where the text belongs to no step.

        Raises:
            `ValueError`: if no text is left, or a position does not exist.
        """
        positions = sorted(set(kept))
        if not "".join(steps).strip():
            raise ValueError("a reasoning is never emptied")
        if positions and not 0 <= positions[0] <= positions[-1] < len(self.steps):
            raise ValueError(f"positions are 0 to {len(self.steps) - 1}, got {positions[:5]}")
        return self._with(steps, positions)

    def _with(self, steps: Sequence[str], kept: Sequence[int]) -> Trace:
        before = self.kept
        return Trace(
            question=self.question,
            steps=tuple(steps),
            answer=self.answer,
            opening=self.opening,
            closing=self.closing,
            splitter=self.splitter,
            origin=self.source,
            positions=tuple(before[position] for position in kept),
        )


def is_encodable(text: str) -> bool:
    """Whether a text has a UTF-8 form: one that holds half a surrogate pair has none."""
    return _LONE_SURROGATE.search(text) is None


def encodable(text: str) -> str:
    """The text with every half of a surrogate pair written out, as `\\ud800`."""
    return text.encode(errors="backslashreplace").decode()


def _locate(completion: object) -> tuple[str, str, str, str]:
    """Cut a completion into opening tag, reasoning, closing tag and answer; the four joined are the completion."""
    if not isinstance(completion, str) or not completion.strip():
        raise UnusableTrace("not_text")
    opening = _OPENING.match(completion)
    closing = CLOSING_TAG.search(completion)
    if opening is None and OPENING_TAG.search(completion, 0, closing.start() if closing else len(completion)):
        raise UnusableTrace("text_before_think")
    start = opening.end() if opening else 0
    if opening:  # give the indentation of the first line back to the reasoning
        start = max(completion.rfind("\n", 0, start) + 1, completion.rfind(">", 0, start) + 1)
    start = _after_blank_lines(completion, start)
    if closing is None:
        raise UnusableTrace("unclosed_think" if opening else "no_think")
    after = closing.end()
    if OPENING_TAG.search(completion, start) or CLOSING_TAG.search(completion, after):
        raise UnusableTrace("several_think_tags")
    reasoning = completion[start : closing.start()].rstrip()
    if not reasoning:
        raise UnusableTrace("empty_reasoning")
    answer_at = _after_blank_lines(completion, after)
    if not completion[answer_at:].strip():
        raise UnusableTrace("no_answer")
    if is_looping(reasoning):
        raise UnusableTrace("loop")
    return completion[:start], reasoning, completion[start + len(reasoning) : answer_at], completion[answer_at:]


def _after_blank_lines(text: str, start: int) -> int:
    blank = _BLANK_LINES.match(text, start)
    return blank.end() if blank else start
