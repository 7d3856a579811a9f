"""The rows of a finished evaluation, as objects and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from ..errors import RunError, UsageError
from ..evaluation.pass_at_1 import host_pass_at_k
from ..reporting.markdown import one_line

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLES_FILE, GENERATIONS_FILE = "samples.parquet", "generations.parquet"

Status = Literal["pass", "fail", "error", "timeout", "truncated", "no_program", "infra"]


@dataclass(frozen=True)
class Sample:
    """One answer to one problem under one budget: a row of `samples.parquet`."""

    benchmark: str
    task_id: str
    sample: int
    """Number among the answers to this problem, from 0."""
    budget: int | None
    """In tokens; `None` for answers that were made elsewhere, as are all numbers of tokens and seconds."""
    finish_reason: str | None
    status: Status
    """`truncated`: the reasoning was never closed within the budget. `infra`: the machine failed, not the program."""
    passed: bool | None
    """`None` only for `infra`."""
    detail: str
    """Why it did not pass."""
    reasoning_tokens: int | None
    answer_tokens: int | None
    generated_tokens: int | None
    """Both, the closing tag and the token that ends the answer."""
    latency_seconds: float | None
    """Of the request, from when the engine had it to its last token; `None` where the engine does not tell, and for
    every budget but the one that was generated under."""
    first_token_seconds: float | None
    queue_seconds: float | None
    answer: str
    """What follows the first `</think>`."""
    program: str
    """What was graded."""
    grader_version: int | None = None
    """Of the grader that gave the verdict; `None` where there was nothing to grade, or nothing graded it."""


def pass_at_k(samples: Sequence[Sample], k: int) -> float | None:
    """Chance that at least one of `k` answers to a problem passes, without bias, the mean over problems (Chen et al.
    2021, §2.1). Problems with fewer than `k` judged answers are left out; `None` if that leaves none."""
    chances = []
    for answers in by_problem(samples).values():
        judged = [one.passed for one in answers if one.passed is not None]
        if len(judged) >= k:
            chances.append(host_pass_at_k.pass_at_k(sum(judged), len(judged), k))
    return fmean(chances) if chances else None


def ungraded(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose program was not graded; Pass@k leaves them out."""
    return [one for one in samples if one.status == "infra"]


def check_graded(
    samples: Sequence[Sample], benchmark: str, remedy: str = "mend what it says, then run the same command again"
) -> None:
    """Check that at least one program was graded.

    Args:
        samples (`Sequence[Sample]`):
            All of one benchmark.
        benchmark (`str`):
            Its name.
        remedy (`str`, *optional*):
            What the operator can do.

    Raises:
        [`RunError`]: if there are programs, and not one was graded.
    """
    lost = ungraded(samples)
    if lost and not any(one.grader_version for one in samples):
        raise RunError(f"not one of {len(lost):,} programs for {benchmark} was graded ({lost[0].detail}); {remedy}")


def by_problem(samples: Sequence[Sample]) -> Mapping[str, list[Sample]]:
    """The answers to each problem."""
    problems: dict[str, list[Sample]] = {}
    for one in samples:
        problems.setdefault(one.task_id, []).append(one)
    return problems


def samples_table(samples: Sequence[Sample]) -> pa.Table:
    """What `samples.parquet` holds."""
    import pyarrow as pa

    types: dict[str, Any] = {
        **dict.fromkeys(("benchmark", "task_id"), pa.string()),
        **dict.fromkeys(("sample", "budget"), pa.int32()),
        **dict.fromkeys(("finish_reason", "status"), pa.string()),
        "passed": pa.bool_(),
        "detail": pa.string(),
        **dict.fromkeys(("reasoning_tokens", "answer_tokens", "generated_tokens"), pa.int32()),
        **dict.fromkeys(("latency_seconds", "first_token_seconds", "queue_seconds"), pa.float32()),
        **dict.fromkeys(("answer", "program"), pa.string()),
        "grader_version": pa.int32(),
    }
    return pa.Table.from_pylist([asdict(one) for one in samples], schema=pa.schema(list(types.items())))


def read_samples_table(path: Path) -> list[Sample]:
    """The rows of a `samples.parquet`.

    Raises:
        [`UsageError`]: if it is not what [`samples_table`] gives.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{str(path)!r} is not Parquet, or damaged ({one_line(error)}): evaluate again") from error
    needed = [one.name for one in fields(Sample) if one.default is MISSING]
    if missing := [name for name in needed if name not in table.column_names]:
        raise UsageError(f"{str(path)!r} has no column {missing[0]!r}: it is not what `asap-hf evaluate` writes")
    there = [one.name for one in fields(Sample) if one.name in table.column_names]
    return [Sample(**row) for row in table.select(there).to_pylist()]


def generations_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """What `generations.parquet` holds: one row per answer as it was generated, under the largest budget."""
    import pyarrow as pa

    types: dict[str, Any] = {
        **dict.fromkeys(("benchmark", "task_id"), pa.string()),
        "sample": pa.int32(),
        "prompt": pa.string(),
        "token_ids": pa.list_(pa.int32()),
        **dict.fromkeys(("text", "finish_reason"), pa.string()),
        **dict.fromkeys(("latency_seconds", "first_token_seconds", "queue_seconds"), pa.float32()),
    }
    return pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(list(types.items())))
