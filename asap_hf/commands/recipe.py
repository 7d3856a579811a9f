"""`asap-hf recipe list | show | copy`: the YAML files that come with the tool."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..errors import UsageError
from ..recipes import recipe_kinds, recipe_names, recipe_path
from ..runtime.files import disk_errors, write_whole
from .prune_arguments import option


@dataclass
class ListArguments:
    """`asap-hf recipe list` has no arguments."""


@dataclass
class ShowArguments:
    """Arguments of `asap-hf recipe show`."""

    name: str = field(metadata={"help": "a recipe that asap-hf recipe list names"})
    kind: str | None = option(None, "which of its files; by default train, or the only one")


@dataclass
class CopyArguments(ShowArguments):
    """Arguments of `asap-hf recipe copy`."""

    POSITIONAL: ClassVar = ("name", "target")

    target: str = option("", "file to write, ./my.yaml for example")
    overwrite: bool = option(False, "replace a recipe that is there, unless it was changed")


def list_recipes(arguments: ListArguments) -> None:
    """Print a table: name, kind, model and purpose of every file."""
    rows = [("recipe", "kind", "model", "for")]
    for name in recipe_names():
        for place, kind in enumerate(recipe_kinds(name)):
            rows.append(("" if place else name, kind, *_about(recipe_path(name, kind))))
    widths = [max(len(row[column]) for row in rows) + 2 for column in range(3)]
    for *cells, purpose in rows:
        print("".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) + purpose)


def show(arguments: ShowArguments) -> None:
    """Print a recipe as it stands in its file."""
    print(_chosen(arguments).read_text(encoding="utf-8"), end="")


def copy(arguments: CopyArguments) -> None:
    """Write a recipe to a file of one's own.

    Raises:
        `UsageError`: if no file is named, or it is there already.
    """
    target = Path(arguments.target)
    if not arguments.target or target.is_dir():
        raise UsageError(f"name a file to copy to, ./my.yaml for example; got {arguments.target!r}")
    if target.exists() and not _is_recipe(target):
        raise UsageError(f"{arguments.target!r} is there already, and no recipe of ours: name another file")
    if target.exists() and not arguments.overwrite:
        raise UsageError(f"{arguments.target!r} is there already: name another file, or replace it with --overwrite")
    text = _chosen(arguments).read_text(encoding="utf-8")
    with disk_errors(repr(arguments.target), "name another file"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text)
    print(f"written to {arguments.target}")


def _chosen(arguments: ShowArguments) -> Path:
    kinds = recipe_kinds(arguments.name)
    return recipe_path(arguments.name, arguments.kind or (kinds[0] if len(kinds) == 1 else "train"))


def _is_recipe(path: Path) -> bool:
    """Whether a file is a recipe as it comes with the tool: once changed, it is the user's."""
    recipes = (recipe_path(name, kind) for name in recipe_names() for kind in recipe_kinds(name))
    return path.is_file() and path.read_bytes() in [one.read_bytes() for one in recipes]


def _about(path: Path) -> tuple[str, str]:
    """The model that a recipe is for, and what it is for: its first comment, up to a colon or comma."""
    import yaml

    text = path.read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    purpose = re.split("[:,]", text.splitlines()[0].removeprefix("# "))[0]
    return values.get("model_name_or_path") or values.get("scorer") or "", purpose


COMMANDS = {
    "list": (ListArguments, list_recipes, "names, models and purposes"),
    "show": (ShowArguments, show, "NAME: the YAML file on the terminal"),
    "copy": (CopyArguments, copy, "NAME ./my.yaml: a file to change"),
}
