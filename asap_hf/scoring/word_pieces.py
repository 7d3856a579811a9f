"""Text as a token classifier reads it, after LLMLingua-2: windows that end with a sentence, and the words they hold.

Follows `llmlingua` 0.2.2, its quirks included, since what was published was made with it: each window is written out
and tokenised again, a cut within a word makes two words of it, and characters that the vocabulary lacks are lost.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SPACE_MARK = "▁"
_CONTINUATION = "##"
_ENDS_A_WINDOW = (".", "\n")
# Stand for forced tokens of several pieces while the text is read: code points that Unicode leaves to private use.
_FIRST_STAND_IN = 0x10F000


class ClassifierWindow(NamedTuple):
    """What the classifier sees at once."""

    ids: list[int]
    """Token ids, the ends of the frame included; a stand-in has an id beyond the vocabulary."""
    pieces: list[str]
    """The tokens themselves."""
    places: list[int]
    """For each token the position in the text of the token of the first reading that it comes from."""


class Word(NamedTuple):
    """A word of a window as it was put together from its pieces."""

    text: str
    """With the tokenizer's mark of a space before it, where it has one."""
    probability: float
    """Of being kept: the mean over its pieces."""
    place: int
    """Position in the text."""


class WordReader:
    """Cuts texts into windows and puts the windows' tokens together to words.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            A fast one that marks the beginning of a word as SentencePiece does (XLM-R) or the inside of one as
            WordPiece does (BERT).
        force_tokens (`Sequence[str]`):
            Texts that are always kept.
        max_length (`int`):
            Tokens in a window, the two of its frame included.
        own_ends (`bool`):
            Frame a window in the tokenizer's own special tokens; else in BERT's, whatever the model is.

    Raises:
        [`UsageError`]: if the tokenizer marks words in another way, or a window is longer than it allows.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, force_tokens: Sequence[str], max_length: int, own_ends: bool
    ):
        from tokenizers import Tokenizer

        if not 16 <= max_length <= tokenizer.model_max_length:
            raise UsageError(
                f"max_length is 16 to {tokenizer.model_max_length} for {tokenizer.name_or_path!r}; got {max_length}"
            )
        # A copy: the tokens added below are no one else's, and nothing may be cut off or padded.
        self._backend: Any = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        self._continuation = _continuation_of(self._backend, str(tokenizer.name_or_path))
        self._max_length = max_length
        self._force_tokens = frozenset(force_tokens)
        self._special = {one for one in tokenizer.special_tokens_map.values() if isinstance(one, str)}
        self._frame = _frame_of(tokenizer, own_ends)
        self._forced_by: dict[str, str] = {}
        for number, text in enumerate(dict.fromkeys(force_tokens)):
            if len(self._tokens(text)) != 1:
                self._forced_by[chr(_FIRST_STAND_IN + number)] = text
        self._backend.add_special_tokens(list(self._forced_by))
        ends = [stand_in for stand_in, text in self._forced_by.items() if text in _ENDS_A_WINDOW]
        self._ends_a_window = {*_ENDS_A_WINDOW, *ends}

    def windows(self, text: str) -> list[ClassifierWindow]:
        """The text in windows: as many tokens as fit, back to the last one that ends a sentence."""
        with_stand_ins, places = self._replaced(text)
        encoding = self._backend.encode(with_stand_ins, add_special_tokens=False)
        tokens = encoding.tokens
        starts = [places[min(start, len(places) - 1)] for start, _ in encoding.offsets]
        return [
            self._window(tokens[begin:end], starts[begin:end])
            for begin, end in _window_bounds(tokens, self._max_length - 2, self._ends_a_window)
        ]

    def words(self, window: ClassifierWindow, probabilities: Sequence[float], force_digits: bool) -> list[Word]:
        """The words of a window; special and unknown tokens are none.

        Args:
            window (`ClassifierWindow`):
                From `windows`.
            probabilities (`Sequence[float]`):
                Of each token to be kept.
            force_digits (`bool`):
                Count pieces with a digit in them as certain to be kept.
        """
        texts: list[str] = []
        pieces: list[list[Any]] = []
        places: list[int] = []
        for piece, value, place in zip(window.pieces, probabilities, window.places, strict=True):
            if piece in self._special:
                continue
            # What is compared later are ties, so the release's numbers: float32, but for what is forced.
            probability: Any = np.float32(value)
            pure = self._pure(piece)
            written = self._forced_by.get(piece, piece)
            begins = not texts or self._begins_word(piece)
            if begins and (pure in self._force_tokens or piece in self._forced_by):
                probability = 1.0
            if force_digits and any(map(str.isdecimal, written)):
                probability = 1.0
            if begins:
                texts.append(written)
                pieces.append([probability])
                places.append(place)
            else:
                texts[-1] += pure
                pieces[-1].append(probability)
        return [
            Word(text, sum(ones) / len(ones), place) for text, ones, place in zip(texts, pieces, places, strict=True)
        ]

    def spelled(self, words: Sequence[str]) -> str:
        """Words as text: spaces where the tokenizer puts them."""
        return str(self._backend.decoder.decode(list(words))) if words else ""

    def _tokens(self, text: str) -> list[str]:
        tokens: list[str] = self._backend.encode(text, add_special_tokens=False).tokens
        return tokens

    def _replaced(self, text: str) -> tuple[str, list[int]]:
        """The text with stand-ins for forced tokens, and for each character of it the position in the text."""
        # A stand-in that stands in the text already would be read as what it stands for; no vocabulary holds it.
        known = [(character, place) for place, character in enumerate(text) if character not in self._forced_by]
        characters, places = "".join(character for character, _ in known), [place for _, place in known]
        for stand_in, forced in self._forced_by.items():
            parts = characters.split(forced)
            begin, left = 0, []
            for part in parts:
                left += places[begin : begin + len(part) + 1]
                begin += len(part) + len(forced)
            characters, places = stand_in.join(parts), left
        return characters, places or [0]

    def _window(self, tokens: Sequence[str], starts: Sequence[int]) -> ClassifierWindow:
        """A stretch of the first reading, written out and read again: the frame's ends and what fits between them."""
        text = self.spelled(tokens)
        encoding = self._backend.encode(text, add_special_tokens=False)
        # Which token a place of the written text comes from follows from the characters before it, spaces not counted:
        # those stay, whatever the tokenizer does to spaces.
        ends = np.cumsum([_visible(self._written(token, at)) for at, token in enumerate(tokens)])
        visible = np.cumsum([0, *map(_visible, text)])
        sources = np.searchsorted(ends, [visible[start] for start, _ in encoding.offsets], side="right")
        places = [starts[min(int(source), len(starts) - 1)] for source in sources]
        first, last = self._frame
        ids = [first, *encoding.ids, last][: self._max_length]
        pieces = [self._backend.id_to_token(one) for one in encoding.ids]
        kept = len(ids) - 1
        return ClassifierWindow(ids, pieces[:kept], places[:kept])

    def _written(self, token: str, at: int) -> str:
        return token.removeprefix(_CONTINUATION) if self._continuation and at else token

    def _pure(self, piece: str) -> str:
        """A piece without its mark. Marks are what the release strips: every one of these characters on the left."""
        return piece.lstrip("#" if self._continuation else _SPACE_MARK)

    def _begins_word(self, piece: str) -> bool:
        if self._continuation:
            forced = self._pure(piece) in self._force_tokens or piece in self._forced_by
            return forced or not piece.startswith(_CONTINUATION)
        if piece in string.punctuation or piece in self._force_tokens or piece in self._forced_by:
            return True
        return piece.startswith(_SPACE_MARK)


def _visible(text: str) -> int:
    return len("".join(text.replace(_SPACE_MARK, " ").split()))


def _window_bounds(tokens: Sequence[str], room: int, ends_a_window: set[str]) -> Iterator[tuple[int, int]]:
    """Begin and end of each window. One that is not the last may hold a token more than `room`, as released."""
    begin = 0
    while len(tokens) - begin > room:
        last = begin + room
        while last > begin and tokens[last] not in ends_a_window:
            last -= 1
        end = (last if last > begin else begin + room) + 1
        yield begin, end
        begin = end
    if begin < len(tokens):
        yield begin, len(tokens)


def _continuation_of(backend: Any, name: str) -> bool:
    """Whether a mark says that a piece goes on with a word (WordPiece), not that it begins one (SentencePiece)."""
    if getattr(backend.model, "continuing_subword_prefix", None) == _CONTINUATION:
        return True
    if any(piece.startswith(_SPACE_MARK) for piece in backend.encode("a b", add_special_tokens=False).tokens):
        return False
    raise UsageError(
        f"the tokenizer of {name!r} marks words neither as XLM-R's nor as BERT's: name a classifier of their kind"
    )


def _frame_of(tokenizer: PreTrainedTokenizerBase, own: bool) -> tuple[int, int]:
    """What stands before and after the tokens of a window."""
    ends = [tokenizer.cls_token_id, tokenizer.sep_token_id]
    if not own:
        ends = [tokenizer.convert_tokens_to_ids(token) for token in ("[CLS]", "[SEP]")]
    if None in ends:
        raise UsageError(f"the tokenizer of {str(tokenizer.name_or_path)!r} has no such ends as [CLS] and [SEP]")
    first, last = map(int, ends)
    return first, last
