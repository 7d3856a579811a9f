"""What the authors' code does otherwise than the paper in stage 2, and how many traces keep other steps for it.

    python bench/reference.py
    python bench/reference.py --traces 2 --ratio 0.25

Each line is Algorithm 2 with one thing done as the authors' code does it, the last one all of them: what
`--selector reference` does. "traces" is of how many other steps are kept, "steps" how many steps of all are kept by
one and not by the other. The bare question stands before the reasoning, numbers are float32.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.score import read_traces

Kept = list[tuple[int, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=8, help="how many, the shortest first (default: 8)")
    parser.add_argument("--longest", type=int, default=8000, help="tokens (default: 8000)")
    parser.add_argument("--ratio", type=float, default=0.5, help="of the tokens to keep (default: 0.5)")
    parser.add_argument("--model", default="embedded", help="Hub id or folder (default: the embedded model)")
    compare(parser.parse_args())


def compare(arguments: argparse.Namespace) -> None:
    from asap_hf.pruners.iterative import IterativePruner
    from asap_hf.pruners.reference import ReferencePruner
    from asap_hf.scoring.reference import ReferenceScorer
    from asap_hf.scoring.surprisal import SurprisalScorer

    os.environ["ASAP_HF_LEDGER"] = "off"
    paper = SurprisalScorer(arguments.model, context="raw", dtype="float32", all_scores=False)
    code = ReferenceScorer(arguments.model, context="raw", dtype="float32")
    model, budget = arguments.model, {"ratio": arguments.ratio}
    tokenizer, _ = paper.load()
    traces = read_traces(10**6, tokenizer, 1, arguments.longest)[: arguments.traces]
    prunings = IterativePruner(paper, model, **budget).prune(traces)
    expected = [one.trace.kept for one in prunings]
    lines = {
        "a token further (+ 1)": kept_by(IterativePruner(code, model, **budget), traces),
        "removal by text": removed_by_text(traces, prunings, model),
        "stripped, and by text": kept_by(ReferencePruner(paper, model, **budget), traces),
        "all of them": kept_by(ReferencePruner(code, model, **budget), traces),
    }
    total = sum(len(trace.steps) for trace in traces)
    print(f"{len(traces)} traces, {total} steps, {arguments.ratio:g} of the tokens; {paper.identity.name}\n")
    print(f"{'':<24}{'traces':>10}{'steps':>10}")
    for name, kept in lines.items():
        differing = [len(set(one) ^ set(other)) for one, other in zip(expected, kept, strict=True)]
        print(f"{name:<24}{sum(map(bool, differing)):>10}{sum(differing):>10}")


def kept_by(pruner: Any, traces: Sequence[Any]) -> Kept:
    return [one.trace.kept for one in pruner.prune(traces)]


def removed_by_text(traces: Sequence[Any], prunings: Sequence[Any], model: str) -> Kept:
    """What the same scores keep where the first of equal steps goes."""
    from asap_hf.models.tokens import count_tokens
    from asap_hf.pruners.reference import first_of_equals
    from asap_hf.pruners.selection import select_by_budget

    kept = []
    for trace, pruning in zip(traces, prunings, strict=True):
        order = first_of_equals([text.strip() for text in trace.texts], pruning.record["order"])
        ranks = sorted(range(len(order)), key=order.__getitem__)
        budget, count = pruning.record["budget"], partial(count_tokens, model)
        kept.append(select_by_budget(trace.steps, [float(rank) for rank in ranks], budget, count).kept)
    return kept


if __name__ == "__main__":
    main()
