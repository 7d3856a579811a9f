"""Algorithm 1 on real traces: ours against the plain loop over `difflib`, and what `autojunk` does to copied steps.

    python bench/match.py
    python bench/match.py --traces 20 --seed 1

Reads `../shared/data/traces` where that exists, else the samples of the package. All implementations answer the same
questions in the same run, on one core. "difflib" and "cydifflib" are the paper's loop over that library's `ratio()`;
"verdict" is `is_ordered_match`; "align" is `align`, which also finds out what a failing step is closest to.
"""

from __future__ import annotations

import argparse
import difflib
import gzip
import json
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import cydifflib

from asap_hf.errors import UnusableTrace
from asap_hf.pruners.matching import align, gestalt_similarity, is_ordered_match
from asap_hf.traces.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
THRESHOLD = 0.6
LENGTHS = ((20, 200), (200, 400), (400, 800), (800, 10_000))

Steps = Sequence[str]
Pair = tuple[Steps, Steps]
Outcome = tuple[bool, tuple[int, ...], tuple[float, ...]]
Answer = TypeVar("Answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=50, help="how many to time, drawn at random (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of the edits (default: 0)")
    arguments = parser.parse_args()
    source = REAL if REAL.exists() else SAMPLES
    every = read_steps(source)
    rng = random.Random(arguments.seed)
    traces = rng.sample(every, min(arguments.traces, len(every)))
    steps = sum(map(len, traces)) / len(traces)
    print(f"Algorithm 1 at {THRESHOLD}: {len(traces)} of {len(every)} traces of {source.name}, {steps:.0f} steps each")
    print("milliseconds per trace; in brackets how many times faster than difflib\n")
    time_alignments(traces, rng)
    print("\nwhat autojunk does\n")
    count_refused_traces(every, rng)
    count_refused_copies(every, rng)
    count_accepted_strangers(every, rng)


def read_steps(path: Path) -> list[Steps]:
    """The steps of every usable trace of four steps or more, cut as in the paper."""
    opener = gzip.open if path.suffix == ".gz" else open
    traces: list[Steps] = []
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
    """What an LLM does to a step it was asked to copy: a word or a mark is lost; of short steps only a mark."""
    if step.count(" ") >= 7:
        return rng.choice((drop_word, drop_first_word, drop_mark))(step, rng)
    return drop_mark(step, rng) if len(step) >= 10 else step


def workloads(traces: list[Steps], rng: random.Random) -> dict[str, list[Pair]]:
    """Name → pairs of original and coarse steps."""
    copied: list[Pair] = []
    invented: list[Pair] = []
    reordered: list[Pair] = []
    for number, steps in enumerate(traces):
        copied.append((steps, [edit(step, rng) for step in steps[::3]]))
        foreign = [step for step in traces[number - 1] if len(step) >= 80] or list(traces[number - 1])
        invented.append((steps, [rng.choice(foreign)]))
        coarse = [edit(step, rng) for step in steps[::3]]
        one, other = rng.sample(range(len(coarse)), 2)
        coarse[one], coarse[other] = coarse[other], coarse[one]
        reordered.append((steps, coarse))
    return {"every third step, edited": copied, "a step that is nowhere": invented, "two steps exchanged": reordered}


def plain(matcher: type, autojunk: bool) -> Callable[[Steps, Steps], Outcome]:
    """Algorithm 1 as it stands in the paper, over a library's `SequenceMatcher`."""

    def pattern_match(origin: Steps, coarse: Steps) -> Outcome:
        matched: list[int] = []
        similarities: list[float] = []
        origin_index = 0
        for step in coarse:
            found = False
            while origin_index < len(origin) and not found:
                score = matcher(None, origin[origin_index], step, autojunk).ratio()
                if score >= THRESHOLD:
                    found = True
                    matched.append(origin_index)
                    similarities.append(score)
                origin_index += 1
            if not found:
                return False, tuple(matched), tuple(similarities)
        return True, tuple(matched), tuple(similarities)

    return pattern_match


def time_alignments(traces: list[Steps], rng: random.Random) -> None:
    heads = "".join(f"{name:>18}" for name in ("cydifflib", "verdict", "align"))
    print(f"{'workload':26}{'autojunk':8}{'valid':>7}{'difflib':>9}{heads}   same verdict, alignment")
    for name, pairs in workloads(traces, rng).items():
        for junk in (False, True):
            oracle, base = timed(plain(difflib.SequenceMatcher, junk), pairs)
            _, compiled = timed(plain(cydifflib.SequenceMatcher, junk), pairs)
            verdicts, verdict = timed(partial(is_ordered_match, threshold=THRESHOLD, autojunk=junk), pairs)
            found, ours = timed(partial(align, threshold=THRESHOLD, autojunk=junk), pairs)
            agree = sum(one[0] == two for one, two in zip(oracle, verdicts, strict=True))
            same = sum(
                one == (two.valid, two.matched, two.similarities) for one, two in zip(oracle, found, strict=True)
            )
            cells = "".join(f"{took:10.2f} {f'({base / took:.1f}x)':>7}" for took in (compiled, verdict, ours))
            print(f"{name:26}{'on' if junk else 'off':8}{sum(verdicts):>7}{base:>9.2f}{cells}", end="")
            print(f"   {agree} and {same} of {len(pairs)}")


def timed(function: Callable[[Steps, Steps], Answer], pairs: list[Pair]) -> tuple[list[Answer], float]:
    """Its answers, and the processor's milliseconds per pair."""
    start = time.process_time()
    answers = [function(origin, coarse) for origin, coarse in pairs]
    return answers, (time.process_time() - start) * 1e3 / len(pairs)


def count_refused_traces(traces: list[Steps], rng: random.Random) -> None:
    pairs = [(steps, [edit(step, rng) for step in steps[::10]]) for steps in traces]
    refused = [sum(not is_ordered_match(*pair, THRESHOLD, junk) for pair in pairs) for junk in (False, True)]
    row("", "length", "number", "off", "on")
    row("refused: one step in ten, each edited", "any", len(pairs), *(f"{one / len(pairs):.2%}" for one in refused))


def count_refused_copies(traces: list[Steps], rng: random.Random, most: int = 2000) -> None:
    names = {drop_mark: "a mark dropped", drop_word: "a word dropped", drop_first_word: "the first word dropped"}
    for change, name in names.items():
        for low, high in LENGTHS:
            steps = [step for steps in traces for step in steps if low <= len(step) < high and " " in step.strip()]
            pairs = [(step, change(step, rng)) for step in rng.sample(steps, min(most, len(steps)))]
            shares = [share(pairs, junk, lambda score: score < THRESHOLD) for junk in (False, True)]
            row(f"refused: one step, {name}", f"{low}-{high}", len(pairs), *shares)


def count_accepted_strangers(traces: list[Steps], rng: random.Random, most: int = 2000) -> None:
    for low, high in LENGTHS:
        fitting = [[step for step in steps if low <= len(step) < high] for steps in traces]
        drawn = [rng.sample(steps, 2) for steps in fitting for _ in range(4) if len(steps) >= 2]
        pairs = [(one, other) for one, other in drawn if one != other]
        pairs = rng.sample(pairs, min(most, len(pairs)))
        shares = [share(pairs, junk, lambda score: score >= THRESHOLD) for junk in (False, True)]
        row("passed: another step of the trace", f"{low}-{high}", len(pairs), *shares)


def share(pairs: list[tuple[str, str]], autojunk: bool, holds: Callable[[float], bool]) -> str:
    return f"{sum(holds(gestalt_similarity(*pair, autojunk)) for pair in pairs) / max(len(pairs), 1):.2%}"


def row(name: str, length: str, *cells: object) -> None:
    print(f"{name:44}{length:>10}" + "".join(f"{cell:>9}" for cell in cells))


if __name__ == "__main__":
    main()
