"""In place of Algorithm 2 (ours): the best packing of steps under a token budget, on the scores of any scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..models.tokens import count_tokens
from ..traces.trace import Trace
from .base import Pruning
from .iterative import overshoot
from .packing import select_by_value
from .scored import ScoredPruner


@dataclass(frozen=True)
class KnapsackPruner(ScoredPruner):
    r"""Keep the steps with the greatest total score that fit a token budget ([`select_by_value`]).

    Not in the paper. The record holds every score, and of the outcome `tokens` and `value`. There is no order of
    removal, as a smaller budget may keep a step that a larger one leaves out: for another budget prune the traces
    anew, which takes the scores from the ledger.

    Args:
        scorer, tokenizer, max_tokens, ratio, score, score_short:
            As [`ScoredPruner`] has them.
        name (`str`, *optional*, defaults to `"knapsack"`):
            The word for it in records and tables.

    Example:
        >>> from asap_hf import KnapsackPruner, SurprisalScorer, Trace
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Wait.\n\n", "That is 5."), "5")
        >>> [pruning] = KnapsackPruner(SurprisalScorer("embedded"), "embedded", max_tokens=9).prune([trace])
        >>> (pruning.record["tokens"] <= 9, pruning.record["value"] > 0)
        (True, True)
    """

    name: str = "knapsack"

    version = "2"

    def choose(self, trace: Trace, scores: Sequence[float], budget: int) -> Pruning:
        packing = select_by_value(trace.steps, scores, budget, partial(count_tokens, self.tokenizer))
        record = {"tokens": packing.tokens, "value": packing.value}
        return Pruning(trace.select(packing.kept), "", record, remark=overshoot(packing, budget))
