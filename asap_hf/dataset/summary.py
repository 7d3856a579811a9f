"""What a run did, as numbers: the table at its end, and the same as JSON."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .records import tokens_by_stage

_NUMBERS = re.compile(r"\d+(?:-\d+)?")
# Bounds of the histogram's bins in tokens: quarter octaves from 16 to 131,072; what is longer falls into the last bin.
_EDGES = [0, *(round(16 * 2 ** (quarter / 4)) for quarter in range(53))]

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
        """For `run.json` and `--json`; `more` stands beside the counts."""
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


def histogram(lengths: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """How many rows have how many tokens: `edges` (n + 1 bounds in tokens) and n counts under each name. Bins that
    are empty under every name are left out at both ends."""
    counts = {name: [0] * (len(_EDGES) - 1) for name in lengths}
    for name, values in lengths.items():
        for value in values:
            counts[name][min(bisect_right(_EDGES, value) - 1, len(_EDGES) - 2)] += 1
    used = [place for place in range(len(_EDGES) - 1) if any(bins[place] for bins in counts.values())]
    first, last = (used[0], used[-1] + 1) if used else (0, 1)
    return {"edges": _EDGES[first : last + 1], **{name: bins[first:last] for name, bins in counts.items()}}


def summary_table(summary: dict[str, Any]) -> str:
    """The summary as a person reads it."""
    before, *stages = summary["tokens"].items()
    whole = before[1]["total"] or 1
    wide = max(22, *(len(f"after {name}") for name, _ in stages)) if stages else 22
    lines = [f"{'':<{wide}}{'tokens':>14}{'median':>10}{'max':>10}{'kept':>9}"]
    for name, spread in [before, *stages]:
        label = "original" if name == "before" else f"after {name}"
        total, share = spread["total"], spread["total"] / whole
        lines.append(f"{label:<{wide}}{total:>14,}{spread['median']:>10,.0f}{spread['max']:>10,}{share:>9.1%}")
    steps = summary["steps"]
    lines += ["", f"{'rows':<22}{summary['rows']:>14,}   {summary['usable']:,} usable"]
    lines.append(f"{'steps':<22}{steps['before']:>14,}   {steps['after']:,} kept")
    lines.append(f"{'longest row':<22}{summary['longest']:>14,}   tokens, prompt and answer included: --max_length")
    if summary["windowed"]:
        lines.append(f"{'scored in windows':<22}{summary['windowed']:>14,}   longer than the scorer's context")
    if summary["dropped"]:
        lines.append(f"{'dropped':<22}{summary['dropped']:>14,}")
    for title in ("unusable", "failures", "remarks", "filtered", "unjudged"):
        for reason, count in summary[title].items():
            lines.append(f"{_TITLES.get(title, title):<22}{count:>14,}   {reason}")
    lines += _llm_lines(summary.get("llm") or {})
    if "seconds" in summary:
        lines.append(f"{'time':<22}{summary['seconds']:>13,.1f}s")
    return "\n".join(lines)


def _llm_lines(llm: Mapping[str, Any]) -> list[str]:
    """What an LLM did for the run, whichever process asked it, and what that cost."""
    if not any(llm.values()):
        return []
    lines = [f"{'LLM calls':<22}{llm['calls']:>14,}   {llm['from_ledger']:,} more answered from the ledger"]
    lines.append(f"{'LLM tokens':<22}{llm['prompt_tokens']:>14,}   in, {llm['completion_tokens']:,} out")
    if failures := llm["failures"]:
        lines.append(f"{'LLM failures':<22}{failures:>14,}   requests that brought no answer to use")
    if not llm["cost"]:
        told = "no prices were given: --prompt_price, --completion_price"
        return [*lines, f"{'LLM cost':<22}{'?':>14}   {told}"] if llm["calls"] else lines
    assumed = llm.get("assumed", 0.0)
    at_most = f"   at most: {money(assumed)} of it is the worst case where nothing told the cost" if assumed else ""
    return [*lines, f"{'LLM cost':<22}{money(llm['cost']):>14}{at_most}"]


def money(amount: float) -> str:
    """An amount with as many digits as it takes to see it."""
    return f"{amount:,.4f}" if not 0 < amount < 0.0001 else "under 0.0001"
