"""Colours and markers: a run looks the same in every picture and in the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

from .pictures import Palette

# Markers of Matplotlib, and the sign for each in a text. One fewer than the colours: the same pair comes back late.
SIGNS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖"}
_MARKERS = "osD^vP"


@dataclass(frozen=True)
class Look:
    """How one run is drawn."""

    colour: str
    marker: str
    """A marker of Matplotlib's."""
    filled: bool = True


def looks_of(names: Sequence[str], baseline: str | None, palette: Palette) -> dict[str, Look]:
    """The baseline is grey, the others are coloured in their order."""
    coloured = [name for name in names if name != baseline]
    looks = {name: Look(palette.baseline, "X") for name in names}
    for place, name in enumerate(coloured):
        looks[name] = Look(palette.runs[place % len(palette.runs)], _MARKERS[place % len(_MARKERS)])
    return looks


def looks_of_paper(methods: Iterable[str], palette: Palette) -> dict[str, Look]:
    """Hollow, and without a colour: not measured here."""
    return {method: Look(palette.muted, marker, filled=False) for method, marker in zip(methods, cycle(SIGNS))}
