"""Render Markdown for the Hub from a Jinja template, with everything that comes from outside escaped."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
# What can end a code span or a table's cell, or begin a formula; and HTML, though a code span shows it as it is.
_ENDS_CODE = re.compile(r"[`|\\$<&]")
# Signs that mean nothing within a line are left alone, and an underscore within a word.
_MARKUP = re.compile(r"[!#$&*<>@\[\\\]^`{|}~]|(?<![^\W_])_|_(?![^\W_])")
_BLANK_LINES = re.compile(r"\n{3,}")
_SIGN = re.compile(r"[!-/:-@\[-`{-~]")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


class Markdown(str):
    """Text that is Markdown already. Any other text that a template prints is escaped."""


def render(template: str, **values: Any) -> str:
    """Fill in a template of `asap_hf.model_cards`.

    A missing variable is an error. What is printed is escaped by `text`, unless it is `Markdown` or a number. The
    filters are the functions below by name, and `dataset` and `model`: a link to the Hub. Of the blank lines that
    absent sections leave, one stays.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, (Markdown, int)) else text(value),
    )
    environment.filters.update(
        text=text,
        code=code,
        count=count,
        share=share,
        python=python,
        shell=shell,
        dataset=lambda name: hub_link(name, "datasets/"),
        model=hub_link,
    )
    source = files("asap_hf.model_cards").joinpath(template).read_text(encoding="utf-8")
    return _BLANK_LINES.sub("\n\n", environment.from_string(source).render(**values))


def text(value: Any) -> Markdown:
    """Plain text: every character that could mean something to Markdown or HTML becomes an entity."""
    return Markdown(_MARKUP.sub(_entity, one_line(value)))


def code(value: Any) -> Markdown:
    """A value as code within a line, in a table's cell too.

    Between backticks where nothing in it can end them; as entities in `<code>` else, since renderers do not agree on
    a backslash before a pipe between backticks.
    """
    line = one_line(value)
    if line and not _ENDS_CODE.search(line):
        return Markdown(f"`{line}`")
    return Markdown(f"<code>{_SIGN.sub(_entity, line)}</code>")


def count(value: float) -> Markdown:
    """A number with thousands separators; a half, as medians have, is kept."""
    return Markdown(f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}")


def share(part: float) -> Markdown:
    """0.2228 → 22.3%."""
    return Markdown(f"{part:.1%}")


def python(value: str) -> Markdown:
    """A text as a Python string literal, on one line, so that it cannot end the block around it."""
    return Markdown(json.dumps(one_line(value), ensure_ascii=False))


def shell(value: Any) -> Markdown:
    """A value as one word of a bash command, on one line; characters that cannot be printed as their bytes."""
    word = str(value)
    if word.isprintable():
        return Markdown(shlex.quote(word))
    escaped = (_escaped(sign) for sign in word)
    return Markdown(f"$'{''.join(escaped)}'")


def _escaped(sign: str) -> str:
    """A character as it is written between `$'` and `'` in bash."""
    if sign in "\\'":
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    errors = "surrogateescape" if "\udc80" <= sign <= "\udcff" else "surrogatepass"  # as a file's name may hold them
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", errors))


def hub_link(name: Any, folder: str = "") -> Markdown:
    """A link to a repository on the Hub; code where the name is none that could be there."""
    if not is_hub_id(name):
        return code(name)
    return Markdown(f"[{text(name)}](https://huggingface.co/{folder}{name})")


def is_hub_id(name: Any) -> bool:
    """Whether this has the form `owner/name`."""
    return isinstance(name, str) and _HUB_ID.fullmatch(name) is not None


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[int] = ()) -> Markdown:
    """A table; cells are escaped as in `render`, and the columns whose numbers are in `numbers` are aligned to the
    right."""
    rule = ["---:" if place in numbers else "---" for place in range(len(header))]
    lines = [[_cell(cell) for cell in row] for row in (header, *rows)]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:])))


def one_line(value: Any) -> str:
    """A value's text without line breaks or control characters; runs of white space become one space."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(value)).split())


def _cell(value: Any) -> str:
    return value if isinstance(value, Markdown) else text(value)


def _entity(found: re.Match[str]) -> str:
    return _ENTITIES.get(found[0], f"&#{ord(found[0])};")
