"""The whole reasoning, and what its prompt may say about that."""

from __future__ import annotations

from asap_hf.pruners.base import Pruning, Sequential
from asap_hf.pruners.c3ot import LONG
from asap_hf.pruners.original import OriginalPruner
from asap_hf.traces.trace import Trace

TRACE = Trace.parse("How many?", "<think>\none\n\ntwo\n</think>\n\n5", "paper")


def test_nothing_is_pruned_and_nothing_said() -> None:
    assert OriginalPruner().prune([TRACE, TRACE]) == [Pruning(TRACE), Pruning(TRACE)]
    assert OriginalPruner().prune([TRACE])[0].trace is TRACE
    assert OriginalPruner().prune([]) == []
    assert OriginalPruner().name == "original"


def test_the_prompt_may_say_that_it_is_the_long_one() -> None:
    assert OriginalPruner(before=LONG, after="!").prune([TRACE])[0].conditioned == ("[long] ", "!")


def test_it_leaves_the_rows_text_as_no_stage_does() -> None:
    batch = {"prompt": ["How many?"], "completion": [TRACE.completion]}
    alone, none = OriginalPruner()(batch), Sequential(())(batch)
    assert {name: alone[name] for name in ("completion", "kept", "ok", "reason")} == {
        name: none[name] for name in ("completion", "kept", "ok", "reason")
    }
