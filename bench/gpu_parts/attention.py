"""Kinds of attention, packing without padding, and a compiled body: the same hidden states, other times."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from asap_hf.scoring.forward import ScoringModel

from .machine import Machine
from .models import drawn_lengths
from .report import Table
from .scoring import scoring_model

# On a CPU flex_attention is only there compiled, which takes longer than all the rest.
KINDS = {True: ("sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"), False: ("sdpa", "eager")}
_TITLE = "qwen2-7b, the bare body"
_CLOSE = 0.3  # of the largest hidden state: rounding stays far below it, a wrong attention does not


def kinds(machine: Machine) -> Iterator[Table]:
    """The bare body with each kind of attention that is there, a trace at a time."""
    lengths = drawn_lengths(8 if not machine.smallest else 2, machine)
    texts = random_ids(lengths, machine.device)
    table = Table(
        f"{_TITLE}, {len(lengths)} traces of {min(lengths):,} to {max(lengths):,} tokens, one at a time",
        ["attention", "tokens/s", "largest difference from sdpa"],
    )
    model, first = scoring_model("qwen2-7b", machine), None
    with torch.inference_mode():
        for kind in KINDS[machine.on_gpu]:
            try:
                model.model.set_attn_implementation(kind)
                hidden = model._hidden(texts[-1])
                times = machine.time(lambda: [model._hidden(text) for text in texts], repeats=1)
            except Exception as error:  # a kernel that is not installed, cannot be fetched or does not take this shape
                table.notes.append(f"{kind} is not there: {_first_line(error)}")
                continue
            first = hidden if first is None else first
            table.rows.append([kind, sum(lengths) / times.median, difference(hidden, first)])
    yield table


def packing(machine: Machine) -> Iterator[Table]:
    """Short traces: in padded batches, or one after the other in one row with an attention that knows where each
    begins."""
    lengths = [length // 8 for length in drawn_lengths(64 if not machine.smallest else 6, machine)]
    texts = random_ids(lengths, machine.device)
    model = scoring_model("qwen2-7b", machine)
    tokens = sum(lengths)
    table = Table(
        f"{_TITLE}, {len(lengths)} traces of {min(lengths):,} to {max(lengths):,} tokens",
        ["", "tokens/s", "tokens computed", "largest difference from each alone"],
        notes=["packed: rows of up to 16,384 tokens without padding"],
    )
    with torch.inference_mode():
        alone = [model._hidden(text)[0] for text in texts]
        times = machine.time(lambda: [model._hidden(text) for text in texts], repeats=1)
        table.rows.append(["each alone", tokens / times.median, float(tokens), 0.0])
        groups = [texts[at : at + 8] for at in range(0, len(texts), 8)]
        padded = [_padded(group) for group in groups]
        times = machine.time(lambda: [model._hidden(batch) for batch in padded], repeats=1)
        found = [
            row[: len(text[0])]
            for batch, group in zip(padded, groups, strict=True)
            for row, text in zip(model._hidden(batch), group, strict=True)
        ]
        table.rows.append(
            ["padded, 8 at once", tokens / times.median, float(sum(map(Tensor.numel, padded))), worst(found, alone)]
        )
        for name, attend in PACKED.items():
            try:
                found = _packed(model, texts, attend)
                times = machine.time(partial(_packed, model, texts, attend), repeats=1)
            except Exception as error:  # as above
                table.notes.append(f"packed, {name}: does not run here: {_first_line(error)}")
                continue
            table.rows.append([f"packed, {name}", tokens / times.median, float(tokens), worst(found, alone)])
    yield table


def compiled(machine: Machine) -> Iterator[Table]:
    """The body through `torch.compile` with dynamic lengths."""
    lengths = drawn_lengths(8 if not machine.smallest else 2, machine)
    texts = random_ids(lengths, machine.device)
    model = scoring_model("qwen2-7b", machine)
    table = Table(
        f"{_TITLE}, {len(lengths)} traces of {min(lengths):,} to {max(lengths):,} tokens, one at a time",
        ["", "tokens/s", "s before the first result", "largest difference"],
    )
    body: Any = torch.compile(model.body, dynamic=True, backend="inductor" if machine.on_gpu else "eager")
    with torch.inference_mode():
        eager = model._hidden(texts[-1])
        times = machine.time(lambda: [model._hidden(text) for text in texts], repeats=1)
        table.rows.append(["as it is", sum(lengths) / times.median, 0.0, 0.0])

        def run(text: Tensor) -> Tensor:
            hidden: Tensor = body(input_ids=text, use_cache=False).last_hidden_state
            return hidden

        started = machine.time(lambda: run(texts[0]), repeats=1, warmup=0)
        times = machine.time(lambda: [run(text) for text in texts], repeats=1)
        table.rows.append(
            [
                "torch.compile(dynamic=True)",
                sum(lengths) / times.median,
                started.median,
                difference(run(texts[-1]), eager),
            ]
        )
    yield table
    torch.compiler.reset()


def random_ids(lengths: Sequence[int], device: str) -> list[Tensor]:
    """Texts of shape `(1, length)`."""
    draw = np.random.default_rng(4)
    return [torch.from_numpy(draw.integers(2, 2000, length))[None].to(device) for length in lengths]


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest value.

    Raises:
        `AssertionError`: if it is more than rounding.
    """
    assert found.shape == expected.shape and found.dtype == expected.dtype
    share = float((found - expected).float().abs().max() / expected.float().abs().max())
    assert share < _CLOSE, f"the hidden states differ by {share:.1%} of the largest"
    return share


def worst(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest `difference` over several texts."""
    return max(difference(one, other) for one, other in zip(found, expected, strict=True))


def _padded(group: Sequence[Tensor]) -> Tensor:
    longest = max(text.shape[1] for text in group)
    return torch.cat([pad(text, (0, longest - text.shape[1])) for text in group])


Attend = Callable[[Tensor, Tensor, Tensor, list[int], float], Tensor]


def _packed(model: ScoringModel, texts: Sequence[Tensor], attend: Attend, most: int = 16384) -> list[Tensor]:
    """Hidden states of every text, from rows that hold several."""
    rows: list[list[Tensor]] = [[]]
    for text in texts:
        if rows[-1] and sum(one.shape[1] for one in rows[-1]) + text.shape[1] > most:
            rows.append([])
        rows[-1].append(text)
    return [hidden for row in rows for hidden in _one_row(model, row, attend)]


def _one_row(model: ScoringModel, row: Sequence[Tensor], attend: Attend) -> Sequence[Tensor]:
    from transformers import AttentionInterface

    lengths = [text.shape[1] for text in row]

    def attention(
        module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, scaling: float | None = None, **_: Any
    ) -> tuple[Tensor, None]:
        scale = scaling if scaling is not None else query.shape[-1] ** -0.5
        return attend(query[0], key[0], value[0], lengths, scale)[None], None

    AttentionInterface.register("packed", attention)
    places = torch.cat([torch.arange(length) for length in lengths])[None].to(model.device)
    before = model.model.config._attn_implementation
    model.model.set_attn_implementation("packed")
    try:
        hidden: Tensor = model.body(
            input_ids=torch.cat(list(row), 1), position_ids=places, use_cache=False
        ).last_hidden_state
    finally:
        model.model.set_attn_implementation(before)
    return torch.split(hidden[0], lengths)


def _loop(query: Tensor, key: Tensor, value: Tensor, lengths: list[int], scale: float) -> Tensor:
    """Heads first in, tokens first out: sdpa for each text, everything else in one row."""
    parts = zip(*(torch.split(one, lengths, 1) for one in (query, key, value)), strict=True)
    return torch.cat(
        [
            scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, scale=scale, enable_gqa=True)[0]
            for q, k, v in parts
        ],
        1,
    ).transpose(0, 1)


def _varlen(query: Tensor, key: Tensor, value: Tensor, lengths: list[int], scale: float) -> Tensor:
    """PyTorch's own kernel for texts of several lengths (2.10 and later), which takes other options from version to
    version. Its scale is the default one where none can be given."""
    from torch.nn.attention.varlen import varlen_attn

    attend: Any = varlen_attn
    known = inspect.signature(attend).parameters
    options: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    options |= {"scale": scale} if "scale" in known else {}
    q, k, v = (one.transpose(0, 1).contiguous() for one in (query, key, value))
    if "enable_gqa" in known:
        options["enable_gqa"] = True
    else:
        k, v = (one.repeat_interleave(q.shape[1] // one.shape[1], 1) for one in (k, v))
    ends = _ends(tuple(lengths), query.device)
    out: Tensor = attend(q, k, v, ends, ends, max(lengths), max(lengths), **options)
    return out


def _flex(query: Tensor, key: Tensor, value: Tensor, lengths: list[int], scale: float) -> Tensor:
    attend = _flex_attention(query.is_cuda)
    mask = _block_mask(tuple(lengths), query.device)
    out: Tensor = attend(query[None], key[None], value[None], block_mask=mask, scale=scale, enable_gqa=True)
    return out[0].transpose(0, 1)


@cache
def _flex_attention(compiled: bool) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True) if compiled else flex_attention


@lru_cache(maxsize=8)
def _block_mask(lengths: tuple[int, ...], device: torch.device) -> Any:
    """Which blocks of a row look at which: the same for every layer."""
    from torch.nn.attention.flex_attention import create_block_mask

    owner = torch.repeat_interleave(torch.tensor(lengths, device=device))

    def same_text(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return (owner[q] == owner[k]) & (q >= k)

    return create_block_mask(same_text, None, None, sum(lengths), sum(lengths), device=str(device))


@lru_cache(maxsize=8)
def _ends(lengths: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)


PACKED: dict[str, Attend] = {"sdpa in a loop": _loop, "varlen_attn": _varlen, "flex_attention": _flex}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().split("\n")[0] or type(error).__name__)[:160]
