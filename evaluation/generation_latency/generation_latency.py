"""How long a model takes for its answers: mean, median and 90th percentile of the seconds that each request took, and
the wall time of the whole batch divided by its samples, which papers often call latency."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import datasets
import evaluate

from .seconds import latency_statistics, wall_seconds_per_sample

_CITATION = """\
@article{zeng2025pruning,
  title = {Pruning the Unsurprising: Efficient Code Reasoning via First-Token Surprisal},
  author = {Zeng, Wenhao and Wang, Yaoning and Hu, Chao and Shi, Yuling and Wan, Chengcheng and Zhang, Hongyu and
            Gu, Xiaodong},
  journal = {arXiv preprint arXiv:2508.05988},
  year = {2025}
}
"""


class GenerationLatency(evaluate.Measurement):  # type: ignore[misc]
    """Computes statistics of the seconds of requests.

    >>> import evaluate
    >>> generation_latency = evaluate.load("evaluation/generation_latency")
    >>> generation_latency.compute(predictions=[1.0, 2.0, 3.0, 4.0, 5.0, 9.0], wall_seconds=12.0)
    {'mean_seconds': 4.0, 'p50_seconds': 3.5, 'p90_seconds': 7.0, 'wall_seconds_per_sample': 2.0}

    Args:
        predictions (`list[float]`):
            Seconds of each request, from when it was sent, or reached the engine, to its last token.
        wall_seconds (`float`, *optional*):
            Wall time of the whole batch in seconds, from the first request's start to the last one's end.

    Returns:
        `dict`: `mean_seconds`, `p50_seconds` and `p90_seconds` of single requests; and, if the wall time is given,
        `wall_seconds_per_sample`: wall time / samples, Lat in the tables of Zeng et al. (2025). That is the inverse of
        a throughput, and not the time that a single answer takes.

    Raises:
        `ValueError`: if there is no request, or a time is negative or not finite.
    """

    def _info(self) -> evaluate.MeasurementInfo:
        return evaluate.MeasurementInfo(
            description=__doc__ or "",
            citation=_CITATION,
            inputs_description=inspect.getdoc(self) or "",
            features=datasets.Features({"predictions": datasets.Value("float64")}),
            license="apache-2.0",
            reference_urls=["https://arxiv.org/abs/2508.05988"],
        )

    def _compute(self, *, predictions: Sequence[float], wall_seconds: float | None = None) -> dict[str, float]:
        statistics = latency_statistics(predictions)
        if wall_seconds is None:
            return statistics
        per_sample = wall_seconds_per_sample(wall_seconds, len(predictions))
        return {**statistics, "wall_seconds_per_sample": per_sample}
