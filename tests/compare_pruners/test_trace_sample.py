"""Which rows become traces of a comparison."""

from __future__ import annotations

import pytest

from asap_hf.compare_pruners.retention import Judge
from asap_hf.compare_pruners.trace_sample import TraceSample, trace_key
from asap_hf.errors import UsageError
from asap_hf.traces.rows import Columns
from asap_hf.traces.trace import Trace
from tests.compare_pruners.traces import rows, small_model

BROKEN = [
    {"prompt": "p", "completion": "<think>\nnever ends"},
    {"prompt": "", "completion": "<think>\na\n</think>\nb"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("draw"))


def draw(model: str, **more: int) -> TraceSample:
    return TraceSample(Columns("prompt", "completion"), Judge(model, device="cpu"), model, **more)


def test_every_row_is_drawn_or_counted_with_its_reason(model: str) -> None:
    long = {"prompt": "p", "completion": f"<think>\n{' '.join(map(str, range(400)))}\n</think>\n\nanswer"}
    beyond = {"prompt": "p", "completion": f"<think>\n{' '.join(map(str, range(4000)))}\n</think>\n\nanswer"}
    drawing = draw(model, max_tokens=900)
    drawn = drawing.draw([*rows(3), *BROKEN, *rows(2), long, beyond])
    assert sorted(one.question for one in drawn.values()) == [f"Print {number} squares." for number in range(3)]
    assert drawing.summary == "3 traces fit; left out: 2 twice, 2 too_long, 1 unclosed_think, 1 no_question"
    without = draw(model)
    assert len(without.draw([*rows(1), long, beyond])) == 2
    assert without.left_out == {"too_long": 1}  # more than the judge can read at once


def test_a_larger_draw_holds_a_smaller_one_and_the_order_of_the_rows_is_nothing_to_it(model: str) -> None:
    small = draw(model).draw(rows(12), 3)
    assert list(draw(model).draw(reversed(rows(12)), 7))[:3] == list(small)
    assert list(draw(model).draw(rows(12), 100)) == list(draw(model).draw(rows(12)))
    assert list(draw(model, seed=1).draw(rows(12), 3)) != list(small)
    assert all(trace_key(trace) == key for key, trace in small.items())


def test_a_key_does_not_know_how_a_trace_was_cut(model: str) -> None:
    row = rows(1)[0]
    code, paper = (Trace.parse(row["prompt"], row["completion"], splitter) for splitter in ("code", "paper"))
    assert trace_key(code) == trace_key(paper) == trace_key(paper.select([1, 3]))
    assert trace_key(code) != trace_key(Trace.parse("Another question.", row["completion"]))


def test_nothing_to_draw_from_is_refused_with_the_reasons(model: str) -> None:
    with pytest.raises(UsageError, match="0 traces fit; left out: 1 unclosed_think, 1 no_question"):
        draw(model).draw(BROKEN)
