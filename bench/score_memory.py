"""Memory of scoring against the length of the text, and how much of the work the output layer is.

    python bench/score_memory.py [--model FOLDER] [--dtype float32] [--lengths 1024,4096]

Each figure comes from a process of its own: the kernel's high-water mark over what the loaded model takes, on the CPU.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LENGTHS = "1024,2048,4096,8192"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded", help="Hub id or folder (default: the embedded model)")
    parser.add_argument("--dtype", default="auto", help="of the weights (default: auto)")
    parser.add_argument("--lengths", default=LENGTHS, help=f"of the texts, in tokens (default: {LENGTHS})")
    parser.add_argument("--peak", nargs=2, metavar=("WAY", "TOKENS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        way, tokens = arguments.peak
        print(peak_mebibytes(arguments.model, arguments.dtype, way, int(tokens)))
        return
    print_memory(arguments.model, arguments.dtype, [int(length) for length in arguments.lengths.split(",")])
    print_head_share(arguments.model)


def print_head_share(name: str) -> None:
    """By counting: what share of a forward the output layer is, with all rows and with those of 300 steps."""
    from transformers import Qwen2Config

    from asap_hf.scoring.surprisal import flops_per_trace, model_config

    qwen = Qwen2Config(
        hidden_size=3584,
        vocab_size=152064,
        num_hidden_layers=28,
        intermediate_size=18944,
        num_attention_heads=28,
        num_key_value_heads=4,
    )
    print(f"\n{'output layer, 8,000 tokens':<32}{'all rows':>12}{'300 rows':>12}")
    for title, config in ((name, model_config(name)), ("Qwen2-7B", qwen)):
        body = flops_per_trace(config, 8000)
        shares = [1 - body / flops_per_trace(config, 8000, rows) for rows in (8000, 300)]
        print(f"{title:<32}{shares[0]:>12.1%}{shares[1]:>12.2%}")


def print_memory(name: str, dtype: str, lengths: Sequence[int]) -> None:
    """Each figure from a process of its own: the most memory above what the loaded model takes."""
    print(f"{'peak MiB over the loaded model':<32}" + "".join(f"{length:>9}" for length in lengths) + "  tokens")
    rows = {}
    for way in ("body", "ours", "full"):
        command = [sys.executable, __file__, "--model", name, "--dtype", dtype, "--peak", way]
        runs = [subprocess.run([*command, str(n)], stdout=subprocess.PIPE, text=True, check=True) for n in lengths]
        rows[way] = [float(run.stdout) for run in runs]
    titles = {"body": "bare body", "ours": "ours, all five", "full": "full logits and log-softmax"}
    for way, title in titles.items():
        print(f"{title:<32}" + "".join(f"{peak:>9.0f}" for peak in rows[way]))
    for way in ("ours", "full"):
        above = [peak - body for peak, body in zip(rows[way], rows["body"], strict=True)]
        print(f"{titles[way] + ', less body':<32}"[:32] + "".join(f"{peak:>9.0f}" for peak in above))


def peak_mebibytes(name: str, dtype: str, way: str, tokens: int) -> float:
    import numpy as np
    import torch

    from asap_hf.scoring.surprisal import SurprisalScorer
    from asap_hf.scoring.windows import Window

    torch.set_num_threads(1)
    _, model = SurprisalScorer(name, dtype=dtype, context="raw", device="cpu").load()
    ids = np.random.default_rng(0).integers(1000, 20000, tokens)
    batch = torch.from_numpy(ids)[None]
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    with torch.inference_mode():
        if way == "body":
            model.body(input_ids=batch, use_cache=False)
        elif way == "ours":
            model.score([Window(0, ids, np.arange(len(ids) - 1), ids[1:], slice(0, len(ids) - 1))])
        else:
            model.model(input_ids=batch, use_cache=False).logits.log_softmax(-1)
    return (status("VmHWM") - before) / 1024


def status(name: str) -> int:
    """A line of the kernel's account of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


if __name__ == "__main__":
    main()
