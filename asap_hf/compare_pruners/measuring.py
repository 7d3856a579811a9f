"""Measure what each way of pruning leaves of a trace, and how likely the answer is after it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..models.tokens import count_tokens
from ..pruners.budget import budget_in_tokens
from ..traces.trace import Trace
from .conditions import Condition
from .measures import code_kept_whole, opens_a_fence
from .results import Measurement
from .retention import Judge, Judgement
from .trace_sample import trace_key


@dataclass(frozen=True)
class Meter:
    """Measures conditions on one trace after another.

    Args:
        judge ([`Judge`]):
            Measures how likely the answer still is.
        tokenizer (`str`):
            The model whose tokens are counted.
        scratch (`Path`):
            A folder for ledgers that are thrown away.
    """

    judge: Judge
    tokenizer: str
    scratch: Path

    def expected_tokens(self, trace: Trace, conditions: Sequence[Condition]) -> int:
        """How many tokens the judge will read for these at most, if every budget holds."""
        rest, reasoning = self.judge.length(trace, ""), count_tokens(self.tokenizer, [trace.reasoning])[0]
        shares = [(one.ratio or 1.0) if one.pruner else 0.0 for one in conditions]
        return sum(rest + int(share * reasoning) for share in shares)

    def measure(self, trace: Trace, conditions: Sequence[Condition]) -> Iterator[Measurement]:
        """One result per condition, in order, as soon as it is measured; equal texts are judged once."""
        judged: dict[str, Judgement] = {}
        spent: dict[str, tuple[float, float]] = {}
        for _, group in groupby(conditions, key=lambda one: one.name):
            for condition, left, outcome in self._prune(trace, list(group), spent):
                first_time = left not in judged
                if first_time:
                    judged[left] = self.judge(trace, left)
                yield {
                    "trace": trace_key(trace),
                    "pruner": condition.name,
                    "ratio": condition.ratio,
                    "identity": condition.identity,
                    **outcome,
                    **self._sizes(trace, left, condition),
                    "nats": round(judged[left].nats, 6),
                    "read": judged[left].tokens if first_time else 0,
                }

    def _prune(
        self, trace: Trace, budgets: Sequence[Condition], spent: dict[str, tuple[float, float]]
    ) -> list[tuple[Condition, str, Measurement]]:
        """What is left under each budget of one method, why no valid pruning was found, and how long it took.

        The ledger of the operator is not read, so that the first budget takes the time that the method takes; the
        others find its scores, and tell no time. So does a method whose scores another one needed too: what that one
        has `spent`, in seconds by the clock and of the processor, is added to its own. An LLM's answers are looked for
        in the operator's ledger all the same.
        """
        found: list[tuple[Condition, str, Measurement]] = []
        scoring = budgets[0].scoring
        before = spent.get(scoring, (0.0, 0.0))
        with nullcontext() if budgets[0].asks_an_llm else _ledger(self.scratch / f"{os.getpid()}-{scoring}"):
            for condition in budgets:
                started = time.perf_counter(), time.process_time()
                left, reason = _left_of(trace, condition)
                took = time.perf_counter() - started[0] + before[0], time.process_time() - started[1] + before[1]
                spent.setdefault(scoring, took)
                seconds, cpu_seconds = (None, None) if found else (round(one, 4) for one in took)
                found.append((condition, left, {"reason": reason, "seconds": seconds, "cpu_seconds": cpu_seconds}))
        return found

    def _sizes(self, trace: Trace, left: str, condition: Condition) -> Measurement:
        before, tokens = count_tokens(self.tokenizer, [trace.reasoning, left])
        lines, whole = code_kept_whole(trace.reasoning, left)
        return {
            "tokens_before": before,
            "budget": None if condition.ratio is None else budget_in_tokens(None, condition.ratio, before),
            "tokens": tokens,
            "fence_opened": opens_a_fence(trace.reasoning, left),
            "code_lines": lines,
            "whole_code_lines": whole,
        }


def _left_of(trace: Trace, condition: Condition) -> tuple[str, str]:
    if condition.pruner is None:
        return "", ""
    (pruning,) = condition.pruner.prune([trace])
    return pruning.trace.reasoning, pruning.reason


@contextmanager
def _ledger(folder: Path) -> Iterator[None]:
    """Use the ledger in this folder in place of the operator's within the block."""
    former = os.environ.get("ASAP_HF_LEDGER")
    os.environ["ASAP_HF_LEDGER"] = str(folder)
    try:
        yield
    finally:
        if former is None:
            del os.environ["ASAP_HF_LEDGER"]
        else:
            os.environ["ASAP_HF_LEDGER"] = former
