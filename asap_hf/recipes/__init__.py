"""The recipes: YAML files for `asap-hf prune --config`, `trl sft --config` and, in `accelerate`, its launcher."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError

_FOLDER = Path(__file__).parent


def recipe_names(kind: str | None = None) -> list[str]:
    """Names of all recipes, or of those that have a file of this kind, in alphabetical order."""
    return sorted({path.parent.name for path in _FOLDER.glob(f"*/{kind or '*'}.yaml")})


def recipe_kinds(name: str) -> list[str]:
    """What a recipe has a file for: `prune`, `train`, `train-lora`; for `accelerate`, the machines.

    Raises:
        [`UsageError`]: if there is no such recipe.
    """
    if name not in recipe_names():
        raise UsageError(f"there is no recipe {name!r}; there is: {', '.join(recipe_names())}")
    return sorted(path.stem for path in _FOLDER.glob(f"{name}/*.yaml"))


def recipe_path(name: str, kind: str = "train") -> Path:
    """The file of a recipe, as it was installed.

    Raises:
        [`UsageError`]: if there is no such recipe, or none of this kind.
    """
    kinds = recipe_kinds(name)
    if kind not in kinds:
        raise UsageError(f"the recipe {name!r} has no {kind!r}; it has: {', '.join(kinds)}")
    return _FOLDER / name / f"{kind}.yaml"
