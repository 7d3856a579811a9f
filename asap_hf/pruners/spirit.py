"""SPIRIT (Cui et al. 2025), a baseline of Table 1, in two readings of how the ASAP paper ran it.

SPIRIT removes the step whose absence raises perplexity least, and looks again at what is left. That is too expensive
for long reasoning: in the variant of Appendix A there is one perplexity per step, and by those, steps go until half of
the tokens are left. It can be each step's own perplexity, or the perplexity without the step. No code of either paper
is public to check against. SPIRIT's merging of a removed step into its neighbour is not part of the variant.
"""

from __future__ import annotations

from ..scoring.leave_one_out import LeaveOneOutScorer
from ..scoring.surprisal import SurprisalScorer
from .base import Pruner
from .iterative import IterativePruner
from .method import HALF, SCORER, Method, Options
from .scored import Scorer

LEAVE_ONE_OUT = (*(name for name in SCORER if name != "max_context"), "loo_window")
"""The arguments of a [`LeaveOneOutScorer`], which sees a trace at once."""


def spirit_own(
    scorer: Scorer, tokenizer: str, max_tokens: int | None = None, ratio: float | None = None
) -> IterativePruner:
    r"""Algorithm 2 on each step's own perplexity given all before it, exp of the mean surprisal of its tokens; the
    most predictable step goes first. `spirit_own` in records.

    Args:
        scorer (`Scorer`):
            One that gives `perplexity`: [`SurprisalScorer`]. One forward pass a trace, whatever the number of steps.
        tokenizer, max_tokens, ratio:
            As [`IterativePruner`] has them; a ratio of 0.5 in Appendix A.

    Example:
        >>> from asap_hf import SurprisalScorer, Trace, spirit_own
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Wait.\n\n", "That is 5."), "5")
        >>> pruner = spirit_own(SurprisalScorer("embedded"), "embedded", ratio=0.5)
        >>> (pruner.name, pruner.score, len(pruner.prune([trace])[0].trace.steps) < 3)
        ('spirit_own', 'perplexity', True)
    """
    return IterativePruner(scorer, tokenizer, max_tokens, ratio, score="perplexity", name="spirit_own")


def spirit_loo(
    scorer: Scorer, tokenizer: str, max_tokens: int | None = None, ratio: float | None = None
) -> IterativePruner:
    r"""Algorithm 2 on what each step's absence does to the perplexity of the rest; the step that is missed least goes
    first. `spirit_loo` in records.

    Args:
        scorer (`Scorer`):
            One that gives `spirit_loo`: [`LeaveOneOutScorer`]. As many passes a trace as it has steps.
        tokenizer, max_tokens, ratio:
            As [`IterativePruner`] has them; a ratio of 0.5 in Appendix A.

    Example:
        >>> from asap_hf import LeaveOneOutScorer, Trace, spirit_loo
        >>> trace = Trace("What is 2 + 3?", ("Let me add.\n\n", "Wait.\n\n", "That is 5."), "5")
        >>> pruner = spirit_loo(LeaveOneOutScorer("embedded"), "embedded", ratio=0.5)
        >>> (pruner.name, len(pruner.prune([trace])[0].trace.steps) < 3)
        ('spirit_loo', True)
    """
    return IterativePruner(scorer, tokenizer, max_tokens, ratio, score="spirit_loo", name="spirit_loo")


def leave_one_out_scorer(options: Options) -> LeaveOneOutScorer:
    """The scorer of `spirit_loo` and `pir`; both at once take one set of forward passes."""
    given = options.arguments
    return LeaveOneOutScorer(
        given.scorer, context=given.context, window=given.loo_window, **options.placement_of_whole_traces
    )


def _own(options: Options) -> tuple[Pruner, ...]:
    given = options.arguments
    scorer = SurprisalScorer(given.scorer, context=given.context, **options.placement)
    return (options.selected(spirit_own(scorer, options.tokenizer, **options.budget)),)


def _loo(options: Options) -> tuple[Pruner, ...]:
    return (options.selected(spirit_loo(leave_one_out_scorer(options), options.tokenizer, **options.budget)),)


METHODS = (
    Method(
        "spirit_own",
        _own,
        "the paper's baseline SPIRIT (Table 1, Appendix A), read as each step's own perplexity",
        paper="Table 1",
        settings=SCORER,
        budget=HALF,
        score="perplexity",
    ),
    Method(
        "spirit_loo",
        _loo,
        "the paper's baseline SPIRIT (Table 1, Appendix A), read as what a step's absence does to the perplexity of "
        "what follows it",
        paper="Table 1",
        settings=LEAVE_ONE_OUT,
        budget=HALF,
        score="spirit_loo",
    ),
)
