"""Tests the modules that take numbers, through `evaluate`, on tables of literals."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import evaluate
import numpy as np
import pytest

from evaluation.generated_tokens.counts import count_tokens, token_statistics, truncated_share
from evaluation.generation_latency.seconds import latency_statistics, wall_seconds_per_sample
from evaluation.reasoning_compression.ratios import token_ratios
from tests.publishing import ROOT

MODULES = {
    name: evaluate.load(str(ROOT / "evaluation" / name))
    for name in ("generated_tokens", "generation_latency", "reasoning_compression")
}

GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("generated_tokens", {"predictions": [7]}, {"mean_tokens": 7.0, "median_tokens": 7.0, "p90_tokens": 7.0}),
    ("generated_tokens", {"predictions": [0, 1]}, {"mean_tokens": 0.5, "median_tokens": 0.5, "p90_tokens": 0.9}),
    (
        "generated_tokens",  # not cut to whole numbers
        {"predictions": [100.7, 100.7]},
        {"mean_tokens": 100.7, "median_tokens": 100.7, "p90_tokens": 100.7},
    ),
    (
        "generated_tokens",
        {"predictions": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 110], "finish_reasons": ["stop"] * 9 + ["length", "abort"]},
        {"mean_tokens": 15.0, "median_tokens": 6.0, "p90_tokens": 10.0, "truncated": 1 / 11},
    ),
    (
        "generation_latency",
        {"predictions": [0.5, 1.5]},
        {"mean_seconds": 1.0, "p50_seconds": 1.0, "p90_seconds": 1.4},
    ),
    (
        "generation_latency",  # four at once, four seconds each
        {"predictions": [4.0, 4.0, 4.0, 4.0], "wall_seconds": 4.0},
        {"mean_seconds": 4.0, "p50_seconds": 4.0, "p90_seconds": 4.0, "wall_seconds_per_sample": 1.0},
    ),
    (
        "reasoning_compression",
        {"predictions": [100, 50, 0, 6], "references": [1000, 50, 10, 4]},
        {"token_ratio": 156 / 1064, "mean_token_ratio": 0.65, "longer": 0.25, "token_ratios": [0.1, 1.0, 0.0, 1.5]},
    ),
    (
        "reasoning_compression",  # the mean of several samples
        {"predictions": [0.5], "references": [2.5]},
        {"token_ratio": 0.2, "mean_token_ratio": 0.2, "longer": 0.0, "token_ratios": [0.2]},
    ),
]


@pytest.mark.parametrize(("name", "given", "expected"), GOOD)
def test_it_computes(name: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    close = {key: pytest.approx(value, rel=1e-12) for key, value in expected.items()}
    assert MODULES[name].compute(**given) == close


def test_it_computes_what_was_added_batch_by_batch() -> None:
    module = MODULES["reasoning_compression"]
    module.add_batch(predictions=[1, 2], references=[2, 2])
    module.add(prediction=9, reference=3)
    assert module.compute()["token_ratios"] == [0.5, 1.0, 3.0]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("generated_tokens", {"predictions": []}, "there are no samples"),
    ("generated_tokens", {"predictions": [1, -1]}, "sample 1 cannot have -1.0 tokens"),
    ("generated_tokens", {"predictions": [nan]}, "sample 0 cannot have nan tokens"),
    ("generated_tokens", {"predictions": ["a text"]}, "a text"),
    ("generated_tokens", {"predictions": [1], "finish_reasons": []}, "there are 1 samples, but 0 finish reasons"),
    ("generation_latency", {"predictions": []}, "there are no requests"),
    ("generation_latency", {"predictions": [1.0, nan]}, "request 1 cannot take nan s"),
    ("generation_latency", {"predictions": [inf]}, "request 0 cannot take inf s"),
    ("generation_latency", {"predictions": [1.0], "wall_seconds": 0.0}, "a run cannot take 0.0 s for 1 samples"),
    ("reasoning_compression", {"predictions": [], "references": []}, "there are no problems"),
    (
        "reasoning_compression",
        {"predictions": [1], "references": [0]},
        "problem 0 cannot have 1.0 tokens relative to 0",
    ),
    ("reasoning_compression", {"predictions": [1, nan], "references": [1, 1]}, "problem 1 cannot have nan tokens"),
    ("reasoning_compression", {"predictions": [1, 2], "references": [1]}, r"predictions \(2\) and references \(1\)"),
]


@pytest.mark.parametrize(("name", "given", "said"), BAD)
def test_it_refuses(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MODULES[name].compute(**given)


def test_the_plain_functions_take_arrays_as_well() -> None:
    tokens = np.array([10, 20, 30])
    assert token_statistics(tokens)["median_tokens"] == 20.0  # type: ignore[arg-type]
    assert latency_statistics(tokens / 10)["p50_seconds"] == 2.0  # type: ignore[arg-type]
    assert token_ratios(tokens, tokens * 2) == [0.5, 0.5, 0.5]  # type: ignore[arg-type]


def test_the_plain_functions_refuse_what_cannot_be() -> None:
    for refused in (
        lambda: truncated_share([]),
        lambda: wall_seconds_per_sample(1.0, 0),
        lambda: wall_seconds_per_sample(nan, 1),
        lambda: token_ratios([1], [1, 2]),
    ):
        with pytest.raises(ValueError, match="no samples|cannot"):
            refused()


def test_texts_are_counted_by_whatever_encodes_them() -> None:
    assert count_tokens(["añ", ""], str.encode) == [3, 0]
