"""Results that the paper gives (arXiv 2508.05988v1, Tables 1 to 12): accuracy, tokens and seconds."""

from __future__ import annotations

from .settings import LLAMA_8B, QWEN_7B

Numbers = tuple[float, int, float]
"""Acc in per cent, Tok, and Lat in seconds."""

# Most tokens that could be generated (§4.1: 6K, 10K). A K is 1,024: under a budget of 1K, Table 9 has a mean of 1,007.
BUDGETS = {
    "humaneval": 6144,
    "humaneval_plus": 6144,
    "lcb_v1_v3": 10240,
    "lcb_v4_v5": 10240,
    "leetcode": 10240,
}
PROBLEMS = {"humaneval": 164, "humaneval_plus": 164, "lcb_v1_v3": 612, "lcb_v4_v5": 268, "leetcode": 228}


def results_of(base_model: str, benchmark: str, budget: int | None = None) -> dict[str, Numbers]:
    """Acc, Tok and Lat by method; nothing where the paper has none.

    Args:
        base_model (`str`):
            DeepSeek-R1-Distill-Qwen-7B (Table 1) or -Llama-8B (Tables 4 and 12).
        benchmark (`str`):
            A benchmark's name.
        budget (`int`, *optional*):
            Most tokens that could be generated; by default the paper's own, `BUDGETS`. Under others the paper has
            fewer methods (Tables 9 to 11), and Qwen-7B alone.
    """
    if budget not in (None, BUDGETS.get(benchmark)):
        curves = budget_curves_of(base_model, benchmark)
        return {method: points[budget] for method, points in curves.items() if budget in points}
    return _RESULTS.get(base_model, {}).get(benchmark, {})


def ablations_of(base_model: str, benchmark: str) -> dict[str, Numbers]:
    """Acc, Tok and Lat of ASAP without one of its stages (Tables 2 and 5 to 8), under the paper's own budgets; nothing
    where the paper has none. Without either stage it is `Original`."""
    return _ABLATIONS.get(benchmark, {}) if base_model == QWEN_7B else {}


def budget_curves_of(base_model: str, benchmark: str) -> dict[str, dict[int, Numbers]]:
    """Method → budget in tokens → Acc, Tok and Lat (Figure 3; Tables 9 to 11); nothing where the paper has none."""
    rows = _BY_BUDGET.get(benchmark, {}) if base_model == QWEN_7B else {}
    if not rows:
        return {}
    return {
        method: {1024 * thousands: row[place] for thousands, row in rows.items()}
        for place, method in enumerate(_WITH_BUDGETS)
    }


# Tokens per sample and seconds per step (Table 3).
TRAINING_EFFICIENCY: dict[str, tuple[int, float]] = {
    "Original": (13023, 80.11),
    "Selective Context": (6722, 63.41),
    "LLMLingua-2": (6919, 65.25),
    "TokenSkip": (9813, 77.27),
    "SPIRIT": (6082, 57.45),
    "ASAP": (3178, 31.48),
}

# Base model → benchmark → method: Tables 1 and 12, their rows from the last up.
_RESULTS: dict[str, dict[str, dict[str, Numbers]]] = {
    QWEN_7B: {
        "humaneval": {
            "ASAP": (84.15, 2464, 0.98),
            "SPIRIT": (83.54, 2764, 1.07),
            "TokenSkip": (76.83, 2823, 1.07),
            "LLMLingua-2": (71.34, 3075, 1.19),
            "Selective Context": (59.76, 2979, 1.13),
            "Original": (78.05, 2973, 1.12),
            "Zero-shot": (73.78, 3051, 1.16),
        },
        "humaneval_plus": {
            "ASAP": (78.66, 2464, 0.98),
            "SPIRIT": (75.61, 2764, 1.07),
            "TokenSkip": (73.78, 2823, 1.07),
            "LLMLingua-2": (68.29, 3075, 1.19),
            "Selective Context": (54.88, 2979, 1.13),
            "Original": (75.61, 2973, 1.12),
            "Zero-shot": (68.29, 3051, 1.16),
        },
        "lcb_v1_v3": {
            "ASAP": (54.74, 5177, 2.09),
            "SPIRIT": (50.82, 6524, 3.09),
            "TokenSkip": (32.35, 7095, 3.85),
            "LLMLingua-2": (38.89, 6953, 3.60),
            "Selective Context": (30.23, 7025, 3.75),
            "Original": (52.12, 6611, 3.15),
            "Zero-shot": (42.16, 7088, 3.59),
        },
        "lcb_v4_v5": {
            "ASAP": (36.19, 6035, 2.61),
            "SPIRIT": (33.58, 7892, 4.62),
            "TokenSkip": (20.15, 8400, 5.37),
            "LLMLingua-2": (22.76, 8474, 5.31),
            "Selective Context": (16.79, 8558, 5.35),
            "Original": (30.97, 8289, 4.83),
            "Zero-shot": (25.37, 8336, 5.15),
        },
        "leetcode": {
            "ASAP": (27.63, 7541, 3.48),
            "SPIRIT": (25.00, 8186, 4.45),
            "TokenSkip": (18.42, 8503, 4.87),
            "LLMLingua-2": (17.54, 8513, 4.81),
            "Selective Context": (15.79, 8461, 4.90),
            "Original": (25.00, 8485, 4.72),
            "Zero-shot": (19.74, 8680, 4.95),
        },
    },
    LLAMA_8B: {
        "humaneval": {
            "ASAP": (80.49, 2494, 1.30),
            "SPIRIT": (76.22, 3159, 1.74),
            "Original": (82.32, 2978, 1.63),
            "Zero-shot": (68.29, 3334, 1.86),
        },
        "humaneval_plus": {
            "ASAP": (76.83, 2494, 1.30),
            "SPIRIT": (72.56, 3159, 1.74),
            "Original": (76.22, 2978, 1.63),
            "Zero-shot": (64.02, 3334, 1.86),
        },
        "lcb_v1_v3": {
            "ASAP": (48.86, 3605, 2.18),
            "SPIRIT": (52.61, 6280, 5.84),
            "Original": (52.61, 6614, 6.16),
            "Zero-shot": (44.12, 7162, 6.92),
        },
        "lcb_v4_v5": {
            "ASAP": (32.84, 4175, 2.69),
            "SPIRIT": (30.22, 7913, 8.45),
            "Original": (31.34, 8202, 8.60),
            "Zero-shot": (25.00, 8508, 8.90),
        },
        "leetcode": {
            "ASAP": (27.63, 3792, 2.42),
            "SPIRIT": (26.75, 8449, 8.73),
            "Original": (26.32, 8413, 8.85),
            "Zero-shot": (27.19, 8358, 8.65),
        },
    },
}
_ABLATIONS: dict[str, dict[str, Numbers]] = {
    "humaneval": {"w/o coarse": (82.32, 2839, 1.10), "w/o fine": (71.34, 2897, 1.10)},
    "humaneval_plus": {"w/o coarse": (78.05, 2839, 1.10), "w/o fine": (67.07, 2897, 1.10)},
    "lcb_v1_v3": {"w/o coarse": (53.92, 6107, 2.77), "w/o fine": (51.14, 6599, 3.20)},
    "lcb_v4_v5": {"w/o coarse": (35.07, 7735, 4.60), "w/o fine": (31.72, 8061, 4.83)},
    "leetcode": {"w/o coarse": (24.12, 7954, 3.75), "w/o fine": (25.44, 8326, 4.77)},
}
# Benchmark → budget in K → Acc, Tok, Lat of each of these.
_WITH_BUDGETS = ("ASAP", "SPIRIT", "Original", "Zero-shot")
_BY_BUDGET: dict[str, dict[int, tuple[Numbers, ...]]] = {
    "humaneval": {
        1: ((25.00, 946, 0.27), (11.59, 995, 0.28), (15.85, 983, 0.28), (10.37, 1007, 0.28)),
        2: ((56.71, 1502, 0.44), (49.39, 1690, 0.49), (44.51, 1702, 0.49), (45.12, 1813, 0.53)),
        4: ((75.00, 2116, 0.72), (76.83, 2401, 0.80), (67.68, 2511, 0.82), (71.95, 2561, 0.85)),
        6: ((84.15, 2464, 0.98), (83.54, 2764, 1.07), (78.05, 2973, 1.12), (73.78, 3051, 1.16)),
    },
    "humaneval_plus": {
        1: ((23.78, 946, 0.27), (10.98, 995, 0.28), (14.63, 983, 0.28), (9.76, 1007, 0.28)),
        2: ((54.88, 1502, 0.44), (47.56, 1690, 0.49), (43.29, 1702, 0.49), (42.68, 1813, 0.53)),
        4: ((71.34, 2116, 0.72), (69.51, 2401, 0.80), (65.85, 2511, 0.82), (66.46, 2561, 0.85)),
        6: ((78.66, 2464, 0.98), (75.61, 2764, 1.07), (75.61, 2973, 1.12), (68.29, 3051, 1.16)),
    },
    "lcb_v1_v3": {
        2: ((21.57, 1833, 0.49), (18.95, 1908, 0.51), (17.16, 1920, 0.51), (16.50, 1966, 0.52)),
        4: ((34.97, 3244, 1.00), (34.80, 3370, 1.03), (30.72, 3432, 1.05), (32.68, 3499, 1.06)),
        6: ((46.24, 4358, 1.54), (43.14, 4605, 1.64), (42.65, 4673, 1.67), (39.05, 4806, 1.70)),
        8: ((52.61, 4919, 1.90), (51.80, 5515, 2.27), (47.71, 5723, 2.43), (44.28, 5903, 2.46)),
        10: ((54.74, 5177, 2.09), (50.82, 6524, 3.09), (52.12, 6611, 3.15), (42.16, 7088, 3.59)),
        12: ((55.56, 5322, 2.27), (51.63, 7362, 4.09), (54.41, 7473, 4.22), (43.95, 7988, 5.10)),
    },
    "lcb_v4_v5": {
        2: ((13.43, 1930, 0.54), (8.21, 1993, 0.56), (6.34, 1999, 0.57), (6.72, 2021, 0.59)),
        4: ((20.90, 3594, 1.15), (20.15, 3712, 1.18), (15.67, 3799, 1.20), (16.79, 3820, 1.22)),
        6: ((30.60, 4988, 1.85), (26.49, 5237, 1.93), (22.76, 5397, 2.00), (23.13, 5444, 2.07)),
        8: ((35.07, 5793, 2.38), (30.60, 6634, 3.09), (25.74, 6882, 3.24), (25.37, 6927, 3.27)),
        10: ((36.19, 6035, 2.61), (33.58, 7892, 4.62), (30.97, 8289, 4.83), (25.37, 8336, 5.15)),
        12: ((36.57, 6128, 2.76), (34.33, 8987, 6.73), (32.46, 9567, 7.10), (25.75, 9706, 7.44)),
    },
    "leetcode": {
        2: ((10.09, 1965, 0.53), (7.02, 2001, 0.53), (6.14, 2020, 0.53), (7.02, 2028, 0.53)),
        4: ((15.79, 3758, 1.19), (16.23, 3789, 1.19), (13.16, 3854, 1.21), (13.16, 3848, 1.21)),
        6: ((19.30, 5387, 2.00), (18.86, 5407, 2.00), (16.67, 5548, 2.04), (16.23, 5553, 2.04)),
        8: ((23.25, 6722, 2.88), (22.37, 6882, 3.04), (22.37, 7104, 3.18), (19.30, 7165, 3.27)),
        10: ((27.63, 7541, 3.48), (25.00, 8186, 4.45), (25.00, 8485, 4.72), (19.74, 8680, 4.95)),
        12: ((27.63, 7902, 3.83), (26.32, 9354, 6.86), (28.07, 9717, 7.09), (21.49, 10142, 7.58)),
    },
}
