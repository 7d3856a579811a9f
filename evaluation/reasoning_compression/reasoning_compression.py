"""How much shorter a model's answers are than those of a reference run to the same problems: tokens after / before,
for each problem and in all, and the share of the problems whose answer got longer."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from .ratios import compression

_CITATION = """\
@article{zeng2025pruning,
  title = {Pruning the Unsurprising: Efficient Code Reasoning via First-Token Surprisal},
  author = {Zeng, Wenhao and Wang, Yaoning and Hu, Chao and Shi, Yuling and Wan, Chengcheng and Zhang, Hongyu and
            Gu, Xiaodong},
  journal = {arXiv preprint arXiv:2508.05988},
  year = {2025}
}
"""


class ReasoningCompression(evaluate.Metric):  # type: ignore[misc]
    """Compares the tokens of two runs, problem by problem.

    >>> import evaluate
    >>> reasoning_compression = evaluate.load("evaluation/reasoning_compression")
    >>> reasoning_compression.compute(predictions=[60, 300], references=[100, 200])
    {'token_ratio': 1.2, 'mean_token_ratio': 1.05, 'longer': 0.5, 'token_ratios': [0.6, 1.5]}

    Args:
        predictions (`list[float]`):
            Tokens of each problem in the run to compare; of several samples, their mean.
        references (`list[float]`):
            Tokens of the same problems, in the same order, in the reference run.

    Returns:
        `dict`: `token_ratio`, all tokens after / all before; `mean_token_ratio`, the mean of the problems' own ratios;
        `longer`, the share of the problems that got longer, from 0 to 1; `token_ratios`, one per problem. Below 1 is
        shorter.

    Raises:
        `ValueError`: if there is no problem, a number is negative or not finite, or a reference has 0 tokens.
    """

    def _info(self) -> evaluate.MetricInfo:
        tokens = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=__doc__ or "",
            citation=_CITATION,
            inputs_description=inspect.getdoc(self) or "",
            features=datasets.Features({"predictions": tokens, "references": tokens}),
            license="apache-2.0",
            reference_urls=["https://arxiv.org/abs/2508.05988"],
        )

    def _compute(self, *, predictions: Sequence[float], references: Sequence[float]) -> dict[str, Any]:
        return compression(predictions, references)
