"""Turn one row of a result into what the page holds: a line of its list, and the trace that it opens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

from ..dataset.records import RESERVED, SCORES
from ..pruners.selection import joined
from ..traces.code_lines import LineKind, classify
from ..traces.fence_marks import is_fence

# Columns of a record and of a row to train on that do not name the row.
_NO_IDS = (
    RESERVED
    | set(SCORES)
    | {"question", "steps", "answer", "opening", "closing", "splitter", "kept", "coarse_kept", "removal_order"}
    | {"lengths", "budget", "anchor", "attempts", "windows", "stage_reasons", "record", "completion"}
    | {"unusable", "unrecorded", "remark"}
)
_EXCERPT = 160
# Scores are drawn as bars: what decides, the order of removal, is kept whole.
_DIGITS = 3


def line_of(row: Mapping[str, Any], trace: Mapping[str, Any]) -> dict[str, Any]:
    """What the list shows of a row, and what a budget needs: `lengths` begin with the whole, then each removal's gain;
    `fixed` is a row whose record does not say what another budget would leave.

    Args:
        row (`Mapping`):
            A record with its `completion` ([`asap_hf.explore.results.Result.rows`]).
        trace (`Mapping`):
            What [`trace_of`] made of it.
    """
    lengths = row["lengths"]
    rewritten = not trace["versions"][0].keys().isdisjoint(("text", "texts"))
    without_order = not lengths and not trace["scores"].keys() <= {"overlap"}
    return {
        "row": row["row"],
        "ids": {name: str(row[name]) for name in row if name not in _NO_IDS and row[name] is not None},
        "title": " ".join(row["question"].split())[:_EXCERPT],
        "reason": row["reason"],
        "remark": row.get("remark") or "",
        "before": row["tokens_before"],
        "after": row["tokens_after"],
        "steps": len(row["steps"]),
        "given": len(row["coarse_kept"]),
        "kept": len(row["kept"]),
        "lengths": [*lengths[:1], *(before - after for before, after in pairwise(lengths))],
        "fixed": rewritten or without_order or bool(row.get("unusable")),
        "unusable": bool(row.get("unusable")),
    }


def trace_of(row: Mapping[str, Any], others: Sequence[Mapping[str, Any] | None] = ()) -> dict[str, Any]:
    """What is shown of a trace: its texts, what each stage decided, and what is left of it.

    Args:
        row (`Mapping`):
            A record with its `completion`.
        others (`Sequence[Mapping | None]`, *optional*):
            Those that other results have under its number.
    """
    stages = json.loads(row["record"])
    return {
        "question": row["question"],
        "steps": row["steps"],
        "code": [position for position, step in enumerate(row["steps"]) if is_code(step)],
        "answer": row["answer"],
        "anchor": row["anchor"],
        "stages": [{"name": stage["stage"], "reason": stage.get("reason", "")} for stage in stages],
        "given": row["coarse_kept"],
        "order": row["removal_order"],
        "scores": _scores(row, stages),
        "facts": {name: row[name] for name in ("budget", "attempts", "windows") if row[name]},
        "versions": [left_of(row), *(_version_of(row, other) for other in others)],
    }


def is_code(step: str) -> bool:
    """Whether a step is shown in a monospaced font: a fenced block, or more lines of code than of prose."""
    lines = [line for line in step.split("\n") if line.strip()]
    if lines and is_fence(lines[0]):
        return True
    kinds = [classify(line) for line in lines]
    return kinds.count(LineKind.CODE) > kinds.count(LineKind.PROSE)


def left_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of a trace: the positions kept; where it was written in other words, also `texts`, one for each of
    them, or `text`, where the words belong to no step."""
    reasoning = row["completion"].removesuffix(row["closing"] + row["answer"])
    left = {"kept": row["kept"], "tokens": row["tokens_after"], "reason": row["reason"]}
    if row.get("unusable") or reasoning == joined(row["steps"], row["kept"]):
        return left
    texts: list[str] = next(
        (stage["rewritten"] for stage in reversed(json.loads(row["record"])) if "rewritten" in stage), []
    )
    if len(texts) == len(row["kept"]) and "".join(texts) == reasoning:
        return {**left, "texts": texts}
    return {**left, "text": reasoning}


def _version_of(row: Mapping[str, Any], other: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What another result left of the same trace; `None` where it has none, or another trace under this number."""
    if other is None:
        return None
    unrecorded = other.get("unrecorded", False)
    if other["steps"] == row["steps"] and not unrecorded:
        return left_of(other)
    if not unrecorded and "".join(other["steps"]) != "".join(row["steps"]):
        return None
    # Its steps are others, by another splitter or because nothing is recorded of them: positions say nothing here.
    text = other["completion"].removesuffix(other["closing"] + other["answer"])
    return {"kept": [], "tokens": other["tokens_after"], "reason": other["reason"], "text": text}


def _scores(row: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Name → one value per step, `None` where a step was not scored."""
    scores = {name: _rounded(row[name]) for name in SCORES if row.get(name)}
    for name, values in (stages[-1].get("scores") or {}).items() if stages else ():
        if name not in scores and len(values) == len(row["coarse_kept"]):
            of_position = dict(zip(row["coarse_kept"], values, strict=True))
            scores[name] = _rounded([of_position.get(position) for position in range(len(row["steps"]))])
    for stage in stages[:1]:
        if len(stage.get("overlap") or ()) == len(row["steps"]):
            scores["overlap"] = _rounded(stage["overlap"])
    return scores


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None or not isfinite(value) else round(value, _DIGITS) for value in values]
