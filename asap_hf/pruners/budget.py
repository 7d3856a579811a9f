"""The budget of a pruner: tokens, or a share of the original reasoning's."""

from __future__ import annotations

from ..errors import UsageError


def check_budget(max_tokens: int | None, ratio: float | None) -> None:
    """Refuse a budget that is none.

    Raises:
        [`UsageError`]: unless exactly one is given, `max_tokens` from 1, or `ratio` over 0 and at most 1.
    """
    if (max_tokens is None) == (ratio is None):
        raise UsageError("a pruner needs one budget: give either max_tokens or ratio")
    if max_tokens is not None and max_tokens < 1:
        raise UsageError(f"max_tokens is the budget of a reasoning in tokens, 1 or more; got {max_tokens}")
    if ratio is not None and not 0 < ratio <= 1:
        raise UsageError(f"ratio is the share of tokens to keep, over 0 and at most 1; got {ratio}")


def budget_in_tokens(max_tokens: int | None, ratio: float | None, source_tokens: int) -> int:
    """L_max (Algorithm 2) in tokens for a reasoning that had `source_tokens` before any stage; at least 1.

    Args:
        max_tokens (`int`, *optional*):
            The budget itself; 4096 in Appendix A.
        ratio (`float`, *optional*):
            The budget as a share of the original reasoning's tokens, also after an earlier stage; 0.5 in Appendix A
            for the baselines. Used where `max_tokens` is not given.
        source_tokens (`int`):
            Tokens of the original reasoning.
    """
    return max_tokens or max(1, int((ratio or 1.0) * source_tokens))
