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
_COMPARED = ("selective_context", "llmlingua2", "tokenskip", "spirit_own", "spirit_loo")
_BASELINE = {"ratio": Given(0.5, "Appendix A", "`0.5`, for TokenSkip 0.5 to 1.0")}
ABLATIONS = {
    "wo_coarse": "the paper's ablation without coarse-grained pruning (Table 2), stage 2 alone",
    "wo_fine": "the paper's ablation without fine-grained pruning (Table 2), stage 1 alone",
    "wo_any": "the paper's ablation without any pruning (Table 2), the traces as they are",
}
BASELINES = {
    "original": 'the paper\'s row "Original" (Table 1), the traces as they are',
    "selective_context": "the paper's baseline Selective Context (Table 1): phrases go that a language model finds "
    "likely",
    "llmlingua2": "the paper's baseline LLMLingua-2 (Table 1): words go that a token classifier finds dispensable",
    "tokenskip": "the paper's baseline TokenSkip (Table 1): LLMLingua-2 at a ratio drawn for each row, which its "
    "prompt tells",
    "spirit_own": "the paper's baseline SPIRIT (Table 1, Appendix A), read as each step's own perplexity",
    "spirit_loo": "the paper's baseline SPIRIT (Table 1, Appendix A), read as what a step's absence does to the "
    "perplexity of what follows it",
    "pir": "a method beside the paper's: steps go whose absence the answer's perplexity minds least",
    "step_entropy": "a method beside the paper's: steps go in which the model was least uncertain",
    "random": "a control that the paper does not have: steps go by chance",
    "keep_last": "a control that the paper does not have: the end of the reasoning stays",
    "c3ot": "the short half of C3oT, which the paper does not compare: an LLM wrote the reasoning anew",
    "c3ot_long": "the long half of C3oT, which the paper does not compare: the traces as they are",
}


def pruning_of(pruner: str) -> dict[str, Given]:
    """What the paper gives for a pruner, by the names of the settings in `run.json`."""
    if pruner in ABLATIONS:
        return _DATA | _ASAP | {"pruner": Given(pruner, "Table 2")}
    if pruner == "asap":
        return _DATA | _ASAP
    return _DATA | (_BASELINE if pruner in _COMPARED else {})


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
