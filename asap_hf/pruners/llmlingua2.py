"""LLMLingua-2, a baseline of Table 1: a token classifier says which words a reasoning can do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, groupby
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..models.tokens import count_tokens, load_tokenizer
from ..runtime.ledger import ledger_key, open_ledger
from ..runtime.progress import tick
from ..scoring.flops import CountedTrace
from ..traces.trace import Trace
from .base import Pruner
from .cost import Cost
from .method import Method, Options
from .word_pruner import WordPruner
from .words import Spelling

if TYPE_CHECKING:
    from ..scoring.word_pieces import ClassifierWindow, Word, WordReader

RELEASED = "microsoft/llmlingua-2-xlm-roberta-large-meetingbank"
LLAMA_3: Mapping[str, Any] = {
    "force_tokens": ("Step", ":"),
    "force_reserve_digit": True,
    "drop_consecutive": True,
}
"""What TokenSkip's authors force for models of the Llama 3 family: `TokenSkipPruner(…, **LLAMA_3)`. For Qwen's,
nothing."""
COMPRESSOR = ("compressor", "forced_words")
"""The arguments that choose the token classifier and the words it always keeps."""


@dataclass(frozen=True)
class LLMLingua2Pruner(WordPruner):
    """Keep the words that a token classifier finds worth keeping (Pan et al. 2024; Table 1, Appendix A).

    After `llmlingua` 0.2.2, which `tests/pruners/test_llmlingua2.py` holds it against. With a budget, the most
    probable words of the whole reasoning stay that fit it to the token. Without one the authors' own rule applies, to
    each window alone: a word stays if it is more probable than a percentile of the window's words, each counted as
    often as it has tokens. As in the release, all white space becomes single spaces, line breaks and indentation with
    it, and a character that the classifier's vocabulary lacks is lost.

    A step that keeps a word is kept, with the words it keeps.

    Args:
        tokenizer (`str`):
            Whose tokens the budget counts, and in the authors' rule the words' (they count those of GPT-3.5).
        max_tokens (`int`, *optional*):
            Budget in tokens of reasoning. At most one of this and `ratio`; a trace that fits stays as it is.
        ratio (`float`, *optional*):
            Budget as a share of the original reasoning's tokens.
        model_name_or_path (`str`, *optional*, defaults to the authors' XLM-R-large):
            A token classifier of two classes, the second one "keep", whose tokenizer marks words as XLM-R's or BERT's
            does. The paper does not say which one it used.
        revision (`str`, *optional*):
            Its branch, tag or commit on the Hub.
        rate (`float`, *optional*, defaults to 0.5):
            Share of tokens to keep in the authors' rule (0.5 in Appendix A). At 1.0 a trace stays as it is, where the
            release flattens its white space.
        force_tokens (`tuple[str, ...]`, *optional*):
            Texts that are always kept; none in the release.
        force_reserve_digit (`bool`, *optional*, defaults to `False`):
            Always keep pieces with a digit in them.
        drop_consecutive (`bool`, *optional*, defaults to `False`):
            Drop a forced text that follows itself with nothing kept between.
        max_length (`int`, *optional*, defaults to 512):
            Tokens that the classifier sees at once, as in the release.
        own_ends (`bool`, *optional*, defaults to `False`):
            Frame a window in the model's own special tokens. The release frames it in BERT's whatever the model is,
            which XLM-R takes for unknown tokens.
        dtype (`str`, *optional*, defaults to `"float32"`):
            As in the release on a CPU; `"bfloat16"`, `"float16"`, or `"auto"` for what the hardware multiplies in.
        device (`str`, *optional*):
            A GPU by default if there is one.
        deterministic (`bool`, *optional*, defaults to `False`):
            As [`ModelScorer`] has it. Windows share a forward pass all the same, 50 of one trace and never others';
            where they do not fit into memory so, the run ends.

    Example:
        >>> from asap_hf import LLMLingua2Pruner
        >>> pruner = LLMLingua2Pruner("embedded", ratio=0.5)
        >>> (pruner.name, pruner.model_name_or_path)
        ('llmlingua2', 'microsoft/llmlingua-2-xlm-roberta-large-meetingbank')
    """

    tokenizer: str
    max_tokens: int | None = None
    ratio: float | None = None
    model_name_or_path: str = RELEASED
    revision: str | None = None
    rate: float = 0.5
    force_tokens: tuple[str, ...] = ()
    force_reserve_digit: bool = False
    drop_consecutive: bool = False
    max_length: int = 512
    own_ends: bool = False
    dtype: str = "float32"
    device: str | None = None
    deterministic: bool = field(default=False, kw_only=True)

    version = "2"

    def __post_init__(self) -> None:
        object.__setattr__(self, "force_tokens", tuple(self.force_tokens))
        super().__post_init__()
        if not 0 < self.rate <= 1:
            raise UsageError(f"rate is the share of tokens to keep, over 0 and at most 1; got {self.rate}")
        if not all(self.force_tokens):
            raise UsageError("force_tokens holds an empty text, which stands everywhere: leave it out")

    @property
    def name(self) -> str:
        return "llmlingua2"

    @property
    def rule(self) -> dict[str, Any]:
        return {"rate": self.rate}

    @property
    def keeps_everything(self) -> bool:
        return self.rate == 1

    def cost(self, counted: CountedTrace) -> Cost:
        """Windows of the classifier, in the tokens of `tokenizer`; its operations are not estimated."""
        return Cost(passes=ceil(counted.reasoning / self.max_length), tokens_read=counted.reasoning)

    def words_of(self, trace: Trace) -> _Words:
        reader = self._reader()
        windows = reader.windows(trace.reasoning)
        read = [
            reader.words(window, probabilities, self.force_reserve_digit)
            for window, probabilities in zip(windows, self._probabilities(windows), strict=True)
        ]
        return _Words(trace, read, reader, self.force_tokens if self.drop_consecutive else ())

    def keep_by_rule(self, words: _Words) -> list[int]:
        # As released: the percentile is a whole number, and a word is counted with its mark of a space.
        counts = iter(count_tokens(self.tokenizer, [word.text for window in words.windows for word in window]))
        reduced = max(0, 1 - self.rate)
        kept, first = [], 0
        for window in words.windows:
            values = [word.probability for word in window]
            if self.drop_consecutive and window:
                _drop_repeated(values, window, self.force_tokens, np.percentile(values, int(100 * reduced)))
            weighted = [value for value in values for _ in range(next(counts))]
            if weighted:
                threshold = np.percentile(weighted, int(100 * reduced + 1))
                kept += [
                    first + place
                    for place, value in enumerate(values)
                    if value > threshold or value == threshold == 1.0
                ]
            first += len(window)
        return kept

    def _probabilities(self, windows: Sequence[ClassifierWindow]) -> list[list[float]]:
        """P(keep) of each token of each window, from the ledger where these windows were classified before."""
        key = ledger_key("keep_probabilities", self.stored_under, [window.ids for window in windows])
        ledger = open_ledger("scores")
        known: list[list[float]] | None = ledger.get(key)
        if known is not None:
            return known
        probabilities = self._classify(windows)
        if all(map(isfinite, chain.from_iterable(probabilities))):
            ledger.keep({key: probabilities})
        return probabilities

    def _classify(self, windows: Sequence[ClassifierWindow]) -> list[list[float]]:
        """Nine digits, which is what float32 holds.

        The windows of one trace share their batches with no other trace's, whose lengths would show in the last digit.
        """
        from ..scoring.token_classes import load_classifier

        device, dtype = self.placement()
        classifier = load_classifier(self.identity.path, self.identity.commit, dtype, device)
        rows = classifier([window.ids for window in windows], fixed=self.deterministic)
        tick("scored tokens", sum(map(len, rows)))
        return [
            [float(f"{value:.9g}") for value in row[1 : len(window.pieces) + 1]]
            for row, window in zip(rows, windows, strict=True)
        ]

    def _reader(self) -> WordReader:
        identity = self.identity
        return _load_reader(identity.path, identity.commit, self.force_tokens, self.max_length, self.own_ends)


@lru_cache(maxsize=4)
def _load_reader(
    path: str, commit: str | None, force_tokens: tuple[str, ...], max_length: int, own_ends: bool
) -> WordReader:
    from ..scoring.word_pieces import WordReader

    return WordReader(load_tokenizer(path, commit), force_tokens, max_length, own_ends)


class _Words:
    """The words of all windows of a trace."""

    def __init__(self, trace: Trace, windows: Sequence[Sequence[Word]], reader: WordReader, once: Sequence[str]):
        self.windows, self._reader, self._once = windows, reader, once
        self._words = [(number, word) for number, window in enumerate(windows) for word in window]
        ends = np.cumsum([len(step) for step in trace.steps])
        steps = np.searchsorted(ends, [word.place for _, word in self._words], side="right")
        self._steps = np.maximum.accumulate(steps) if len(steps) else steps
        self.scores = [word.probability for _, word in self._words]

    def spelled(self, kept: Sequence[int]) -> Spelling:
        """Each window's words as the tokenizer writes them, one window right after the other, as released."""
        spelling: list[tuple[int, str]] = []
        for _, positions in groupby(kept, key=lambda position: self._words[position][0]):
            spelling += self._window(self._without_repeats(list(positions)))
        return spelling

    def _window(self, positions: Sequence[int]) -> Iterator[tuple[int, str]]:
        texts = [self._words[position][1].text for position in positions]
        whole, begin, done = self._reader.spelled(texts), 0, 0
        for step, group in groupby(positions, key=lambda position: int(self._steps[position])):
            done += len(list(group))
            end = len(self._reader.spelled(texts[:done]))
            yield step, whole[begin:end]
            begin = end

    def _without_repeats(self, positions: Sequence[int]) -> list[int]:
        kept: list[int] = []
        for position in positions:
            text = self._words[position][1].text
            if text not in self._once or not kept or self._words[kept[-1]][1].text != text:
                kept.append(position)
        return kept


def _drop_repeated(values: list[float], words: Sequence[Word], force_tokens: Sequence[str], threshold: Any) -> None:
    """Give probability 0 to a forced text that follows itself with no probable word between."""
    between, before = False, None
    for place, word in enumerate(words):
        if word.text not in force_tokens:
            between |= bool(values[place] > threshold)
            continue
        if not between and word.text == before:
            values[place] = 0.0
        between, before = False, word.text


def classifier(options: Options) -> dict[str, Any]:
    """The token classifier that is asked for, as keyword arguments of [`LLMLingua2Pruner`] and [`TokenSkipPruner`]."""
    given = options.arguments
    forced = LLAMA_3 if given.forced_words == "llama3" else {}
    placed = {"device": given.device, "deterministic": given.deterministic}
    return {"model_name_or_path": given.compressor or RELEASED, **placed, **forced}


def _stages(options: Options) -> tuple[Pruner, ...]:
    return (LLMLingua2Pruner(options.tokenizer, **options.budget, **classifier(options)),)


METHODS = (
    Method(
        "llmlingua2",
        _stages,
        "the paper's baseline LLMLingua-2 (Table 1): words go that a token classifier finds dispensable",
        paper="Table 1",
        settings=COMPRESSOR,
        budget={},
        whole_steps=False,
    ),
)
