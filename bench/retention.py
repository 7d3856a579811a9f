"""How much of the final code a pruned reasoning still tells: the code's likelihood, at equal token budgets.

    python bench/retention.py
    python bench/retention.py --traces 100 --ratios 0.25,0.5 --splitters code,paper --output results.jsonl

A small model reads the question and what a pruner left of the reasoning, and is asked how likely the answer's code is:
mean negative log-likelihood in nats per token of code, lower is better. `random` (steps removed at random) and
`keep_last` (the end of the reasoning) are the controls. Conditions with a ratio all get the same budget: that share of
the original reasoning's tokens; `kept` says what they used of it. The measure favours steps that contain the code.

Reads `../shared/data/traces` where that exists, else the samples of the package. With `--output`, each result is
appended as soon as it is there, and a second run takes it from the file; take a new file for another seed or model,
and after changing a pruner. Scores of steps go to the ledger, as everywhere (`ASAP_HF_LEDGER`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import wilcoxon
from transformers import AutoModelForCausalLM

from asap_hf.embedded import resolve_model
from asap_hf.errors import UnusableTrace
from asap_hf.pruners.answer_anchor import AnswerAnchorPruner, answer_code, answer_overlap
from asap_hf.pruners.base import Pruner, Sequential
from asap_hf.pruners.iterative import IterativePruner
from asap_hf.surprisal import SurprisalScorer
from asap_hf.tokens import count_tokens, load_tokenizer
from asap_hf.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "traces" / "codeforces_cots_py.jsonl.gz"
SAMPLES = ROOT / "asap_hf" / "samples" / "traces.jsonl"
CONTROL = "random"

Result = dict[str, Any]


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    rows = read_rows(arguments)
    results = read_results(arguments.output)
    for number, (name, row) in enumerate(rows.items(), 1):
        measured = {key(result) for result in results if result["trace"] == name}
        for result in measure_trace(name, row, arguments, measured):
            results.append(result)
            if arguments.output:
                with arguments.output.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(result) + "\n")
        print(f"\r{number} of {len(rows)} traces", end="", flush=True)
    print("\n")
    wanted = [result for result in results if result["trace"] in rows]
    for ratio in (None, *arguments.ratios):
        print_table([result for result in wanted if result["ratio"] == ratio], ratio)
    print_splitters(wanted)


def parse_arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[float]:
        return [float(one) for one in text.split(",")]

    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=20, help="how many, drawn at random (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of the random removal (default: 0)")
    parser.add_argument("--max_tokens_trace", type=int, default=4000, help="longest reasoning drawn (default: 4000)")
    parser.add_argument("--ratios", type=numbers, default=[0.25, 0.5], help="budgets (default: 0.25,0.5)")
    parser.add_argument("--keep", type=numbers, default=[0.25, 0.5], help="of AnswerAnchorPruner (default: 0.25,0.5)")
    parser.add_argument("--splitters", type=names, default=["code", "paper"], help="default: code,paper")
    parser.add_argument("--conditions", type=names, help="only these, such as random,overlap (default: all)")
    parser.add_argument("--model", default="embedded", help="scores the steps and judges (default: embedded)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: 2)")
    parser.add_argument("--output", type=Path, help="JSON lines: results of former runs, and of this one")
    return parser.parse_args()


def read_rows(arguments: argparse.Namespace) -> dict[str, Mapping[str, str]]:
    """Name → question and completion of a random draw of the traces that are usable and short enough."""
    source = REAL if REAL.exists() else SAMPLES
    rows = {}
    with (gzip.open if source.suffix == ".gz" else open)(source, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            question = row.get("statement") or row.get("prompt")
            completion = row.get("response") or row.get("completion")
            if question and is_usable(question, completion, arguments):
                rows[str(row.get("idx", row.get("id")))] = {"question": question, "completion": completion}
    drawn = random.Random(arguments.seed).sample(sorted(rows), min(arguments.traces, len(rows)))
    print(f"{len(drawn)} of {len(rows)} traces of {source.name} with at most {arguments.max_tokens_trace} tokens\n")
    return {name: rows[name] for name in drawn}


def is_usable(question: str, completion: str, arguments: argparse.Namespace) -> bool:
    try:
        trace = Trace.parse(question, completion)
    except UnusableTrace:
        return False
    has_code = answer_code(trace.answer) != trace.answer
    return has_code and count_tokens(arguments.model, [trace.reasoning])[0] <= arguments.max_tokens_trace


def read_results(path: Path | None) -> list[Result]:
    if path is None or not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def key(result: Result) -> tuple[Any, ...]:
    return result["splitter"], result["condition"], result["ratio"]


# The conditions, each a pruner: Algorithm 2 on some score, or the two stages.


@dataclass(frozen=True)
class Ranking:
    """A scorer that needs no model."""

    rank: Callable[[Trace], Sequence[float]]

    def __call__(self, traces: Sequence[Trace]) -> list[Mapping[str, Any]]:
        return [{"scores": {"rank": self.rank(trace)}} for trace in traces]

    def to_rank(self, rank: int | None) -> None:
        pass


def at_random(seed: int) -> Callable[[Trace], Sequence[float]]:
    def rank(trace: Trace) -> list[float]:
        rng = random.Random(f"{seed} {trace.reasoning}")
        return [rng.random() for _ in trace.steps]

    return rank


def conditions(arguments: argparse.Namespace) -> dict[tuple[str, float | None], Callable[[Trace], str]]:
    """(name, budget as a share of the original or `None`) → what is left of a trace's reasoning."""
    scorer = SurprisalScorer(arguments.model, all_scores=False)  # its ledger serves every budget with one forward pass
    stages_1 = {f"anchor {keep:g}": AnswerAnchorPruner(keep) for keep in arguments.keep}
    rankings = {CONTROL: at_random(arguments.seed), "keep_last": lambda trace: trace.kept, "overlap": answer_overlap}
    every: dict[tuple[str, float | None], Callable[[Trace], str]] = {
        ("everything", None): lambda trace: trace.reasoning,
        ("nothing", None): lambda trace: "",
        **{(name, None): left_by(stage_1) for name, stage_1 in stages_1.items()},
    }
    for ratio in arguments.ratios:
        for name, rank in rankings.items():
            every[name, ratio] = left_by(IterativePruner(Ranking(rank), arguments.model, ratio=ratio, score="rank"))
        stage_2 = IterativePruner(scorer, arguments.model, ratio=ratio, score_short=False)
        every["surprisal", ratio] = left_by(stage_2)
        for name, stage_1 in stages_1.items():
            every[f"{name} + surprisal", ratio] = left_by(Sequential((stage_1, stage_2)))
    return {one: left for one, left in every.items() if one[0] in (arguments.conditions or [one[0]])}


def left_by(pruner: Pruner) -> Callable[[Trace], str]:
    return lambda trace: pruner.prune([trace])[0].trace.reasoning


@lru_cache(maxsize=1)
def load_judge(model_name_or_path: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(resolve_model(model_name_or_path), dtype=torch.bfloat16).eval()


def code_nll(model_name_or_path: str, question: str, reasoning: str, code: str) -> float:
    """Mean negative log-likelihood of the code after the question and a reasoning, in nats per token of code."""
    tokenizer, model = load_tokenizer(model_name_or_path), load_judge(model_name_or_path)
    asked = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    before = f"{prompt}<think>\n{reasoning}\n</think>\n\n```python\n"
    encoding = tokenizer(before + code, add_special_tokens=False, return_offsets_mapping=True)
    tokens = torch.tensor([encoding["input_ids"]])
    first = next(at for at, (start, _) in enumerate(encoding["offset_mapping"]) if start >= len(before))
    with torch.inference_mode():
        rows = torch.arange(first - 1, tokens.shape[1] - 1)
        logits = model(tokens, use_cache=False, logits_to_keep=rows).logits[0]
    return torch.nn.functional.cross_entropy(logits.float(), tokens[0, first:]).item()


def measure_trace(
    name: str, row: Mapping[str, str], arguments: argparse.Namespace, measured: set[tuple[Any, ...]]
) -> Iterator[Result]:
    """Every result of one trace that is not measured yet; equal texts are judged once."""
    judged: dict[str, float] = {}
    for splitter in arguments.splitters:
        trace = Trace.parse(row["question"], row["completion"], splitter)
        total = count_tokens(arguments.model, [trace.reasoning])[0]
        code = answer_code(trace.answer).strip() + "\n"
        for (condition, ratio), left_of in conditions(arguments).items():
            result = {"trace": name, "splitter": splitter, "condition": condition, "ratio": ratio}
            if key(result) in measured:
                continue
            left = left_of(trace)
            if left not in judged:
                judged[left] = code_nll(arguments.model, trace.question, left, code)
            kept = count_tokens(arguments.model, [left])[0] / total
            yield {**result, "nll": round(judged[left], 6), "kept": round(kept, 4)}


# The tables.


def by_condition(results: Sequence[Result]) -> dict[tuple[str, str], dict[str, Result]]:
    """(condition, splitter) → trace → result."""
    grouped: dict[tuple[str, str], dict[str, Result]] = {}
    for result in results:
        grouped.setdefault((result["condition"], result["splitter"]), {})[result["trace"]] = result
    return grouped


def print_table(results: Sequence[Result], ratio: float | None) -> None:
    """One line per condition, the best first, each against the control on the same traces with the same splitter."""
    if not results:
        return
    grouped = by_condition(results)
    control = CONTROL if ratio is not None else "everything"
    print(f"{'without a budget' if ratio is None else f'budget {ratio:g} of the original tokens':34}", end="")
    print(f"{'splitter':>9}{'traces':>7}{'kept':>6}   {'NLL':<24}{'against ' + control:<27}{'Wilcoxon p':>10}")
    for (condition, splitter), of_trace in sorted(grouped.items(), key=lambda item: mean_nll(item[1])):
        nll = np.array([result["nll"] for result in of_trace.values()])
        kept = np.mean([result["kept"] for result in of_trace.values()])
        against = difference(of_trace, grouped.get((control, splitter), {})) if condition != control else ""
        print(f"{condition:34}{splitter:>9}{len(nll):>7}{kept:>6.2f}   {interval(nll):<24}{against}")
    print()


def print_splitters(results: Sequence[Result]) -> None:
    """Every condition cut by one splitter against the same condition cut by the other."""
    splitters = sorted({result["splitter"] for result in results})
    for one in splitters:
        for other in splitters[splitters.index(one) + 1 :]:
            print(f"{one + ' minus ' + other:34}{'budget':>9}")
            for ratio in sorted({result["ratio"] for result in results if result["ratio"] is not None}):
                grouped = by_condition([result for result in results if result["ratio"] == ratio])
                for condition in sorted({condition for condition, _ in grouped}):
                    pair = (grouped.get((condition, splitter), {}) for splitter in (one, other))
                    print(f"{condition:34}{ratio:>9g}   {difference(*pair)}")
            print()


def mean_nll(of_trace: Mapping[str, Result]) -> float:
    return float(np.mean([result["nll"] for result in of_trace.values()]))


def difference(of_trace: Mapping[str, Result], control: Mapping[str, Result]) -> str:
    """Mean of the differences trace by trace, its interval, and the p-value of Wilcoxon's signed-rank test."""
    both = [name for name in of_trace if name in control]
    deltas = np.array([of_trace[name]["nll"] - control[name]["nll"] for name in both])
    if not deltas.any():
        return ""
    return f"{interval(deltas, '+'):<27}{wilcoxon(deltas).pvalue:>10.2g}"


def interval(values: np.ndarray, sign: str = "") -> str:
    """The mean and its 95 % bootstrap interval."""
    draws = np.random.default_rng(0).choice(values, (5000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{values.mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


if __name__ == "__main__":
    main()
