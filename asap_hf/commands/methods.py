"""From the arguments of `asap-hf prune` to a method's stages, and to the settings that `run.json` records."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..pruners.asap import ANCHOR, answer_keep
from ..pruners.method import Budget, Method, Options
from ..pruners.registry import method_named, package_of
from .stages import filters_of, generator_of, tokenizer_of

if TYPE_CHECKING:
    from ..pruners.base import Sequential
    from .prune_arguments import PruneArguments

_ASKING = (
    *("anchor_base_url", "anchor_provider", "anchor_api_key_env", "anchor_structured", "anchor_max_model_len"),
    *("anchor_gpu_memory", "anchor_max_tokens", "max_concurrency", "timeout"),
    *("prompt_price", "completion_price", "max_cost"),
)
_COLUMNS = ("prompt_column", "completion_column", "keep_columns")


def flags_of(method: Method) -> set[str]:
    """Names of the flags that have an effect on what a method does, each at least in some combination."""
    flags = set(method.settings)
    flags |= {"max_batch_tokens"} if "scorer" in flags else set()
    flags |= {"device", "deterministic"} if method.has_scorer else set()
    flags |= set(_ASKING) if "anchor_model" in flags else set()
    flags |= {"answer_keep"} if method.has_anchor else set()
    flags |= {"score", "all_scores"} if method.has_choice_of_scores else set()
    flags |= {"selector"} if method.score is not None else set()
    return flags | ({"max_tokens", "ratio"} if method.budget is not None else set())


def method_of(arguments: PruneArguments) -> Method:
    """The method that is asked for.

    Raises:
        `UsageError`: if there is none of that name, its package does not work, or `--score` is not for it.
    """
    method = method_named(arguments.pruner)
    if unknown := set(method.settings) - {one.name for one in fields(arguments)}:
        package = " ".join(chain(*package_of(method.name).items()))
        raise UsageError(
            f"the pruner {method.name!r} of the package {package} lists the setting {min(unknown)!r}, which is no "
            "flag of asap-hf prune: install another version, or uninstall it"
        )
    if arguments.score not in (None, method.score) and not method.has_choice_of_scores:
        raise UsageError(f"--score {arguments.score} is not for {arguments.pruner}, which has a rule of its own")
    return method


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

    options = Options(
        arguments, budget_of(arguments), tokenizer_of(arguments), partial(generator_of, arguments), first_attempt
    )
    return Sequential(method_of(arguments).stages(options), arguments.splitter)


def settings_of(arguments: PruneArguments) -> dict[str, Any]:
    """What decides about the result, for `run.json` and the README: no secrets, and no folder of this machine."""
    method, settings = method_of(arguments), dict[str, Any]()
    for name in ("pruner", "splitter", *method.settings):
        if arguments.anchor_model is not None or name not in ANCHOR:
            settings[name] = getattr(arguments, name)
        elif name == "anchor_model":
            settings["answer_keep"] = answer_keep(arguments)
    if method.score is not None:
        settings["score"] = arguments.score or method.score
        settings |= {"selector": arguments.selector} if arguments.selector != "algorithm2" else {}
    settings |= {"deterministic": True} if arguments.deterministic and method.has_scorer else {}
    settings |= budget_of(arguments)
    with filters_of(arguments) as filters:
        for one in filters:
            settings |= one.settings()
    settings |= {"tokenizer": tokenizer_of(arguments), "dataset_config": arguments.dataset_config}
    settings |= {"dataset_split": arguments.dataset_split, "limit": arguments.limit}
    settings = {name: _without_folder(value) for name, value in settings.items()} | _changed(arguments)
    return {name: value for name, value in settings.items() if value is not None}


def _changed(arguments: PruneArguments) -> dict[str, Any]:
    """What decides about the result and is recorded only where it is not the default: the names of columns, and what
    of the scorer and the LLM is seldom changed."""
    names = [*_COLUMNS]
    names += ["all_scores"] if "context" in method_of(arguments).settings else []
    names += ["anchor_max_tokens", "anchor_structured"] if arguments.anchor_model is not None else []
    defaults = {one.name: one.default for one in fields(arguments)}
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) != defaults[name]}


def _without_folder(value: Any) -> Any:
    """A model or file of this machine by its name alone; a Hub id and everything else as it is."""
    if not isinstance(value, str):
        return value
    parts = [
        Path(part).name if part.startswith((".", "~", "/")) or Path(part).exists() else part
        for part in value.split(",")
    ]
    return ",".join(parts)
