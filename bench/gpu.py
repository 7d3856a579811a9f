"""What this machine's GPU does with the tool: scoring, parity with the CPU, training, decoding, in under 8 minutes.

    python bench/gpu.py                          # all parts: tables here, the same in bench/results/<device>.json
    python bench/gpu.py --parts scoring,parity   # some parts
    python bench/gpu.py --smallest               # all parts at toy size, on any machine: the figures mean nothing

Models have real shapes (DeepSeek-R1-Distill-Qwen-7B, Llama-3-8B, …) and random weights, so nothing is downloaded. The
peak that shares are of is a bfloat16 matrix product in the same run. Times are the device's own events, in the middle
of the repeats after a warm-up; memory is the allocator's peak. A part that fails prints its reason, and the others go
on. What is done is stored after each part: the same command again goes on with what is left, also with what failed.

Needs torch with CUDA, transformers, numpy, and for the training part trl, datasets, peft and accelerate. On a machine
without a network these wheels, 2 MiB together, beside an environment that has the rest:

    pip download --no-deps --only-binary=:all: --python-version 3.12 --dest wheels \\
        trl==1.16.0 datasets==5.2.0 dill==0.4.1 multiprocess==0.70.19 cydifflib==1.2.0
    pip install --no-deps --no-index --find-links wheels trl datasets dill multiprocess cydifflib
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
if TYPE_CHECKING:
    from bench.gpu_parts.machine import Machine
    from bench.gpu_parts.report import Results, Table

    Part = Callable[[Machine], Iterator[Table]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", help="comma-separated (default: all, the most important first)")
    parser.add_argument("--smallest", action="store_true", help="toy shapes: tries the code, measures nothing")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="the first GPU that is visible, or none of them")
    parser.add_argument("--output", type=Path, help="JSON file (default: bench/results/<device>.json)")
    parser.add_argument("--again", action="store_true", help="measure parts anew that the file already holds")
    parser.add_argument("--minutes", type=float, default=8, help="begin no part after this (default: 8)")
    parser.add_argument("--part_minutes", type=float, default=3, help="break a part off after this (default: 3)")
    sys.exit(measure(parser.parse_args()))


def measure(arguments: argparse.Namespace) -> int:
    """Run the parts; 1 if one of them failed or was left."""
    sys.path.insert(0, str(ROOT))
    # One card: a trainer that sees several spreads a batch over them.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    import torch

    from bench.gpu_parts.machine import Machine
    from bench.gpu_parts.report import Results

    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu" and not arguments.smallest:
        sys.exit("there is no GPU here: --smallest tries every part at toy size")
    parts, machine = all_parts(), Machine(device, arguments.smallest)
    wanted = arguments.parts.split(",") if arguments.parts else list(parts)
    if unknown := [name for name in wanted if name not in parts]:
        sys.exit(f"there is no part {unknown[0]!r}; there are {', '.join(parts)}")
    path = arguments.output or ROOT / ("out" if arguments.smallest else "bench/results") / f"{machine.slug}.json"
    if arguments.smallest and arguments.output is None:
        path.unlink(missing_ok=True)  # figures without a meaning
    results = Results(path, machine.described())
    stored = [] if arguments.again else results.done(wanted)
    print(f"{machine.name}; {', '.join(f'{key} {value}' for key, value in machine.described()['libraries'].items())}")
    began = time.monotonic()
    left = []
    for name in wanted:
        if name in stored:
            print(f"\n== {name}: measured before\n" + "\n\n".join(table.text() for table in results.tables(name)))
        elif time.monotonic() - began > 60 * arguments.minutes:
            left.append(name)
        else:
            run_part(name, parts[name], machine, results, 60 * arguments.part_minutes)
    failed = [name for name in wanted if name not in left and not results.parts[name]["ok"]]
    print(f"\n{len(wanted) - len(left) - len(failed)} parts measured, {len(failed)} failed, {len(left)} left; {path}")
    return 1 if failed or left else 0


def all_parts() -> dict[str, Part]:
    """The parts by name, the most important first."""
    from bench.gpu_parts import attention, decoding, parity, scoring, training

    return {
        "scoring": partial(scoring.throughput, name="qwen2-7b"),
        "parity": parity.parity,
        "memory": scoring.memory,
        "batches": scoring.batches,
        "packing": attention.packing,
        "attention": attention.kinds,
        "training": training.training,
        "out_of_memory": parity.out_of_memory,
        "decoding": decoding.decoding,
        "scoring_llama": partial(
            scoring.throughput, name="llama-3-8b", ways=("the bare body", "first-token scores", "all five scores")
        ),
        "compile": attention.compiled,
    }


def run_part(name: str, part: Part, machine: Machine, results: Results, seconds: float) -> None:
    """Run one part, print its tables as they come and store them, whatever happens in it."""
    print(f"\n== {name}", flush=True)
    tables, reason, began = [], "", time.monotonic()
    signal.signal(signal.SIGALRM, _break_off)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        for table in part(machine):
            tables.append(table)
            print(table.text(), flush=True)
    except Exception as error:  # whatever one part meets, the others are worth having
        traceback.print_exc(limit=-4)
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]
        print(f"{name} failed: {reason}", flush=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    machine.forget()
    results.put(name, tables, time.monotonic() - began, reason)


def _break_off(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("broken off: it took longer than --part_minutes")


if __name__ == "__main__":
    main()
