"""`asap-hf prune` on a result of its own: another budget, score or tokenizer, from what the former run recorded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..pruners.registry import find_method
from .methods import settings_of
from .prune_arguments import PruneArguments

if TYPE_CHECKING:
    from ..dataset.rebudget import Rebudget
    from ..pruners.method import Budget

logger = logging.getLogger(__name__)


def rewrite(arguments: PruneArguments, former: Mapping[str, Any]) -> dict[str, Any]:
    """Write the former result with another budget, score or tokenizer; returns the summary.

    Raises:
        `UsageError`: if what is asked for cannot be made from what it records.
    """
    from ..dataset.rebudget import rewrite_result
    from ..dataset.retokenizing import Retokenizing

    rebudget, settings = _rebudget_of(arguments, former)
    retokenizing = None
    if arguments.tokenizer is not None:
        retokenizing = Retokenizing(arguments.tokenizer, former["settings"]["tokenizer"])
    folders = Path(arguments.dataset_name), former, Path(arguments.output_dir)
    return rewrite_result(*folders, rebudget, settings, arguments.overwrite, retokenizing)


def rewrite_plan(arguments: PruneArguments, former: Mapping[str, Any]) -> str:
    """What `--dry_run` says about it.

    Raises:
        `UsageError`: as `rewrite`.
    """
    from ..dataset.rebudget import count_scored

    rebudget, _ = _rebudget_of(arguments, former)
    if rebudget is None:
        return f"{former['summary']['rows']:,} rows keep their steps: another tokenizer needs no model and no LLM"
    scored, unscored = count_scored(Path(arguments.dataset_name), former, rebudget)
    left = f"; {unscored:,} rows that were not scored stay as they are" if unscored else ""
    return f"{scored:,} rows with stored scores: a new budget needs no model and no LLM{left}"


def _rebudget_of(arguments: PruneArguments, former: Mapping[str, Any]) -> tuple[Rebudget | None, dict[str, Any]]:
    """The new decision, none where the steps stay as they are, and the settings of the new result."""
    from ..dataset.rebudget import Rebudget

    settings, metadata = former["settings"], dict(former["settings"])
    if settings.get("keep_llm_text"):
        raise UsageError(
            "a result with keep_llm_text cannot be re-budgeted, since its records hold the original steps: prune the "
            "traces anew, the LLM's answers and the scores are stored"
        )
    if arguments.tokenizer is not None:
        metadata["tokenizer"] = settings_of(arguments)["tokenizer"]
    if _keeps_the_same(arguments, settings):
        return None, metadata
    _refuse_without_scores(arguments, settings)
    if "answer_keep" in settings and (arguments.max_tokens is not None or arguments.ratio is not None):
        _check_stage_1(arguments.dataset_name, settings, arguments.ratio)
    budget = _budget(arguments, settings)
    score = arguments.score or settings["score"]
    tokenizer, recount = arguments.tokenizer or settings["tokenizer"], arguments.tokenizer is not None
    changed: dict[str, Any] = {}
    for name, value in metadata.items():
        changed |= budget if name in ("max_tokens", "ratio") else {name: value}
    return Rebudget(tokenizer, settings["score"], score, **budget, recount=recount), {**changed, "score": score}


def _keeps_the_same(arguments: PruneArguments, settings: Mapping[str, Any]) -> bool:
    """Whether only the tokenizer changes, of a result whose steps were not chosen by how many tokens they have."""
    method = find_method(settings["pruner"])
    asked = (arguments.max_tokens, arguments.ratio, arguments.score)
    return arguments.tokenizer is not None and method is not None and not (method.counts_tokens or any(asked))


def _budget(arguments: PruneArguments, settings: Mapping[str, Any]) -> Budget:
    """What is asked for, or else what the former run had."""
    asked = {"max_tokens": arguments.max_tokens, "ratio": arguments.ratio}
    given = {name: value for name, value in asked.items() if value is not None}
    return given or {name: settings[name] for name in asked if name in settings}


def _refuse_without_scores(arguments: PruneArguments, settings: Mapping[str, Any]) -> None:
    if "score" not in settings and arguments.tokenizer is not None:
        raise UsageError(
            f"what {settings['pruner']} keeps cannot be counted anew from what {arguments.dataset_name!r} records: "
            f"prune the traces anew with --tokenizer {arguments.tokenizer}"
        )
    if "score" not in settings:
        raise UsageError(f"{arguments.dataset_name!r} holds no scores: stage 2 was left out when it was made")
    if selector := settings.get("selector"):
        raise UsageError(
            f"a result of --selector {selector} has no order of removal: prune the traces anew, the scores are stored"
        )


def _check_stage_1(name: str, settings: Mapping[str, Any], ratio: float | None) -> None:
    """Compare the new budget with what the answer anchor left for the former one, and warn where it would keep
    something else.

    Raises:
        `UsageError`: if the new ratio is larger than what it left.
    """
    from ..dataset.rebudget import largest_ratio
    from ..pruners.answer_anchor import AnswerAnchorPruner

    left, anew = largest_ratio(settings), ratio or AnswerAnchorPruner.keep
    if ratio is not None and ratio > left:
        raise UsageError(
            f"--ratio {ratio:g} asks for more than stage 1 left when {name!r} was made ({left:g} of each reasoning), "
            f"and what it cut was not scored: prune the traces anew with --ratio {ratio:g}"
        )
    if anew != left:
        logger.warning(
            "note: stage 1 left %g of each reasoning when %r was made, and that stays (--answer_keep %g); to have it "
            "leave %g, as for this budget from the start, prune the traces anew",
            *(left, name, left, anew),
        )


def check_settled_flags(arguments: PruneArguments, former: Mapping[str, Any]) -> None:
    """A former result settles everything but the budget, the score, the tokenizer, and where the new one goes.

    Raises:
        `UsageError`: for any other flag, and for a folder with several pruners' results.
    """
    if "settings" not in former:
        raise UsageError(f"{arguments.dataset_name!r} holds the runs of several pruners: prune the traces anew")
    open_to_change = {
        "dataset_name",
        "output_dir",
        "overwrite",
        "dry_run",
        "max_tokens",
        "ratio",
        "score",
        "tokenizer",
        "fail_above",
    }
    for one in fields(arguments):
        if one.name not in open_to_change and getattr(arguments, one.name) != one.default:
            if one.name == "ledger_dir":
                raise UsageError("--ledger_dir has no effect on a former result, from which nothing is computed anew")
            made = f"was settled when {arguments.dataset_name!r} was made"
            raise UsageError(f"--{one.name} {made}: prune the traces anew to change it")
