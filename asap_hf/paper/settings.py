"""Settings that the paper gives (arXiv 2508.05988v1); cards show them next to a run's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Given:
    """A value in the paper."""

    value: Any
    place: str
    """Where it stands."""
    words: str = ""
    """How to put it where the bare value says too little."""


QWEN_7B = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
LLAMA_8B = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
_DATA = {
    "source": Given("open-r1/codeforces-cots", "§4.1"),
    "dataset_config": Given("solutions_py", "§4.1"),
    "scorer": Given(QWEN_7B, "Appendix A"),
}
_ASAP = {
    "pruner": Given("asap", "§3.1"),
    "splitter": Given("paper", "Algorithms 1 and 2", "`paper`, which cuts at blank lines"),
    "anchor_model": Given("deepseek-ai/DeepSeek-V3", "Appendix A"),
    "anchor_mode": Given("rewrite", "§3.2"),
    "threshold": Given(0.6, "Appendix A"),
    "keep_llm_text": Given(True, "§3.2"),
    "answer_keep": Given("the anchor of an LLM", "§3.2", "none, an LLM writes the anchor"),
    "score": Given("first_token_surprisal", "Eq. 2"),
    "max_tokens": Given(4096, "Appendix A"),
    "ratio": Given("max_tokens", "Appendix A", "none, a budget of 4,096 tokens"),
}
_BASELINE = {"ratio": Given(0.5, "Appendix A", "`0.5`, for TokenSkip 0.5 to 1.0")}


def pruning_of(pruner: str, place: str) -> dict[str, Given]:
    """What the paper gives for a pruner, by the names of the settings in `run.json`.

    Args:
        pruner (`str`):
            As `--pruner` has it.
        place (`str`):
            Where the paper has it: `"§3.1"`, `"Table 1"` (baselines), `"Table 2"` (ablations); empty for nowhere.
    """
    match place:
        case "§3.1" | "Table 2":
            return _DATA | _ASAP | {"pruner": Given(pruner, place)}
        case "Table 1":
            return _DATA | _BASELINE
    return _DATA


_RATES = {QWEN_7B: 4e-5, LLAMA_8B: 2e-5}


def training_of(base_model: str) -> dict[str, Given]:
    """Appendix A's fine-tuning of a base model, by the names of TRL's flags."""
    rate = {"learning_rate": Given(_RATES[base_model], "Appendix A")} if base_model in _RATES else {}
    values = {
        "max_length": 16384,
        "num_train_epochs": 10,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 16,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "warmup_steps": 0.03,
        "max_grad_norm": 0.2,
        "bf16": True,
        "seed": 42,
    }
    return rate | {name: Given(value, "Appendix A") for name, value in values.items()}
