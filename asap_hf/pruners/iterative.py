"""Stage 2 (§3.3): Algorithm 2 on the scores of any scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..models.tokens import count_tokens
from ..traces.trace import Trace
from .base import Pruning
from .packing import Packing
from .scored import ScoredPruner
from .selection import Selection, select_by_budget


@dataclass(frozen=True)
class IterativePruner(ScoredPruner):
    r"""Remove the steps with the lowest score until a token budget holds (Algorithm 2).

    The record of a row holds every score, the order of removal and the length after each removal, so that another
    budget needs neither a model nor a tokenizer.

    Args:
        scorer, tokenizer, max_tokens, ratio, score, score_short:
            As [`ScoredPruner`] has them.
        name (`str`, *optional*, defaults to `"iterative"`):
            The word for it in records and tables: a baseline that is Algorithm 2 on another score has its own.

    Example:
        >>> from asap_hf import IterativePruner, SurprisalScorer, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Hmm, so let me see.\n\n", "That is 5."), "5")
        >>> [pruning] = IterativePruner(SurprisalScorer("embedded"), "embedded", max_tokens=12).prune([trace])
        >>> (pruning.record["budget"], pruning.record["tokens"] <= 12, pruning.trace.kept == trace.kept)
        (12, True, False)
    """

    name: str = "iterative"

    version = "2"

    def choose(self, trace: Trace, scores: Sequence[float], budget: int) -> Pruning:
        selection = select_by_budget(trace.steps, scores, budget, partial(count_tokens, self.tokenizer))
        return Pruning(
            trace.select(selection.kept), "", selection_record(selection), remark=overshoot(selection, budget)
        )


def overshoot(selection: Selection | Packing, budget: int) -> str:
    """The remark on a row whose last step alone is longer than the budget; empty where the budget holds."""
    return f"over_budget: {selection.tokens} > {budget} tokens" if selection.tokens > budget else ""


def selection_record(selection: Selection) -> dict[str, Any]:
    """A selection as the record holds it."""
    return {"order": list(selection.order), "lengths": list(selection.lengths), "tokens": selection.tokens}
