"""Print a checked training set as text."""

from __future__ import annotations

from functools import partial
from statistics import mean, median

from ..reporting.histogram import histogram
from ..reporting.terminal import labelled
from .plan import UTILISATION, Hardware, Plan
from .verdict import CheckResult

_BARS = " ▁▂▃▄▅▆▇█"
_line = partial(labelled, width=16)


def report(verdict: CheckResult, plan: Plan, hardware: Hardware) -> str:
    """Rows, tokens, what would be cut, steps, operations and time; one line each."""
    return "\n".join([*_data_lines(verdict), *_training_lines(verdict, plan), time_line(plan, hardware)])


def _data_lines(verdict: CheckResult) -> list[str]:
    lengths, total = verdict.lengths, verdict.preparation.total
    checked = f"{len(lengths):,} of them checked" if len(lengths) < total else "all checked"
    bars, span = bars_of(lengths)
    limit = verdict.arguments.sft.max_length
    lines = [
        _line("rows", f"{total or len(lengths):,}", checked if total else "checked, of a stream"),
        _line(
            "tokens per sample", f"{mean(lengths):,.0f}", f"median {median(lengths):,.0f}, longest {max(lengths):,}"
        ),
        _line("", bars, span),
        _line("max_length", f"{limit:,}" if limit else "none", f"{verdict.over:,} rows are longer"),
    ]
    if verdict.cut or verdict.dropped:
        lines.append(_line("cut off", f"{verdict.cut:,}", f"tokens; {verdict.dropped:,} rows dropped with them"))
    return lines


def _training_lines(verdict: CheckResult, plan: Plan) -> list[str]:
    sequences = f"{plan.epochs:,.3g} epochs of {plan.steps_per_epoch:,}, {plan.batch:,} sequences each"
    each = "4 × parameters × tokens (LoRA)" if verdict.arguments.model.use_peft else "6 × parameters × tokens"
    lines = [
        _line("optimiser steps", f"{plan.steps:,}", sequences),
        _line("tokens per epoch", f"{plan.tokens_per_epoch:,}", f"{plan.trained_per_epoch:,} in the loss"),
        _line("training FLOPs", f"{plan.flops:.2e}", f"{each}, and attention"),
    ]
    if plan.context and max(verdict.lengths) > plan.context:
        lines.append(_line("model's context", f"{plan.context:,}", "tokens, and there are longer rows"))
    return lines


def time_line(plan: Plan, hardware: Hardware) -> str:
    """The time on this machine, or the GPU-hours where it has no GPU."""
    speed = f"{hardware.speed / 1e12:,.3g} TFLOP/s ({hardware.source})"
    assumed = f"assumed: {UTILISATION * 100:.0f} % of {hardware.name}'s {speed}"
    hours = plan.hours(hardware)
    if not hardware.here:
        return _line("GPU-hours", f"{hours:,.2f}", assumed)
    hours /= plan.processes
    several = f", on {plan.processes} of them" if plan.processes > 1 else ""
    time = _line("time", f"{hours:,.1f} h" if hours >= 1 else f"{hours * 3600:,.0f} s", assumed + several)
    return "\n".join([time, *([_line("", "", hardware.remedy)] if hardware.remedy else [])])


def bars_of(lengths: list[int]) -> tuple[str, str]:
    """A bar chart of the rows by tokens, a bar per quarter octave, and the bounds of its first and last bar."""
    bins = histogram({"rows": lengths})
    highest = max(bins["rows"])
    # A bin with a row has a bar, however low.
    bars = "".join(_BARS[-(-count * (len(_BARS) - 1) // highest)] for count in bins["rows"])
    return bars, f"rows from {bins['edges'][0]:,} to {bins['edges'][-1]:,} tokens"
