"""What neighbours in a batch do to a score, and what `--deterministic` costs, on real traces of mixed length.

    python bench/deterministic.py
    python bench/deterministic.py --groups 2 --dtype bfloat16 --longest 1500

Traces come in groups of neighbours in length. Each group is scored as `asap-hf prune` does it by default, in batches
whose shorter traces are padded, and with `--deterministic`, each trace alone; the two take turns, and each group
counts with its faster run. "differ" is the share of scores that are not the same to their seven digits, "at most" the
largest difference in nats. "other order, threads" holds `--deterministic` against itself: the traces the other way
round, with twice the threads. Times are CPU time. The ledger is off.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.score import read_traces

Scores = list[list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=5, help="how many, spread over the lengths (default: 5)")
    parser.add_argument("--size", type=int, default=3, help="traces in a group (default: 3)")
    parser.add_argument("--shortest", type=int, default=500, help="tokens (default: 500)")
    parser.add_argument("--longest", type=int, default=8000, help="tokens (default: 8000)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of either way over every group (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--model", default="embedded", help="Hub id or folder (default: the embedded model)")
    parser.add_argument("--dtype", default="auto", help="of the weights (default: auto)")
    compare(parser.parse_args())


def compare(arguments: argparse.Namespace) -> None:
    import torch

    from asap_hf.scoring.surprisal import SurprisalScorer

    os.environ["ASAP_HF_LEDGER"] = "off"
    torch.set_num_threads(arguments.threads)
    loose = SurprisalScorer(arguments.model, dtype=arguments.dtype, context="raw", all_scores=False)
    alone = replace(loose, deterministic=True)
    tokenizer, _ = loose.load()
    device, dtype = loose.placement()
    print(f"{loose.identity.name} in {dtype} on {device}, {arguments.threads} thread(s), first-token surprisal\n")
    columns = ("tokens", "batches s", "alone s", "alone / batches", "differ", "at most", "other order, threads")
    print("".join(f"{name:>{len(name) + 3}}" for name in columns))
    spent = {"batches": 0.0, "alone": 0.0}
    for traces in groups_of(arguments, tokenizer):
        (batches, together), (single, apart) = in_turn((loose, alone), traces, arguments.repeats)
        torch.set_num_threads(2 * arguments.threads)
        again = scores_of(alone, traces[::-1])[::-1]
        torch.set_num_threads(arguments.threads)
        spent = {"batches": spent["batches"] + batches, "alone": spent["alone"] + single}
        lengths = [len(one.ids) for one in tokenizer(traces) if one is not None]
        share, most = difference(together, apart)
        cells = (f"{min(lengths)}-{max(lengths)}", f"{batches:.2f}", f"{single:.2f}", f"{single / batches:.2f}")
        told = (*cells, f"{share:.0%}", f"{most:.1e}", f"{difference(apart, again)[1]:.1e}")
        print("".join(f"{cell:>{len(name) + 3}}" for name, cell in zip(columns, told, strict=True)), flush=True)
    print(f"\nalone / batches, all of them: {spent['alone'] / spent['batches']:.3f}")


def groups_of(arguments: argparse.Namespace, tokenizer: Any) -> list[list[Any]]:
    """Groups of traces next to each other in length."""
    fitting = read_traces(10**6, tokenizer, arguments.shortest, arguments.longest)
    size = min(arguments.size, len(fitting))
    last = len(fitting) - size
    starts = {round(number * last / max(1, arguments.groups - 1)) for number in range(arguments.groups)}
    return [fitting[start : start + size] for start in sorted(starts)]


def in_turn(ways: Sequence[Any], traces: Sequence[Any], repeats: int) -> list[tuple[float, Scores]]:
    """Seconds and scores of each way."""
    best: list[tuple[float, Scores]] = [(float("inf"), [])] * len(ways)
    for repeat in range(repeats):
        for number in range(len(ways)):
            way = (number + repeat) % len(ways)
            started = time.process_time()
            scores = scores_of(ways[way], traces)
            best[way] = min(best[way], (time.process_time() - started, scores), key=lambda one: one[0])
    return best


def scores_of(scorer: Any, traces: Sequence[Any]) -> Scores:
    return [list(one.first_token_surprisal) for one in scorer.score(traces)]


def difference(one: Scores, other: Scores) -> tuple[float, float]:
    """The share of values that differ, and the largest difference."""
    apart = [abs(a - b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)]
    return sum(value > 0 for value in apart) / len(apart), max(apart)


if __name__ == "__main__":
    main()
