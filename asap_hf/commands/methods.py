"""The methods that `--pruner` names: the stages of each, the settings that decide about its result, its own budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .baselines import (
    answer_perplexity,
    classified_words,
    entropy_of_steps,
    last_steps,
    left_out,
    own_perplexity,
    phrases,
    random_removal,
    ratio_told,
    shortened,
    whole_and_marked,
)
from .stages import FIRST_TOKEN, Budget, answer_keep, coarse, filters_of, fine, tokenizer_of

if TYPE_CHECKING:
    from ..pruners.base import Pruner, Sequential
    from .prune_arguments import PruneArguments

_L_MAX = {"max_tokens": 4096}  # Appendix A
_HALF = {"ratio": 0.5}  # Appendix A, "Baseline Details"
_SCORER = ("scorer", "scorer_revision", "context", "dtype", "max_context")
_WHOLE = tuple(name for name in _SCORER if name != "max_context")  # a trace is not cut into windows
_ASKING = (
    *("anchor_base_url", "anchor_provider", "anchor_api_key_env", "anchor_structured", "anchor_max_model_len"),
    *("anchor_gpu_memory", "anchor_max_tokens", "max_concurrency", "timeout"),
    *("prompt_price", "completion_price", "max_cost"),
)
_LLM = ("anchor_model", "anchor_backend", "max_attempts", "on_failure")
_COMPRESSOR = ("compressor", "forced_words")
_COLUMNS = ("prompt_column", "completion_column", "keep_columns")
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
    score: str | None = None
    """The score that decides, where steps go by one."""

    @property
    def has_scorer(self) -> bool:
        """Whether a model scores what goes."""
        return not {"scorer", "compressor"}.isdisjoint(self.settings)


METHODS: Mapping[str, Method] = {
    "asap": Method(
        lambda given, budget, attempt: (coarse(given, attempt), fine(given, budget)),
        (*_ANCHOR, *_SCORER),
        _L_MAX,
        FIRST_TOKEN,
    ),
    "wo_coarse": Method(lambda given, budget, _: (fine(given, budget),), _SCORER, _L_MAX, FIRST_TOKEN),
    "wo_fine": Method(lambda given, _, attempt: (coarse(given, attempt),), _ANCHOR),
    "wo_any": Method(lambda *_: ()),
    "original": Method(lambda *_: ()),
    "selective_context": Method(phrases, ("scorer", "scorer_revision", "dtype"), {}),
    "llmlingua2": Method(classified_words, _COMPRESSOR, {}),
    "tokenskip": Method(ratio_told, (*_COMPRESSOR, "seed"), {}),
    "spirit_own": Method(own_perplexity, _SCORER, _HALF, "perplexity"),
    "spirit_loo": Method(left_out, (*_WHOLE, "loo_window"), _HALF, "spirit_loo"),
    "pir": Method(answer_perplexity, (*_WHOLE, "loo_window"), _HALF, "pir"),
    "step_entropy": Method(entropy_of_steps, _SCORER, _HALF, "step_entropy"),
    "random": Method(random_removal, ("seed",), _HALF, "random"),
    "keep_last": Method(last_steps, (), _HALF, "position"),
    "c3ot": Method(shortened, _LLM),
    "c3ot_long": Method(whole_and_marked),
}


def flags_of(pruner: str) -> set[str]:
    """Names of the flags that have an effect on what this pruner does, each at least in some combination."""
    method = METHODS[pruner]
    flags = set(method.settings)
    flags |= {"max_batch_tokens"} if "scorer" in flags else set()
    flags |= {"device", "deterministic"} if method.has_scorer else set()
    flags |= set(_ASKING) if "anchor_model" in flags else set()
    flags |= {"answer_keep"} if "anchor_mode" in flags else set()
    flags |= {"score", "all_scores"} if method.score == FIRST_TOKEN else set()
    flags |= {"selector"} if method.score is not None else set()
    return flags | ({"max_tokens", "ratio"} if method.budget is not None else set())


def method_of(arguments: PruneArguments) -> Method:
    """The method that is asked for.

    Raises:
        `UsageError`: if there is none of that name, or a score is asked for that is not its own.
    """
    if arguments.pruner not in METHODS:
        raise UsageError(f"there is no pruner {arguments.pruner!r}; there are {', '.join(METHODS)}")
    method = METHODS[arguments.pruner]
    if arguments.score not in (None, method.score) and method.score != FIRST_TOKEN:
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

    stages = method_of(arguments).stages(arguments, budget_of(arguments), first_attempt)
    return Sequential(stages, arguments.splitter)


def settings_of(arguments: PruneArguments) -> dict[str, Any]:
    """What decides about the result, for `run.json` and the README: no secrets, and no folder of this machine."""
    method, settings = method_of(arguments), dict[str, Any]()
    for name in ("pruner", "splitter", *method.settings):
        if arguments.anchor_model is not None or name not in _ANCHOR:
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
    """What decides about the result and is told where it is not the default: the names of columns, to the letter, and
    what of the scorer and the LLM is seldom changed."""
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
