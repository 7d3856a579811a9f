"""Refuse flags that would have no effect, and say where they have one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from ..errors import UsageError


@dataclass(frozen=True)
class Rule:
    """When some flags have an effect.

    Args:
        flags (`Collection[str]`):
            Their names.
        works (`Callable[[Any], bool]`):
            From the arguments, whether they do.
        only (`str`):
            Where they do, to stand after "has an effect only".
        by (`str`, *optional*):
            The flag that this depends on. Where it was typed, a value in the YAML file may have no effect: the values
            of a recipe for one method do not prevent trying another.
    """

    flags: Collection[str]
    works: Callable[[Any], bool]
    only: str
    by: str = ""


def refuse_unused(arguments: Any, rules: Sequence[Rule]) -> None:
    """Check that every flag whose value is not its default has an effect.

    Raises:
        `UsageError`: for the first one that has none.
    """
    defaults = {one.name: one.default for one in fields(arguments)}
    typed = getattr(arguments, "typed", None)
    for rule in rules:
        if rule.works(arguments):
            continue
        for name in rule.flags:
            in_file = typed is not None and name not in typed and rule.by in typed
            value, default = getattr(arguments, name, None), defaults.get(name, MISSING)
            if value is not None and value != default and not in_file:
                flag = f"--no_{name}" if default is True else f"--{name}"
                raise UsageError(f"{flag} has an effect only {rule.only}: leave it out")
