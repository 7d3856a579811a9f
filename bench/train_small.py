"""The whole way on a small scale, for real: the same model trained on original and on pruned traces, then both asked.

    python bench/train_small.py                  # the tables of the README: about an hour on one core
    python bench/train_small.py --demo           # a few minutes, through the commands that a user types

SmolLM2-135M-Instruct (embedded) is trained on a CPU by `trl sft`, with the same rows, optimiser steps and seed: once
on the rows as they are, once on what `asap-hf prune` leaves of them. Then both, and the model as it was, are asked
held-out questions. Printed: Table 3's two columns, the tokens of the reasonings generated, and the held-out loss.

Reads `../shared/data/traces` where that exists, else the samples of the package. Each stage leaves a folder or file in
`--output_dir`, whole or not at all, and a second run takes it over; a training that was killed goes on from its last
checkpoint. Take a new folder for other options.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asap_hf.errors import UnusableTrace
from asap_hf.models.devices import pick_dtype
from asap_hf.models.embedded import resolve_model
from asap_hf.models.tokens import count_tokens, load_tokenizer
from asap_hf.runtime.files import write_whole as write_file
from asap_hf.traces.rows import Columns, trace_of
from asap_hf.train.efficiency import read_efficiency
from asap_hf.train.output import last_checkpoint

ROOT = Path(__file__).resolve().parents[1]
TRACES = ROOT.parent / "shared" / "data" / "traces"
REAL = ("qwen3_thinking_humaneval.jsonl.gz", "codeforces_cots_py.jsonl.gz")
SAMPLES = ROOT / "asap_hf" / "traces" / "samples" / "traces.jsonl"
RECIPE = ROOT / "asap_hf" / "recipes" / "smollm2-135m" / "train.yaml"
PRUNERS = {"original": "wo_any", "asap": "asap"}
DEMO = {"rows": 6, "heldout": 2, "steps": 6, "batch": 1, "max_tokens_trace": 1450, "max_new_tokens": 256}

Row = Mapping[str, str]


def main() -> None:
    arguments = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    folder = arguments.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    draw_rows(arguments, folder)
    for name in PRUNERS:
        for rows in ("rows", "heldout"):
            prune(arguments, folder / f"{rows}.jsonl", folder / f"{rows}-{name}", PRUNERS[name])
    for name in PRUNERS:
        train(arguments, folder / f"rows-{name}", folder / name)
    models = {"untrained": resolve_model("embedded")} | {name: str(folder / name) for name in PRUNERS}
    for name, model in models.items():
        generate(arguments, model, folder / "heldout.jsonl", folder / f"generated-{name}.jsonl")
    for name, model in models.items():
        measure_loss(model, [folder / f"heldout-{data}" for data in PRUNERS], folder / f"loss-{name}.json")
    compared = [str(folder / name) for name in PRUNERS]
    run("asap-hf", "compare", *compared, "--paper", "--output_dir", str(folder / "comparison"), "--overwrite")
    print_tables(arguments, folder, list(models))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", action="store_true", help="a small size, the bundled samples, `asap-hf train`")
    parser.add_argument("--steps", type=int, default=40, help="optimiser steps of either training (default: 40)")
    parser.add_argument("--batch", type=int, default=2, help="samples per step (default: 2)")
    parser.add_argument("--learning_rate", type=float, default=2e-4, help="peak (default: 2e-4)")
    parser.add_argument("--rows", type=int, default=24, help="training samples (default: 24)")
    parser.add_argument(
        "--max_tokens_trace", type=int, default=1500, help="longest reasoning trained on (default: 1500)"
    )
    parser.add_argument("--ratio", type=float, default=0.25, help="budget of the pruned reasonings (default: 0.25)")
    parser.add_argument("--heldout", type=int, default=12, help="questions asked afterwards (default: 12)")
    parser.add_argument("--max_new_tokens", type=int, default=1536, help="cap of a generation (default: 1536)")
    parser.add_argument("--temperature", type=float, default=0.0, help="of the generations (default: 0, greedy)")
    parser.add_argument("--seed", type=int, default=42, help="of draw, training and sampling (default: 42)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--output_dir", type=Path, default=Path("out/train_small"), help="default: out/train_small")
    if parser.parse_known_args()[0].demo:
        parser.set_defaults(**DEMO, output_dir=Path("out/demo-train"))
    return parser.parse_args()


def run(*command: str) -> float:
    """Run a command of the environment that this Python is in, showing it as one would type it. Returns its CPU
    seconds."""
    print(f"\n$ {shlex.join(command)}", flush=True)
    program = Path(sys.executable).with_name(command[0])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code := subprocess.run([program, *command[1:]]).returncode:
        sys.exit(f"that ended with exit code {code}; this program, started again, goes on from there")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def dtype() -> str:
    """The numbers to compute in: bfloat16, as the paper, where this CPU has instructions for it."""
    return pick_dtype("auto", "cpu")


def write_whole(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path} holds something else: name another --output_dir")
    write_file(path, text)


# The rows.


def draw_rows(arguments: argparse.Namespace, folder: Path) -> None:
    """`rows.jsonl` to train on: usable and short enough. `heldout.jsonl` to ask: other questions, one row each, whose
    reasonings may be twice as long."""
    if (folder / "heldout.jsonl").exists():
        return
    sources = [SAMPLES] if arguments.demo or not TRACES.exists() else [TRACES / name for name in REAL]
    longest = arguments.max_tokens_trace
    found = {row["id"]: (row, tokens) for source in sources for row, tokens in read_rows(source, 2 * longest)}
    order = random.Random(arguments.seed).sample(sorted(found), len(found))
    train = [found[name][0] for name in order if found[name][1] <= longest][: arguments.rows]
    asked = {row["prompt"] for row in train}
    others = {row["prompt"]: row for row, _ in map(found.__getitem__, order) if row["prompt"] not in asked}
    heldout = list(others.values())[: arguments.heldout]
    if (len(train), len(heldout)) < (arguments.rows, arguments.heldout):
        sys.exit(f"with --max_tokens_trace {longest} there are {len(train)} rows and {len(others)} other questions")
    for name, rows in (("rows.jsonl", train), ("heldout.jsonl", heldout)):
        write_whole(folder / name, "".join(json.dumps(row) + "\n" for row in rows))


def read_rows(source: Path, max_tokens: int) -> Iterator[tuple[Row, int]]:
    """The usable rows of a file, and the tokens of their reasonings. A prompt that was rendered for another model is
    taken out of its template."""
    with (gzip.open if source.suffix == ".gz" else open)(source, "rt", encoding="utf-8") as lines:
        for number, row in enumerate(map(json.loads, lines)):
            pair = {"prompt": row.get("statement") or row.get("prompt"), "completion": completion_of(row)}
            try:
                trace = trace_of(pair, Columns("prompt", "completion"))
            except UnusableTrace:
                continue
            (tokens,) = count_tokens("embedded", [trace.reasoning])
            if tokens <= max_tokens:
                name = f"{source.name.partition('.')[0]}-{number}"
                yield {"id": name, "prompt": trace.question, "completion": pair["completion"]}, tokens


def completion_of(row: Mapping[str, Any]) -> str:
    return str(row.get("response") or row.get("completion"))


def prune(arguments: argparse.Namespace, rows: Path, target: Path, pruner: str) -> None:
    if not target.exists():
        budget = ["--ratio", str(arguments.ratio)] if pruner == "asap" else []
        run("asap-hf", "prune", str(rows), "--pruner", pruner, *budget, "--output_dir", str(target))


# Training.


def train(arguments: argparse.Namespace, data: Path, target: Path) -> None:
    """Train beside the target, from the last checkpoint if there is one, and rename when all of it is there."""
    if target.exists():
        return
    partial = target.with_name(f".{target.name}.partial")
    model = "embedded" if arguments.demo else resolve_model("embedded")
    settings = {
        "model_name_or_path": model,
        "dataset_name": data,
        "output_dir": partial,
        "max_steps": arguments.steps,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": arguments.batch,
        "learning_rate": arguments.learning_rate,
        "seed": arguments.seed,
        "logging_steps": 1,
        "save_steps": (arguments.steps + 3) // 4,
        "save_total_limit": 1,
        "include_num_input_tokens_seen": True,  # or the logs have no time
        "activation_checkpointing": False,
        "bf16": dtype() == "bfloat16",  # in which a CPU without instructions for it takes minutes a step
    }
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    if begun := last_checkpoint(partial):
        flags += ["--resume_from_checkpoint", str(begun)]
    how = (
        ["asap-hf", "train", "--recipe", RECIPE.parent.name]
        if arguments.demo
        else ["trl", "sft", "--config", str(RECIPE)]
    )
    seconds = run(*how, *flags)
    if not begun:
        write_whole(partial / "cpu_seconds.json", json.dumps(seconds))
    for path in partial.glob("checkpoint-*/*"):
        if path.name not in ("trainer_state.json", "training_args.bin"):  # what its efficiency is read from
            path.unlink()  # weights that lie above as well, and two GB to go on from
    partial.rename(target)


# Afterwards.


def generate(arguments: argparse.Namespace, model: str, rows: Path, target: Path) -> None:
    """One line per held-out question: what the model says, and how many tokens of it are reasoning."""
    if target.exists():
        return
    from asap_hf.evaluate.budgets import Reader
    from asap_hf.llm.engine import Generation, Sampling
    from asap_hf.llm.prompts import render
    from asap_hf.llm.transformers import TransformersEngine

    tokenizer = load_tokenizer(model)
    asked = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    prompts = [
        render([{"role": "user", "content": row["prompt"]}], tokenizer, think=True, seed=arguments.seed + number)
        for number, row in enumerate(asked)
    ]
    print(f"\n{target.stem}: {len(prompts)} questions, at most {arguments.max_new_tokens} tokens each", flush=True)
    engine, reader = TransformersEngine(model, dtype=dtype(), batch_size=len(prompts)), Reader(tokenizer, think=True)
    lines = {}
    for number, said in engine.generate(prompts, arguments.max_new_tokens, Sampling(arguments.temperature)):
        assert isinstance(said, Generation), said
        (reading,) = reader.read(said, [arguments.max_new_tokens])
        lines[number] = {
            "id": asked[number]["id"],
            "reasoning_tokens": reading.reasoning_tokens,
            "generated_tokens": reading.generated_tokens,
            "closed": reading.answer is not None,
            "finish_reason": reading.finish_reason,
            "text": reader.text(said),
        }
    write_whole(target, "".join(json.dumps(lines[number]) + "\n" for number in sorted(lines)))


def measure_loss(model: str, datasets: Sequence[Path], target: Path) -> None:
    """Mean negative log-likelihood of the held-out completions, in nats per token, by dataset."""
    if target.exists():
        return
    import torch
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM

    judge = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype())).eval()
    tokenizer = load_tokenizer(model)
    losses = {}
    for folder in datasets:
        total, count = 0.0, 0
        for row in load_dataset(str(folder), split="train"):
            prompt, completion = (
                tokenizer(row[part], add_special_tokens=False).input_ids for part in ("prompt", "completion")
            )
            with torch.inference_mode():
                logits = judge(torch.tensor([prompt + completion]), logits_to_keep=len(completion) + 1).logits[0, :-1]
            total += torch.nn.functional.cross_entropy(
                logits.float(), torch.tensor(completion), reduction="sum"
            ).item()
            count += len(completion)
        losses[folder.name] = total / count
    write_whole(target, json.dumps(losses))


# The tables.


def print_tables(arguments: argparse.Namespace, folder: Path, models: Sequence[str]) -> None:
    import evaluate

    print(f"\n{'training':12}{'tokens per sample':>20}{'seconds per step':>19}{'CPU s per step':>17}{'steps':>7}")
    for name in PRUNERS:
        cost, spent = read_efficiency(folder / name), folder / name / "cpu_seconds.json"
        cpu = f"{json.loads(spent.read_text()) / cost.steps:.2f}" if spent.exists() else "–"
        took = "–" if cost.seconds_per_step is None else f"{cost.seconds_per_step:.2f}"
        print(f"{name:12}{cost.tokens_per_sample:>20,.0f}{took:>19}{cpu:>17}{cost.steps:>7}")
    print("CPU seconds are those of the whole command, start and saving included.")

    print(f"\nreasoning tokens generated on {arguments.heldout} held-out questions, cap {arguments.max_new_tokens:,}")
    print(f"{'model':12}{'quartile':>10}{'median':>10}{'quartile':>10}{'closed':>10}{'generated, mean':>18}{'cut':>7}")
    measure = evaluate.load(str(ROOT / "evaluation" / "generated_tokens"))
    for name in models:
        said = [json.loads(line) for line in (folder / f"generated-{name}.jsonl").read_text().splitlines()]
        quartiles = np.percentile([one["reasoning_tokens"] for one in said], [25, 50, 75])
        closed = sum(one["closed"] for one in said)
        counted = measure.compute(
            predictions=[one["generated_tokens"] for one in said],
            finish_reasons=[one["finish_reason"] for one in said],
        )
        print(f"{name:12}" + "".join(f"{value:>10,.0f}" for value in quartiles), end="")
        print(f"{f'{closed} of {len(said)}':>10}{counted['mean_tokens']:>18,.0f}{counted['truncated']:>7.0%}")

    print("\nheld-out loss in nats per token of the completion")
    print(f"{'model':12}" + "".join(f"{f'on {data}':>14}" for data in PRUNERS))
    for name in models:
        losses: dict[str, Any] = json.loads((folder / f"loss-{name}.json").read_text())
        print(f"{name:12}" + "".join(f"{losses[f'heldout-{data}']:>14.3f}" for data in PRUNERS))


if __name__ == "__main__":
    main()
