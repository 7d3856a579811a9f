"""Selective Context, a baseline of Table 1: the phrases that a language model expects least stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from typing import Any

import numpy as np

from ..errors import UsageError
from ..models.tokens import load_tokenizer
from ..runtime.ledger import ledger_key, open_ledger
from ..scoring.base import BATCH_TOKENS
from ..scoring.flops import CountedTrace, ForwardPass
from ..traces.trace import Trace
from .base import Pruner
from .cost import Cost, cost_of_forward_passes
from .method import Method, Options
from .word_pruner import WordPruner
from .words import Spelling, steps_of_letters


@dataclass(frozen=True)
class SelectiveContextPruner(WordPruner):
    r"""Drop the phrases with the least self-information (Li et al. 2023; Table 1, Appendix A).

    White space becomes single spaces; each sentence goes through the model alone; a phrase has the mean
    self-information of its tokens. With a budget, the most informative phrases stay that fit it to the token. Without
    one the authors' own rule applies: phrases below a percentile of all phrases go, however many tokens that is.

    The authors' phrases are spaCy's noun chunks and single words; here they are words with their determiners, by
    pattern, so that no language model of spaCy is needed. A step that keeps a phrase is kept, with these phrases.

    Args:
        model_name_or_path (`str`):
            A causal language model: Hub id, folder, or `"embedded"`. Appendix A scores every method with
            `deepseek-ai/DeepSeek-R1-Distill-Qwen-7B`; the authors of Selective Context with GPT-2.
        tokenizer (`str`):
            Whose tokens the budget counts.
        max_tokens (`int`, *optional*):
            Budget in tokens of reasoning. At most one of this and `ratio`; a trace that fits stays as it is.
        ratio (`float`, *optional*):
            Budget as a share of the original reasoning's tokens.
        reduce_ratio (`float`, *optional*, defaults to 0.5):
            Share of the phrases to drop in the authors' rule (0.5 in Appendix A, 0.35 in their code).
        revision (`str`, *optional*):
            Branch, tag or commit of the model on the Hub.
        dtype (`str`, *optional*, defaults to `"auto"`):
            As [`SurprisalScorer`] has it.
        device (`str`, *optional*):
            A GPU by default if there is one.
        max_batch_tokens (`int`, *optional*, defaults to 16384):
            Most tokens in one forward pass, padding counted. The paper does not give it.
        deterministic (`bool`, *optional*, defaults to `False`):
            As [`ModelScorer`] has it. Sentences share a forward pass all the same, those of one trace and never
            others', in batches that `max_batch_tokens` does not change; a trace that does not fit into memory so has
            no scores.

    Example:
        >>> from asap_hf import SelectiveContextPruner, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add the two numbers.\n\n", "That is 5."), "5")
        >>> [pruning] = SelectiveContextPruner("embedded", "embedded", max_tokens=6).prune([trace])
        >>> (pruning.reason, pruning.record["tokens"] <= 6)
        ('', True)
    """

    model_name_or_path: str
    tokenizer: str
    max_tokens: int | None = None
    ratio: float | None = None
    reduce_ratio: float = 0.5
    revision: str | None = None
    dtype: str = "auto"
    device: str | None = None
    max_batch_tokens: int = BATCH_TOKENS
    deterministic: bool = field(default=False, kw_only=True)

    version = "2"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.reduce_ratio < 1:
            raise UsageError(
                f"reduce_ratio is the share of phrases to drop, over 0 and below 1; got {self.reduce_ratio}"
            )
        if self.max_batch_tokens < 1:
            raise UsageError(f"max_batch_tokens is 1 or more, not {self.max_batch_tokens}")

    @property
    def name(self) -> str:
        return "selective_context"

    @property
    def rule(self) -> dict[str, Any]:
        return {"reduce_ratio": self.reduce_ratio}

    def cost(self, counted: CountedTrace) -> Cost:
        sizes = counted.shares(sentences(" ".join(counted.trace.reasoning.split())))
        return cost_of_forward_passes(self, [ForwardPass(0, size, head_rows=size) for size in sizes])

    def words_of(self, trace: Trace) -> _Phrases | str:
        from ..scoring.self_information import tokenise

        parts = sentences(" ".join(trace.reasoning.split()))
        tokens = tokenise(load_tokenizer(self.identity.path, self.identity.commit), parts)
        information = self._information([one.ids for one in tokens])
        if information is None:
            return "out_of_memory"
        texts: list[str] = []
        scores: list[float] = []
        for part, (_, spans), values in zip(parts, tokens, information, strict=True):
            units = phrases(part)
            scores += phrase_information(units, spans, values)
            texts += [units[0] if not texts else f" {units[0]}", *units[1:]]
        return _Phrases(trace, texts, scores)

    def keep_by_rule(self, words: _Phrases) -> list[int]:
        threshold = np.percentile(words.scores, 100 * self.reduce_ratio)
        return [position for position, score in enumerate(words.scores) if score >= threshold]

    def _information(self, ids: Sequence[Sequence[int]]) -> list[list[float]] | None:
        """Self-information of the tokens of each sentence, from the ledger where these were scored before.

        The sentences of one trace share their batches with no other trace's, whose lengths would show in the last
        digit.
        """
        from ..scoring.self_information import self_information, start_token
        from ..scoring.steps import load

        key = ledger_key("self_information", self.stored_under, ids)
        ledger = open_ledger("scores")
        known: list[list[float]] | None = ledger.get(key)
        if known is not None:
            return known
        identity, (device, dtype) = self.identity, self.placement()
        _, model = load(identity.path, identity.commit, "raw", dtype, device, None)
        start = start_token(load_tokenizer(identity.path, identity.commit))
        at_once = BATCH_TOKENS if self.deterministic else self.max_batch_tokens
        information = self_information(ids, start, model, at_once, fixed=self.deterministic)
        if information is not None and all(map(isfinite, chain.from_iterable(information))):
            ledger.keep({key: information})
        return information


def phrase_information(
    units: Sequence[str], spans: Sequence[tuple[int, int]], information: Sequence[float]
) -> list[float]:
    """Mean self-information of each phrase of a sentence, in nats.

    As the authors count: a token gives its information, in equal parts, to the phrases that end in it, and where none
    does to the phrase that it lies in, unless it is a space.

    Args:
        units (`Sequence[str]`):
            The phrases; joined, they are the sentence.
        spans (`Sequence[tuple[int, int]]`):
            Begin and end of each token's characters.
        information (`Sequence[float]`):
            Of each token.
    """
    sentence, ends = "".join(units), np.cumsum([len(unit) for unit in units])
    given: list[list[float]] = [[] for _ in units]
    for (begin, end), value in zip(spans, information, strict=True):
        first = min(int(np.searchsorted(ends, begin, side="right")), len(units) - 1)
        after = int(np.searchsorted(ends, end, side="right"))
        if after <= first and not sentence[begin:end].strip():
            continue
        ending = range(first, max(after, first + 1))
        for unit in ending:
            given[unit].append(value / len(ending))
    return [float(np.mean(values)) if values else 0.0 for values in given]


class _Phrases:
    """The phrases of a trace."""

    def __init__(self, trace: Trace, texts: Sequence[str], scores: Sequence[float]):
        self._texts, self.scores = texts, scores
        before = np.cumsum([0, *(len("".join(text.split())) for text in texts)])[:-1]
        self._steps = np.searchsorted(steps_of_letters(trace), before, side="right")

    def spelled(self, kept: Sequence[int]) -> Spelling:
        """The phrases as they are, each with the space before it."""
        return [(int(self._steps[position]), self._texts[position]) for position in kept]


# White space after a full stop or question mark, but not after "e.g." or "Dr.".
_SENTENCE_END = re.compile(r"(?<=[.?])(?<!\w\.\w.)(?<![A-Z][a-z]\.)\s")
_DETERMINERS = (
    "the|a|an|this|that|these|those|my|your|his|her|its|our|their|each|every|some|any|no|all|both|which|what|another"
)
# A word with the determiners before it, or a run of one sign; with the space before them.
_PHRASE = re.compile(rf"\s*(?:(?:(?:{_DETERMINERS})\s+)*\w+(?:['’.-]\w+)*|([^\w\s])\1*)", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    """The sentences of a text, white space around them removed."""
    return [stripped for part in _SENTENCE_END.split(text) if (stripped := part.strip())]


def phrases(sentence: str) -> list[str]:
    """A sentence in phrases, each with the space before it; joined, they are the sentence.

    A stand-in for spaCy's noun chunks, which need a model of the language: a word stands with its determiners ("the
    total"), adjectives and compounds are units of their own.
    """
    return [match.group() for match in _PHRASE.finditer(sentence)]


def _stages(options: Options) -> tuple[Pruner, ...]:
    placed = options.placement_of_whole_traces
    return (SelectiveContextPruner(options.arguments.scorer, options.tokenizer, **options.budget, **placed),)


METHODS = (
    Method(
        "selective_context",
        _stages,
        "the paper's baseline Selective Context (Table 1): phrases go that a language model finds likely",
        paper="Table 1",
        settings=("scorer", "scorer_revision", "dtype"),
        budget={},
        whole_steps=False,
    ),
)
