"""TokenSkip, a baseline of Table 1: LLMLingua-2 at several ratios, and a prompt that says which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UsageError
from ..models.tokens import count_tokens
from ..runtime.ledger import ledger_key
from ..scoring.flops import CountedTrace
from ..traces.trace import Trace
from .base import Pruner, Pruning
from .budget import check_budget
from .cost import Cost
from .llmlingua2 import COMPRESSOR, RELEASED, LLMLingua2Pruner, classifier
from .method import Method, Options


@dataclass(frozen=True)
class TokenSkipPruner(Pruner):
    """Cut each reasoning to a ratio of its own, which the prompt tells (Xia et al. 2025; Table 1, Appendix A).

    The user's message is followed by the ratio between two `<|eot_id|>`, as the authors have it for every family of
    models; after training, that text in a prompt asks for that much reasoning. A trace that stays whole has its plain
    prompt. The words are [`LLMLingua2Pruner`]'s, whose authors' rule applies at the drawn ratio.

    The ratio is drawn from a hash of `seed` and the trace, so that it is the same in any order, batch and process; the
    authors draw in the order of the dataset. TokenSkip trains on correct and short samples alone: filter before.

    Args:
        tokenizer (`str`):
            As [`LLMLingua2Pruner`] has it.
        max_tokens (`int`, *optional*):
            One budget in tokens for all traces instead of a drawn ratio; the ratio told is what it comes to, in
            tenths.
        ratio (`float`, *optional*):
            One ratio for all traces, held to the token.
        ratios (`tuple[float, ...]`, *optional*, defaults to `(1.0, 0.9, 0.8, 0.7, 0.6, 0.5)`):
            What is drawn from, each as likely (0.5 to 1.0 in Appendix A; the steps of 0.1 are TokenSkip's).
        seed (`int`, *optional*, defaults to 42):
            TokenSkip's.
        model_name_or_path, revision, force_tokens, force_reserve_digit, drop_consecutive, max_length, own_ends, dtype,
        device, deterministic:
            As [`LLMLingua2Pruner`] has them.

    Example:
        >>> from asap_hf import TokenSkipPruner, Trace
        >>> pruner = TokenSkipPruner("embedded", ratio=0.7)
        >>> pruner.told_ratio(Trace("What is 2 + 3?", ("That is 5.",), "5"))
        0.7
    """

    tokenizer: str
    max_tokens: int | None = None
    ratio: float | None = None
    ratios: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    seed: int = 42
    model_name_or_path: str = RELEASED
    revision: str | None = None
    force_tokens: tuple[str, ...] = ()
    force_reserve_digit: bool = False
    drop_consecutive: bool = False
    max_length: int = 512
    own_ends: bool = False
    dtype: str = "float32"
    device: str | None = None
    deterministic: bool = field(default=False, kw_only=True)

    version = "2"
    _rank = None

    def __post_init__(self) -> None:
        for name in ("ratios", "force_tokens"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.max_tokens is not None or self.ratio is not None:
            check_budget(self.max_tokens, self.ratio)
        if not self.ratios or not all(0 < ratio <= 1 for ratio in self.ratios):
            raise UsageError(f"ratios are shares of tokens to keep, over 0 and at most 1; got {self.ratios}")
        self._compressor(self.ratios[0])

    @property
    def name(self) -> str:
        return "tokenskip"

    @property
    def conditions(self) -> bool:
        return True

    def to_rank(self, rank: int | None) -> None:
        object.__setattr__(self, "_rank", rank)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """As [`LLMLingua2Pruner`] has it."""
        return self._compressor(1.0).fingerprint

    def cost(self, counted: CountedTrace) -> Cost:
        return self._compressor(1.0).cost(counted)

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        ratios = [self.told_ratio(trace) for trace in traces]
        prunings: dict[int, Pruning] = {}
        for ratio in sorted(set(ratios)):
            places = [place for place, one in enumerate(ratios) if one == ratio]
            pruned = self._compressor(ratio).prune([traces[place] for place in places])
            prunings |= dict(zip(places, pruned, strict=True))
        return [_with_ratio(prunings[place], ratio) for place, ratio in enumerate(ratios)]

    def told_ratio(self, trace: Trace) -> float:
        """The ratio that the prompt of a trace tells, if anything of it is cut."""
        if self.ratio is not None:
            return self.ratio
        if self.max_tokens is not None:
            whole = count_tokens(self.tokenizer, [trace.source.reasoning])[0]
            return min(1.0, max(0.1, round(self.max_tokens / max(1, whole), 1)))
        drawn = int(ledger_key("tokenskip", self.seed, trace.source.question, trace.source.reasoning), 16)
        return self.ratios[drawn % len(self.ratios)]

    def _compressor(self, rate: float) -> LLMLingua2Pruner:
        compressor = LLMLingua2Pruner(
            self.tokenizer,
            self.max_tokens,
            self.ratio,
            self.model_name_or_path,
            self.revision,
            rate,
            self.force_tokens,
            self.force_reserve_digit,
            self.drop_consecutive,
            self.max_length,
            self.own_ends,
            self.dtype,
            self.device,
            deterministic=self.deterministic,
        )
        compressor.to_rank(self._rank)
        return compressor


def _with_ratio(pruning: Pruning, ratio: float) -> Pruning:
    """The pruning with its ratio in the prompt, if anything was cut."""
    if "rewritten" not in pruning.record:
        return pruning
    record = {**pruning.record, "told_ratio": ratio}
    return replace(pruning, record=record, conditioned=("", f"<|eot_id|>{ratio:g}<|eot_id|>"))


def _stages(options: Options) -> tuple[Pruner, ...]:
    seed = options.arguments.seed
    return (TokenSkipPruner(options.tokenizer, **options.budget, seed=seed, **classifier(options)),)


METHODS = (
    Method(
        "tokenskip",
        _stages,
        "the paper's baseline TokenSkip (Table 1): LLMLingua-2 at a ratio drawn for each row, which its prompt tells",
        paper="Table 1",
        settings=(*COMPRESSOR, "seed"),
        budget={},
        whole_steps=False,
    ),
)
