"""The paper's numbers agree with each other wherever two of its tables tell the same."""

from __future__ import annotations

import pytest

from asap_hf.paper import BUDGETS, LLAMA_8B, QWEN_7B, TRAINING_EFFICIENCY, ablations_of, budget_curves_of, results_of

METHODS = ["ASAP", "SPIRIT", "TokenSkip", "LLMLingua-2", "Selective Context", "Original", "Zero-shot"]


@pytest.mark.parametrize("benchmark", BUDGETS)
def test_the_budget_tables_hold_table_1_at_its_own_budget(benchmark: str) -> None:
    table = results_of(QWEN_7B, benchmark)
    assert list(table) == METHODS
    for method, points in budget_curves_of(QWEN_7B, benchmark).items():
        assert points[BUDGETS[benchmark]] == table[method]
        assert list(points) == sorted(points)
        assert [tokens for _, tokens, _ in points.values()] == sorted(tokens for _, tokens, _ in points.values())
        assert all(tokens <= budget for budget, (_, tokens, _) in points.items())


@pytest.mark.parametrize("base", [QWEN_7B, LLAMA_8B])
def test_humaneval_plus_grades_the_generations_of_humaneval(base: str) -> None:
    """So tokens and seconds are the same, and no more problems are solved."""
    plus = results_of(base, "humaneval_plus")
    for method, (accuracy, *cost) in results_of(base, "humaneval").items():
        assert plus[method][1:] == tuple(cost)
        assert plus[method][0] <= accuracy
    for variant, (_, *cost) in ablations_of(base, "humaneval").items():
        assert ablations_of(base, "humaneval_plus")[variant][1:] == tuple(cost)


def test_numbers_that_the_text_repeats() -> None:
    """§4.2, §4.3, §4.6: 23.5% and 43.5% below SPIRIT; 76.2% above ASAP; 49.1% below Original."""
    qwen, llama = results_of(QWEN_7B, "lcb_v4_v5"), results_of(LLAMA_8B, "lcb_v4_v5")
    assert f"{1 - qwen['ASAP'][1] / qwen['SPIRIT'][1]:.1%}" == "23.5%"
    assert f"{1 - qwen['ASAP'][2] / qwen['SPIRIT'][2]:.1%}" == "43.5%"
    assert f"{ablations_of(QWEN_7B, 'lcb_v4_v5')['w/o coarse'][2] / qwen['ASAP'][2] - 1:.1%}" == "76.2%"
    assert f"{1 - llama['ASAP'][1] / llama['Original'][1]:.1%}" == "49.1%"


def test_table_3_tells_changes_that_its_numbers_give() -> None:
    tokens, seconds = TRAINING_EFFICIENCY["Original"]
    changes = {
        method: f"{one / tokens - 1:.1%} {time / seconds - 1:.1%}"
        for method, (one, time) in TRAINING_EFFICIENCY.items()
    }
    assert changes == {
        "Original": "0.0% 0.0%",
        "Selective Context": "-48.4% -20.8%",  # printed as -20.9%
        "LLMLingua-2": "-46.9% -18.5%",  # printed as -18.6%
        "TokenSkip": "-24.6% -3.5%",  # printed as -3.6%
        "SPIRIT": "-53.3% -28.3%",
        "ASAP": "-75.6% -60.7%",
    }


@pytest.mark.parametrize(
    ("base", "benchmark", "budget", "methods"),
    [
        (QWEN_7B, "humaneval", 1024, ["ASAP", "SPIRIT", "Original", "Zero-shot"]),
        (QWEN_7B, "humaneval", 6144, METHODS),
        (QWEN_7B, "humaneval", 8192, []),
        (LLAMA_8B, "humaneval", 6144, ["ASAP", "SPIRIT", "Original", "Zero-shot"]),
        (LLAMA_8B, "humaneval", 1024, []),
        ("me/other", "humaneval", 6144, []),
    ],
)
def test_there_is_nothing_where_the_paper_has_nothing(
    base: str, benchmark: str, budget: int, methods: list[str]
) -> None:
    assert list(results_of(base, benchmark, budget)) == methods
    assert (ablations_of(base, benchmark) != {}) is (base == QWEN_7B)
