"""The arguments of `asap-hf prune`, which other commands that prune share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..benchmarks.registry import FAMILIES
from ..errors import UsageError
from ..pruners.registry import method_names
from ..traces.splitting import DEFAULT_SPLITTER, SPLITTERS


def option(default: Any, meaning: str, **more: Any) -> Any:
    """A field with its help text, and what else `argparse` is to know of it (`choices`)."""
    return field(default=default, metadata={"help": meaning, **more})


@dataclass
class PruneArguments:
    """Arguments of `asap-hf prune`; every one can stand in the YAML file that `--config` names."""

    dataset_name: str = field(
        metadata={"help": "Hub dataset, file (.jsonl, .parquet, …), folder, or a result of prune"}
    )
    output_dir: str = option("", "folder for the pruned dataset")
    overwrite: bool = option(False, "replace what stands in output_dir, once the new one is whole")
    dataset_config: str | None = option(None, "config of the Hub dataset")
    dataset_revision: str | None = option(None, "branch, tag or commit of the Hub dataset")
    dataset_split: str = option("train", "split to prune")
    prompt_column: str | None = option(None, "column with the prompt, if it is not recognised")
    completion_column: str | None = option(None, "column with <think> … </think> answer")
    keep_columns: str = option("", "columns to carry along, comma-separated; ids come by themselves")
    limit: int | None = option(None, "prune the first rows only")
    streaming: bool = option(False, "fetch rows as they are needed, not the whole split first")
    sample_tests: bool = option(False, "leave out rows whose program fails the sample tests beside it (in a jail)")
    decontaminate: str = option(
        "",
        f"leave out rows whose question is in a benchmark: {', '.join(FAMILIES)}, or a file; several with commas",
    )
    decontaminate_n: int = option(13, "words in a row that count as the same text (GPT-3's; open-r1 takes 8)")

    pruner: str = option(
        "asap",
        "both stages, an ablation of Table 2, a baseline of Table 1, another method, or one that a package adds",
        choices=method_names(),
    )
    selector: Literal["algorithm2", "knapsack", "reference"] = option(
        "algorithm2",
        "how steps are chosen by their scores; knapsack: the best packing (ours); reference: as in the authors' code",
    )
    splitter: str = option(DEFAULT_SPLITTER, "code: keeps programs whole; paper: cuts at blank lines")

    anchor_model: str | None = option(
        None, "LLM of stage 1 (the paper: deepseek-ai/DeepSeek-V3); none: the answer is the anchor"
    )
    anchor_backend: Literal["endpoint", "vllm", "transformers"] = option("endpoint", "what runs it")
    anchor_base_url: str | None = option(None, "an OpenAI-compatible server; none: Inference Providers")
    anchor_provider: str | None = option(None, "which Inference Provider; none: the Hub chooses")
    anchor_api_key_env: str | None = option(None, "environment variable that holds the server's key")
    anchor_mode: Literal["rewrite", "select"] = option("rewrite", "rewrite: the paper's; select: step numbers only")
    anchor_structured: Literal["none", "vllm"] = option("none", "hold the server to the JSON that select asks for")
    anchor_max_model_len: int | None = option(None, "vllm: most tokens of a prompt and its answer together")
    anchor_gpu_memory: float = option(0.9, "vllm: share of the GPU's memory (Appendix A); the scorer needs the rest")
    anchor_max_tokens: int = option(16384, "longest answer of the LLM in tokens")
    threshold: float = option(0.6, "least Gestalt similarity of Algorithm 1 (Appendix A)")
    autojunk: bool = option(False, "difflib's default for that similarity, as in the authors' code")
    max_attempts: int = option(5, "tries per row, failures of every kind counted (not in the paper)")
    on_failure: Literal["keep", "drop", "error"] = option("keep", "a row with no valid pruning")
    keep_llm_text: bool = option(False, "keep the LLM's wording, as published, not the original's")
    max_concurrency: int = option(32, "requests under way at once")
    timeout: float = option(600.0, "seconds per request")
    prompt_price: float | None = option(None, "money per million prompt tokens")
    completion_price: float | None = option(None, "money per million completion tokens")
    max_cost: float | None = option(
        None, "hard cap on what this run may spend: all its processes, and all its starts until the result stands"
    )
    answer_keep: float | None = option(
        None, "where the answer is the anchor: share of the reasoning to keep; none: the ratio, or 0.25"
    )

    scorer: str = option("embedded", "model of stage 2 (the paper: deepseek-ai/DeepSeek-R1-Distill-Qwen-7B)")
    scorer_revision: str | None = option(None, "branch, tag or commit of the scorer")
    score: str | None = option(
        None, "which score decides; none: first_token_surprisal (Eq. 2), for a result of prune the same as in it"
    )
    all_scores: bool = option(True, "store all five scores; --no_all_scores: only the first token's two")
    context: Literal["chat", "raw"] = option("chat", "what stands before the reasoning when it is scored")
    dtype: str = option("auto", "of the scorer's weights")
    device: str | None = option(None, "cpu, cuda, cuda:1, mps, …; none: the fastest there is")
    max_batch_tokens: int | None = option(None, "tokens per forward pass")
    deterministic: bool = option(False, "scores the same to the last bit whatever is scored beside them")
    max_context: int | None = option(None, "score in windows of at most this many tokens")
    loo_window: int | None = option(None, "spirit_loo, pir: look at this many tokens after a step; none: all")
    compressor: str | None = option(
        None, "llmlingua2, tokenskip: a token classifier; none: microsoft/llmlingua-2-xlm-roberta-large-meetingbank"
    )
    forced_words: Literal["none", "llama3"] = option(
        "none", "llmlingua2, tokenskip: words always kept; llama3: TokenSkip's for that family"
    )
    seed: int = option(42, "random, tokenskip: of what is drawn")
    tokenizer: str | None = option(
        None, "the model to be trained: its tokens are counted, its chat template renders prompts"
    )
    max_tokens: int | None = option(None, "budget of a reasoning in tokens (4096 in Appendix A)")
    ratio: float | None = option(None, "budget as a share of the original's tokens, instead (baselines: 0.5)")

    batch_size: int = option(256, "rows that go through the stages together")
    num_shards: int = option(1, "finish the rows in this many parts, one whole before the next")
    ledger_dir: str | None = option(None, "where finished work is kept; 'off': nowhere")
    retry_failed: bool = option(False, "redo the failed rows of the result in output_dir")
    fail_above: float | None = option(
        None, "exit with 1, the result being written, if a larger share of the usable rows failed (0.1 for example)"
    )
    dry_run: bool = option(False, "say what would be done and spent, and do nothing")

    def check(self) -> None:
        """Refuse what cannot work. Not at construction: there, a misspelt flag would be reported after a value that is
        missing because of it.

        Raises:
            `UsageError`: with what to change.
        """
        if not self.output_dir and not self.dry_run:
            raise UsageError("say where the result goes with --output_dir")
        if self.max_tokens is not None and self.ratio is not None:
            raise UsageError("a budget is either --max_tokens or --ratio, not both")
        if self.ratio is not None and not 0 < self.ratio <= 1:
            raise UsageError(f"--ratio is a share of the tokens, over 0 and at most 1; got {self.ratio}")
        if self.fail_above is not None and not 0 <= self.fail_above < 1:
            raise UsageError(f"--fail_above is a share of the usable rows, from 0 to below 1; got {self.fail_above}")
        for name in ("batch_size", "num_shards", "limit", "max_attempts", "max_concurrency"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} is 1 or more; got {value}")
        for name in ("prompt_price", "completion_price"):
            if self.max_cost is not None and getattr(self, name) is None:
                raise UsageError(f"--max_cost needs --{name}, money per million tokens (0 where it is free)")
        if self.splitter not in SPLITTERS:
            raise UsageError(f"there is no splitter {self.splitter!r}; there are {', '.join(SPLITTERS)}")
        if not 0 < self.threshold <= 1:
            raise UsageError(f"--threshold is a similarity over 0 and at most 1; got {self.threshold}")
