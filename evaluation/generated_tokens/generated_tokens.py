"""How many tokens a model generates for each sample, reasoning and answer together: mean, median and 90th percentile,
and the share of the samples that were cut off at the limit."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import datasets
import evaluate

from .counts import token_statistics, truncated_share

_CITATION = """\
@article{zeng2025pruning,
  title = {Pruning the Unsurprising: Efficient Code Reasoning via First-Token Surprisal},
  author = {Zeng, Wenhao and Wang, Yaoning and Hu, Chao and Shi, Yuling and Wan, Chengcheng and Zhang, Hongyu and
            Gu, Xiaodong},
  journal = {arXiv preprint arXiv:2508.05988},
  year = {2025}
}
"""


class GeneratedTokens(evaluate.Measurement):  # type: ignore[misc]
    """Computes statistics of the numbers of generated tokens. The mean is Tok in the tables of Zeng et al. (2025).

    >>> import evaluate
    >>> generated_tokens = evaluate.load("evaluation/generated_tokens")
    >>> reasons = ["stop", "stop", "stop", "stop", "length", "length"]
    >>> scores = generated_tokens.compute(predictions=[100, 200, 300, 400, 700, 700], finish_reasons=reasons)
    >>> [scores["mean_tokens"], scores["median_tokens"], scores["p90_tokens"], round(scores["truncated"], 2)]
    [400.0, 350.0, 700.0, 0.33]

    Args:
        predictions (`list[float]`):
            Tokens of each sample, as the engine that generated it counts them.
        finish_reasons (`list[str]`, *optional*):
            Why each sample ended; `length` means that it was cut off.

    Returns:
        `dict`: `mean_tokens`, `median_tokens` and `p90_tokens`; `truncated`, a share from 0 to 1, if the finish
        reasons are given. A sample that was cut off counts with its tokens up to the limit, so with many of them the
        numbers describe the limit and not the model.

    Raises:
        `ValueError`: if there is no sample, a number is negative or not finite, or there is not one finish reason per
            sample.
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

    def _compute(
        self, *, predictions: Sequence[float], finish_reasons: Sequence[str] | None = None
    ) -> dict[str, float]:
        statistics = token_statistics(predictions)
        if finish_reasons is None:
            return statistics
        if len(finish_reasons) != len(predictions):
            raise ValueError(f"there are {len(predictions)} samples, but {len(finish_reasons)} finish reasons")
        return {**statistics, "truncated": truncated_share(finish_reasons)}
