"""Scoring against the authors' way and against the bare transformer body, on real traces of mixed length.

    python bench/score.py
    python bench/score.py --traces 4 --repeats 1 --threads 2 --clock wall

All ways take every trace in turn, repetition after repetition; each trace counts with its fastest run. "reference" is
the method of the authors' code written afresh: the position of every step from the length of a re-encoded prefix, full
logits and their full log-softmax, and a removal loop that encodes the whole text again after each removal, down to
half of the tokens. Times are CPU time by default, which other work on the machine disturbs least.
`bench/score_memory.py` has the memory.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
SHORTEST, LONGEST = 1000, 8000


@dataclass
class Watch:
    """Seconds of one way over one trace, by part."""

    clock: Callable[[], float]
    parts: dict[str, float] = field(default_factory=dict)

    def time(self, part: str, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        started = self.clock()
        result = work(*arguments, **named)
        self.parts[part] = self.parts.get(part, 0.0) + self.clock() - started
        return result

    @property
    def total(self) -> float:
        return self.parts["total"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=12, help="how many, spread over the lengths (default: 12)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of every way over every trace (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="what is measured (default: cpu)")
    parser.add_argument("--model", default="embedded", help="Hub id or folder (default: the embedded model)")
    parser.add_argument("--dtype", default="auto", help="of the weights (default: auto)")
    time_all(parser.parse_args())


def time_all(arguments: argparse.Namespace) -> None:
    import torch

    from asap_hf.scoring.surprisal import SurprisalScorer

    torch.set_num_threads(arguments.threads)
    scorer = SurprisalScorer(arguments.model, dtype=arguments.dtype, context="raw")
    device, dtype = scorer.placement()
    tokenizer, model = scorer.load()
    traces = read_traces(arguments.traces, tokenizer)
    lengths = [len(one.ids) for one in tokenizer(traces) if one is not None]
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    ways: dict[str, Callable[[Watch, Any], None]] = {
        "bare body": partial(run_body, tokenizer, model),
        "ours, first token": partial(run_ours, tokenizer, model, arguments.model, all_scores=False),
        "ours, all five": partial(run_ours, tokenizer, model, arguments.model, all_scores=True),
        "reference": partial(run_reference, tokenizer, model),
    }
    best: dict[str, list[Watch]] = {way: [] for way in ways}
    for repeat in range(arguments.repeats):
        for number, trace in enumerate(traces):
            for way in rotated(list(ways), repeat + number):
                watch = Watch(clock)
                watch.time("total", ways[way], watch, trace)
                keep_fastest(best[way], number, watch)
    print(
        f"{len(traces)} traces, {sum(map(len, (one.steps for one in traces)))} steps, {sum(lengths)} tokens "
        f"({min(lengths)} to {max(lengths)}); {scorer.identity.name} in {dtype} on {device}, "
        f"{arguments.threads} thread(s), {arguments.clock} time, best of {arguments.repeats}\n"
    )
    print_times(best)
    print_overhead(best)
    print_efficiency(arguments.model, device, dtype, lengths, best)


def rotated(ways: list[str], by: int) -> list[str]:
    return ways[by % len(ways) :] + ways[: by % len(ways)]


def keep_fastest(watches: list[Watch], number: int, watch: Watch) -> None:
    if number == len(watches):
        watches.append(watch)
    elif watch.total < watches[number].total:
        watches[number] = watch


def read_traces(count: int, tokenizer: Any, shortest: int = SHORTEST, longest: int = LONGEST) -> list[Any]:
    """Traces that fit the context, evenly spread over the lengths that there are."""
    from asap_hf.errors import UnusableTrace
    from asap_hf.traces.trace import Trace

    real = REAL.is_file()
    traces = []
    with gzip.open(REAL, "rt", encoding="utf-8") if real else SAMPLES.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            question = row.get("statement") or row.get("prompt")
            if not question:
                continue
            try:
                trace = Trace.parse(question, row["response" if real else "completion"], "paper")
            except UnusableTrace:
                continue
            if len(trace.reasoning) < 4 * longest:
                traces.append(trace)
    sized = sorted(((len(one.ids), place) for place, one in enumerate(tokenizer(traces))))
    fitting = [place for size, place in sized if (size >= shortest or not real) and size <= longest]
    if not fitting:
        sys.exit(f"no trace has {shortest if real else 0} to {longest} tokens")
    chosen = {round(number * (len(fitting) - 1) / max(1, count - 1)) for number in range(count)}
    return [traces[fitting[place]] for place in sorted(chosen)]


def run_body(tokenizer: Any, model: Any, watch: Watch, trace: Any) -> None:
    import torch

    [tokenised] = tokenizer([trace])
    ids = torch.from_numpy(tokenised.ids)[None].to(model.device)
    with torch.inference_mode():
        watch.time("forward", model.body, input_ids=ids, use_cache=False)


def run_ours(tokenizer: Any, model: Any, name: str, watch: Watch, trace: Any, all_scores: bool) -> None:
    """The whole way of a trace through the tool: tokenise, score, Algorithm 2."""
    from asap_hf.models.tokens import count_tokens
    from asap_hf.pruners.selection import select_by_budget
    from asap_hf.scoring.outcome import StepScores
    from asap_hf.scoring.steps import score_steps

    hidden, head = model._hidden, model.head
    model._hidden = lambda ids: watch.time("forward", hidden, ids)
    model.head = lambda *inputs: watch.time("head", head, *inputs)
    try:
        [outcomes] = score_steps([trace], tokenizer, model, all_scores)
    finally:
        model._hidden, model.head = hidden, head
    scores, count = outcomes[0], partial(count_tokens, name)
    assert isinstance(scores, StepScores)
    watch.time(
        "removal", select_by_budget, trace.steps, scores.first_token_surprisal, scores.tokens // 2, count_tokens=count
    )


def run_reference(tokenizer: Any, model: Any, watch: Watch, trace: Any) -> None:
    """What the authors' code does with a trace."""
    ids = watch.time("positions", reference_positions, tokenizer, trace)
    scores = watch.time("forward", reference_scores, model, *ids)
    watch.time("removal", reference_removal, tokenizer, list(trace.steps), scores)


def reference_positions(tokenizer: Any, trace: Any) -> tuple[list[int], list[int]]:
    encode = partial(tokenizer._tokenizer, add_special_tokens=False)
    text = tokenizer.prefix(trace.question)
    positions = []
    for step in trace.steps:
        positions.append(len(encode(text).input_ids))
        text += step
    ids = encode(text).input_ids
    return ids, [min(position, len(ids) - 1) for position in positions]


def reference_scores(model: Any, ids: list[int], positions: list[int]) -> list[float]:
    import torch

    with torch.inference_mode():
        batch = torch.tensor([ids], device=model.device)
        log_p = model.model(input_ids=batch, use_cache=False).logits[0].log_softmax(-1)
        return [-log_p[position - 1, ids[position]].item() for position in positions]


def reference_removal(tokenizer: Any, steps: list[str], scores: list[float]) -> list[str]:
    def tokens() -> int:
        return len(tokenizer._tokenizer("".join(steps), add_special_tokens=False).input_ids)

    budget, order = tokens() // 2, sorted(range(len(steps)), key=scores.__getitem__)
    while tokens() > budget:
        steps[order.pop(0)] = ""
    return steps


def seconds(watches: Sequence[Watch], *parts: str) -> float:
    return sum(watch.parts.get(part, 0.0) for watch in watches for part in parts)


def outside(watches: Sequence[Watch]) -> float:
    return seconds(watches, "total") - seconds(watches, "forward", "head")


def print_times(best: dict[str, list[Watch]]) -> None:
    # The tokens are the bare body's for nothing.
    body = seconds(best["bare body"], "forward")
    print(f"{'':<20}{'seconds':>10}{'× body':>10}{'head':>10}{'outside':>10}")
    for way, watches in best.items():
        total = body if way == "bare body" else seconds(watches, "total")
        rest = 0.0 if way == "bare body" else outside(watches)
        print(f"{way:<20}{total:>10.2f}{total / body:>10.3f}{seconds(watches, 'head'):>10.2f}{rest:>10.3f}")
    first, five = (seconds(best[f"ours, {which}"], "total") for which in ("first token", "all five"))
    print(f"\nall five against the first token alone: × {five / first:.2f}")


def print_overhead(best: dict[str, list[Watch]]) -> None:
    """Outside the forward pass and the output layer; "outside" above is their sum."""
    ours, reference = best["ours, first token"], best["reference"]
    print(f"\n{'outside the forward':<32}{'reference':>12}{'ours':>12}{'ours / reference':>20}")
    rest = outside(ours) - seconds(ours, "removal")
    for name, theirs, mine in (
        ("tokens, positions, gathering", seconds(reference, "positions"), rest),
        ("removals to half", seconds(reference, "removal"), seconds(ours, "removal")),
        ("together", outside(reference), outside(ours)),
    ):
        print(f"{name:<32}{theirs:>12.3f}{mine:>12.3f}{mine / theirs:>20.2%}")


def print_efficiency(name: str, device: str, dtype: str, lengths: list[int], best: dict[str, list[Watch]]) -> None:
    from asap_hf.models.devices import matmul_speed
    from asap_hf.scoring.surprisal import flops_per_trace, model_config

    config = model_config(name)
    done = sum(flops_per_trace(config, length) for length in lengths)
    speed = done / seconds(best["bare body"], "forward")
    print(f"\nthe body runs at {speed:.2e} FLOP/s, {speed / matmul_speed(device, dtype):.0%} of a matrix product's")


if __name__ == "__main__":
    main()
