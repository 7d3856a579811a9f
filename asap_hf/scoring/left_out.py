"""Leave out each step in turn: one pass over the whole text, then for each step one over what follows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..traces.think_tags import canonical
from ..traces.trace import Trace
from .forward import ScoringModel
from .kept_prefix import KeptPrefix
from .outcome import ScoringFailure
from .token_scores import Values, rounded
from .tokenization import TraceTokenizer
from .windows import Indexes

Outcome = dict[str, Any] | ScoringFailure


def leave_one_out(
    traces: Sequence[Trace],
    tokenizer: TraceTokenizer,
    model: ScoringModel,
    window: int | None,
    include_answer: bool,
    max_batch_tokens: int,
) -> Iterator[tuple[int, Outcome]]:
    """Scores of each trace with its position in `traces`, one trace after the other.

    Args:
        traces (`Sequence[Trace]`):
            What to score.
        tokenizer (`TraceTokenizer`), model (`ScoringModel`):
            From [`asap_hf.scoring.steps.load`].
        window, include_answer, max_batch_tokens:
            As [`LeaveOneOutScorer`] has them.

    Raises:
        [`RunError`]: if the model keeps no keys and values that a part could be taken back of.
    """
    prefix = KeptPrefix(model, max_batch_tokens)
    prefix.check(tokenizer.sample_ids)
    limit = model.limit(None)
    # The answer as one more step, and what closes the reasoning as another: found by the same offsets.
    whole = [replace(trace, steps=(*trace.steps, canonical(trace.closing), trace.answer)) for trace in traces]
    for index, tokenised in enumerate(tokenizer(whole)):
        if tokenised is None:
            yield index, ScoringFailure("not_encodable")
        elif tokenised.start == 0:
            yield index, ScoringFailure("nothing_before")
        elif limit is not None and len(tokenised.ids) > limit:
            yield index, ScoringFailure(f"too_long: {len(tokenised.ids)} tokens, and the model sees {limit}")
        else:
            count = len(whole[index].steps)
            bounds = tokenised.start + np.searchsorted(tokenised.owner, np.arange(count + 1))
            text = _Text(tokenised.ids, bounds[: count - 1], int(bounds[-2]), include_answer)
            yield index, _score(text, prefix, window)


@dataclass(frozen=True)
class _Text:
    """Token ids; where each step's own begin, and last where `</think>`'s do; where the answer's begin; and whether
    the answer counts."""

    ids: Indexes
    bounds: Indexes
    answer: int
    include_answer: bool

    @property
    def closing(self) -> int:
        return int(self.bounds[-1])

    @property
    def end(self) -> int:
        return len(self.ids) if self.include_answer else self.closing

    @property
    def answer_length(self) -> int:
        return len(self.ids) - self.answer if self.include_answer else 0


def _score(text: _Text, prefix: KeptPrefix, window: int | None) -> Outcome:
    start, closing, end = int(text.bounds[0]), text.closing, text.end
    prefix.back_to(0)
    base = np.full(end, np.nan)
    found = prefix.surprisals(text.ids[:end], first=start)
    if found is None:
        return ScoringFailure("out_of_memory")
    base[start:] = found
    without: dict[int, Values] = {}
    tails: dict[int, Values] = {}
    for place, step, reach, is_without in _passes(text, window):
        prefix.back_to(place)
        following = text.ids[text.bounds[step + 1] : reach] if is_without else text.ids[:0]
        ids = np.concatenate((text.ids[place : place + 1], following, text.ids[closing:end]))
        found = prefix.surprisals(ids, first=1)
        if found is None:
            return ScoringFailure("out_of_memory")
        (without if is_without else tails)[step] = found
    pairs = {}
    for step, values in without.items():
        after, tail = int(text.bounds[step + 1]), tails.get(step, base[closing:end])
        reach = after + len(values) - len(tail)
        pairs[step] = values, np.concatenate((base[after:reach], tail))
    return _scores(text, base[start:], pairs)


def _passes(text: _Text, window: int | None) -> list[tuple[int, int, int, bool]]:
    """What to read after the first pass: `(place, step, reach, without)`, the last places first, so that going from
    one to the next only ever forgets.

    From `place` on the text is read anew: the step left out, up to `reach`, then the answer. Where the window ends
    before the reasoning does, the answer right behind it is read with the step in its place, too.
    """
    passes = []
    for step, (begin, after) in enumerate(zip(text.bounds, text.bounds[1:], strict=False)):
        reach = text.closing if window is None else min(int(after) + window, text.closing)
        follows = reach > after or text.end > text.closing
        if begin == after or not follows:
            continue
        passes.append((int(begin) - 1, step, reach, True))
        if reach < text.closing and text.include_answer:
            passes.append((reach - 1, step, reach, False))
    return sorted(passes, reverse=True)


def _scores(text: _Text, base: Values, pairs: dict[int, tuple[Values, Values]]) -> Outcome:
    """The three scores of each step from the surprisals of what follows it, without it and with it."""
    count = len(text.bounds) - 1
    loo, chain, answer = np.zeros(count), np.zeros(count), np.zeros(count)
    for step, (begin, after) in enumerate(zip(text.bounds, text.bounds[1:], strict=False)):
        if begin == after:
            continue
        without, all_there = pairs.get(step, (np.zeros(0), np.zeros(0)))
        own = base[begin - text.bounds[0] : after - text.bounds[0]]
        rest, others = base.sum() - own.sum(), max(len(base) - len(own), 1)
        rest_without = np.exp((rest + without.sum() - all_there.sum()) / others)
        loo[step] = rest_without - np.exp(rest / others)
        chain[step] = rest_without - np.exp(base.mean())
        if text.answer_length:
            answer[step] = without[-text.answer_length :].mean() - all_there[-text.answer_length :].mean()
    scores = {"spirit_loo": loo, "spirit_chain": chain} | ({"pir": answer} if text.include_answer else {})
    if not all(np.isfinite(values).all() for values in scores.values()):
        return ScoringFailure("not_finite")
    return {"scores": {name: list(rounded(values)) for name, values in scores.items()}}
