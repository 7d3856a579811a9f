"""The tags around a reasoning, as models and datasets write them: `<think>`, `<THINK>`, `<think type="deep">`.

One pattern for every place that searches for a tag, so that all agree on what is one. What this
package writes itself is always `OPENING` and `CLOSING`, which are single tokens for many models.
"""

from __future__ import annotations

import re

OPENING, CLOSING = "<think>", "</think>"

# White space within the brackets may not be a line break. An attribute has a value: "<think about it>" is no tag.
_ATTRIBUTE = r"""[^\S\n]+[\w:.-]+[^\S\n]*=[^\S\n]*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=]+)"""
OPENING_TAG = re.compile(rf"<[^\S\n]*think(?:{_ATTRIBUTE})*+[^\S\n]*>", re.IGNORECASE)
CLOSING_TAG = re.compile(r"<[^\S\n]*/[^\S\n]*think[^\S\n]*>", re.IGNORECASE)

_OPEN_AT_END = re.compile(rf"{OPENING_TAG.pattern}\s*\Z", re.IGNORECASE)


def holds_tag(text: str) -> bool:
    """Whether an opening or a closing tag stands anywhere in `text`."""
    return OPENING_TAG.search(text) is not None or CLOSING_TAG.search(text) is not None


def at_first_closing(text: str) -> tuple[str, str, str]:
    """`text` before its first closing tag, the tag, and what follows; all of it, and twice nothing, without a tag."""
    tag = CLOSING_TAG.search(text)
    return (text[: tag.start()], tag[0], text[tag.end() :]) if tag else (text, "", "")


def at_last_closing(text: str) -> tuple[str, str, str]:
    """`text` before its last closing tag, the tag, and what follows; twice nothing, and all of it, without a tag."""
    tag = _last(CLOSING_TAG, text)
    return (text[: tag.start()], tag[0], text[tag.end() :]) if tag else ("", "", text)


def after_last_opening(text: str) -> str:
    """What follows the last opening tag; all of `text` where there is none."""
    tag = _last(OPENING_TAG, text)
    return text[tag.end() :] if tag else text


def answer_in(text: str) -> str | None:
    """What follows the reasoning in a completion; `None` where the reasoning never ends.

    The opening tag may be missing, and so may the whole reasoning. A tag right between two quotes or backticks is one
    that is spoken of, as in a program with the string `"</think>"`.
    """
    closing = next(filter(_is_meant, CLOSING_TAG.finditer(text)), None)
    if closing is None and begins_open(text):
        closing = CLOSING_TAG.search(text)
    if closing:
        return text[closing.end() :]
    return None if any(map(_is_meant, OPENING_TAG.finditer(text))) else text


def begins_open(text: str) -> bool:
    """Whether the first thing in `text` is an opening tag."""
    return OPENING_TAG.match(text.lstrip()) is not None


def ends_open(text: str) -> bool:
    """Whether the last thing in `text` is an opening tag, as in the prompt of a model that is to think."""
    return _OPEN_AT_END.search(text) is not None


def without_open_end(text: str) -> str:
    """`text` without the opening tag that ends it, and what white space follows that; all of it where none does."""
    return _OPEN_AT_END.sub("", text)


def canonical(text: str) -> str:
    """`text` with every tag as this package writes it."""
    return CLOSING_TAG.sub(CLOSING, OPENING_TAG.sub(OPENING, text))


def _is_meant(tag: re.Match[str]) -> bool:
    before, after = tag.string[max(tag.start() - 1, 0) : tag.start()], tag.string[tag.end() : tag.end() + 1]
    return not (before == after and before in ("'", '"', "`"))


def _last(tag: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(tag.finditer(text), key=lambda found: found.start(), default=None)
