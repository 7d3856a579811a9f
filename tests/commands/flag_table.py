"""For every flag of every command, what shows that it has an effect."""

from __future__ import annotations

from dataclasses import dataclass

from asap_hf.commands.compare_pruners import _NOT_HERE as NOT_OF_COMPARE_PRUNERS

_OVERWRITE = "tests/commands/test_overwrite.py::"
_RUN = "tests/evaluate/test_run.py::"
_PRUNED = "tests/commands/test_prune.py::"
_MODEL = "tests/publish/test_publish_model.py::"
_DATASET = "tests/publish/test_publish_dataset.py::"
_COMPARING = "tests/compare_pruners/test_comparing.py::"
_SCRIPTS = "tests/test_dataset_scripts.py::"
_PUSH = "tests/hub/test_push.py::"
_CHECKED = "tests/commands/test_check_sft.py::"
_TRAINED = "tests/commands/test_train.py::"
_ASKED = "tests/commands/test_evaluate.py::"
_SHARDS = "tests/dataset/test_shards.py::"


@dataclass(frozen=True)
class Case:
    """A flag's words, and what stands on the command line anyway."""

    words: str
    beside: str = ""


@dataclass(frozen=True)
class Elsewhere:
    """The test that shows what a flag does, where that takes a server, a Hub or a killed run."""

    test: str


LLM = "--anchor_model m --anchor_base_url http://127.0.0.1:9/v1"
VLLM = "--anchor_model m --anchor_backend vllm"

# What the run that is asked for is made of: no model is loaded, nothing is asked.
PRUNE: dict[str, Case | Elsewhere] = {
    "dataset_name": Case("--dataset_name other.jsonl"),
    "output_dir": Elsewhere(f"{_OVERWRITE}test_a_result_is_replaced_and_one_with_a_note_in_it_is_not"),
    "overwrite": Elsewhere(f"{_OVERWRITE}test_a_result_is_replaced_and_one_with_a_note_in_it_is_not"),
    "dataset_config": Case("--dataset_config b", "--dataset_name folder"),
    "dataset_revision": Elsewhere(
        "tests/traces/test_hub_source.py::test_another_state_of_the_dataset_can_be_asked_for"
    ),
    "dataset_split": Case("--dataset_split test", "--dataset_name folder"),
    "prompt_column": Case("--prompt_column other"),
    "completion_column": Case("--completion_column other"),
    "keep_columns": Case("--keep_columns other"),
    "limit": Case("--limit 2"),
    "streaming": Case("--streaming"),
    "sample_tests": Case("--sample_tests"),
    "decontaminate": Case("--decontaminate small.jsonl"),
    "decontaminate_n": Case("--decontaminate_n 8", "--decontaminate small.jsonl"),
    "pruner": Case("--pruner wo_fine"),
    "selector": Case("--selector knapsack"),
    "splitter": Case("--splitter paper"),
    "anchor_model": Case(LLM),
    "anchor_backend": Case("--anchor_backend transformers", "--anchor_model m"),
    "anchor_base_url": Case("--anchor_base_url http://127.0.0.1:8/v1", "--anchor_model m"),
    "anchor_provider": Case("--anchor_provider together", "--anchor_model m"),
    "anchor_api_key_env": Case("--anchor_api_key_env KEY", LLM),
    "anchor_mode": Case("--anchor_mode select", LLM),
    "anchor_structured": Case("--anchor_structured vllm", f"{LLM} --anchor_mode select"),
    "anchor_max_model_len": Case("--anchor_max_model_len 4096", VLLM),
    "anchor_gpu_memory": Case("--anchor_gpu_memory 0.5", VLLM),
    "anchor_max_tokens": Case("--anchor_max_tokens 100", LLM),
    "threshold": Case("--threshold 0.7", LLM),
    "autojunk": Case("--autojunk", LLM),
    "max_attempts": Case("--max_attempts 2", LLM),
    "on_failure": Case("--on_failure drop", LLM),
    "keep_llm_text": Case("--keep_llm_text", LLM),
    "max_concurrency": Case("--max_concurrency 2", LLM),
    "timeout": Case("--timeout 9", LLM),
    "prompt_price": Case("--prompt_price 1", LLM),
    "completion_price": Case("--completion_price 1", LLM),
    "max_cost": Case("--max_cost 1", f"{LLM} --prompt_price 1 --completion_price 1"),
    "answer_keep": Case("--answer_keep 0.7"),
    "scorer": Case("--scorer other"),
    "scorer_revision": Case("--scorer_revision v1"),
    "score": Case("--score mean_entropy"),
    "all_scores": Case("--no_all_scores"),
    "context": Case("--context raw"),
    "dtype": Case("--dtype float32"),
    "device": Case("--device meta"),
    "deterministic": Case("--deterministic"),
    "max_batch_tokens": Case("--max_batch_tokens 100"),
    "max_context": Case("--max_context 100"),
    "loo_window": Case("--loo_window 100", "--pruner pir"),
    "compressor": Case("--compressor c", "--pruner llmlingua2"),
    "forced_words": Case("--forced_words llama3", "--pruner tokenskip"),
    "seed": Case("--seed 7", "--pruner random"),
    "tokenizer": Case("--tokenizer other"),
    "max_tokens": Case("--max_tokens 9"),
    "ratio": Case("--ratio 0.3"),
    "batch_size": Case("--batch_size 2"),
    "num_shards": Elsewhere(f"{_SHARDS}test_a_killed_run_goes_on_with_the_first_shard_that_is_not_whole"),
    "fail_above": Elsewhere(
        "tests/commands/test_failures.py::test_a_run_whose_rows_all_failed_warns_and_ends_with_1_if_asked_to"
    ),
    "ledger_dir": Elsewhere("tests/dataset/test_kill.py::test_killed_at_twenty_moments"),
    "retry_failed": Elsewhere(f"{_PRUNED}test_after_a_retry_the_summary_counts_every_row_in_every_stage"),
    "dry_run": Elsewhere(f"{_PRUNED}test_a_dry_run_says_what_it_would_take_and_does_nothing"),
}

_COMPARED = "tests/commands/test_compare_pruners.py::"
COMPARE_PRUNERS: dict[str, Case | Elsewhere] = {
    **{name: case for name, case in PRUNE.items() if name not in NOT_OF_COMPARE_PRUNERS},
    "output_dir": Elsewhere(f"{_COMPARED}test_a_second_run_adds_traces_methods_and_ratios_and_refuses_other_settings"),
    "overwrite": Elsewhere(f"{_COMPARED}test_a_second_run_adds_traces_methods_and_ratios_and_refuses_other_settings"),
    "score": Case("--score mean_entropy", "--pruners wo_coarse"),
    "loo_window": Case("--loo_window 100", "--pruners pir"),
    "compressor": Case("--compressor c", "--pruners llmlingua2"),
    "forced_words": Case("--forced_words llama3", "--pruners tokenskip"),
    "ratios": Case("--ratios 0.3"),
    "pruners": Case("--pruners random"),
    "traces": Case("--traces 1"),
    "seed": Case("--seed 7"),
    "max_tokens_trace": Case("--max_tokens_trace 9"),
    "judge": Case("--judge other"),
    "judge_revision": Case("--judge_revision v1"),
    "processes": Elsewhere(f"{_COMPARING}test_several_processes_find_the_same_and_lose_nothing_when_one_is_killed"),
    "ledger_dir": Elsewhere(
        f"{_COMPARING}test_scores_are_made_once_a_trace_and_their_time_is_told_for_all_who_need_them"
    ),
}

ENDPOINT = "--engine endpoint --base_url http://127.0.0.1:9/v1"
TRANSFORMERS = "--engine transformers"
EVALUATE: dict[str, Case | Elsewhere] = {
    "model": Case("--model other"),
    "benchmark": Elsewhere(f"{_ASKED}test_wrong_arguments_are_said_in_one_sentence"),
    "output_dir": Elsewhere(f"{_RUN}test_what_stands_in_the_folder_is_replaced_only_on_demand"),
    "overwrite": Elsewhere(f"{_RUN}test_what_stands_in_the_folder_is_replaced_only_on_demand"),
    "budget": Case("--budget 60,400"),
    "benchmark_path": Case("--benchmark_path humaneval=other-small.jsonl"),
    "limit": Case("--limit 2"),
    "think": Case("--no_think"),
    "temperature": Case("--temperature 0.7"),
    "top_p": Case("--top_p 0.9", "--temperature 0.7"),
    "samples": Case("--samples 2", "--temperature 0.7"),
    "seed": Case("--seed 7", "--temperature 0.7"),
    "grader_workers": Case("--grader_workers 2"),
    "engine": Case("--engine transformers"),
    "revision": Case("--revision v1"),
    "dtype": Case("--dtype float32"),
    "enforce_eager": Case("--enforce_eager"),
    "max_model_len": Case("--max_model_len 99"),
    "max_num_seqs": Case("--max_num_seqs 9"),
    "gpu_memory": Case("--gpu_memory 0.5"),
    "tensor_parallel_size": Case("--tensor_parallel_size 2"),
    "device": Case("--device meta", TRANSFORMERS),
    "batch_size": Case("--batch_size 2", TRANSFORMERS),
    "base_url": Case("--base_url http://127.0.0.1:8/v1", ENDPOINT),
    "api": Case("--api chat", ENDPOINT),
    "tokenizer": Case("--tokenizer tok", ENDPOINT),
    "api_key_env": Case("--api_key_env KEY", ENDPOINT),
    "max_concurrency": Case("--max_concurrency 2", ENDPOINT),
    "timeout": Case("--timeout 9", ENDPOINT),
    "dry_run": Elsewhere(f"{_ASKED}test_a_dry_run_says_what_would_be_done_and_does_nothing"),
}

# The command itself is run; what it prints and what lies in the folder afterwards is looked at.
GRADE: dict[str, Case | Elsewhere] = {
    "file": Case("--file fewer.jsonl", "--allow_missing"),
    "benchmark": Elsewhere(f"{_ASKED}test_grading_says_what_is_wrong"),
    "path": Case("--path other-small.jsonl"),
    "samples": Case("--samples 2", "--file twice.jsonl"),
    "allow_missing": Case("--allow_missing", "--file fewer.jsonl"),
    "grader_workers": Elsewhere("tests/commands/test_every_flag.py::test_as_many_programs_at_once_as_are_asked_for"),
    "output_dir": Case("--output_dir new"),
    "overwrite": Case("--overwrite", "--output_dir graded"),
}
COMPARE: dict[str, Case | Elsewhere] = {
    "runs": Case("--runs two", ""),
    "output_dir": Case("--output_dir new"),
    "overwrite": Case("--overwrite", "--output_dir compared"),
    "baseline": Case("--baseline two"),
    "budget": Case("--budget 2048", "--benchmark humaneval"),
    "benchmark": Case("--benchmark leetcode"),
    "common_problems": Case("--common_problems", "--runs one part"),
    "paper": Case("--paper"),
    "original": Case("--original trained-2", "--runs trained trained-2"),
    "base_model": Case("--base_model deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "--paper"),
}
EXPLORE: dict[str, Case | Elsewhere] = {
    "folder": Case("--folder pruned-2"),
    "output": Case("--output new.html"),
    "compare": Case("--compare pruned-2"),
    "limit": Case("--limit 1"),
    "overwrite": Case("--overwrite", "--output explored.html"),
}
HUB: dict[str, Case | Elsewhere] = {
    "repo_id": Case("--repo_id you/other"),
    "private": Case("--private"),
    "tag": Case("--tag v1"),
    "revision": Case("--revision v1"),
    "create_pr": Case("--create_pr"),
    "overwrite": Elsewhere(f"{_PUSH}test_data_of_others_is_not_touched_unless_told"),
    "dry_run": Elsewhere(f"{_DATASET}test_a_dry_run_needs_no_hub_and_shows_the_card"),
}
PUBLISH: dict[str, dict[str, Case | Elsewhere]] = {
    "publish dataset": {
        **HUB,
        "folder": Case("--folder pruned-2"),
        "license": Case("--license mit"),
        "verify": Elsewhere(f"{_DATASET}test_another_budget_replaces_the_data_and_the_old_tag_still_loads"),
    },
    "publish model": {
        **HUB,
        "folder": Case("--folder checkpoint-2"),
        "dataset": Case("--dataset me/traces"),
        "base_model": Case("--base_model me/other-base"),
        "train_config": Case("--train_config train.yaml"),
        "results": Elsewhere(f"{_MODEL}test_its_card_tells_what_was_measured_and_how_it_was_trained"),
        "license": Case("--license mit"),
        "results_model": Elsewhere(f"{_MODEL}test_what_is_said_of_results_has_to_fit"),
    },
    "publish metric": {
        **HUB,
        "folder": Case("--folder generation_latency --repo_id me/generation_latency"),
        "repo_id": Case("--repo_id you/generated_tokens"),
    },
    "publish page": {**HUB, "folder": Case("--folder page-2.html")},
}
RECIPE: dict[str, dict[str, Case | Elsewhere]] = {
    "recipe list": {},
    "recipe show": {"name": Case("--name smollm2-135m"), "kind": Case("--kind train-lora")},
    "recipe copy": {
        "name": Case("--name smollm2-135m"),
        "kind": Case("--kind train-lora"),
        "target": Case("--target mine-2.yaml"),
        "overwrite": Case("--overwrite", "--target copied.yaml"),
    },
}
CHECK: dict[str, Case | Elsewhere] = {
    "allow_truncation": Elsewhere(f"{_CHECKED}test_truncation_can_be_allowed"),
    "check_rows": Elsewhere(f"{_CHECKED}test_fewer_rows_can_be_checked"),
}
TRAIN: dict[str, Case | Elsewhere] = {
    **CHECK,
    "recipe": Elsewhere(f"{_TRAINED}test_names_of_recipes_and_of_the_embedded_model_become_files"),
    "kind": Elsewhere(f"{_TRAINED}test_another_kind_of_a_recipe_can_be_asked_for"),
    "dry_run": Elsewhere(f"{_TRAINED}test_a_dry_run_prints_the_command_and_leaves_it_there"),
}
_PUSHED = f"{_SCRIPTS}test_the_pruned_dataset_from_a_file_to_the_hub"
SCRIPT: dict[str, Case | Elsewhere] = {
    **{
        name: Elsewhere(f"tests/commands/test_every_flag.py::{test}")
        for test, names in {"test_a_flag_changes_what_the_run_is_made_of": PRUNE}.items()
        for name in names
    },
    "source": Elsewhere(_PUSHED),
    "repo_id": Elsewhere(_PUSHED),
    "push_to_hub": Elsewhere(_PUSHED),
    "tag": Elsewhere(_PUSHED),
    "license": Elsewhere(_PUSHED),
    "private": Elsewhere(f"{_PUSH}test_private"),
    "create_pr": Elsewhere(f"{_PUSH}test_a_pull_request_to_somebody_else"),
    "replace_foreign": Elsewhere(f"{_PUSH}test_data_of_others_is_not_touched_unless_told"),
}
TABLE: dict[str, dict[str, Case | Elsewhere]] = {
    "prune": PRUNE,
    "compare-pruners": COMPARE_PRUNERS,
    "evaluate": EVALUATE,
    "grade": GRADE,
    "compare": COMPARE,
    "explore": EXPLORE,
    **PUBLISH,
    **RECIPE,
    "check-sft": CHECK,
    "train": TRAIN,
    "asap_codeforces_pruned.py": SCRIPT,
    "asap_codeforces_baselines.py": {
        **SCRIPT,
        "pruners": Elsewhere(f"{_SCRIPTS}test_the_baselines_are_the_same_rows_in_a_config_each"),
    },
}
