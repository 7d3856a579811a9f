"""Read what a trainer wrote: the logs in `trainer_state.json`, and the arguments that torch saved."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError

_Log = Mapping[str, Any]
_TRUTH = {"NEWFALSE": 0, "NEWTRUE": 1}
_KINDS = {"BININT", "BININT1", "BININT2", *_TRUTH}


class LoggedEfficiency(NamedTuple):
    """Rows, tokens and seconds out of a trainer's logs."""

    rows: int
    tokens_per_sample: float
    seconds_per_step: float | None
    timed_steps: int


def efficiency_of_logs(log: Sequence[_Log], batch: int, accumulation: int) -> LoggedEfficiency:
    """Tokens per sample and seconds per step out of a trainer's `log_history`.

    Args:
        log (`Sequence[Mapping]`):
            With TRL's `num_tokens`, and `train_runtime` where the time was logged. Both begin anew where a training
            was resumed: what lies around such a beginning is left out, and so is the time up to the first log, which
            holds the slow first step.
        batch (`int`):
            Samples that all processes together take at once.
        accumulation (`int`):
            Such batches per optimiser step.

    Raises:
        `ValueError`: if the logs do not say how many samples were seen.
    """
    start = {"step": 0, "epoch": 0.0, "num_tokens": 0.0, "train_runtime": 0.0}
    spans = list(pairwise([start, *(one for one in log if "num_tokens" in one)]))
    within = next((span for span in spans if int(span[0]["epoch"]) == int(span[1]["epoch"])), None)
    if within is None:
        raise ValueError("has no two logs from within an epoch: train with smaller --logging_steps")
    rows = batch * round(accumulation * _passed(within, "step") / _passed(within, "epoch"))
    spans = [span for span in spans if not _resumed(*span)]
    samples = rows * sum(_passed(span, "epoch") for span in spans)
    tokens = sum(_passed(span, "num_tokens") for span in spans)
    timed = [span for span in spans if span[0] is not start and all("train_runtime" in one for one in span)]
    steps = sum(_passed(span, "step") for span in timed)
    seconds = sum(_passed(span, "train_runtime") - _evaluating(log, *span) for span in timed)
    return LoggedEfficiency(rows, tokens / samples, seconds / steps if steps else None, int(steps))


def _passed(span: tuple[_Log, _Log], name: str) -> float:
    return float(span[1][name] - span[0][name])


def _resumed(one: _Log, two: _Log) -> bool:
    """Whether the training was interrupted between two logs."""
    fewer_tokens = two["num_tokens"] <= one["num_tokens"]
    return bool(fewer_tokens or two.get("train_runtime", inf) < one.get("train_runtime", 0))


def _evaluating(log: Sequence[_Log], one: _Log, two: _Log) -> float:
    """Seconds of the evaluations between two logs; a step's own comes after its log."""
    between = (other for other in log if one["step"] <= other["step"] < two["step"])
    return sum(float(other.get("eval_runtime", 0.0)) for other in between)


def saved_numbers(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Whole numbers and truth values (0, 1) among the attributes of an object that torch saved, read as data:
    unpickling would run code from the file.

    Raises:
        `UsageError`: if there is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            operations = list(pickletools.genops(archive.read(pickled)))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{str(path)!r} cannot be read, and with it how many samples a step takes ({error}): name a folder that a"
            " trainer left"
        ) from error
    words = [(code.name, argument) for code, argument, _ in operations if "PUT" not in code.name]
    found: dict[str, int] = {}
    for (_, name), (kind, number) in pairwise(words):
        value = _TRUTH.get(kind, number)
        if name in names and kind in _KINDS and isinstance(name, str) and isinstance(value, int):
            found[name] = value
    return found
