"""Texts for the pruners that cut words, and what is left of them held against what was there."""

from __future__ import annotations

from asap_hf.traces.splitting import split_paper
from asap_hf.traces.trace import Trace


def trace_of(text: str) -> Trace:
    """A trace with this reasoning, cut at blank lines."""
    return Trace("How many?", split_paper(text), "Five.")


def letters(text: str) -> str:
    """What stays of a text however white space is treated."""
    return "".join(text.split())


def is_subsequence(short: str, long: str) -> bool:
    """Whether one text is the other with characters missing."""
    rest = iter(long)
    return all(character in rest for character in short)
