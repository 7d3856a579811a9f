"""ASAP (§3): the paper's two stages, with the paper's values. There is no third thing."""

from __future__ import annotations

from typing import Literal

from ..llm.generator import Generator
from ..scoring.surprisal import SurprisalScorer
from ..traces.splitting import DEFAULT_SPLITTER
from .anchor import AnchorPruner
from .answer_anchor import AnswerAnchorPruner
from .base import Pruner, Sequential
from .iterative import IterativePruner


def asap(
    scorer: str = "embedded",
    anchor: Generator | None = None,
    mode: Literal["rewrite", "select"] = "rewrite",
    max_tokens: int | None = None,
    ratio: float | None = None,
    tokenizer: str | None = None,
    splitter: str = DEFAULT_SPLITTER,
    deterministic: bool = False,
) -> Sequential:
    r"""Anchor-guided pruning, then surprisal-based refining.

    Args:
        scorer (`str`, *optional*, defaults to `"embedded"`):
            Model that scores the steps: Hub id or folder. The paper's is DeepSeek-R1-Distill-Qwen-7B; the default is
            the small model that comes with the tool, for a look.
        anchor (`Generator`, *optional*):
            LLM for stage 1; the paper's is DeepSeek-V3. Without one, [`AnswerAnchorPruner`] takes its place and keeps
            `ratio` of the reasoning, 0.25 if the budget is in tokens.
        mode (`str`, *optional*, defaults to `"rewrite"`):
            See [`AnchorPruner`]; `"rewrite"` is the paper's.
        max_tokens (`int`, *optional*):
            Budget in tokens; 4096 (Appendix A) if `ratio` is not given either.
        ratio (`float`, *optional*):
            Budget as a share of the original reasoning's tokens.
        tokenizer (`str`, *optional*):
            Whose tokens the budget counts; the scorer's by default.
        splitter (`str`, *optional*, defaults to `"code"`):
            How reasoning is cut into steps; `"paper"` cuts at blank lines.
        deterministic (`bool`, *optional*, defaults to `False`):
            Scores the same to the last bit whatever is scored beside a trace; see [`SurprisalScorer`].

    Example:
        >>> from datasets import Dataset
        >>> from asap_hf import asap
        >>> reasoning = "<think>\nLet me add.\n\nHmm, wait.\n\n2 + 3 is 5.\n</think>\n\n2 + 3 is 5."
        >>> rows = Dataset.from_dict({"prompt": ["What is 2 + 3?"], "completion": [reasoning]})
        >>> [row] = rows.map(asap("embedded", ratio=0.5), batched=True)
        >>> (row["ok"], row["kept"])
        (True, [2])
    """
    if max_tokens is None and ratio is None:
        max_tokens = 4096
    surprisal = SurprisalScorer(scorer, deterministic=deterministic)
    fine = IterativePruner(surprisal, tokenizer or scorer, max_tokens, ratio)
    coarse: Pruner = AnswerAnchorPruner(ratio or AnswerAnchorPruner.keep)
    if anchor is not None:
        coarse = AnchorPruner(anchor, mode=mode)
    return Sequential((coarse, fine), splitter)
