"""The methods of `--pruner`: those of this package, and those that installed packages add.

A package adds one by an entry point of the group `asap_hf.pruners`, whose name is the method's and whose object is a
[`Method`]. It is imported only when its name is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ..errors import UsageError
from . import (
    asap,
    c3ot,
    keep_last,
    llmlingua2,
    original,
    pir,
    random_steps,
    selective_context,
    spirit,
    step_entropy,
    tokenskip,
)
from .method import Method

GROUP = "asap_hf.pruners"

# In the order of help texts and tables.
_MODULES = (
    asap,
    original,
    selective_context,
    llmlingua2,
    tokenskip,
    spirit,
    pir,
    step_entropy,
    random_steps,
    keep_last,
    c3ot,
)
BUILT_IN: Mapping[str, Method] = {method.name: method for module in _MODULES for method in module.METHODS}
"""This package's methods by name."""


def method_names() -> tuple[str, ...]:
    """Every name that `--pruner` takes, this package's first; nothing is imported."""
    return tuple(dict.fromkeys([*BUILT_IN, *sorted(_installed())]))


def method_named(name: str) -> Method:
    """The method of this name.

    Raises:
        [`UsageError`]: if there is none; if a package adds one under a name that is taken; if the package that adds it
            cannot be imported, or holds no [`Method`] of that name.
    """
    added = _installed().get(name, ())
    if added and (name in BUILT_IN or len(added) > 1):
        packages = " and ".join(map(_package, added))
        taken = "asap-hf's own" if name in BUILT_IN else "added twice"
        raise UsageError(f"the pruner {name!r} of {packages} has a name that is {taken}: uninstall what adds it")
    if added:
        return _loaded(added[0])
    if name not in BUILT_IN:
        raise UsageError(f"there is no pruner {name!r}; there are {', '.join(method_names())}")
    return BUILT_IN[name]


def find_method(name: str) -> Method | None:
    """The method of this name; `None` where this machine has none that works, as a card may tell of another's run."""
    try:
        return method_named(name)
    except UsageError:
        return None


def package_of(name: str) -> dict[str, str]:
    """Name and version of the package that adds a method; empty for this package's own."""
    added = [] if name in BUILT_IN else _installed().get(name, [])
    return {one.dist.name: one.dist.version for one in added if one.dist is not None}


@cache
def _installed() -> dict[str, list[EntryPoint]]:
    """What installed packages add, by name: the environment as it was when this process first looked."""
    found: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=GROUP):
        found.setdefault(one.name, []).append(one)
    return found


@cache
def _loaded(added: EntryPoint) -> Method:
    whose = f"the pruner {added.name!r} of {_package(added)}"
    try:
        method = added.load()
    except Exception as error:  # whatever a module of somebody else's may raise
        raise UsageError(
            f"{whose} cannot be imported ({type(error).__name__}: {error}): install another version, or uninstall it"
        ) from error
    if not isinstance(method, Method) or method.name != added.name:
        raise UsageError(f"{whose} is no asap_hf Method of that name: install another version, or uninstall it")
    return method


def _package(added: EntryPoint) -> str:
    return f"the package {added.dist.name} {added.dist.version}" if added.dist is not None else added.value
