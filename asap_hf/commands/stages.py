"""From the arguments of `asap-hf prune` to its filters and ASAP's two stages; nothing is loaded or started here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..filters.filters import Filter
    from ..llm.generator import Generator
    from ..pruners.base import Pruner
    from ..pruners.iterative import IterativePruner
    from .prune_arguments import PruneArguments

FIRST_TOKEN = "first_token_surprisal"  # Eq. 2
Budget = Mapping[str, Any]
"""`max_tokens` or `ratio`, or neither where a method's own rule applies."""


def coarse(arguments: PruneArguments, first_attempt: int) -> Pruner:
    """Stage 1: by the anchor of an LLM, or by the answer where none is named."""
    from ..pruners.anchor import AnchorPruner
    from ..pruners.answer_anchor import AnswerAnchorPruner

    if arguments.anchor_model is None:
        return AnswerAnchorPruner(answer_keep(arguments))
    return AnchorPruner(
        generator_of(arguments),
        mode=arguments.anchor_mode,
        threshold=arguments.threshold,
        autojunk=arguments.autojunk,
        max_attempts=arguments.max_attempts,
        on_failure=arguments.on_failure,
        keep_llm_text=arguments.keep_llm_text,
        direct_max_tokens=arguments.anchor_max_tokens,
        prune_max_tokens=arguments.anchor_max_tokens,
        first_attempt=first_attempt,
    )


def answer_keep(arguments: PruneArguments) -> float:
    """What the answer anchor keeps: as much as is asked for. By `bench/retention.py`, its choice of steps beats
    stage 2's, so it leaves stage 2 no more than is needed to meet the budget to the token."""
    from ..pruners.answer_anchor import AnswerAnchorPruner

    return arguments.answer_keep or arguments.ratio or AnswerAnchorPruner.keep


def generator_of(arguments: PruneArguments) -> Generator:
    """The LLM of stage 1 on the backend that was asked for; nothing is started yet."""
    from .. import llm

    values: dict[str, Any] = {
        "model": arguments.anchor_model or "",
        "prompt_price": arguments.prompt_price or 0.0,
        "completion_price": arguments.completion_price or 0.0,
        "max_cost": arguments.max_cost,
    }
    match arguments.anchor_backend:
        case "endpoint":
            return llm.EndpointGenerator(
                **values,
                base_url=arguments.anchor_base_url,
                provider=arguments.anchor_provider or (None if arguments.anchor_base_url else "auto"),
                api_key_env=arguments.anchor_api_key_env,
                max_concurrency=arguments.max_concurrency,
                timeout=arguments.timeout,
                structured=arguments.anchor_structured,
            )
        case "vllm":
            gpu_memory, most = arguments.anchor_gpu_memory, arguments.anchor_max_model_len
            return llm.VLLMGenerator(**values, max_model_len=most, gpu_memory_utilization=gpu_memory)
        case "transformers":
            return llm.TransformersGenerator(**values)


def fine(arguments: PruneArguments, budget: Budget) -> Pruner:
    """Stage 2: by the score of a language model."""
    from ..pruners.iterative import IterativePruner
    from ..scoring.surprisal import SurprisalScorer

    if arguments.selector == "reference":
        return reference(arguments, budget)
    scorer = SurprisalScorer(
        arguments.scorer, context=arguments.context, all_scores=arguments.all_scores, **placing(arguments)
    )
    pruner = IterativePruner(scorer, tokenizer=tokenizer_of(arguments), **budget, score=arguments.score or FIRST_TOKEN)
    return selected(arguments, pruner)


def reference(arguments: PruneArguments, budget: Budget) -> Pruner:
    """Stage 2 as the authors' code has it.

    Raises:
        `UsageError`: if another score is asked for.
    """
    from ..pruners.reference import ReferencePruner
    from ..scoring.reference import ReferenceScorer

    if arguments.score not in (None, FIRST_TOKEN):
        raise UsageError(f"--selector reference goes by {FIRST_TOKEN}: leave out --score {arguments.score}")
    scorer = ReferenceScorer(arguments.scorer, context=arguments.context, **placing(arguments))
    return ReferencePruner(scorer, tokenizer=tokenizer_of(arguments), **budget)


def selected(arguments: PruneArguments, pruner: IterativePruner) -> Pruner:
    """The pruner with the selector that was asked for in the place of Algorithm 2.

    Raises:
        `UsageError`: if that is the authors' own, which is for stage 2 alone.
    """
    from ..pruners.knapsack import KnapsackPruner

    if arguments.selector == "algorithm2":
        return pruner
    if arguments.selector == "reference":
        raise UsageError("--selector reference is stage 2 of the authors' code: for --pruner asap and wo_coarse alone")
    budget = {"max_tokens": pruner.max_tokens, "ratio": pruner.ratio}
    return KnapsackPruner(pruner.scorer, pruner.tokenizer, **budget, score=pruner.score)  # type: ignore[arg-type]


def placing(arguments: PruneArguments) -> dict[str, Any]:
    """Which weights of the scorer, in what numbers, where, and how much of a text at once."""
    limits = {"max_batch_tokens": arguments.max_batch_tokens, "max_context": arguments.max_context}
    return {
        "revision": arguments.scorer_revision,
        "dtype": arguments.dtype,
        "device": arguments.device,
        "deterministic": arguments.deterministic,
        **{name: value for name, value in limits.items() if value is not None},
    }


def tokenizer_of(arguments: PruneArguments) -> str:
    """Whose tokens count: the model to be trained, which is the scorer unless another is named (as in the paper)."""
    return arguments.tokenizer or arguments.scorer


@contextmanager
def filters_of(arguments: PruneArguments) -> Iterator[tuple[Filter, ...]]:
    """The filters that these arguments ask for, closed at the end; nothing is loaded or started by this alone."""
    filters: list[Filter] = []
    if arguments.decontaminate:
        from ..filters.filters import Decontamination

        filters.append(Decontamination(tuple(arguments.decontaminate.split(",")), n=arguments.decontaminate_n))
    if arguments.sample_tests:
        from ..filters.filters import SampleTests

        filters.append(SampleTests())
    try:
        yield tuple(filters)
    finally:
        for one in filters:
            one.close()
