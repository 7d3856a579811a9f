"""Algorithm 1 on real traces: ours against the plain loop over `difflib`, and what `autojunk` does to copied steps.

    python bench/match.py
    python bench/match.py --traces 20 --seed 1

Reads `../shared/data/traces` where that exists, else the samples of the package. Times are of one process; all three
implementations answer the same questions in the same run. "difflib" and "cydifflib" are the paper's loop over that
library's `ratio()`; "ours" is `asap_hf.matching.align`, which also finds the closest step where a match fails.
"""

from __future__ import annotations

import argparse
import difflib
import gzip
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cydifflib

from asap_hf.errors import UnusableTrace
from asap_hf.matching import align, gestalt_similarity
from asap_hf.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = ROOT / "asap_hf" / "samples" / "traces.jsonl"
THRESHOLD = 0.6

Steps = Sequence[str]
Outcome = tuple[bool, tuple[int, ...], tuple[float, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=50, help="how many traces, drawn at random (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of the edits (default: 0)")
    arguments = parser.parse_args()
    source = REAL if REAL.exists() else SAMPLES
    every = read_steps(source)
    rng = random.Random(arguments.seed)
    traces = rng.sample(every, min(arguments.traces, len(every)))
    print(f"{len(traces)} of {len(every)} traces of {source.name}, {sum(map(len, traces)) / len(traces):.0f} steps each\n")
    time_alignments(traces, rng)
    print()
    count_rejected_copies(every, rng)
    print()
    count_rejected_traces(every, rng)
    print()
    count_accepted_strangers(every, rng)


def read_steps(path: Path) -> list[Steps]:
    """The steps of every usable trace, cut as in the paper."""
    opener = gzip.open if path.suffix == ".gz" else open
    traces = []
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            try:
                trace = Trace.parse("", row.get("response") or row.get("completion"), splitter="paper")
            except UnusableTrace:
                continue
            if len(trace.steps) >= 4:
                traces.append(trace.texts)
    return traces


# What an LLM does to a step that it was asked to copy.


def drop_word(step: str, rng: random.Random) -> str:
    words = step.split(" ")
    del words[rng.randrange(len(words))]
    return " ".join(words)


def drop_first_word(step: str, rng: random.Random) -> str:
    return step.partition(" ")[2]


def drop_mark(step: str, rng: random.Random) -> str:
    marks = [at for at, character in enumerate(step) if character in ",.:;()"]
    at = rng.choice(marks) if marks else len(step) - 1
    return step[:at] + step[at + 1 :]


def edit(step: str, rng: random.Random) -> str:
    """A light edit: a word of a step of eight words or more, a mark of a shorter one, if it has ten characters."""
    if step.count(" ") >= 7:
        return rng.choice((drop_word, drop_first_word, drop_mark))(step, rng)
    return drop_mark(step, rng) if len(step) >= 10 else step


def copy_with_edits(steps: Steps, rng: random.Random) -> list[str]:
    return [edit(step, rng) for step in steps[::3]]


def workloads(traces: list[Steps], rng: random.Random) -> dict[str, list[tuple[Steps, Steps]]]:
    """Name → pairs of original and coarse steps."""
    copied, invented, reordered = [], [], []
    for number, steps in enumerate(traces):
        copied.append((steps, copy_with_edits(steps, rng)))
        foreign = [step for step in traces[number - 1] if len(step) >= 80] or list(traces[number - 1])
        invented.append((steps, [rng.choice(foreign)]))
        coarse = copy_with_edits(steps, rng)
        one, other = rng.sample(range(len(coarse)), 2)
        coarse[one], coarse[other] = coarse[other], coarse[one]
        reordered.append((steps, coarse))
    return {"every third step, edited": copied, "a step that is nowhere": invented, "two steps exchanged": reordered}


def pattern_match(ratio: Callable[[str, str], float], origin: Steps, coarse: Steps) -> Outcome:
    """Algorithm 1 as it stands in the paper."""
    matched: list[int] = []
    similarities: list[float] = []
    origin_index = 0
    for step in coarse:
        found = False
        while origin_index < len(origin) and not found:
            score = ratio(origin[origin_index], step)
            if score >= THRESHOLD:
                found = True
                matched.append(origin_index)
                similarities.append(score)
            origin_index += 1
        if not found:
            return False, tuple(matched), tuple(similarities)
    return True, tuple(matched), tuple(similarities)


def time_alignments(traces: list[Steps], rng: random.Random) -> None:
    heads = ("workload", "autojunk", "valid", "difflib", "cydifflib", "ours", "per trace", "vs difflib", "vs cydifflib")
    print(f"{heads[0]:26}" + "".join(f"{head:>13}" for head in heads[1:]) + "   same verdicts, alignments")
    for name, pairs in workloads(traces, rng).items():
        for autojunk in (False, True):
            slow, slow_s = timed(
                lambda a, b, junk=autojunk: pattern_match(
                    lambda x, y: difflib.SequenceMatcher(None, x, y, junk).ratio(), a, b
                ),
                pairs,
            )
            _, plain_s = timed(
                lambda a, b, junk=autojunk: pattern_match(
                    lambda x, y: cydifflib.SequenceMatcher(None, x, y, junk).ratio(), a, b
                ),
                pairs,
            )
            ours, ours_s = timed(lambda a, b, junk=autojunk: align(a, b, THRESHOLD, junk), pairs)
            verdicts = sum(one[0] == other.valid for one, other in zip(slow, ours, strict=True))
            same = sum(
                one == (other.valid, other.matched, other.similarities) for one, other in zip(slow, ours, strict=True)
            )
            print(
                f"{name:26}{'on' if autojunk else 'off':>13}{sum(one[0] for one in slow):>13}{slow_s:>11.2f} s"
                f"{plain_s:>11.2f} s{ours_s:>11.3f} s{ours_s / len(pairs) * 1e3:>10.2f} ms{slow_s / ours_s:>12.1f}x"
                f"{plain_s / ours_s:>12.1f}x   {verdicts}, {same} of {len(pairs)}"
            )


def timed(function: Callable, pairs: list[tuple[Steps, Steps]]) -> tuple[list, float]:
    start = time.perf_counter()
    outcomes = [function(origin, coarse) for origin, coarse in pairs]
    return outcomes, time.perf_counter() - start


def count_rejected_copies(traces: list[Steps], rng: random.Random, most: int = 2000) -> None:
    print(f"copies of one step, edited         length      copies   below {THRESHOLD}: autojunk off          on")
    for change in (drop_mark, drop_word, drop_first_word):
        for low, high in LENGTHS:
            steps = [step for steps in traces for step in steps if low <= len(step) < high and " " in step.strip()]
            pairs = [(step, change(step, rng)) for step in rng.sample(steps, min(most, len(steps)))]
            off, on = (share(pairs, autojunk, lambda score: score < THRESHOLD) for autojunk in (False, True))
            print(f"{change.__name__:26}{low:>9}-{high:<6}{len(pairs):>9}{off:>26.2%}{on:>12.2%}")


def count_rejected_traces(traces: list[Steps], rng: random.Random) -> None:
    print(f"whole traces: one step in ten copied, each edited; refused by Algorithm 1 at {THRESHOLD}")
    pairs = [(steps, [edit(step, rng) for step in steps[::10]]) for steps in traces]
    for autojunk in (False, True):
        refused = sum(not align(origin, coarse, THRESHOLD, autojunk).valid for origin, coarse in pairs)
        print(f"  autojunk {'on' if autojunk else 'off':4} {refused:>5} of {len(pairs)}  {refused / len(pairs):.1%}")


def count_accepted_strangers(traces: list[Steps], rng: random.Random, most: int = 2000) -> None:
    print(f"two different steps of one trace   length       pairs   at least {THRESHOLD}: autojunk off       on")
    for low, high in LENGTHS:
        pairs = []
        for steps in traces:
            fitting = [step for step in steps if low <= len(step) < high]
            pairs += [tuple(rng.sample(fitting, 2)) for _ in range(4) if len(fitting) >= 2]
        pairs = [pair for pair in pairs if pair[0] != pair[1]]
        pairs = rng.sample(pairs, min(most, len(pairs)))
        off, on = (share(pairs, autojunk, lambda score: score >= THRESHOLD) for autojunk in (False, True))
        print(f"{'':26}{low:>9}-{high:<6}{len(pairs):>9}{off:>26.2%}{on:>12.2%}")


LENGTHS = ((20, 200), (200, 400), (400, 800), (800, 10_000))


def share(pairs: Sequence[tuple[str, ...]], autojunk: bool, holds: Callable[[float], bool]) -> float:
    return sum(holds(gestalt_similarity(a, b, autojunk)) for a, b in pairs) / max(len(pairs), 1)


if __name__ == "__main__":
    main()
