"""Only the end stays."""

from __future__ import annotations

from asap_hf.models.tokens import count_tokens
from asap_hf.pruners.keep_last import PositionScorer, keep_last
from asap_hf.traces.trace import Trace

STEPS = ("Let me see.", "Wait.", "There are 2 + 3 = 5 apples.", "Wait.", "So 5.")
TRACE = Trace.parse("How many?", "<think>\n" + "\n\n".join(STEPS) + "\n</think>\n\nIt is 5.", "paper")


def test_what_stays_is_the_longest_end_that_fits(embedded_model: str) -> None:
    ends = ["\n\n".join(STEPS[start:]) for start in range(5)]
    lengths = count_tokens(embedded_model, ends)
    assert lengths == sorted(set(lengths), reverse=True)
    for start, length in enumerate(lengths):
        for budget in {length, length + 1}:
            pruning = keep_last(embedded_model, max_tokens=budget).prune([TRACE])[0]
            assert pruning.trace.reasoning == next(
                end for end, size in zip(ends, lengths, strict=True) if size <= budget
            )
        assert keep_last(embedded_model, max_tokens=length).prune([TRACE])[0].trace.kept == tuple(range(start, 5))


def test_its_score_and_its_name(embedded_model: str) -> None:
    assert PositionScorer()([TRACE])[0] == {"scores": {"position": [0.0, 1.0, 2.0, 3.0, 4.0]}}
    assert keep_last(embedded_model, ratio=0.5).name == "keep_last"
