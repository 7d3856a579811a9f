"""Scoring: tokens a second and share of the measured peak, memory against length, batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch

from asap_hf.scoring.flops import flops_per_trace
from asap_hf.scoring.forward import ScoringModel
from asap_hf.scoring.outcome import StepScores
from asap_hf.scoring.steps import score_steps
from asap_hf.scoring.tokenization import TraceTokenizer
from asap_hf.scoring.windows import Window
from asap_hf.traces.trace import Trace

from ..score import reference_positions, reference_removal, reference_scores
from .machine import Machine
from .models import drawn_lengths, random_model, shape, tokenizer, traces_of
from .report import Table

TRACES, REFERENCE_TRACES = 16, 3
MEMORY_LENGTHS = (1024, 2048, 4096, 8192, 16384, 32768)
BATCHES = (1, 8192, 16384, 32768, 65536, 131072)
MEAN_TOKENS, RUN = 9300, 10_000  # a trace of codeforces-cots; traces of the goal below
GOAL_SHARE, GOAL_MINUTES = 0.6, 50


@cache
def peak_flops(machine: Machine) -> float:
    """Bfloat16 FLOP/s of a square matrix product of random numbers, in this run."""
    size, products = (8192, 10) if machine.on_gpu else (256, 1)
    a, b = (torch.randn(size, size, device=machine.device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(a)
    times = machine.time(lambda: [torch.mm(a, b, out=out) for _ in range(products)], repeats=5)
    return products * 2 * size**3 / times.median


def scoring_model(name: str, machine: Machine, attention: str = "sdpa") -> ScoringModel:
    """A model of this shape with random weights, as the scorer holds one."""
    return ScoringModel(
        random_model(shape(name, machine), machine.device, attention=attention), torch.device(machine.device)
    )


def windows_of(lengths: Sequence[int], every: int = 27) -> list[Window]:
    """Windows of these many tokens, of which one in `every` (a step's first in codeforces-cots) is scored."""
    draw = np.random.default_rng(3)
    windows = []
    for number, length in enumerate(lengths):
        ids = draw.integers(2, 2000, length)
        wanted = np.arange(min(8, length - 1), length, every)
        windows.append(Window(number, ids, wanted - 1, ids[wanted], slice(0, len(wanted))))
    return windows


def throughput(machine: Machine, name: str, ways: Sequence[str] = ()) -> Iterator[Table]:
    """Every way over the same traces."""
    model, encode = scoring_model(name, machine), TraceTokenizer(tokenizer(), "raw")
    traces = traces_of(drawn_lengths(TRACES if not machine.smallest else 4, machine))
    lengths = [len(one.ids) for one in encode(traces) if one is not None]
    peak = peak_flops(machine)
    table = Table(
        f"{name}: {len(traces)} traces of {min(lengths):,} to {max(lengths):,} tokens, bfloat16, sdpa; the device "
        f"multiplies matrices at {peak / 1e12:.3g} TFLOP/s",
        ["", "tokens/s", "of the peak", "× the bare body", f"min per {RUN:,} traces", "slowest/fastest run"],
    )
    middle = slice((len(traces) - REFERENCE_TRACES) // 2, (len(traces) + REFERENCE_TRACES) // 2)
    body = 0.0
    for way, work in _ways(model, encode, traces).items():
        if ways and way not in ways:
            continue
        few = way in _SLOW
        chosen, sizes = (traces[middle], lengths[middle]) if few else (traces, lengths)
        times = machine.time(partial(work, chosen), repeats=1 if few else 2, warmup=0 if few else 1)
        speed = sum(sizes) / times.median
        flops = sum(flops_per_trace(model.config, size) for size in sizes)
        body = body or speed
        minutes = RUN * MEAN_TOKENS / speed / 60
        table.rows.append([way, speed, flops / times.median / peak, body / speed, minutes, times.spread])
    table.notes += _notes(table, machine)
    yield table


_SLOW = ("the authors' way",)


def _notes(table: Table, machine: Machine) -> Iterator[str]:
    share = next(row[2] for row in table.rows if row[0] == "first-token scores")
    if isinstance(share, float) and not machine.smallest:
        yield (
            f"goal: first-token scores at {GOAL_SHARE:.0%} of the peak, which on an H200 is {RUN:,} traces of "
            f"{MEAN_TOKENS:,} tokens in {GOAL_MINUTES} min: {'reached' if share >= GOAL_SHARE else 'missed'}"
        )
    if any(row[0] in _SLOW for row in table.rows):
        yield (
            f"the authors' way: the {REFERENCE_TRACES} traces in the middle, each prefix encoded anew, full logits "
            "and log-softmax, the text encoded after each removal"
        )
        yield (
            "rank-surprisal ratio: sum of min(rank, 100) over sum of surprisal (arXiv 2601.14249), one more reduction "
            "of our pass; its authors state 5,000 traces of up to 32K tokens in about an hour on an H200"
        )


def _ways(model: ScoringModel, encode: TraceTokenizer, traces: list[Trace]) -> dict[str, Callable[[list[Trace]], Any]]:
    return {
        "the bare body": partial(run_body, model, encode),
        "first-token scores": partial(run_ours, model, encode, False),
        "all five scores": partial(run_ours, model, encode, True),
        "rank-surprisal ratio": partial(run_rank_surprisal, model, encode),
        "the authors' way": partial(run_reference, model, encode),
    }


@torch.inference_mode()
def run_body(model: ScoringModel, encode: TraceTokenizer, traces: list[Trace]) -> None:
    for one in encode(traces):
        assert one is not None
        hidden = model._hidden(torch.from_numpy(one.ids)[None].to(model.device))
        assert hidden.shape[:2] == (1, len(one.ids)) and hidden.dtype == torch.bfloat16


def run_ours(model: ScoringModel, encode: TraceTokenizer, all_scores: bool, traces: list[Trace]) -> None:
    """What `asap-hf prune` does with the traces, from text to scores."""
    found: dict[int, Any] = {}
    for outcomes in score_steps(traces, encode, model, all_scores):
        found |= outcomes
    for place, trace in enumerate(traces):
        scores = found[place]
        assert isinstance(scores, StepScores) and len(scores.first_token_surprisal) == len(trace.steps)
        assert np.isfinite(scores.first_token_surprisal).all() and min(scores.first_token_surprisal) >= 0


@torch.inference_mode()
def run_rank_surprisal(
    model: ScoringModel, encode: TraceTokenizer, traces: list[Trace], most: int = 100
) -> list[float]:
    """The rank-surprisal ratio of each trace, from the hidden states of our pass."""
    ratios = []
    for one in encode(traces):
        assert one is not None
        hidden = model._hidden(torch.from_numpy(one.ids)[None].to(model.device))[0]
        targets = torch.from_numpy(one.ids).to(model.device)
        ranks, surprisals = torch.zeros((), device=model.device), torch.zeros((), device=model.device)
        for begin in range(one.start, len(one.ids), 1024):
            chosen = targets[begin : begin + 1024, None]
            logits = model.head.logits(hidden[begin - 1 : begin - 1 + len(chosen)], 0, len(model.head.weight))
            own = logits.gather(1, chosen)
            ranks += (1 + (logits > own).sum(-1)).clamp_max(most).sum()
            surprisals += (logits.logsumexp(-1) - own[:, 0]).sum()
        ratios.append(float(ranks / surprisals))
    assert np.isfinite(ratios).all() and min(ratios) > 0
    return ratios


def run_reference(model: ScoringModel, encode: TraceTokenizer, traces: list[Trace]) -> None:
    """What the authors' code does with the traces."""
    for trace in traces:
        scores = reference_scores(model, *reference_positions(encode, trace))
        assert len(scores) == len(trace.steps)
        reference_removal(encode, list(trace.steps), scores)


def memory(machine: Machine) -> Iterator[Table]:
    """Peak memory above the loaded model against the length of one trace."""
    model = scoring_model("qwen2-7b", machine)
    lengths = MEMORY_LENGTHS if not machine.smallest else (64, 128)
    table = Table("qwen2-7b: GiB above the loaded model, one trace", ["tokens", *map(str, lengths)])
    ways: dict[str, Callable[[Window], Any]] = {
        "the bare body": lambda window: model._hidden(_ids(window, model)),
        "first-token scores": lambda window: model.score([window]),
        "all five scores": lambda window: model.score([windows_of([len(window)], every=1)[0]]),
        "full logits and log-softmax": lambda window: model.model(
            input_ids=_ids(window, model), use_cache=False
        ).logits.log_softmax(-1),
    }
    with torch.inference_mode():
        for way, work in ways.items():
            work(windows_of([lengths[0]])[0])
            row: list[str | float | None] = [way]
            for length in lengths:
                [window] = windows_of([length])
                row.append(_peak_or_none(machine, partial(work, window)))
            table.rows.append(row)
    yield table


def _ids(window: Window, model: ScoringModel) -> torch.Tensor:
    return torch.from_numpy(window.ids)[None].to(model.device)


def _peak_or_none(machine: Machine, work: Callable[[], Any]) -> float | str | None:
    try:
        return machine.peak_gib(work)
    except torch.OutOfMemoryError:
        return "does not fit"


def batches(machine: Machine) -> Iterator[Table]:
    """Tokens a second against the most tokens in a forward pass."""
    model = scoring_model("qwen2-7b", machine)
    for title, lengths in (
        ("traces as they come", drawn_lengths(TRACES, machine)),
        ("short traces", [length // 8 for length in drawn_lengths(4 * TRACES, machine)]),
    ):
        windows = windows_of(lengths)
        table = Table(
            f"qwen2-7b: {title}, {len(windows)} of {min(lengths):,} to {max(lengths):,} tokens, padded batches",
            ["max_batch_tokens", "tokens/s", "forward passes"],
        )
        for most in BATCHES:
            score = partial(lambda *given: list(model.score_all(*given)), windows, most)
            passes = len(score())  # the warm-up, too
            times = machine.time(score, repeats=1, warmup=0)
            table.rows.append([f"{most:,}" if most > 1 else "each alone", sum(lengths) / times.median, float(passes)])
        yield table
