"""PIR (LIMOPro): a step matters by what its absence does to the likelihood of the answer."""

from __future__ import annotations

from .base import Pruner
from .iterative import IterativePruner
from .method import HALF, Method, Options
from .scored import Scorer
from .spirit import LEAVE_ONE_OUT, leave_one_out_scorer


def pir(scorer: Scorer, tokenizer: str, max_tokens: int | None = None, ratio: float | None = None) -> IterativePruner:
    r"""Algorithm 2 on log PPL(A | without the step) - log PPL(A | all); `pir` in records. Not in the ASAP paper.

    LIMOPro asks an LLM for the type of each step and removes none that carries the argument forward. That is left out
    here: any step can go. Its formula and code were not at hand.

    Args:
        scorer (`Scorer`):
            One that gives `pir`: [`LeaveOneOutScorer`], whose passes serve `spirit_loo`, too.
        tokenizer, max_tokens, ratio:
            As [`IterativePruner`] has them.

    Example:
        >>> from asap_hf import LeaveOneOutScorer, Trace, pir
        >>> trace = Trace("What is the word?", ("It is a nice day.\n\n", "The word is kumquat."), "It is kumquat.")
        >>> [pruning] = pir(LeaveOneOutScorer("embedded"), "embedded", max_tokens=8).prune([trace])
        >>> pruning.trace.texts
        ('The word is kumquat.',)
    """
    return IterativePruner(scorer, tokenizer, max_tokens, ratio, score="pir", name="pir")


def _stages(options: Options) -> tuple[Pruner, ...]:
    return (options.selected(pir(leave_one_out_scorer(options), options.tokenizer, **options.budget)),)


METHODS = (
    Method(
        "pir",
        _stages,
        "a method beside the paper's: steps go whose absence the answer's perplexity minds least",
        settings=LEAVE_ONE_OUT,
        budget=HALF,
        score="pir",
    ),
)
