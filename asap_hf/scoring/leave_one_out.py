"""How leaving a step out changes the likelihood of the rest and of the answer: SPIRIT's and PIR's scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..traces.think_tags import canonical
from ..traces.trace import Trace
from .base import BATCH_TOKENS, ModelScorer
from .flops import CountedTrace, ForwardPass
from .outcome import ScoringFailure

if TYPE_CHECKING:
    from .forward import ScoringModel
    from .kept_prefix import KeptPrefix
    from .token_scores import Values
    from .tokenization import TraceTokenizer
    from .windows import Indexes


@dataclass(frozen=True)
class LeaveOneOutScorer(ModelScorer):
    r"""Scores a step by how the likelihood of the rest changes when the step is left out. Nothing is scored again
    after a removal: with hundreds of steps a trace that would be out of reach, and the ASAP paper does not either
    (Appendix A, "Baseline Details").

    Two scores come from the same forward passes, higher meaning more important:

    - `spirit_loo`: PPL(w | without the step) - PPL(w | all), where w is everything but the step. SPIRIT's idea, that a
      step matters if the rest becomes less likely without it, on the same tokens under both contexts. SPIRIT's formula
      to the letter, PPL(everything but the step) - PPL(everything), is not computed: the step's own tokens are in its
      second term alone, so that a step that is itself surprising would count as unimportant. Former versions stored
      it as `spirit_chain`; such answers are read, and that score is left out.
    - `pir`: log PPL(A | without the step) - log PPL(A | all), where A is the answer. LIMOPro's own formula was not
      seen; it also spares steps by their type, which is not done here.

    A step is left out as token ids, of one tokenisation of the whole text: the tokens whose last character it holds.
    What is left is not tokenised again, so that both contexts predict the same tokens. A step without tokens scores 0.

    Question, reasoning and answer are read once, and their keys and values kept. For each step, from the last to the
    first, only what follows it is read again: half the work of reading everything anew. The model must see the whole
    text at once: a longer trace has no scores, and the reason says so.

    Args:
        model_name_or_path, revision, context, dtype, device, max_batch_tokens, attn_implementation, deterministic:
            As [`ModelScorer`] has them.
        window (`int`, *optional*):
            Read only so many tokens of reasoning after the step, with the answer right behind them (under both
            contexts); by default all. A rough approximation, which the record names: it may rank the steps
            otherwise, and saves time only where far more reasoning follows than the window and the answer, which it
            reads twice. Not in either paper.
        include_answer (`bool`, *optional*, defaults to `True`):
            Whether `</think>` and the answer are part of what follows. Inferred: the papers do not say. Without it
            there is no `pir`.

    Example:
        >>> from asap_hf import LeaveOneOutScorer, Trace
        >>> steps = ("It is a nice day.\n\n", "The secret word is kumquat.")
        >>> [answer] = LeaveOneOutScorer("embedded")([Trace("What is the word?", steps, "It is kumquat.")])
        >>> first, second = answer["scores"]["pir"]
        >>> first < second
        True
    """

    window: int | None = None
    include_answer: bool = True

    version = "1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None and self.window < 1:
            raise UsageError(f"window is a number of tokens, 1 or more, not {self.window}")

    def forward_passes(self, counted: CountedTrace) -> Sequence[ForwardPass]:
        """The whole text, and for each step what follows it, after what stands before it in the KV cache."""
        answer = counted.answer if self.include_answer else 0
        place, left = counted.question, sum(counted.steps)
        found = [ForwardPass(0, place + left + answer, head_rows=left + answer)]
        for step in counted.steps:
            left -= step
            read = (left if self.window is None else min(left, self.window)) + answer
            found.append(ForwardPass(place, place + read, head_rows=read))
            place += step
        return found

    def compute(
        self, traces: Sequence[Trace], tokenizer: TraceTokenizer, model: ScoringModel
    ) -> Iterator[Mapping[int, Mapping[str, Any] | ScoringFailure]]:
        # A text goes alone as it is, but the pieces that a long one is read in show in the last digits.
        at_once = BATCH_TOKENS if self.deterministic else self.max_batch_tokens
        found = leave_one_out(traces, tokenizer, model, self.window, self.include_answer, at_once)
        return ({index: outcome} for index, outcome in found)

    def answer(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """The stored answer without `spirit_chain`, which former versions computed."""
        return {**stored, "scores": {name: one for name, one in stored["scores"].items() if name != "spirit_chain"}}


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
    from .kept_prefix import KeptPrefix

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
    one to the next only crops the cache.

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
    """The scores of each step from the surprisals of what follows it, without it and with it."""
    from .token_scores import rounded

    count = len(text.bounds) - 1
    loo, answer = np.zeros(count), np.zeros(count)
    for step, (begin, after) in enumerate(zip(text.bounds, text.bounds[1:], strict=False)):
        if begin == after:
            continue
        without, all_there = pairs.get(step, (np.zeros(0), np.zeros(0)))
        own = base[begin - text.bounds[0] : after - text.bounds[0]]
        rest, others = base.sum() - own.sum(), max(len(base) - len(own), 1)
        loo[step] = np.exp((rest + without.sum() - all_there.sum()) / others) - np.exp(rest / others)
        if text.answer_length:
            answer[step] = without[-text.answer_length :].mean() - all_there[-text.answer_length :].mean()
    scores = {"spirit_loo": loo} | ({"pir": answer} if text.include_answer else {})
    if not all(np.isfinite(values).all() for values in scores.values()):
        return ScoringFailure("not_finite")
    return {"scores": {name: list(rounded(values)) for name, values in scores.items()}}
