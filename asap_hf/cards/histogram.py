"""Draw the picture on a dataset's card: lengths of the reasonings before and after pruning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import TYPE_CHECKING, Any

from ..reporting.pictures import LIGHT, png_of, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BEFORE, _AFTER = LIGHT.baseline, LIGHT.runs[0]


def token_histogram(run: Mapping[str, Any]) -> bytes:
    """Rows by tokens of their reasoning, before in grey and after in blue, as PNG; the same bytes for the same run.

    The token axis is logarithmic, a step of the outline is a quarter octave, and medians are marked with their value.
    The picture has a white ground of its own, so that it can be read on dark pages too.

    Args:
        run (`Mapping`):
            What `run.json` holds. A dataset of baselines gives a panel for each config, each to a height of its own.
    """
    from matplotlib import style

    named = {name: one["summary"] for name, one in run.get("runs", {"": run}).items()}
    with style.context("default"):  # whatever the matplotlibrc of this machine says
        return _picture(named)


def _picture(named: Mapping[str, Mapping[str, Any]]) -> bytes:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height = 3.4 if len(named) == 1 else 0.6 + 0.95 * len(named)
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.15)
    figure = Figure(figsize=(8.4, height), dpi=200, facecolor=LIGHT.ground, layout=layout)
    panels = figure.subplots(len(named), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, summary) in zip(panels, named.items(), strict=True):
        _draw(panel, summary)
        if len(named) > 1:
            panel.set_title(name, loc="left", y=0.72, fontsize=10, color=LIGHT.ink, parse_math=False)
            panel.yaxis.set_visible(False)
        else:
            panel.set_ylabel("rows", fontsize=9, color=LIGHT.muted)
    _token_axis(panels[-1], list(named.values()))
    return png_of(figure)


def _draw(panel: Axes, summary: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    histogram, tokens = summary["histogram"], summary["tokens"]
    last = list(tokens)[-1]
    shown = {"before": _BEFORE} | ({last: _AFTER} if last != "before" else {})
    bounds = _positive(histogram["edges"])
    for stage, colour in shown.items():
        panel.stairs(histogram[stage], bounds, fill=True, color=colour, alpha=0.35)
        panel.stairs(histogram[stage], bounds, color=colour, linewidth=1.2)
    peak = max(max(histogram[stage]) for stage in shown)
    panel.set_ylim(0, 1.3 * peak)
    panel.set_yticks(
        [tick for tick in MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]).tick_values(0, peak) if tick <= peak]
    )
    fell = tokens[last]["median"] <= tokens["before"]["median"]
    for stage, colour in shown.items():
        _mark_median(panel, "before" if stage == "before" else "after", tokens[stage]["median"], colour, fell)
    style_axes(panel, LIGHT, size=9)
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _mark_median(panel: Axes, word: str, median: float, colour: str, fell: bool) -> None:
    """A dashed line with its value, on the side where the other line is not."""
    left = (word == "after") == fell
    panel.axvline(median, color=colour, linewidth=1.2, linestyle=(0, (3, 2)))
    panel.annotate(
        f"{word}: median {median:,.0f}",
        (median, 1),
        xycoords=panel.get_xaxis_transform(),
        xytext=(-5 if left else 5, -1),
        textcoords="offset points",
        horizontalalignment="right" if left else "left",
        verticalalignment="top",
        fontsize=9,
        color=_AFTER if word == "after" else LIGHT.muted,
    )


def _token_axis(panel: Axes, summaries: Sequence[Mapping[str, Any]]) -> None:
    """Powers of two, and room on either side for the labels of the outer medians."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    edges = [log2(edge) for summary in summaries for edge in _positive(summary["histogram"]["edges"])]
    medians = [log2(max(spread["median"], 1)) for summary in summaries for spread in summary["tokens"].values()]
    least, most = min(edges), max(edges)
    room = 0.3 * (most - least)
    panel.set_xscale("log", base=2)
    panel.set_xlim(2 ** min(least - 0.1, min(medians) - room), 2 ** max(most + 0.1, max(medians) + room))
    panel.xaxis.set_major_locator(FixedLocator([2**power for power in range(21)]))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("tokens of the reasoning", fontsize=9, color=LIGHT.muted)


def _positive(edges: Sequence[float]) -> list[float]:
    """Bounds of the bins for a logarithmic axis, which has no 0: a bin that begins there gets an octave."""
    return [edge or edges[1] / 2 for edge in edges]
