# /// script
# requires-python = ">=3.11"
# dependencies = ["asap-hf"]
# ///
"""Build the dataset `asap-codeforces-pruned`: open-r1/codeforces-cots, the Python subset, pruned by ASAP with the
paper's values, and publish it with its card.

    python dataset_scripts/asap_codeforces_pruned.py --repo_id me/asap-codeforces-pruned --push_to_hub --max_cost 100
    uv run dataset_scripts/asap_codeforces_pruned.py …          # in an environment of its own
    hf jobs uv run --flavor a100-large --secrets HF_TOKEN dataset_scripts/asap_codeforces_pruned.py … --num_shards 100

A look at it on a laptop, without a key and without a GPU, from a file with the same columns:

    python dataset_scripts/asap_codeforces_pruned.py --source traces.jsonl --anchor_model none --scorer embedded \
        --limit 20 --output_dir out/

The same command again goes on where it was killed. With `--num_shards` and `--push_to_hub`, finished shards are kept
in a branch of the repository, so that it goes on from there on another machine too. `--dry_run` says what it costs.
"""

from __future__ import annotations

import sys

from asap_hf.commands.dataset_script import DatasetScriptArguments, publish, run_script
from asap_hf.commands.prune import main as prune


def build(arguments: DatasetScriptArguments) -> None:
    """Filter, prune, and publish."""
    summary = prune(arguments, arguments.staging)
    if summary:
        publish(arguments, [summary["shards"][1]] if "shards" in summary else [])


if __name__ == "__main__":
    sys.exit(run_script(build, DatasetScriptArguments, "asap_codeforces_pruned.py"))
