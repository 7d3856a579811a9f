"""What the paper gives (arXiv 2508.05988v1): its settings and results, and whom to cite."""

from .credits import BIBTEX, CREDITS, Credit
from .results import BUDGETS, PROBLEMS, TRAINING_EFFICIENCY, Numbers, ablations_of, budget_curves_of, results_of
from .settings import LLAMA_8B, QWEN_7B, Given, pruning_of, training_of

__all__ = [
    "BIBTEX",
    "BUDGETS",
    "CREDITS",
    "LLAMA_8B",
    "PROBLEMS",
    "QWEN_7B",
    "TRAINING_EFFICIENCY",
    "Credit",
    "Given",
    "Numbers",
    "ablations_of",
    "budget_curves_of",
    "pruning_of",
    "results_of",
    "training_of",
]
