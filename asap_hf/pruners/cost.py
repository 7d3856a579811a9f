"""What a pruner takes for a trace, estimated before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ..scoring.flops import CountedTrace, ForwardPass, model_config


@dataclass(frozen=True)
class Cost:
    """What pruning takes if an LLM's first answers are valid and no ledger holds anything; 0 where nothing is needed.

    Args:
        llm_calls (`int`), prompt_tokens (`int`), completion_tokens (`int`):
            Requests to an LLM, and what it reads and writes.
        passes (`int`), tokens_read (`int`):
            Forward passes of a model that scores, and the tokens it reads in them.
        flops (`float`):
            Floating-point operations of these; 0.0 where they are not estimated.
    """

    llm_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    passes: int = 0
    tokens_read: int = 0
    flops: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Cost)})


def scoring_cost(scorer: Any, counted: CountedTrace) -> Cost | None:
    """What a scorer takes, by its `forward_passes`; `None` where it does not say."""
    forward_passes = getattr(scorer, "forward_passes", None)
    return None if forward_passes is None else cost_of_forward_passes(scorer, forward_passes(counted))


def cost_of_forward_passes(placed: Any, forward_passes: Sequence[ForwardPass]) -> Cost:
    """What these forward passes take with the model of a [`PlacedModel`]; only its configuration is loaded."""
    if not forward_passes:
        return Cost()
    config = _config(placed.model_name_or_path, placed.revision)
    return Cost(
        passes=len(forward_passes),
        tokens_read=sum(one.end - one.start for one in forward_passes),
        flops=sum(one.flops(config) for one in forward_passes),
    )


_config = cache(model_config)  # read once, not once a trace
