"""Draw the traces that pruners are compared on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

from ..errors import UnusableTrace, UsageError
from ..models.tokens import count_tokens
from ..runtime.ledger import ledger_key
from ..traces.rows import Columns, trace_of
from ..traces.trace import Trace
from .retention import Judge


def trace_key(trace: Trace) -> str:
    """A hash of question, reasoning and answer, the same for every splitter: 16 hex digits."""
    return ledger_key(trace.question, trace.source.reasoning, trace.answer)[:16]


@dataclass
class TraceSample:
    """A random sample of the usable traces that are short enough. With the same seed a larger one holds every smaller
    one.

    Args:
        columns ([`Columns`]):
            The columns of prompt and completion.
        judge ([`Judge`]):
            The judge, whose context must hold the whole trace.
        tokenizer (`str`):
            The model whose tokens are counted.
        max_tokens (`int`, *optional*):
            Longest reasoning.
        seed (`int`, *optional*, defaults to 0):
            Seed of the draw.
    """

    columns: Columns
    judge: Judge
    tokenizer: str
    max_tokens: int | None = None
    seed: int = 0
    fitting: int = field(default=0, init=False)
    """Rows that could be drawn."""
    left_out: Counter[str] = field(default_factory=Counter, init=False)
    """Reason → rows that could not."""

    def draw(self, rows: Iterable[Mapping[str, Any]], count: int | None = None) -> dict[str, Trace]:
        """By key, `count` traces at random, or all of them. No more than that many are held at a time.

        Raises:
            [`UsageError`]: if there is none.
        """
        ranked = ((ledger_key(self.seed, key), key, trace) for key, trace in self._usable(rows))
        drawn = nsmallest(count, ranked) if count is not None else sorted(ranked)
        if not drawn:
            raise UsageError(f"there is no trace to compare pruners on: {self.summary}")
        return {key: trace for _, key, trace in drawn}

    @property
    def summary(self) -> str:
        """`1,011 traces fit; left out: 5 loop, 320 too_long`"""
        reasons = [f"{count:,} {reason}" for reason, count in self.left_out.most_common()]
        return f"{self.fitting:,} traces fit" + (f"; left out: {', '.join(reasons)}" if reasons else "")

    def _usable(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Trace]]:
        seen: set[str] = set()
        for row in rows:
            try:
                trace = trace_of(row, self.columns)
            except UnusableTrace as error:
                self.left_out[error.reason] += 1
                continue
            key = trace_key(trace)
            if key in seen:
                self.left_out["twice"] += 1
            elif self._is_too_long(trace):
                self.left_out["too_long"] += 1
            else:
                self.fitting += 1
                yield key, trace
            seen.add(key)

    def _is_too_long(self, trace: Trace) -> bool:
        tokens = count_tokens(self.tokenizer, [trace.reasoning])[0]
        longest = self.max_tokens
        return (longest is not None and tokens > longest) or not self.judge.fits(trace, trace.reasoning)
