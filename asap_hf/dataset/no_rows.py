"""Refuse a result without training rows: say why, and which other columns hold closed reasonings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RunError
from ..traces.conversations import reasoning_of, text_of, turns_of
from ..traces.rows import Columns
from ..traces.sources import Source
from ..traces.trace import REASONS

_LOOKED_AT = 64  # rows


def require_rows(summary: Mapping[str, Any], source: Source, columns: Columns) -> None:
    """Refuse a result without a row to train on.

    Args:
        summary (`Mapping`):
            Of the run.
        source (`Source`):
            What was pruned.
        columns (`Columns`):
            Where prompt and completion were looked for.

    Raises:
        `RunError`: with the commonest reasons, and the columns that hold closed reasonings and were not read.
    """
    if summary["usable"]:
        return
    counts = [(count, reason) for title in ("unusable", "filtered") for reason, count in summary[title].items()]
    counts += [(count, reason) for reason, count in summary["dropped_reasons"].items()]
    reasons = ", ".join(f"{count:,} {reason}" for count, reason in counts[:3])
    meaning = REASONS.get(counts[0][1], "") if counts else ""
    sentence = f"no row of {source.label!r} is left to train on: {reasons}" + (f" ({meaning})" if meaning else "")
    raise RunError("; ".join(filter(None, [sentence, _others(source, columns)])))


def _others(source: Source, columns: Columns) -> str:
    """Which columns to name instead; empty where none holds a closed reasoning, or the ones that were read do."""
    rows = next(iter(source.batches(_LOOKED_AT)), [])
    texts = [name for name in source.columns if any(_is_closed(row.get(name)) for row in rows)]
    talks = [name for name in source.columns if any(_ends_closed(row.get(name)) for row in rows)]
    read = f"prompt and completion were read from {' and '.join(map(repr, columns.names))}"
    if set(columns.names) & {*texts, *talks}:
        return ""
    if talks:
        flags = f"--prompt_column {talks[0]} --completion_column {talks[0]}"
        return f"{read}, but {talks[0]!r} holds conversations with closed reasonings: {flags}"
    if texts:
        return f"{read}, but {texts[0]!r} holds closed reasonings: --completion_column {texts[0]}"
    return ""


def _is_closed(value: Any) -> bool:
    return isinstance(value, str) and "</think>" in value


def _ends_closed(value: Any) -> bool:
    turns = turns_of(value)
    if not turns or turns[-1].get("role") != "assistant":
        return False
    return reasoning_of(turns[-1]) is not None or "</think>" in (text_of(turns[-1].get("content")) or "")
