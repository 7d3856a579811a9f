"""`Pruner`: traces in, one decision per trace out; and the glue that lets `Dataset.map` call one."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from numpy import empty

from ..errors import UnusableTrace, UsageError
from ..scoring.flops import CountedTrace
from ..traces.rows import Columns, trace_of
from ..traces.splitting import DEFAULT_SPLITTER, SPLITTERS, SPLITTING_VERSION
from ..traces.trace import Trace
from .cost import Cost


@dataclass(frozen=True)
class Pruning:
    r"""What a pruner decided about one trace.

    Args:
        trace ([`Trace`]):
            What is left: a selection of the steps that came in, the same in other words, or the very trace that came
            in.
        reason (`str`, *optional*, defaults to `""`):
            Why no valid pruning was found, as `code` or `code: detail`; empty if one was.
        record (`dict`, *optional*):
            How it was decided (scores in nats, attempts, the anchor's text, …), as JSON would hold it.
        dropped (`bool`, *optional*, defaults to `False`):
            The operator asked that a row that fails like this leaves the dataset.
        remark (`str`, *optional*, defaults to `""`):
            What is to be known about a pruning that was found, in the same form: the one step that has to stay is
            longer than the budget.
        conditioned (`tuple[str, str]`, *optional*):
            What the prompt of the row says before and after the user's own message, where a method trains a model to
            be told how short to think.

    Example:
        >>> from asap_hf import Pruning, Trace
        >>> trace = Trace("What is 2 + 3?", ("Wait.\n\n", "That is 5."), "5")
        >>> pruning = Pruning(trace.select([1]), record={"removed": 1})
        >>> (pruning.trace.kept, pruning.reason)
        ((1,), '')
    """

    trace: Trace
    reason: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    dropped: bool = False
    conditioned: tuple[str, str] = ("", "")
    remark: str = ""


class Pruner(ABC):
    r"""A pruner is its hyperparameters: subclasses are frozen dataclasses whose fields are the whole identity.

    Models and clients are made on first use, in the process that uses them, and are never pickled; `version` stands in
    the pickled state, so that `datasets` computes the same fingerprint in every process and another one when the same
    input would give other output. Raise a class's `version` in the change that alters its results.

    As a function over a batch of rows it is what `Dataset.map(pruner, batched=True)` and `IterableDataset.map` expect.
    With `num_proc`, each process loads its own model and computes in one thread; batches in one process are faster.

    Example:
        >>> from dataclasses import dataclass
        >>> from asap_hf import Pruner, Pruning
        >>> @dataclass(frozen=True)
        ... class FirstSteps(Pruner):
        ...     count: int
        ...     def prune(self, traces):
        ...         return [Pruning(trace.select(range(min(self.count, len(trace.steps))))) for trace in traces]
        >>> batch = {"prompt": ["2 + 3?"], "completion": ["<think>That is 5.\n\nWait.</think>5"]}
        >>> FirstSteps(1)(batch)["completion"]
        ['<think>That is 5.</think>5']
    """

    version = "1"
    splitter: str = DEFAULT_SPLITTER
    """How `__call__` cuts the reasoning of the rows it is given; `prune` takes traces that are already cut."""

    @abstractmethod
    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        """One decision per trace, in order. A trace that cannot be pruned comes back whole, with a reason."""

    @property
    def name(self) -> str:
        """The word for this stage in records and tables."""
        return type(self).__name__

    @property
    def conditions(self) -> bool:
        """Whether it may want something said in the prompt (see [`Pruning`])."""
        return False

    def __call__(self, batch: Mapping[str, Sequence[Any]], rank: int | None = None) -> dict[str, list[Any]]:
        """Prune a batch of rows (a dict of columns). Columns out, never null, so that `map` needs no `features`:

        - `completion` (`str`): `<think>` … `</think>` answer, pruned; as it was where no pruning was found.
        - `kept` (`list[int]`): positions of the kept steps in the original's steps; empty for an unusable row (in a
          batch of nothing else as arrays, whose type tells `map` what the column holds).
        - `ok` (`bool`) and `reason` (`str`): whether every stage found a pruning, and why not.
        - `record` (`str`): every decision, as JSON.

        Recognised input columns are those of [`asap_hf.traces.rows.Columns`]. A row that a stage wants dropped
        (`on_failure="drop"`) stays, as `map` keeps the number of rows: `filter` on `ok`.

        Raises:
            `TypeError`: if called with a single row, that is, without `batched=True`.
            [`UsageError`]: if no prompt and completion are among the columns.
        """
        names = list(batch)
        columns = Columns.recognise(names, splitter=self.splitter)
        if any(_is_one_value(batch[name]) for name in columns.names):
            raise TypeError("a pruner takes a batch of rows: call map(pruner, batched=True)")
        self.to_rank(rank)
        values = zip(*(batch[name] for name in columns.names), strict=True)
        return _as_columns([dict(zip(columns.names, row, strict=True)) for row in values], columns, self)

    def cost(self, counted: CountedTrace) -> Cost | None:
        """What pruning this trace takes, for `--dry_run`; loads no model. `None`: it is not known, which the dry run
        then says. A pruner that asks no LLM and no model returns `Cost()`."""
        return None

    def to_rank(self, rank: int | None) -> None:
        """Take the number of this process, as `map(with_rank=True)` gives it: a pruner with a model picks its GPU by
        it, any other ignores it."""
        return

    def __getstate__(self) -> dict[str, Any]:
        state = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return {**state, "version": self.version, "splitting_version": SPLITTING_VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name not in ("version", "splitting_version"):
                object.__setattr__(self, name, value)


def _is_one_value(column: Any) -> bool:
    """Whether this is what one row holds, a text or a conversation, and no column of them."""
    if isinstance(column, (str, Mapping)) or not hasattr(column, "__len__"):
        return True
    return any(isinstance(value, Mapping) and isinstance(value.get("role"), str) for value in column)


def _as_columns(rows: list[dict[str, Any]], columns: Columns, pruner: Pruner) -> dict[str, list[Any]]:
    usable: dict[int, Trace] = {}
    out: dict[str, list[Any]] = {"completion": [], "kept": [], "ok": [], "reason": [], "record": []}
    reasons: dict[int, str] = {}
    for index, row in enumerate(rows):
        try:
            usable[index] = trace_of(row, columns)
        except UnusableTrace as error:
            reasons[index] = error.reason
    prunings = dict(zip(usable, pruner.prune(list(usable.values())), strict=True)) if usable else {}
    for index, row in enumerate(rows):
        pruning = prunings.get(index)
        out["completion"].append(pruning.trace.completion if pruning else columns.completion_text(row))
        out["kept"].append(list(pruning.trace.kept) if pruning else [])
        out["reason"].append(pruning.reason if pruning else reasons[index])
        out["ok"].append(not out["reason"][-1])
        out["record"].append(json.dumps(_full_record(pruning) if pruning else {}, ensure_ascii=False))
    if not usable:
        out["kept"] = [empty(0, dtype="int64") for _ in rows]
    return out


def _full_record(pruning: Pruning) -> Mapping[str, Any]:
    """The record, the remark, and what the prompt is to say: `map` leaves a row's prompt to whoever renders it."""
    record = {**pruning.record, "conditioned": pruning.conditioned} if any(pruning.conditioned) else pruning.record
    return {**record, "remark": pruning.remark} if pruning.remark else record


@dataclass(frozen=True)
class Sequential(Pruner):
    """Pruners one after the other, each on what the one before left (torch's word for exactly this).

    The record holds one entry per stage: its name, the positions it kept in the original's steps, its reason and its
    own record. A stage that fails passes its trace on whole, and the row's reason says so; a dropped row goes no
    further.

    Args:
        stages (`tuple[Pruner, ...]`):
            In their order; with none at all every trace stays as it is.
        splitter (`str`, *optional*, defaults to `"code"`):
            How rows are cut into steps when this is called by `map`: a name from `asap_hf.traces.splitting.SPLITTERS`.

    Raises:
        [`UsageError`]: if no splitter has that name.

    Example:
        >>> from asap_hf import AnswerAnchorPruner, Sequential, keep_last
        >>> pruner = Sequential((AnswerAnchorPruner(keep=0.5), keep_last("embedded", ratio=0.25)))
        >>> pruner.name
        'answer_anchor+keep_last'
    """

    stages: tuple[Pruner, ...]
    splitter: str = DEFAULT_SPLITTER

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))  # a list would do as well, and hash differently
        if self.splitter not in SPLITTERS:
            raise UsageError(f"there is no splitter {self.splitter!r}; there are {', '.join(SPLITTERS)}")

    @property
    def name(self) -> str:
        return "+".join(stage.name for stage in self.stages)

    @property
    def conditions(self) -> bool:
        return any(stage.conditions for stage in self.stages)

    def cost(self, counted: CountedTrace) -> Cost | None:
        costs = [stage.cost(counted) for stage in self.stages]
        known = [one for one in costs if one is not None]
        return sum(known, Cost()) if len(known) == len(costs) else None

    def to_rank(self, rank: int | None) -> None:
        for stage in self.stages:
            stage.to_rank(rank)

    def prune(self, traces: Sequence[Trace]) -> list[Pruning]:
        current = list(traces)
        reasons, remarks = [""] * len(current), [""] * len(current)
        dropped = [False] * len(current)
        conditioned = [("", "")] * len(current)
        stages: list[list[dict[str, Any]]] = [[] for _ in current]
        for stage in self.stages:
            alive = [index for index, gone in enumerate(dropped) if not gone]
            for index, pruning in zip(alive, stage.prune([current[index] for index in alive]), strict=True):
                current[index] = pruning.trace
                reasons[index] = "; ".join(filter(None, (reasons[index], pruning.reason)))
                remarks[index] = "; ".join(filter(None, (remarks[index], pruning.remark)))
                dropped[index] = pruning.dropped
                before, after = conditioned[index]
                conditioned[index] = (pruning.conditioned[0] + before, after + pruning.conditioned[1])
                decision = {"stage": stage.name, "kept": list(pruning.trace.kept), "reason": pruning.reason}
                decision |= {"remark": pruning.remark} if pruning.remark else {}
                stages[index].append({**decision, **pruning.record})
        decided = zip(current, reasons, stages, dropped, conditioned, remarks, strict=True)
        return [Pruning(trace, why, {"stages": record}, *others) for trace, why, record, *others in decided]
