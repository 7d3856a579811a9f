# /// script
# requires-python = ">=3.11"
# dependencies = ["asap-hf"]
# ///
"""Build the dataset `asap-codeforces-baselines`: the same rows of open-r1/codeforces-cots as every pruner leaves them,
one config each, so that models trained on them can be compared.

    python dataset_scripts/asap_codeforces_baselines.py --repo_id me/asap-codeforces-baselines --push_to_hub

Scores and LLM answers are shared through the ledger: what one pruner paid for, the next one finds there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from asap_hf.commands.dataset_script import DatasetScriptArguments, publish, run_script
from asap_hf.commands.prune import main as prune
from asap_hf.commands.prune_arguments import option
from asap_hf.dataset.merge import write_baselines
from asap_hf.dataset.result_folder import DATASET
from asap_hf.errors import UsageError
from asap_hf.llm.run_account import account_folder, run_account
from asap_hf.runtime.own_folders import refuse_to_replace
from asap_hf.runtime.processes import is_first_process


@dataclass
class BaselinesArguments(DatasetScriptArguments):
    """Arguments of this script: those of every dataset script, and which pruners."""

    pruners: str = option(
        "asap,wo_coarse,wo_fine,original,selective_context,llmlingua2,tokenskip,spirit_own",
        "comma-separated; the first is the default config",
    )


def build(arguments: BaselinesArguments) -> None:
    """Prune with every pruner into a folder beside the output, put the folders together, and publish."""
    names = arguments.pruners.split(",")
    refuse_to_replace(Path(arguments.output_dir), DATASET, arguments.overwrite)
    if len(set(names)) != len(names):
        raise UsageError(f"each pruner once: {arguments.pruners}")
    runs = Path(f"{arguments.output_dir}.runs")
    branches = []
    with run_account(account_folder(Path(arguments.output_dir)), removes=is_first_process()):
        for name in names:
            print(f"\n{name}\n")
            one = replace(arguments, pruner=name, output_dir=str(runs / name))
            summary = prune(one, arguments.staging)
            branches += [summary["shards"][1]] if "shards" in summary else []
        if summary:
            write_baselines({name: runs / name for name in names}, Path(arguments.output_dir), arguments.overwrite)
    if summary:
        publish(arguments, branches)


if __name__ == "__main__":
    sys.exit(run_script(build, BaselinesArguments, "asap_codeforces_baselines.py"))
