"""Colours and markers of the runs, the same in every picture and in the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

from .pictures import Palette

# Markers of Matplotlib, and the sign for each in a text. One fewer than the colours: the same pair comes back late.
SIGNS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖"}
_MARKERS = "osD^vP"


@dataclass(frozen=True)
class Style:
    """How one run is drawn."""

    colour: str
    marker: str
    """A marker of Matplotlib's."""
    filled: bool = True


def run_styles(names: Sequence[str], baseline: str | None, palette: Palette) -> dict[str, Style]:
    """The baseline is grey, the others are coloured in their order."""
    coloured = [name for name in names if name != baseline]
    styles = {name: Style(palette.baseline, "X") for name in names}
    for place, name in enumerate(coloured):
        styles[name] = Style(palette.runs[place % len(palette.runs)], _MARKERS[place % len(_MARKERS)])
    return styles


def paper_styles(methods: Iterable[str], palette: Palette) -> dict[str, Style]:
    """Hollow markers without a colour: the paper's numbers were not measured here."""
    return {method: Style(palette.muted, marker, filled=False) for method, marker in zip(methods, cycle(SIGNS))}
