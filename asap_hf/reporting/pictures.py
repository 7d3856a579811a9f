"""Colours, axes and PNG output of all pictures; the same bytes on every machine."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """The colours of a picture, for a light or a dark page."""

    ground: str
    ink: str
    muted: str
    rule: str
    baseline: str
    """Colour of the baseline."""
    runs: tuple[str, ...]


LIGHT = Palette(
    ground="#ffffff",
    ink="#1f2328",
    muted="#656d76",
    rule="#d8dee4",
    baseline="#8c959f",
    runs=("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#bf3989", "#1b7c83", "#9a6700"),
)
DARK = Palette(
    ground="#0d1117",
    ink="#e6edf3",
    muted="#9198a1",
    rule="#30363d",
    baseline="#848d97",
    runs=("#4493f8", "#f0883e", "#ab7df8", "#3fb950", "#db61a2", "#39c5cf", "#d29922"),
)


def style_axes(panel: Axes, palette: Palette, size: float) -> None:
    """Remove the frame but for the line below, and draw faint grid lines and grey numbers.

    Args:
        panel (`Axes`):
            What is changed.
        palette ([`Palette`]):
            Its colours.
        size (`float`):
            Of the numbers, in points.
    """
    panel.spines[["left", "right", "top"]].set_visible(False)
    panel.spines["bottom"].set_color(palette.rule)
    panel.grid(axis="y", color=palette.rule, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.tick_params(length=0, labelsize=size, labelcolor=palette.muted)


def png_of(figure: Figure) -> bytes:
    """The figure as PNG, without the name of the program that made it."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
