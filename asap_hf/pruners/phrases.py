"""Sentences and phrases of a text whose white space is single spaces, by pattern."""

from __future__ import annotations

import re

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
