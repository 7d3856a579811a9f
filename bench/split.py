"""The two splitters on real traces: do they keep a draft program whole, and what does that cost?

    python bench/split.py
    python bench/split.py --traces 100

`bench/labels/codeforces_boundaries.jsonl` holds boundaries between two paragraphs (`split_paper`) of open-r1's
codeforces-cots, labelled by hand: `idx` is the row, `paragraph` the one before the boundary, `join` whether both sides
belong to one draft of a program. A line is part of a draft if it is written in code, or as pseudo-code inside an
indented block of it, the loop or condition above that block included ("For each num in a:"); an unindented sentence,
a list item, the values of an example and a walk through one are not. Three parts: "dev", which the rules were written
with; "test", labelled before there were rules; "fresh", drawn and labelled after the rules stood, from traces not
looked at before. One reader labelled them all, one in 22 with doubts. Half to three quarters of the windows stand
around a line of code, so joins are more frequent here than in a whole trace.

Precision and recall are those of "join". Reads `../shared/data/traces`; without the real traces there is nothing to
hold the labels against, and the sizes and times are those of the package's samples.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path

from asap_hf.traces.code_lines import LineKind, classify
from asap_hf.traces.splitting import SPLITTERS, split_paper

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
LABELS = ROOT / "bench" / "labels" / "codeforces_boundaries.jsonl"

Splitter = Callable[[str], tuple[str, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, help="how many traces to measure sizes and times on (default: all)")
    arguments = parser.parse_args()
    if REAL.exists():
        traces = read_reasonings(REAL)
        print_scores(traces)
    else:
        traces = read_reasonings(SAMPLES)
        print(f"The real traces are not here ({REAL.name}): no precision, no recall; what follows is of the samples.")
    print()
    print_sizes(list(traces.values())[: arguments.traces])


def read_reasonings(path: Path) -> dict[object, str]:
    """Row → the text between the tags, without the blank lines next to them; a reasoning that was cut off too."""
    opener = gzip.open if path.suffix == ".gz" else open
    reasonings: dict[object, str] = {}
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row.get("response") or row["completion"]
            reasoning = text.partition("</think>")[0].partition("<think>")[2]
            reasonings[row.get("idx", row.get("id"))] = reasoning.strip("\n").rstrip()
    return reasonings


def read_labels() -> dict[str, list[tuple[int, int, bool]]]:
    """Part → (row, paragraph before the boundary, whether both sides belong together)."""
    parts: dict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        parts[label["half"]].append((label["idx"], label["paragraph"], label["join"]))
    return dict(parts)


def score(
    labels: Iterable[tuple[int, int, bool]], traces: dict[object, str], splitter: Splitter
) -> tuple[float, float, float]:
    """Precision, recall and F1 of "join"; nothing joined is a precision of 0."""
    right = wrong = missed = 0
    cuts: dict[int, tuple[list[int], set[int]]] = {}
    for row, paragraph, join in labels:
        if row not in cuts:
            text = traces[row]
            cuts[row] = list(accumulate(map(len, split_paper(text)))), set(accumulate(map(len, splitter(text))))
        boundaries, kept = cuts[row]
        joined = boundaries[paragraph] not in kept
        right += joined and join
        wrong += joined and not join
        missed += join and not joined
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def print_scores(traces: dict[object, str]) -> None:
    print(f"{'labels':8}{'boundaries':>11}{'joins':>7}   {'splitter':10}{'precision':>10}{'recall':>8}{'F1':>8}")
    for part, labels in read_labels().items():
        for name, splitter in SPLITTERS.items():
            precision, recall, f1 = score(labels, traces, splitter)
            joins = sum(join for _, _, join in labels)
            print(f"{part:8}{len(labels):>11}{joins:>7}   {name:10}{precision:>10.3f}{recall:>8.3f}{f1:>8.3f}")


def print_sizes(texts: list[str]) -> None:
    heads = ("steps", "lone code", "joined", "paragraphs", "longest", "p99 share", "MB/s", "vs paper")
    print(f"{f'{len(texts)} traces':13}" + "".join(f"{head:>11}" for head in heads))
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    paragraphs = sum(len(split_paper(text)) for text in texts)
    paper_speed = None
    for name, splitter in SPLITTERS.items():
        start = time.perf_counter()
        traces = [splitter(text) for text in texts]
        speed = megabytes / (time.perf_counter() - start)
        paper_speed = paper_speed or speed
        steps = [step for trace in traces for step in trace]
        joined = [size for step in steps if (size := len(split_paper(step))) > 1]
        shares = [max(map(len, trace)) / sum(map(len, trace)) for trace in traces]
        print(
            f"{name:13}{statistics.median(map(len, traces)):>11.0f}{sum(map(is_code_line, steps)) / len(steps):>11.1%}"
            f"{len(joined) / len(steps):>11.1%}{sum(joined) / paragraphs:>11.1%}{max(joined, default=1):>11}"
            f"{statistics.quantiles(shares, n=100)[98]:>11.1%}{speed:>11.1f}{speed / paper_speed:>10.2f}x"
        )
    print(LEGEND)


LEGEND = """
steps: median of a trace. lone code: steps that are a single line of code. joined: steps of several paragraphs;
paragraphs: how many of all paragraphs stand in such steps; longest: paragraphs of the largest one. p99 share: what
share of its trace the longest step has, 99th percentile of the traces."""


def is_code_line(step: str) -> bool:
    return "\n" not in step.strip() and bool(step.strip()) and classify(step.strip("\r\n")) is LineKind.CODE


if __name__ == "__main__":
    main()
