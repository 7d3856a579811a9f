"""Draw the pictures of a comparison: accuracy over the token budget, and accuracy over tokens, per benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..reporting.formatting import shortened
from ..reporting.pictures import LIGHT, Palette, png_of, style_axes
from ..reporting.styles import Style, paper_styles, run_styles
from .comparison import Comparison
from .paired import BenchmarkComparison, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 18  # longest name that leaves the panel room enough
_LINE = 0.075  # height of a line of text, as a share of the panel's
Label = tuple[float, str, Style]
"""Where a name stands on the y axis if it has room there, the name, and its style."""


@dataclass(frozen=True)
class Picture:
    """A PNG, and what to call it."""

    file: str
    title: str
    png: bytes


def pictures_of(comparison: Comparison, one: BenchmarkComparison, palette: Palette = LIGHT) -> list[Picture]:
    """The pictures of a benchmark; with one budget there is no curve to draw."""
    found = []
    if len(one.by_budget) > 1:
        found.append(budget_curves(comparison, one, palette))
    return [*found, trade_off(comparison, one, palette)]


def budget_curves(comparison: Comparison, one: BenchmarkComparison, palette: Palette = LIGHT) -> Picture:
    """Accuracy over the token budget, a line per run (the paper's Figure 3), as PNG; the same bytes for the same runs.

    Whiskers are 95 % intervals. Runs are shifted a little, so that whiskers do not cover each other. The
    paper's own curves are dashed and hollow, and go as far as the runs' budgets.
    """
    budgets, styles = sorted(one.by_budget), run_styles(comparison.names, comparison.baseline, palette)
    papers = _papers_curves(comparison, one)
    hollow = _paper_styles(comparison, one, palette)
    step = (budgets[-1] - budgets[0]) * min(0.012, 0.05 / len(styles))

    def draw(panel: Axes) -> list[Label]:
        labels = []
        for number, (name, style) in enumerate(styles.items()):
            rows = [(budget, row) for budget in budgets for row in one.by_budget[budget] if row.run == name]
            aside = (number - (len(styles) - 1) / 2) * step
            places = [budget + aside for budget, _ in rows]
            values = [100 * row.accuracy.value for _, row in rows]
            panel.plot(places, values, color=style.colour, linewidth=1.5, marker=style.marker, markersize=4.5)
            for place, (_, row) in zip(places, rows, strict=True):
                panel.plot([place, place], _bounds(row.accuracy, 100), color=style.colour, linewidth=0.8, alpha=0.55)
            labels.append((values[-1], name, style))
        for method, points in papers.items():
            style = hollow[method]
            places, values = [budget for budget, _ in points], [accuracy for _, accuracy in points]
            dashed = _marker(style, palette) | {"markersize": 4, "linestyle": "--", "linewidth": 0.8}
            panel.plot(places, values, **dashed)
            labels.append((values[-1], method, style))
        panel.set_xticks(shown := _with_room(budgets), [_in_k(budget) for budget in shown])
        return labels

    title = f"{one.title}: accuracy over the token budget"
    png = _drawn(draw, title, _x_label("token budget (1K = 1,024)", papers), palette)
    return Picture(f"budgets-{one.benchmark}.png", title, png)


def trade_off(comparison: Comparison, one: BenchmarkComparison, palette: Palette = LIGHT) -> Picture:
    """Accuracy over generated tokens, a point per run, as PNG; the same bytes for the same runs. Up and to the left is
    better.

    Whiskers are 95 % intervals. The paper's own results are hollow and have none.
    """
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    styles = run_styles(comparison.names, comparison.baseline, palette)
    paper = comparison.paper.methods.get(one.benchmark, {})
    hollow = _paper_styles(comparison, one, palette)

    def draw(panel: Axes) -> list[Label]:
        labels = []
        for row in one.rows:
            style, tokens, accuracy = styles[row.run], row.tokens.value, 100 * row.accuracy.value
            panel.plot([tokens, tokens], _bounds(row.accuracy, 100), color=style.colour, linewidth=0.8, alpha=0.55)
            panel.plot(_bounds(row.tokens), [accuracy, accuracy], color=style.colour, linewidth=0.8, alpha=0.55)
            panel.plot(tokens, accuracy, **_marker(style, palette))
            labels.append((accuracy, row.run, style))
        for method, (accuracy, tokens, _) in paper.items():
            panel.plot(tokens, accuracy, **_marker(hollow[method], palette))
            labels.append((accuracy, method, hollow[method]))
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        return labels

    title = f"{one.title}: accuracy over tokens at {_in_k(one.budget)}"
    png = _drawn(draw, title, _x_label("generated tokens, mean", paper), palette)
    return Picture(f"trade_off-{one.benchmark}.png", title, png)


def _papers_curves(comparison: Comparison, one: BenchmarkComparison) -> dict[str, list[tuple[int, float]]]:
    """Method → budget and accuracy in per cent, within the budgets of the runs."""
    least, most = min(one.by_budget), max(one.by_budget)
    curves = {
        method: [(budget, accuracy) for budget, (accuracy, *_) in points.items() if least <= budget <= most]
        for method, points in comparison.paper.curves.get(one.benchmark, {}).items()
    }
    return {method: points for method, points in curves.items() if points}


def _paper_styles(comparison: Comparison, one: BenchmarkComparison, palette: Palette) -> dict[str, Style]:
    """A method has the same style in both pictures."""
    methods = comparison.paper.methods.get(one.benchmark, {})
    return paper_styles(dict.fromkeys([*methods, *comparison.paper.curves.get(one.benchmark, {})]), palette)


def _x_label(x_label: str, paper: Mapping[str, object]) -> str:
    return f"{x_label}; hollow: the paper's" if paper else x_label


def _bounds(estimate: Estimate, unit: float = 1) -> list[float]:
    """Ends of a whisker; it has no length where there is no interval."""
    interval = estimate.interval
    low, high = (interval.low, interval.high) if interval else (estimate.value, estimate.value)
    return [unit * low, unit * high]


def _marker(style: Style, palette: Palette) -> dict[str, Any]:
    inside = style.colour if style.filled else palette.ground
    return {
        "marker": style.marker,
        "markersize": 6.5,
        "color": style.colour,
        "markerfacecolor": inside,
        "linestyle": "",
    }


def _with_room(budgets: Sequence[int]) -> list[int]:
    """The budgets whose labels do not overlap, from the largest down."""
    shown = [budgets[-1]]
    for budget in reversed(budgets[:-1]):
        if shown[-1] - budget >= 0.11 * (budgets[-1] - budgets[0]):
            shown.append(budget)
    return shown


def _in_k(budget: int) -> str:
    """6,144 → 6K, as the paper has it."""
    return f"{budget // 1024}K" if budget % 1024 == 0 else f"{budget:,}"


def _drawn(draw: Callable[[Axes], list[Label]], title: str, x_label: str, palette: Palette) -> bytes:
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with style.context("default"):  # whatever the matplotlibrc of this machine says
        layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.1)
        figure = Figure(figsize=(4.8, 3.3), dpi=200, facecolor=palette.ground, layout=layout)
        panel = figure.add_subplot(facecolor=palette.ground)
        labels = draw(panel)
        style_axes(panel, palette, size=10)
        panel.set_title(title, loc="left", fontsize=10.5, color=palette.ink, pad=10, parse_math=False)
        panel.set_xlabel(x_label, fontsize=10, color=palette.muted)
        panel.set_ylabel("accuracy in %", fontsize=10, color=palette.muted)
        _name_at_the_edge(panel, labels, palette)
        return png_of(figure)


def _name_at_the_edge(panel: Axes, labels: Sequence[Label], palette: Palette) -> None:
    """Markers and names to the right of the panel, each at the height of its value as far as the others leave room."""
    import numpy as np
    from matplotlib.transforms import ScaledTranslation
    from scipy.optimize import isotonic_regression

    labels = sorted(labels, key=lambda label: label[0], reverse=True)[::-1]  # of equals the first stands on top
    low, high = panel.get_ylim()
    line = min(_LINE, 1 / len(labels))
    gaps = np.arange(len(labels)) * line * (high - low)
    wanted = isotonic_regression(np.array([value for value, _, _ in labels]) - gaps).x
    heights = np.clip(wanted, low, high - gaps[-1]) + gaps
    edge, inch = panel.get_yaxis_transform(), panel.figure.dpi_scale_trans
    for_marker, for_name = (edge + ScaledTranslation(points / 72, 0, inch) for points in (12, 20))
    for height, (_, name, style) in zip(heights, labels, strict=True):
        panel.plot(1, height, transform=for_marker, clip_on=False, **(_marker(style, palette) | {"markersize": 5}))
        label = panel.text(1, height, shortened(name, _NAME), transform=for_name, va="center_baseline")
        colour = palette.ink if style.filled else palette.muted
        label.set(color=colour, fontsize=10 * line / _LINE, parse_math=False)
    panel.set_ylim(low, high)
