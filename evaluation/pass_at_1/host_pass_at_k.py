"""Grades the samples of many problems and estimates pass@k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import prod

from .host_grader import Grader
from .host_tasks import Task, Verdict


def pass_at_k(correct: int, samples: int, k: int) -> float:
    """Probability that at least one of `k` programs passes, drawn without replacement from the samples of one problem:
    the unbiased estimator of pass@k (Chen et al. 2021, §2.1), as a product.

    >>> pass_at_k(correct=1, samples=4, k=1)
    0.25
    >>> pass_at_k(correct=1, samples=4, k=2)
    0.5
    >>> pass_at_k(correct=3, samples=4, k=2)
    1.0

    Args:
        correct (`int`):
            Samples that pass.
        samples (`int`):
            Samples in all.
        k (`int`):
            Samples drawn, at most all of them.

    Raises:
        `ValueError`: if the numbers contradict each other.
    """
    if not 0 <= correct <= samples:
        raise ValueError(f"{correct} of {samples} samples cannot be correct")
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs k from 1 to the number of samples, which is {samples}")
    return 1.0 - prod(1.0 - k / drawn for drawn in range(samples - correct + 1, samples + 1))


def verdicts_of(
    tasks: Sequence[Sequence[Task]], workers: int | None = None, allow_unsafe: bool = False
) -> list[list[Verdict]]:
    """Grade the samples of many problems with one grader.

    Args:
        tasks (`Sequence[Sequence[Task]]`):
            Problem → its samples.
        workers (`int`, *optional*):
            See [`Grader`].
        allow_unsafe (`bool`, *optional*, defaults to `False`):
            See [`Grader`].

    Returns:
        `list[list[Verdict]]`: as `tasks`; no status is `infra`.

    Raises:
        [`NoJailError`]: if the code cannot be run safely here.
        `RuntimeError`: if a sample has no verdict even at the second attempt. It is neither right nor wrong, and a
            mean without it would be of something else.
    """
    with Grader(workers, allow_unsafe) as grader:
        verdicts = iter(grader.grade([task for samples in tasks for task in samples]))
    return [list(_judged(problem, samples, verdicts)) for problem, samples in enumerate(tasks)]


def _judged(problem: int, samples: Sequence[Task], verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    for sample, verdict in enumerate(islice(verdicts, len(samples))):
        if verdict.status == "infra":
            raise RuntimeError(f"predictions[{problem}][{sample}] has no verdict: {verdict.detail}")
        yield verdict
