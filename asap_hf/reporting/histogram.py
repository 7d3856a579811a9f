"""Count rows by their number of tokens, in bins of a quarter octave."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

# Bounds of the bins in tokens: quarter octaves from 16 to 131,072; what is longer falls into the last bin.
_EDGES = [0, *(round(16 * 2 ** (quarter / 4)) for quarter in range(53))]


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
