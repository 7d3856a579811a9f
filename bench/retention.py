"""How much of the final code a pruned reasoning still tells: stage 1's choices, and both splitters.

    python bench/retention.py
    python bench/retention.py --traces 100 --ratios 0.25,0.5 --splitters code,paper --output_dir retention/

What `asap-hf compare-pruners` measures, for what it does not compare: how much stage 1 keeps (`anchor 0.25`,
with and without stage 2 behind it), its rule as a score for Algorithm 2 (`overlap`), and one splitter against the
other. Each splitter's table has a control of its own.

Reads `../shared/data/traces` where that exists, else the samples of the package. With `--output_dir` a second run goes
on where the first one was stopped.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from asap_hf.compare_pruners.comparing import PrunerComparison
from asap_hf.compare_pruners.conditions import UNBUDGETED, Condition
from asap_hf.compare_pruners.layout import on_terminal
from asap_hf.compare_pruners.results import Measurement
from asap_hf.compare_pruners.retention import Judge
from asap_hf.compare_pruners.table import tables_of
from asap_hf.compare_pruners.trace_sample import TraceSample
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner, answer_code, answer_overlap
from asap_hf.pruners.base import Sequential
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.pruners.keep_last import keep_last
from asap_hf.pruners.random_steps import random_steps
from asap_hf.reporting.formatting import p_value
from asap_hf.reporting.statistics import bootstrap_means, percentile_interval, wilcoxon_signed_rank
from asap_hf.scoring.surprisal import SurprisalScorer
from asap_hf.traces.rows import Columns
from asap_hf.traces.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    judge = Judge(arguments.model)
    results = {}
    with TemporaryDirectory() as scratch:
        for splitter in arguments.splitters:
            columns = Columns("prompt", "completion", splitter=splitter)
            draw = TraceSample(columns, judge, arguments.model, arguments.max_tokens_trace, arguments.seed)
            traces = draw.draw(read_rows(), arguments.traces)
            print(f"splitter {splitter}: {len(traces)} traces; {draw.summary}")
            comparison = PrunerComparison(traces, conditions(arguments), judge, arguments.model, splitter)
            results[splitter] = comparison.run(Path(arguments.output_dir or scratch) / splitter)
            print(f"\n{on_terminal(tables_of(results[splitter]))}\n")
    for place, one in enumerate(arguments.splitters):
        for other in arguments.splitters[place + 1 :]:
            print_differences(one, results[one], other, results[other])


def parse_arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[float]:
        return [float(one) for one in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=20, help="how many, drawn at random (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of the random removal (default: 0)")
    parser.add_argument("--max_tokens_trace", type=int, default=4000, help="longest reasoning drawn (default: 4000)")
    parser.add_argument("--ratios", type=numbers, default=[0.25, 0.5], help="budgets (default: 0.25,0.5)")
    parser.add_argument("--keep", type=numbers, default=[0.25, 0.5], help="of AnswerAnchorPruner (default: 0.25,0.5)")
    parser.add_argument("--splitters", type=lambda text: text.split(","), default=["code", "paper"])
    parser.add_argument("--model", default="embedded", help="scores the steps and judges (default: embedded)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: 2)")
    parser.add_argument("--output_dir", help="folder for the results of each splitter")
    return parser.parse_args()


def read_rows() -> Iterator[dict[str, str]]:
    """Prompt and completion of every row whose answer holds fenced code."""
    source = REAL if REAL.exists() else SAMPLES
    with (gzip.open if source.suffix == ".gz" else open)(source, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            question = row.get("statement") or row.get("prompt")
            completion = row.get("response") or row.get("completion") or ""
            answer = completion.rpartition("</think>")[2]
            if question and answer_code(answer) != answer:
                yield {"prompt": question, "completion": completion}


@dataclass(frozen=True)
class OverlapScorer:
    """What `AnswerAnchorPruner` goes by, as a score."""

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": {"overlap": answer_overlap(trace)}} for trace in traces]


def conditions(arguments: argparse.Namespace) -> list[Condition]:
    scorer = SurprisalScorer(arguments.model, all_scores=False)
    anchors = {f"anchor {keep:g}": AnswerAnchorPruner(keep) for keep in arguments.keep}
    every = [*UNBUDGETED, *(Condition(name, None, anchor) for name, anchor in anchors.items())]
    by_name: dict[str, list[Condition]] = {}
    for ratio in arguments.ratios:
        stage_2 = IterativePruner(scorer, arguments.model, ratio=ratio, score_short=False)
        pruners = {
            "random": random_steps(arguments.model, ratio=ratio, seed=arguments.seed),
            "keep_last": keep_last(arguments.model, ratio=ratio),
            "overlap": IterativePruner(OverlapScorer(), arguments.model, ratio=ratio, score="overlap"),
            "surprisal": stage_2,
            **{f"{name} + surprisal": Sequential((anchor, stage_2)) for name, anchor in anchors.items()},
        }
        for name, pruner in pruners.items():
            by_name.setdefault(name, []).append(Condition(name, ratio, pruner))
    return [*every, *(one for same in by_name.values() for one in same)]


def print_differences(one: str, ours: Sequence[Measurement], other: str, theirs: Sequence[Measurement]) -> None:
    """Every condition cut by one splitter less the same condition cut by the other, trace by trace."""
    pairs: dict[tuple[float, str], list[float]] = {}
    of_other = {(result["trace"], result["pruner"], result["ratio"]): result["nats"] for result in theirs}
    for result in ours:
        key = result["trace"], result["pruner"], result["ratio"]
        if result["ratio"] is not None and key in of_other:
            pairs.setdefault((result["ratio"], result["pruner"]), []).append(result["nats"] - of_other[key])
    print(f"{one + ' minus ' + other:24}{'budget':>8}{'nats':>9}{'95% interval':>19}{'Wilcoxon p':>12}")
    for (ratio, name), values in sorted(pairs.items()):
        deltas = np.array(values)
        interval = percentile_interval(bootstrap_means(deltas[:, None])[:, 0])
        between = f"{interval.low:+.3f} to {interval.high:+.3f}" if interval else ""
        p = p_value(wilcoxon_signed_rank(deltas).p)
        print(f"{name:24}{ratio:>8g}{deltas.mean():>+9.3f}{between:>19}{p:>12}")
    print()


if __name__ == "__main__":
    main()
