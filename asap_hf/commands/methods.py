"""The methods that `--pruner` names: the stages of each, the settings that decide about its result, its own budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .stages import Budget, answer_keep, coarse, filters_of, fine, tokenizer_of

if TYPE_CHECKING:
    from ..pruners.base import Pruner, Sequential
    from .prune_arguments import PruneArguments

_L_MAX = {"max_tokens": 4096}  # Appendix A
_SCORER = ("scorer", "scorer_revision", "context", "dtype", "max_context", "selector")
_LLM = ("anchor_model", "anchor_backend", "max_attempts", "on_failure")
_ANCHOR = (*_LLM, "anchor_mode", "threshold", "autojunk", "keep_llm_text")


@dataclass(frozen=True)
class Method:
    """A way from the arguments to stages."""

    stages: Callable[[PruneArguments, Budget, int], tuple[Pruner, ...]]
    """From the arguments, the budget, and the number of the first attempt at an LLM's answer."""
    settings: tuple[str, ...] = ()
    """The arguments that decide about the result."""
    budget: Budget | None = None
    """Where none is asked for; empty where the method's own rule applies, `None` where it takes none."""


METHODS: Mapping[str, Method] = {
    "asap": Method(
        lambda given, budget, attempt: (coarse(given, attempt), fine(given, budget)),
        (*_ANCHOR, *_SCORER, "score"),
        _L_MAX,
    ),
    "wo_coarse": Method(lambda given, budget, _: (fine(given, budget),), (*_SCORER, "score"), _L_MAX),
    "wo_fine": Method(lambda given, _, attempt: (coarse(given, attempt),), _ANCHOR),
    "wo_any": Method(lambda given, budget, attempt: ()),
}


def method_of(arguments: PruneArguments) -> Method:
    """The method that is asked for.

    Raises:
        `UsageError`: if there is none of that name.
    """
    if arguments.pruner not in METHODS:
        raise UsageError(f"there is no pruner {arguments.pruner!r}; there are {', '.join(METHODS)}")
    return METHODS[arguments.pruner]


def budget_of(arguments: PruneArguments) -> Budget:
    """What is asked for, or else what the paper gives the method."""
    method = method_of(arguments)
    if method.budget is None:
        return {}
    asked = {"max_tokens": arguments.max_tokens, "ratio": arguments.ratio}
    return {name: value for name, value in asked.items() if value is not None} or method.budget


def pruner_of(arguments: PruneArguments, first_attempt: int = 0) -> Sequential:
    """The stages that these arguments ask for; nothing is loaded yet."""
    from ..pruners.base import Sequential

    stages = method_of(arguments).stages(arguments, budget_of(arguments), first_attempt)
    return Sequential(stages, arguments.splitter)


def settings_of(arguments: PruneArguments) -> dict[str, Any]:
    """What decides about the result, for `run.json` and the README: no secrets, and no folder of this machine."""
    settings: dict[str, Any] = {}
    for name in ("pruner", "splitter", *method_of(arguments).settings):
        if arguments.anchor_model is not None or name not in _ANCHOR:
            settings[name] = getattr(arguments, name)
        elif name == "anchor_model":
            settings["answer_keep"] = answer_keep(arguments)
    settings |= budget_of(arguments)
    with filters_of(arguments) as filters:
        for one in filters:
            settings |= one.settings()
    settings |= {"tokenizer": tokenizer_of(arguments), "dataset_config": arguments.dataset_config}
    settings |= {"dataset_split": arguments.dataset_split, "limit": arguments.limit}
    return {name: _without_folder(value) for name, value in settings.items() if value is not None}


def _without_folder(value: Any) -> Any:
    """A model or file of this machine by its name alone; a Hub id and everything else as it is."""
    if not isinstance(value, str):
        return value
    parts = [
        Path(part).name if part.startswith((".", "~", "/")) or Path(part).exists() else part
        for part in value.split(",")
    ]
    return ",".join(parts)
