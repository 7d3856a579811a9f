"""Count what a run did: the table at its end, and the same as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..reporting.formatting import money, share
from ..reporting.histogram import histogram
from ..reporting.terminal import labelled, table_line
from .records import tokens_by_stage

_NUMBERS = re.compile(r"\d+(?:-\d+)?")
_TITLES = {"failures": "failed (not ok)", "remarks": "remarked on"}


@dataclass
class Summary:
    """Running totals; tokens are those of the reasoning alone."""

    rows: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    """Reason code → rows that no pruner could work on."""
    failures: Counter[str] = field(default_factory=Counter)
    """Reason code → usable rows for which a stage found no pruning: `ok` is false."""
    failed: int = 0
    """Usable rows for which a stage found no pruning; one of them may have two reasons."""
    remarks: Counter[str] = field(default_factory=Counter)
    """Remark → usable rows that it is made on, whether `ok` or not."""
    filtered: Counter[str] = field(default_factory=Counter)
    """`filter: reason` → rows that a filter left out."""
    unjudged: Counter[str] = field(default_factory=Counter)
    """`filter: reason` → rows that a filter could not judge, and that stayed."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason code → rows for which a stage found no pruning, and that the operator asked to leave out."""
    dropped_attempts: int = 0
    """Most attempts at one of these."""
    steps: list[int] = field(default_factory=lambda: [0, 0])
    """Steps before and after."""
    before: list[int] = field(default_factory=list)
    """Tokens of each usable row, before."""
    after: dict[str, list[int]] = field(default_factory=dict)
    """Stage → tokens of each usable row after it."""
    longest: int = 0
    """Tokens of the longest row with everything that is trained on or given: what `max_length` must hold."""
    windowed: int = 0
    """Rows longer than the scorer's context."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one usable row by its record (see `asap_hf.dataset.records.step_record`)."""
        self.rows += 1
        self.before.append(record["tokens_before"])
        for stage, tokens in tokens_by_stage(record).items():
            self.after.setdefault(stage, []).append(tokens)
        self.steps = [self.steps[0] + len(record["steps"]), self.steps[1] + len(record["kept"])]
        for one in filter(None, record["reason"].split("; ")):
            self.failures[reason_code(one)] += 1
        for one in filter(None, (record.get("remark") or "").split("; ")):
            self.remarks[reason_code(one)] += 1
        self.failed += bool(record["reason"])
        self.longest = max(self.longest, record["tokens_in_all"])
        self.windowed += record["windows"] > 1

    def add_dropped(self, reason: str, attempts: int = 0) -> None:
        """Count one row that failed, after so many attempts, and that the operator asked to leave out."""
        self.rows += 1
        self.dropped_attempts = max(self.dropped_attempts, attempts)
        self.dropped[reason_code(reason)] += 1

    def add_dropped_before(self, summary: Mapping[str, Any]) -> None:
        """Count the rows that were left out of a former result or a shard, by its summary."""
        reasons = Counter(summary.get("dropped_reasons", {"": summary["dropped"]}))
        self.rows += reasons.total()
        self.dropped.update(+reasons)
        self.dropped_attempts = max(self.dropped_attempts, summary.get("dropped_attempts", 0))

    def add_unusable(self, reason: str) -> None:
        """Count one row that was kept as it is."""
        self.rows += 1
        self.unusable[reason] += 1

    def add_filtered(self, name: str, reason: str) -> None:
        """Count one row that the filter `name` left out."""
        self.rows += 1
        self.filtered[f"{name}: {reason}"] += 1

    def as_dict(self, **more: Any) -> dict[str, Any]:
        """The counts for `run.json` and `--json`, with `more`."""
        return {
            "rows": self.rows,
            "usable": len(self.before),
            "unusable": dict(self.unusable.most_common()),
            "failed": self.failed,
            "failures": dict(self.failures.most_common()),
            "remarks": dict(self.remarks.most_common()),
            "filtered": dict(self.filtered.most_common()),
            "unjudged": dict(self.unjudged.most_common()),
            "dropped": self.dropped.total(),
            "dropped_reasons": dict(self.dropped.most_common()),
            "dropped_attempts": self.dropped_attempts,
            "windowed": self.windowed,
            "longest": self.longest,
            "steps": {"before": self.steps[0], "after": self.steps[1]},
            "tokens": {
                "before": _spread(self.before),
                **{stage: _spread(tokens) for stage, tokens in self.after.items()},
            },
            "histogram": histogram({"before": self.before, **self.after}),
            **more,
        }


def reason_code(reason: str) -> str:
    """The part of a reason that all rows which fail alike share: details behind a second colon or in brackets are left
    out, and numbers are `N`."""
    head, _, detail = reason.partition(": ")
    shared = _NUMBERS.sub("N", detail.split(" (")[0].split(": ")[0])
    return f"{head}: {shared}" if shared else head


def failed_share(summary: Mapping[str, Any]) -> float:
    """The share of the usable rows for which a stage found no valid pruning, those that were dropped among them."""
    usable = summary["usable"] + summary["dropped"]
    return (summary["failed"] + summary["dropped"]) / usable if usable else 0.0


def failure_warning(summary: Mapping[str, Any]) -> str:
    """One sentence about the rows that failed: how many, most often why, and what to do; empty where none did."""
    failed, dropped = summary["failed"] + summary["dropped"], summary["dropped"]
    if not failed:
        return ""
    of = summary["usable"] + dropped
    reasons = Counter(summary["failures"]) + Counter(summary["dropped_reasons"])
    fate = (
        f"{dropped:,} of them {'was' if dropped == 1 else 'were'} dropped"
        if dropped
        else "`ok` is false, and what that stage would cut stays"
    )
    return (
        f"{failed:,} of {of:,} usable rows ({failed_share(summary):.1%}) failed: {fate}; the commonest reason is "
        f"{reasons.most_common(1)[0][0]!r}: mend it, then run the same command with --retry_failed, which redoes "
        "these rows alone"
    )


def _spread(values: list[int]) -> dict[str, float]:
    return {"total": sum(values), "median": median(values) if values else 0, "max": max(values, default=0)}


def summary_table(summary: dict[str, Any]) -> str:
    """The summary as a person reads it."""
    before, *stages = summary["tokens"].items()
    whole = before[1]["total"] or 1
    widths = (max(22, *(len(f"after {name}") for name, _ in stages)) if stages else 22, 14, 10, 10, 9)
    lines = [table_line(("", "tokens", "median", "max", "kept"), widths)]
    for name, spread in [before, *stages]:
        label = "original" if name == "before" else f"after {name}"
        counts = f"{spread['total']:,}", f"{spread['median']:,.0f}", f"{spread['max']:,}"
        lines.append(table_line((label, *counts, share(spread["total"] / whole)), widths))
    steps = summary["steps"]
    lines += ["", labelled("rows", f"{summary['rows']:,}", f"{summary['usable']:,} usable")]
    lines.append(labelled("steps", f"{steps['before']:,}", f"{steps['after']:,} kept"))
    longest = "tokens, prompt and answer included: --max_length"
    lines.append(labelled("longest row", f"{summary['longest']:,}", longest))
    if summary["windowed"]:
        lines.append(labelled("scored in windows", f"{summary['windowed']:,}", "longer than the scorer's context"))
    if summary["dropped"]:
        lines.append(labelled("dropped", f"{summary['dropped']:,}"))
    for title in ("unusable", "failures", "remarks", "filtered", "unjudged"):
        for reason, count in summary[title].items():
            lines.append(labelled(_TITLES.get(title, title), f"{count:,}", reason))
    lines += _llm_lines(summary.get("llm") or {})
    if "seconds" in summary:
        lines.append(labelled("time", f"{summary['seconds']:,.1f}s"))
    return "\n".join(lines)


def _llm_lines(llm: Mapping[str, Any]) -> list[str]:
    """Calls, tokens and cost of the LLM, of all processes together."""
    if not any(llm.values()):
        return []
    lines = [labelled("LLM calls", f"{llm['calls']:,}", f"{llm['from_ledger']:,} more answered from the ledger")]
    lines.append(labelled("LLM tokens", f"{llm['prompt_tokens']:,}", f"in, {llm['completion_tokens']:,} out"))
    if failures := llm["failures"]:
        lines.append(labelled("LLM failures", f"{failures:,}", "requests that brought no answer to use"))
    if not llm["cost"]:
        no_prices = "no prices were given: --prompt_price, --completion_price"
        return [*lines, labelled("LLM cost", "?", no_prices)] if llm["calls"] else lines
    assumed = llm.get("assumed", 0.0)
    at_most = f"at most: {money(assumed)} of it is the worst case where nothing told the cost" if assumed else ""
    return [*lines, labelled("LLM cost", money(llm["cost"]), at_most)]
