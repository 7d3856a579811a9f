"""From the arguments of `asap-hf prune` to the methods that the paper compares ASAP with, and others beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .stages import Budget, generator_of, placing, selected, tokenizer_of

if TYPE_CHECKING:
    from ..pruners.base import Pruner
    from .prune_arguments import PruneArguments


def random_removal(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """Steps by chance."""
    from ..pruners.random_steps import random_steps

    return (selected(arguments, random_steps(tokenizer_of(arguments), **budget, seed=arguments.seed)),)


def last_steps(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """The end of the reasoning."""
    from ..pruners.keep_last import keep_last

    return (selected(arguments, keep_last(tokenizer_of(arguments), **budget)),)


def own_perplexity(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """SPIRIT by each step's own perplexity."""
    from ..pruners.spirit import spirit_own
    from ..scoring.surprisal import SurprisalScorer

    scorer = SurprisalScorer(arguments.scorer, context=arguments.context, **placing(arguments))
    return (selected(arguments, spirit_own(scorer, tokenizer_of(arguments), **budget)),)


def left_out(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """SPIRIT by what a step's absence does to the rest."""
    from ..pruners.spirit import spirit_loo

    return (selected(arguments, spirit_loo(_leave_one_out(arguments), tokenizer_of(arguments), **budget)),)


def answer_perplexity(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """PIR: by what a step's absence does to the answer."""
    from ..pruners.pir import pir

    return (selected(arguments, pir(_leave_one_out(arguments), tokenizer_of(arguments), **budget)),)


def _leave_one_out(arguments: PruneArguments) -> Any:
    from ..scoring.leave_one_out import LeaveOneOutScorer

    placed = {name: value for name, value in placing(arguments).items() if name != "max_context"}
    return LeaveOneOutScorer(arguments.scorer, context=arguments.context, window=arguments.loo_window, **placed)


def entropy_of_steps(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """Step entropy at a token budget."""
    from ..pruners.step_entropy import step_entropy
    from ..scoring.step_entropy import StepEntropyScorer

    scorer = StepEntropyScorer(arguments.scorer, context=arguments.context, **placing(arguments))
    return (selected(arguments, step_entropy(scorer, tokenizer_of(arguments), **budget)),)


def phrases(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """Selective Context."""
    from ..pruners.selective_context import SelectiveContextPruner

    placed = {name: value for name, value in placing(arguments).items() if name != "max_context"}
    return (SelectiveContextPruner(arguments.scorer, tokenizer_of(arguments), **budget, **placed),)


def classified_words(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """LLMLingua-2."""
    from ..pruners.llmlingua2 import LLMLingua2Pruner

    return (LLMLingua2Pruner(tokenizer_of(arguments), **budget, **_classifier(arguments)),)


def ratio_told(arguments: PruneArguments, budget: Budget, _: int) -> tuple[Pruner, ...]:
    """TokenSkip."""
    from ..pruners.tokenskip import TokenSkipPruner

    return (TokenSkipPruner(tokenizer_of(arguments), **budget, seed=arguments.seed, **_classifier(arguments)),)


def _classifier(arguments: PruneArguments) -> dict[str, Any]:
    from ..pruners.llmlingua2 import RELEASED
    from ..pruners.tokenskip import LLAMA_3

    forced = LLAMA_3 if arguments.forced_words == "llama3" else {}
    placed = {"device": arguments.device, "deterministic": arguments.deterministic}
    return {"model_name_or_path": arguments.compressor or RELEASED, **placed, **forced}


def shortened(arguments: PruneArguments, _: Budget, first_attempt: int) -> tuple[Pruner, ...]:
    """C3oT's short half.

    Raises:
        `UsageError`: if no LLM is named.
    """
    from ..pruners.c3ot import C3oTPruner

    if arguments.anchor_model is None:
        raise UsageError("c3ot has an LLM write the reasoning anew: name it with --anchor_model")
    return (
        C3oTPruner(
            generator_of(arguments),
            max_attempts=arguments.max_attempts,
            on_failure=arguments.on_failure,
            max_tokens=arguments.anchor_max_tokens,
            first_attempt=first_attempt,
        ),
    )


def whole_and_marked(*_: Any) -> tuple[Pruner, ...]:
    """C3oT's long half."""
    from ..pruners.c3ot import LONG
    from ..pruners.original import OriginalPruner

    return (OriginalPruner(before=LONG),)
