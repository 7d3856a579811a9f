"""ASAP (§3): the paper's two stages, with the paper's values. There is no third thing."""

from __future__ import annotations

from typing import Any, Literal

from ..errors import UsageError
from ..llm.generator import Generator
from ..scoring.reference import ReferenceScorer
from ..scoring.surprisal import SurprisalScorer
from ..traces.splitting import DEFAULT_SPLITTER
from .anchor import AnchorPruner
from .answer_anchor import AnswerAnchorPruner
from .base import Pruner, Sequential
from .iterative import IterativePruner
from .method import FIRST_TOKEN, LLM, SCORER, Budget, Method, Options
from .reference import ReferencePruner

_L_MAX: Budget = {"max_tokens": 4096}  # Appendix A
ANCHOR = (*LLM, "anchor_mode", "threshold", "autojunk", "keep_llm_text")
"""The arguments that decide about stage 1 where an LLM writes the anchor."""


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


def answer_keep(arguments: Any) -> float:
    """Share of the reasoning that the answer anchor keeps: `--answer_keep`, or else the ratio, or else 0.25. By
    `bench/retention.py` its choice of steps beats stage 2's, so it leaves stage 2 no more than is needed to meet the
    budget to the token."""
    keep: float = arguments.answer_keep or arguments.ratio or AnswerAnchorPruner.keep
    return keep


def _stage_1(options: Options) -> Pruner:
    """Stage 1: by the anchor of an LLM, or by the answer where no LLM is named."""
    given = options.arguments
    if given.anchor_model is None:
        return AnswerAnchorPruner(answer_keep(given))
    return AnchorPruner(
        options.generator(),
        mode=given.anchor_mode,
        threshold=given.threshold,
        autojunk=given.autojunk,
        max_attempts=given.max_attempts,
        on_failure=given.on_failure,
        keep_llm_text=given.keep_llm_text,
        direct_max_tokens=given.anchor_max_tokens,
        prune_max_tokens=given.anchor_max_tokens,
        first_attempt=options.first_attempt,
    )


def _stage_2(options: Options) -> Pruner:
    """Stage 2: by the score of a language model, as in the paper or as in the authors' code.

    Raises:
        [`UsageError`]: if the authors' code is to go by another score than its own.
    """
    given = options.arguments
    if given.selector == "reference":
        if given.score not in (None, FIRST_TOKEN):
            raise UsageError(f"--selector reference goes by {FIRST_TOKEN}: leave out --score {given.score}")
        reference = ReferenceScorer(given.scorer, context=given.context, **options.placement)
        return ReferencePruner(reference, options.tokenizer, **options.budget)
    scorer = SurprisalScorer(given.scorer, context=given.context, all_scores=given.all_scores, **options.placement)
    return options.selected(
        IterativePruner(scorer, options.tokenizer, **options.budget, score=given.score or FIRST_TOKEN)
    )


METHODS = (
    Method(
        "asap",
        lambda options: (_stage_1(options), _stage_2(options)),
        "",
        paper="§3.1",
        settings=(*ANCHOR, *SCORER),
        budget=_L_MAX,
        score=FIRST_TOKEN,
    ),
    Method(
        "wo_coarse",
        lambda options: (_stage_2(options),),
        "the paper's ablation without coarse-grained pruning (Table 2), stage 2 alone",
        paper="Table 2",
        settings=SCORER,
        budget=_L_MAX,
        score=FIRST_TOKEN,
    ),
    Method(
        "wo_fine",
        lambda options: (_stage_1(options),),
        "the paper's ablation without fine-grained pruning (Table 2), stage 1 alone",
        paper="Table 2",
        settings=ANCHOR,
    ),
    Method(
        "wo_any",
        lambda _: (),
        "the paper's ablation without any pruning (Table 2), the traces as they are",
        paper="Table 2",
    ),
)
