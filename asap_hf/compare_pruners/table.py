"""Turn results into one table per budget: means of each pruner, and its difference to random removal, paired by
trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from ..compare.paired import Estimate
from ..reporting.statistics import SignedRank, Values, bootstrap_means, holm, percentile_interval, wilcoxon_signed_rank
from .conditions import CONTROL
from .results import Measurement


@dataclass(frozen=True)
class LossContrast:
    """A pruner's loss less that of random removal, on the traces that both pruned."""

    nats: Estimate
    wilcoxon: SignedRank
    holm: float = 1.0
    """`wilcoxon.p` after Holm, over the contrasts of all budgets."""


@dataclass(frozen=True)
class PrunerRow:
    """One pruner at one budget; all means over traces."""

    pruner: str
    traces: int
    nats: Estimate
    """Negative log-likelihood of the answer, nats per token."""
    contrast: LossContrast | None
    """`None` for the control itself, for what no budget binds, and where the control was not measured."""
    tokens: float
    used: float | None
    """Share of the budget; over 1 where it was not met. `None` without a budget."""
    over: int
    """Traces with more tokens than the budget."""
    failed: int
    """Traces for which the pruner gave a reason why its result is none; being over the budget is one."""
    seconds: float | None
    """Median time that the method takes for a trace, scoring included; `None` where it does no work."""
    cpu_seconds: float | None
    """The same in processor time of the measuring process, which other work on the machine does not lengthen."""
    fences_opened: int
    """Traces in which a code fence was torn."""
    code: float | None
    """Share of the original's lines of code that are left in whole programs; `None` where it has none."""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """All pruners at one budget, the lowest loss first."""

    ratio: float
    rows: tuple[PrunerRow, ...]


def tables_of(results: Iterable[Measurement]) -> list[Table]:
    """One table per ratio, the largest first; what no budget binds stands in each of them."""
    grouped: dict[float | None, dict[str, list[Measurement]]] = {}
    timed: dict[str, list[Measurement]] = {}
    for result in results:
        grouped.setdefault(result["ratio"], {}).setdefault(result["pruner"], []).append(result)
        timed.setdefault(result["pruner"], []).append(result)
    ends = grouped.pop(None, {})
    tables = []
    for ratio in sorted((one for one in grouped if one is not None), reverse=True):
        methods = grouped[ratio]
        rows = [_row(group, methods.get(CONTROL, []), timed[name]) for name, group in methods.items()]
        # A pruner that was measured on fewer traces may have had the easy ones.
        most = max(row.traces for row in rows)
        best = min(row.nats.value for row in rows if row.traces == most)
        rows = [replace(row, best=row.traces == most and row.nats.value == best) for row in rows]
        rows += [_row(group, [], []) for group in ends.values()]
        tables.append(Table(ratio, tuple(sorted(rows, key=lambda row: row.nats.value))))
    return _with_holm(tables)


def _row(results: Sequence[Measurement], control: Sequence[Measurement], timed: Sequence[Measurement]) -> PrunerRow:
    nats = np.array([result["nats"] for result in results])
    lines = sum(result["code_lines"] for result in results)
    budgets = [result["budget"] for result in results if result["budget"] is not None]
    return PrunerRow(
        pruner=results[0]["pruner"],
        traces=len(results),
        nats=_estimate(nats),
        contrast=_contrast(results, control),
        tokens=fmean(result["tokens"] for result in results),
        used=fmean(result["tokens"] / result["budget"] for result in results) if budgets else None,
        over=sum(result["budget"] is not None and result["tokens"] > result["budget"] for result in results),
        failed=sum(bool(result["reason"]) for result in results),
        seconds=_median(timed, "seconds"),
        cpu_seconds=_median(timed, "cpu_seconds"),
        fences_opened=sum(result["fence_opened"] for result in results),
        code=sum(result["whole_code_lines"] for result in results) / lines if lines else None,
    )


def _median(results: Iterable[Measurement], name: str) -> float | None:
    """Over the results with a time: the first of each method on each trace."""
    return median(values) if (values := [result[name] for result in results if result[name] is not None]) else None


def _contrast(results: Sequence[Measurement], control: Sequence[Measurement]) -> LossContrast | None:
    of_control = {result["trace"]: result["nats"] for result in control}
    pairs = [(result["nats"], of_control[result["trace"]]) for result in results if result["trace"] in of_control]
    if not pairs or results[0]["pruner"] == CONTROL:
        return None
    differences = np.array([ours - theirs for ours, theirs in pairs])
    return LossContrast(_estimate(differences), wilcoxon_signed_rank(differences))


def _estimate(values: Values) -> Estimate:
    return Estimate(float(values.mean()), percentile_interval(bootstrap_means(values[:, None])[:, 0]))


def _with_holm(tables: Sequence[Table]) -> list[Table]:
    p_values = [row.contrast.wilcoxon.p for table in tables for row in table.rows if row.contrast]
    adjusted = iter(holm(p_values))
    return [
        replace(
            table,
            rows=tuple(
                replace(row, contrast=replace(row.contrast, holm=next(adjusted))) if row.contrast else row
                for row in table.rows
            ),
        )
        for table in tables
    ]
