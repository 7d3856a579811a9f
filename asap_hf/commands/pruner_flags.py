"""Which flags of `asap-hf prune` have an effect with which pruner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .methods import METHODS, flags_of
from .prune_arguments import PruneArguments
from .unused_flags import Rule, refuse_unused


def pruner_rules(pruners: Sequence[str]) -> list[Rule]:
    """The rules for the flags of `asap-hf prune`, where these pruners are run."""
    used = {name for pruner in pruners for name in flags_of(pruner)}
    all_flags = {name for pruner in METHODS for name in flags_of(pruner)}
    rules = [
        Rule([name], lambda _, name=name: name in used, f"with --pruner {_those_with(name)}", "pruner")  # type: ignore[misc]
        for name in sorted(all_flags - {"scorer", "ratio"})
    ]
    scores = any("scorer" in flags_of(pruner) for pruner in pruners)
    tells = "ratio" in used
    without = any("answer_keep" in flags_of(pruner) for pruner in pruners)
    return [
        *_LLM_RULES,
        Rule(
            ["scorer"],
            lambda given: scores or given.tokenizer is None,
            f"with --pruner {_those_with('scorer')}, or in place of --tokenizer",
            "pruner",
        ),
        Rule(
            ["ratio"],
            lambda given: tells or (without and given.anchor_model is None),
            f"with --pruner {_those_with('ratio')}, and with wo_fine without an LLM",
            "pruner",
        ),
        *rules,
        Rule(["all_scores"], lambda given: given.selector != "reference", "without --selector reference", "selector"),
        Rule(["decontaminate_n"], lambda given: bool(given.decontaminate), "with --decontaminate", "decontaminate"),
    ]


def _those_with(flag: str) -> str:
    return ", ".join(pruner for pruner in METHODS if flag in flags_of(pruner))


def refuse_unused_of_prune(arguments: PruneArguments) -> None:
    """The check for `asap-hf prune`, and for commands that run several pruners with its flags (`pruners`).

    Raises:
        `UsageError`: for a flag that none of them uses.
    """
    named = [name.strip() for name in getattr(arguments, "pruners", arguments.pruner).split(",") if name.strip()]
    pruners = [name for name in named if name in METHODS] if named else list(METHODS)
    if pruners:  # or whoever looks for them says that there is no such method
        refuse_unused(arguments, pruner_rules(pruners))


_LLM = "with an LLM, which --anchor_model names"
_BACKENDS: Mapping[str, tuple[str, ...]] = {
    "endpoint": (
        *("anchor_base_url", "anchor_provider", "anchor_api_key_env", "anchor_structured"),
        *("max_concurrency", "timeout"),
    ),
    "vllm": ("anchor_max_model_len", "anchor_gpu_memory"),
}
_LLM_RULES = (
    Rule(
        [
            *("anchor_backend", "anchor_mode", "anchor_max_tokens", "threshold", "autojunk", "keep_llm_text"),
            *("max_attempts", "on_failure", "prompt_price", "completion_price", "max_cost"),
            *(name for names in _BACKENDS.values() for name in names),
        ],
        lambda given: given.anchor_model is not None,
        _LLM,
        "anchor_model",
    ),
    Rule(["answer_keep"], lambda given: given.anchor_model is None, "without an LLM (--anchor_model)", "anchor_model"),
    *(
        Rule(
            names,
            lambda given, backend=backend: given.anchor_backend == backend,  # type: ignore[misc]
            f"with --anchor_backend {backend}",
            "anchor_backend",
        )
        for backend, names in _BACKENDS.items()
    ),
    Rule(
        ["anchor_structured"], lambda given: given.anchor_mode == "select", "with --anchor_mode select", "anchor_mode"
    ),
    Rule(
        ["threshold", "autojunk", "keep_llm_text"],
        lambda given: given.anchor_mode == "rewrite",
        "with --anchor_mode rewrite",
        "anchor_mode",
    ),
)
