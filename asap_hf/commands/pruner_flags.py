"""Which flags of `asap-hf prune` have an effect with which pruner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..pruners.method import Method
from ..pruners.registry import BUILT_IN, find_method, method_named, method_names
from .methods import flags_of
from .prune_arguments import PruneArguments
from .unused_flags import Rule, refuse_unused


def pruner_rules(methods: Sequence[Method]) -> list[Rule]:
    """The rules for the flags of `asap-hf prune`, where these methods are run."""
    used = {flag for method in methods for flag in flags_of(method)}
    every = {method.name: flags_of(method) for method in [*BUILT_IN.values(), *methods]}

    def those_with(flag: str) -> str:
        return ", ".join(name for name, flags in every.items() if flag in flags)

    rules = [
        Rule([name], lambda _, name=name: name in used, f"with --pruner {those_with(name)}", "pruner")  # type: ignore[misc]
        for name in sorted(set().union(*every.values()) - {"scorer", "ratio"})
    ]
    anchored = ", ".join(name for name, flags in every.items() if "answer_keep" in flags and "ratio" not in flags)
    return [
        *_LLM_RULES,
        Rule(
            ["scorer"],
            lambda given: "scorer" in used or given.tokenizer is None,
            f"with --pruner {those_with('scorer')}, or in place of --tokenizer",
            "pruner",
        ),
        Rule(
            ["ratio"],
            lambda given: "ratio" in used or ("answer_keep" in used and given.anchor_model is None),
            f"with --pruner {those_with('ratio')}, and with {anchored} without an LLM",
            "pruner",
        ),
        *rules,
        Rule(["all_scores"], lambda given: given.selector != "reference", "without --selector reference", "selector"),
        Rule(["decontaminate_n"], lambda given: bool(given.decontaminate), "with --decontaminate", "decontaminate"),
    ]


def refuse_unused_of_prune(arguments: PruneArguments) -> None:
    """The check for `asap-hf prune`, and for commands that run several pruners with its flags (`pruners`).

    Raises:
        `UsageError`: for a flag that none of them uses.
    """
    named = [name.strip() for name in getattr(arguments, "pruners", arguments.pruner).split(",") if name.strip()]
    if named:
        methods = [method_named(name) for name in named if name in method_names()]
    else:
        methods = [method for name in method_names() if (method := find_method(name))]
    if methods:  # or whoever looks for them says that there is no such method
        refuse_unused(arguments, pruner_rules(methods))


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
