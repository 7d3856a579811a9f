"""Prune a long run in shards: each is complete on disk (and, if asked for, on the Hub) before the next one begins."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import hub
from ..llm.run_account import RunAccount, account_folder, run_account
from ..runtime.processes import Process
from .merge import join_shards
from .no_rows import require_rows
from .records import step_features, training_features
from .result_folder import RUN_FILE
from .run import PruningRun, finish
from .writer import DatasetWriter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Staging:
    """A dataset repo on the Hub that keeps finished shards until all are there.

    Args:
        repo_id (`str`):
            The repository that the whole will be published in.
        private (`bool`, *optional*, defaults to `False`):
            For a repository that does not exist yet.
    """

    repo_id: str
    private: bool = False


@dataclass(frozen=True)
class HubShards:
    """Finished shards on a branch, where another machine finds them.

    Args:
        staging (`Staging`):
            The repository.
        branch (`str`):
            The branch; `main` is not touched.
    """

    staging: Staging
    branch: str

    def done(self) -> set[int]:
        """Numbers of the shards that are complete there."""
        paths = [Path(path) for path in hub.staged(self.staging.repo_id, self.branch)]
        return {int(path.parts[1]) for path in paths if path.parts[0] == "shards" and path.name == RUN_FILE}

    def put(self, number: int, folder: Path) -> None:
        """Upload a shard, in one commit."""
        files = {str(_place(number) / path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        hub.stage(self.staging.repo_id, self.branch, files, f"Shard {number}", self.staging.private)

    def fetch(self, number: int, folder: Path) -> None:
        """Download a shard; the folder is whole or absent."""
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        place = _place(number)
        paths = [path for path in hub.staged(self.staging.repo_id, self.branch) if Path(path).is_relative_to(place)]
        hub.fetch_staged(self.staging.repo_id, self.branch, paths, partial)
        (partial / place).rename(folder)
        shutil.rmtree(partial)

    def clear(self) -> None:
        """Remove the branch, once main holds the whole."""
        hub.unstage(self.staging.repo_id, self.branch)


def _place(number: int) -> Path:
    return Path("shards", f"{number:05d}")


def shards_key(run: PruningRun, settings: Mapping[str, Any], count: int) -> str:
    """A hash of source, settings and number of shards, so that runs that differ in one of them do not share shards."""
    columns = [list(training_features({})), list(step_features({}))]  # a former version's may be others
    what = [run.source.metadata, run.source.rows, dict(settings), count, columns]
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:12]


def write_in_shards(
    run: PruningRun,
    output_dir: Path,
    settings: Mapping[str, Any],
    count: int,
    process: Process,
    staging: Staging | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Prune shard by shard and write the merged result. The same call again, after a kill and on another machine too
    if `staging` is given, continues with the first shard that is not finished.

    Args:
        run (`PruningRun`):
            The run.
        output_dir (`Path`):
            Where the whole will stand; the shards are in a hidden folder next to it until then.
        settings (`Mapping`):
            What `run.json` tells about the run.
        count (`int`):
            How many shards.
        process (`Process`):
            Which of the processes that share the work this is; the first one writes.
        staging (`Staging`, *optional*):
            Where on the Hub finished shards are kept too. The branch stays; the summary names it.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace what stands in `output_dir`.

    Returns:
        `dict`: the summary of the whole; empty in every process but the first.

    Raises:
        `RunError`: if no row is left to train on.
    """
    key = shards_key(run, settings, count)
    branch, folder = f"shards-{key}", output_dir.parent / f".{output_dir.name}.shards-{key}"
    store = HubShards(staging, branch) if staging else None
    here = {number for number in range(count) if (folder / str(number) / RUN_FILE).exists()}
    on_hub = store.done() if store else set()
    todo = run.source.shards(count, here | on_hub)
    with run_account(account_folder(output_dir), removes=process.rank == 0) as account:
        if process.rank != 0:
            process.wait_for_everyone()
            for _, source in todo:
                replace(run, source=source).prune_into_ledger(process)
            return {}
        with DatasetWriter(output_dir, overwrite) as writer:
            folder.mkdir(exist_ok=True)
            if store:
                _fetch(store, sorted(on_hub - here), folder, account)
            shards = [Counter(_llm_of(folder / str(number))) for number in here | on_hub]
            account.add_finished(sum(shards, Counter()))
            process.wait_for_everyone()  # every process must have seen the same shards before one is written
            for number, source in todo:
                logger.info("shard %d of %d", number + 1, count)
                replace(run, source=source).write_shard(folder / str(number), settings, account, process)
                if store:
                    store.put(number, folder / str(number))
            if store:
                for number in sorted(here - on_hub):
                    store.put(number, folder / str(number))
            joined = join_shards(writer, [folder / str(number) for number in range(count)])
            summary = {**joined, "shards": [count, branch]}
            require_rows(summary, run.source, run.columns)
            first = json.loads((folder / "0" / RUN_FILE).read_text(encoding="utf-8"))
            finish(writer, run.source.metadata, first["settings"], summary)
        for number in range(count):
            shutil.rmtree(folder / str(number))
        with suppress(OSError):  # it holds something else
            folder.rmdir()
    return summary


def _fetch(store: HubShards, numbers: Sequence[int], folder: Path, account: RunAccount) -> None:
    """Download shards that were finished on another machine, and add what they cost to the account."""
    for number in numbers:
        store.fetch(number, folder / str(number))
        account.add(_llm_of(folder / str(number)))


def _llm_of(shard: Path) -> dict[str, float]:
    account: dict[str, float] = json.loads((shard / RUN_FILE).read_text(encoding="utf-8"))["summary"]["llm"]
    return account
