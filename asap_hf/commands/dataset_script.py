"""Arguments and steps that the scripts in `dataset_scripts/` have in common: prune, then publish."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..dataset.rebudget import changed_settings
from ..dataset.result_folder import former_run
from ..dataset.shards import Staging
from ..errors import UsageError
from ..hub import require_ref, require_repo_id
from .command_line import guarded, parse
from .methods import settings_of
from .prune_arguments import PruneArguments, option
from .publish import DatasetArguments, publish_dataset
from .unused_flags import Rule, refuse_unused

_RULES = (
    Rule(
        ["private", "tag", "create_pr", "replace_foreign", "license"],
        lambda given: given.push_to_hub,
        "with --push_to_hub",
    ),
    Rule(
        ["repo_id"],
        lambda given: given.push_to_hub or given.output_dir in ("", _name(given.repo_id)),
        "with --push_to_hub, or in place of --output_dir",
    ),
    Rule(["dataset_config"], lambda given: not given.source, "without --source"),
)


def _name(repo_id: str | None) -> str:
    return (repo_id or "").rpartition("/")[2]


@dataclass
class DatasetScriptArguments(PruneArguments):
    """Arguments of a dataset script: those of `asap-hf prune` with the paper's values, and where the dataset goes."""

    dataset_name: str = option("open-r1/codeforces-cots", "the dataset of §4.1")
    dataset_config: str | None = option("solutions_py", "its Python subset (§4.1)")
    anchor_model: str | None = option("deepseek-ai/DeepSeek-V3", "LLM of stage 1 (Appendix A); none: no LLM")
    scorer: str = option("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "model of stage 2 (Appendix A)")
    source: str | None = option(None, "a local file or folder with the same columns, instead")
    repo_id: str | None = option(None, "where the dataset goes on the Hub; output_dir is named after it")
    push_to_hub: bool = option(False, "publish it there")
    private: bool = option(False, "make a new repository private")
    tag: str | None = option(None, "name this state, v1 for example")
    create_pr: bool = option(False, "open a pull request, and leave main as it is")
    replace_foreign: bool = option(False, "replace data files in the repository that another tool put there")
    license: str | None = option("cc-by-4.0", "that of open-r1/codeforces-cots")

    def check(self) -> None:
        """Refuse what cannot work, and fill in what follows from the rest. The same command again goes on with what a
        killed one left, so what the same command wrote may be written anew.

        Raises:
            `UsageError`: with what to change.
        """
        if self.push_to_hub and not self.repo_id:
            raise UsageError("say where the dataset goes with --repo_id")
        if self.repo_id:
            require_repo_id(self.repo_id, "repo_id")
        if self.tag is not None:
            require_ref(self.tag, "tag")
        refuse_unused(self, _RULES)
        if self.source:
            self.dataset_name, self.dataset_config = self.source, None
        if self.anchor_model == "none":
            self.anchor_model = None
        self.output_dir = self.output_dir or _name(self.repo_id)
        super().check()
        former = former_run(Path(self.output_dir)) if self.output_dir else None
        self.overwrite = self.overwrite or (former is not None and self._is_mine(former))

    def _is_mine(self, former: Mapping[str, Any]) -> bool:
        """Whether a result was made from this source with these settings."""
        label = Path(self.dataset_name).name if Path(self.dataset_name).exists() else self.dataset_name
        runs = former.get("runs") or {self.pruner: former}
        settings = {name: settings_of(replace(self, pruner=name)) for name in runs}
        changed = [name for name, run in runs.items() if changed_settings(run["settings"], settings[name])]
        return former.get("source") == label and not changed

    @property
    def staging(self) -> Staging | None:
        """Where finished shards are kept until all are there; nowhere where nothing may be written to the Hub."""
        return Staging(self.repo_id, self.private) if self.push_to_hub and self.repo_id else None


def run_script(work: Callable[[Any], None], arguments: type[DatasetScriptArguments], program: str) -> int:
    """Parse the command line and do the work; returns the exit code, as `asap_hf.cli.main` does."""

    def run(argv: list[str]) -> int:
        parsed = parse(arguments, argv, program)
        parsed.check()
        work(parsed)
        return 0

    return guarded(run, sys.argv[1:])


def publish(arguments: DatasetScriptArguments, branches: list[str]) -> None:
    """Publish the output folder if that was asked for, and drop the branches that kept finished shards until then."""
    if not arguments.push_to_hub or not arguments.repo_id:
        return
    publish_dataset(
        DatasetArguments(
            arguments.output_dir,
            arguments.repo_id,
            private=arguments.private,
            tag=arguments.tag,
            create_pr=arguments.create_pr,
            overwrite=arguments.replace_foreign,
            license=arguments.license,
        )
    )
    from ..hub.staging import unstage

    for branch in branches:
        unstage(arguments.repo_id, branch)
