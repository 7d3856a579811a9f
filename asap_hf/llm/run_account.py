"""One account for a run, whichever processes spend, and for a generator and its copies in other processes."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from .account_store import AccountStore, State, Usage
from .shared_account_store import SharedAccountStore, shared_store

logger = logging.getLogger(__name__)

# In the environment, as the processes that a run starts inherit it, forked or not.
_RUN = "ASAP_HF_RUN_ACCOUNT"  # the folder of the account of the run that goes on
_COPIES = "ASAP_HF_ACCOUNTS"  # a folder for the accounts of generators outside of such a run


class RunAccount:
    """What a run has spent and not yet reported.

    Args:
        store ([`SharedAccountStore`]):
            The account.
        begun (`bool`):
            Whether all that is in it is this run's, also from before it was broken off; else what is in it now is
            another's.
    """

    def __init__(self, store: SharedAccountStore, begun: bool):
        self._store, self._begun = store, begun
        self._reported: dict[str, float] = asdict(Usage() if begun else store.usage)
        self._answers_before = self._not_bought = self._from_ledger = 0

    def add(self, usage: Mapping[str, float]) -> None:
        """Book what was spent for this run on another machine."""
        if any(usage.values()):
            with self._store.open() as state:
                for name in usage.keys() - {"from_ledger"}:
                    setattr(state.usage, name, getattr(state.usage, name) + usage[name])

    def add_finished(self, usage: Mapping[str, float]) -> None:
        """Say what was spent before this start of the run, as its finished shards record it: the account comes to at
        least that."""
        now = asdict(self._store.usage)
        if self._begun:
            self.add({name: max(usage.get(name, 0) - most, 0) for name, most in now.items()})
        self._reported = {name: usage.get(name, 0) for name in now} if self._begun else now

    def begin_reading(self) -> None:
        """From here on this process goes through everything, and what it finds in the ledger counts."""
        self._answers_before = self._store.answers

    def take(self) -> dict[str, float]:
        """What was booked since this was asked last. `from_ledger` are the answers since `begin_reading` that were not
        bought for this run, by whichever process and start. Processes run ahead, so that this can be wrong for one
        shard, but not for all together."""
        now, before = asdict(self._store.usage), self._reported
        self._reported = now
        taken = {name: now[name] - before[name] for name in now}
        self._not_bought += self._store.answers - self._answers_before - taken["calls"]
        self.begin_reading()
        found, self._from_ledger = max(self._not_bought, 0) - self._from_ledger, max(self._not_bought, 0)
        return taken | {"from_ledger": found}


def account_folder(output_dir: Path) -> Path:
    """Where the account of a run into `output_dir` is kept until the result stands there."""
    return output_dir.parent / f".{output_dir.name}.account"


@contextmanager
def run_account(folder: Path, removes: bool = True) -> Iterator[RunAccount]:
    """Let every generator of this process, and of the processes that it starts, spend from one account. Within another
    such run, that one's account is used.

    What a run that was broken off had spent stays in the folder, and counts when the run goes on. What was set aside
    for requests in flight when a process was killed counts as spent.

    Args:
        folder (`Path`):
            The account's. Processes that name the same share it, also those that another program starts.
        removes (`bool`, *optional*, defaults to `True`):
            Remove the folder when the run has come to its end, or before anything was asked of an LLM. Of several
            processes one does.

    Raises:
        [`UsageError`]: if the folder is somebody else's.
        [`RunError`]: from whatever spends, if the folder cannot be written.
    """
    if outer := _run_store():
        yield RunAccount(outer, begun=False)
        return
    store = shared_store(folder.absolute())
    store.refuse_foreign()
    spent = store.usage.cost
    if removes and spent:
        logger.info(
            "the run goes on: it had spent %.6g before it was broken off, and max_cost counts that (kept in %s; remove"
            " it to begin a new account)",
            spent,
            store.folder,
        )
    os.environ[_RUN] = str(store.folder)
    over = False
    try:
        yield RunAccount(store, begun=True)
        over = True
    finally:
        del os.environ[_RUN]
        store.leave()
        if removes and (over or store.look() == State()):
            store.remove()


def _run_store() -> SharedAccountStore | None:
    folder = os.environ.get(_RUN)
    return shared_store(Path(folder)) if folder else None


def current_store(own: AccountStore) -> AccountStore:
    """Where a generator with a store of its `own` keeps account now: in the run's, if one goes on."""
    return _run_store() or own


def new_store(capped: bool) -> AccountStore:
    """A store for a generator: in memory, or where there is a cap to keep, such that its copies can share it."""
    return shared_store(_accounts() / uuid.uuid4().hex) if capped else AccountStore()


def tell_copies(name: str, store: AccountStore) -> None:
    """Let copies of the generator called `name`, in any process that this one starts, find its account. Not by what is
    pickled: two equal pruners must be the same to `Dataset.map`."""
    if isinstance(store, SharedAccountStore):
        folder = _accounts()
        folder.mkdir(mode=0o700, exist_ok=True)
        partial = folder / f"{uuid.uuid4().hex}.partial"
        partial.write_text(store.folder.name)
        partial.replace(folder / f"{name}.copied")


def store_of_copied(name: str) -> AccountStore | None:
    """The account of the generator called `name` that was copied last; `None` where there was none."""
    try:
        return shared_store(_accounts() / (_accounts() / f"{name}.copied").read_text())
    except FileNotFoundError:
        return None


def _accounts() -> Path:
    if _COPIES not in os.environ:
        folder = os.path.join(tempfile.gettempdir(), f"asap_hf-{uuid.uuid4().hex}")
        os.environ[_COPIES] = folder
        atexit.register(_remove, folder, os.getpid())
    return Path(os.environ[_COPIES])


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
