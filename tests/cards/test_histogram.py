"""The picture on a card is drawn from run.json alone, and for one run it is always the same file."""

from __future__ import annotations

import json
import struct
from copy import deepcopy
from typing import Any

import matplotlib
import pytest

from asap_hf.cards.histogram import token_histogram
from tests.card_runs import BASELINES, RUNS, parts, run_of


def chunks(png: bytes) -> list[bytes]:
    found, place = [], 8
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        found.append(png[place + 4 : place + 8])
        place += 12 + size
    return found


@pytest.mark.parametrize("run", [RUNS["both stages, a ratio"], RUNS["wo_any"], BASELINES], ids=["two", "one", "four"])
def test_the_same_run_gives_the_same_picture(run: dict[str, Any]) -> None:
    picture = token_histogram(run)
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 50, "axes.facecolor": "red"}):
        assert token_histogram(json.loads(json.dumps(run))) == picture
    assert picture.startswith(b"\x89PNG")
    assert set(chunks(picture)) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}  # no text, no time
    changed = deepcopy(run)
    next(iter(parts(changed).values()))["summary"]["histogram"]["before"][1] += 5
    assert token_histogram(changed) != picture


def test_bins_that_begin_at_nothing_and_medians_at_the_rim_can_be_drawn() -> None:
    histogram = {"edges": [0, 16], "before": [3], "iterative": [3]}
    spread = {"total": 24, "median": 8, "max": 9}
    tokens = {"before": spread, "iterative": {"total": 6, "median": 1.5, "max": 3}}
    assert token_histogram(run_of("--pruner wo_coarse", "iterative", histogram=histogram, tokens=tokens))
