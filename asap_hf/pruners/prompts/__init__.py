"""The words that stage 1 asks with: our own wording of the instructions in §3.2."""

from __future__ import annotations

import re
from importlib.resources import files

_PLACEHOLDER = re.compile(r"\{(question|answer|anchor|reasoning|steps)\}")


def prompt_text(name: str) -> str:
    """The text of `prompts/<name>.txt`."""
    return (files(__package__) / f"{name}.txt").read_text(encoding="utf-8")


def filled(template: str, **values: str) -> str:
    """The template with its placeholders replaced in one pass: braces inside a value stay as they are.

    Raises:
        `KeyError`: if the template asks for something that is not given.
    """
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
