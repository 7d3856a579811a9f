"""Every flag of every command changes something that a user can see, or is refused where it would change nothing."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from dataclasses import fields
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from asap_hf.benchmarks import Benchmark, open_benchmark
from asap_hf.cli import main
from asap_hf.commands import (
    check_sft,
    compare,
    compare_pruners,
    evaluate,
    explore,
    grade,
    prune,
    publish,
    recipe,
    train,
)
from asap_hf.commands.command_line import parse
from asap_hf.commands.methods import flags_of, pruner_of, settings_of
from asap_hf.commands.pruner_flags import refuse_unused_of_prune
from asap_hf.commands.stages import filters_of
from asap_hf.compare_pruners.trace_sample import TraceSample
from asap_hf.errors import UsageError
from asap_hf.pruners.registry import BUILT_IN
from asap_hf.recipes import recipe_path
from asap_hf.traces.sources import Source
from asap_hf.train.efficiency import TrainingEfficiency, write_efficiency
from tests.commands.flag_table import LLM, TABLE, Case, Elsewhere
from tests.compare.folders import Sample, write_evaluation
from tests.compare_pruners.traces import rows
from tests.evaluate.small_benchmark import BODIES, HEADS, NAMES, write_benchmark
from tests.tiny_models import byte_level_tokenizer, save_model, tiny_llama

ROOT = Path(__file__).parents[2]


def script(name: str) -> Any:
    sys.path.insert(0, str(ROOT / "dataset_scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


ARGUMENTS: dict[str, Any] = {
    "prune": prune.ARGUMENTS,
    "compare-pruners": compare_pruners.ARGUMENTS,
    "evaluate": evaluate.ARGUMENTS,
    "grade": grade.ARGUMENTS,
    "compare": compare.ARGUMENTS,
    "explore": explore.ARGUMENTS,
    **{f"publish {name}": one for name, (one, _, _) in publish.COMMANDS.items()},
    **{f"recipe {name}": one for name, (one, _, _) in recipe.COMMANDS.items()},
    "check-sft": check_sft.CheckArguments,
    "train": train.TrainArguments,
    "asap_codeforces_pruned.py": script("asap_codeforces_pruned").DatasetScriptArguments,
    "asap_codeforces_baselines.py": script("asap_codeforces_baselines").BaselinesArguments,
}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_every_flag_stands_in_the_table(command: str) -> None:
    refused = set(compare_pruners._NOT_HERE) if command == "compare-pruners" else set()
    assert {one.name for one in fields(ARGUMENTS[command])} - refused == set(TABLE[command])


def test_every_test_that_the_table_names_is_there() -> None:
    for case in [case for cases in TABLE.values() for case in cases.values() if isinstance(case, Elsewhere)]:
        path, _, name = case.test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), case.test


def cases_of(*commands: str) -> list[Any]:
    return [
        pytest.param(command, name, id=f"{command} {name}")
        for command in commands
        for name, case in TABLE[command].items()
        if isinstance(case, Case)
    ]


def words_of(command: str, name: str) -> tuple[list[str], list[str]]:
    """The command line without the flag, and with it."""
    case = TABLE[command][name]
    assert isinstance(case, Case)
    return case.beside.split(), [*case.beside.split(), *case.words.split()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with traces, benchmarks, samples, and what the commands write from them."""
    folder = tmp_path_factory.mktemp("place")
    byte_level_tokenizer().save_pretrained(folder / "tok")
    traces = [{**row, "id": number, "other": row["completion"]} for number, row in enumerate(rows(3))]
    lines = "".join(json.dumps(row) + "\n" for row in traces)
    (folder / "traces.jsonl").write_text(lines)
    (folder / "other.jsonl").write_text(lines + lines)
    for config, split, count in (("a", "train", 1), ("a", "test", 2), ("b", "train", 3)):
        (folder / "folder" / config).mkdir(parents=True, exist_ok=True)
        (folder / "folder" / config / f"{split}.jsonl").write_text(lines * count)
    configs = "".join(
        f"- config_name: {config}\n  default: {str(config == 'a').lower()}\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: {config}/{split}.jsonl\n" for split in splits)
        for config, splits in {"a": ("train", "test"), "b": ("train",)}.items()
    )
    (folder / "folder" / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    write_benchmark(folder)
    other = (folder / "small.jsonl").read_text().replace("the sum of", "the total of").replace("== 3", "== 4")
    (folder / "other-small.jsonl").write_text(other)
    solutions = {f"Small/{number}": f"{HEADS[name]}    {BODIES[name]}\n" for number, name in enumerate(NAMES)}
    samples = [json.dumps({"task_id": task, "solution": solution}) for task, solution in solutions.items()]
    (folder / "samples.jsonl").write_text("".join(f"{line}\n" for line in samples))
    (folder / "twice.jsonl").write_text("".join(f"{line}\n{line}\n" for line in samples))
    (folder / "fewer.jsonl").write_text("".join(f"{line}\n" for line in samples[:4]))
    return folder


@pytest.fixture(autouse=True)
def _there(place: Path, monkeypatch: pytest.MonkeyPatch, embedded_model: str) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")


def run_of_prune(arguments: Any) -> dict[str, Any]:
    """All that the run is made of."""
    arguments.check()
    refuse_unused_of_prune(arguments)
    source, columns = prune._open(arguments)
    with filters_of(arguments) as filters:
        made = prune._pruning_run(arguments, filters)
        return {
            "settings": settings_of(arguments),
            "pruner": repr(pruner_of(arguments)),
            "tokenizer": made.tokenizer,
            "filters": [vars(one) for one in filters],
            "source": (source.label, type(source.dataset).__name__, source.rows, next(iter(source.batches(9)))),
            "columns": columns,
            "production": (sorted(made.carried.features), made.batch_size),
        }


class DrawnError(Exception):
    """Ends a comparison of pruners where its traces would be drawn."""


def run_of_compare_pruners(arguments: Any) -> dict[str, Any]:
    """What is compared, on which traces, and who judges."""
    arguments.check()
    conditions = compare_pruners._conditions(arguments)

    read = []
    batches = Source.batches

    def seen(self: Source, size: int) -> Any:
        read.append((type(self.dataset).__name__, size))
        return batches(self, size)

    def draw(self: TraceSample, drawn: Any, count: int | None) -> None:
        raise DrawnError(vars(self), list(drawn), count, read)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Source, "batches", seen)
        patch.setattr(TraceSample, "draw", draw)
        with pytest.raises(DrawnError) as drawn:
            compare_pruners._comparison(arguments, conditions)
    settings = [
        settings_of(compare_pruners._as_prune(arguments, one.name, one.ratio or 1.0))
        for one in conditions
        if one.ratio
    ]
    return {
        "conditions": [(one.name, one.ratio, repr(one.pruner)) for one in conditions],
        "settings": settings,
        "drawn": repr(drawn.value.args),
    }


def run_of_evaluate(arguments: Any) -> dict[str, Any]:
    """The evaluation, and its first prompt's words and seed."""
    arguments.check()
    evaluation = evaluate.evaluation_of(arguments)
    asked = [(one.name, list(map(repr, one.problems))) for one in evaluation.benchmarks]
    return {**vars(evaluation), "engine": repr(evaluation.engine), "benchmarks": asked}


RUNS = {
    "prune": (run_of_prune, "--dataset_name traces.jsonl --output_dir out"),
    "compare-pruners": (run_of_compare_pruners, "--dataset_name traces.jsonl --judge tok --scorer tok"),
    "evaluate": (
        run_of_evaluate,
        "--model tok --benchmark humaneval --benchmark_path humaneval=small.jsonl --limit 3 --output_dir out",
    ),
}


@pytest.mark.parametrize(("command", "name"), cases_of(*RUNS))
def test_a_flag_changes_what_the_run_is_made_of(command: str, name: str) -> None:
    """No model is loaded and nothing is asked."""
    run_of, standing = RUNS[command]
    without, given = (
        run_of(parse(ARGUMENTS[command], [*standing.split(), *words], command)) for words in words_of(command, name)
    )
    assert given != without


STANDING = {
    "grade": "samples.jsonl --benchmark humaneval --path small.jsonl",
    "compare": "one two",
    "explore": "pruned --output seen.html",
    "publish dataset": "pruned --repo_id me/traces --dry_run",
    "publish model": "checkpoint --repo_id me/model --base_model me/base --dry_run",
    "publish metric": "generated_tokens --repo_id me/generated_tokens --dry_run",
    "publish page": "explored.html --repo_id me/page --dry_run",
    "recipe show": "r1-distill-qwen-7b",
    "recipe copy": "r1-distill-qwen-7b mine.yaml",
}


@pytest.fixture(scope="module")
def results(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder with something of each kind that the other commands read."""
    folder = tmp_path_factory.mktemp("results") / "here"
    shutil.copytree(place, folder)
    for name, count in (("one", 5), ("two", 5), ("part", 3)):
        samples = [
            Sample(f"{benchmark}/{number}", benchmark=benchmark, budget=budget)
            for number in range(count)
            for benchmark, budget in (("humaneval", 2048), ("humaneval", 6144), ("leetcode", 10240))
        ]
        write_evaluation(folder / name, samples)
    for name, tokens in (("trained", 10.0), ("trained-2", 20.0)):
        (folder / name).mkdir()
        write_efficiency(TrainingEfficiency(name, "m", "h", 10, tokens, 2, 5, 1.0, 4), folder / name)
    for name in ("generated_tokens", "generation_latency"):
        shutil.copytree(ROOT / "evaluation" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    save_model(folder / "checkpoint")
    save_model(folder / "checkpoint-2", tiny_llama(hidden_size=64))
    (folder / "train.yaml").write_text("learning_rate: 4e-5\n")
    (folder / "copied.yaml").write_bytes(recipe_path("smollm2-135m").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ASAP_HF_LEDGER", "off")
        patch.setattr("asap_hf.benchmarks.open_benchmark", small_benchmark)
        pruning = "--pruner keep_last --tokenizer tok --output_dir"
        for words in (
            f"prune traces.jsonl {pruning} pruned",
            f"prune traces.jsonl --limit 2 {pruning} pruned-2",
            "explore pruned --output explored.html",
            "explore pruned-2 --output page-2.html",
            "compare one two --output_dir compared",
            "grade samples.jsonl --benchmark humaneval --path small.jsonl --output_dir graded",
        ):
            assert main(words.split()) == 0, words
    return folder


def small_benchmark(name: str, path: str | None = None, limit: int | None = None) -> Benchmark:
    """As many problems as the file has: the whole benchmark's 164 would take their time."""
    return open_benchmark(name, path, limit or len(Path(path or "").read_text().splitlines()))


def outcome(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, dict[str, int]]:
    """Exit code, what was said, and the files that are there; times aside."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asap_hf.benchmarks.open_benchmark", small_benchmark)
        code = main(words)
    said = capsys.readouterr()
    files = {str(path): path.stat().st_size for path in sorted(Path().rglob("*")) if path.is_file()}
    return code, re.sub(r"[0-9.]+ ?s\b", "", said.out + said.err), files


@pytest.mark.parametrize(("command", "name"), cases_of(*STANDING))
def test_a_flag_changes_what_is_said_or_written(
    command: str,
    name: str,
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = []
    for number, words in enumerate(words_of(command, name)):
        shutil.copytree(results, tmp_path / str(number))
        monkeypatch.chdir(tmp_path / str(number))
        found.append(outcome([*command.split(), *named(command, words)], capsys))
    assert found[0] != found[1]
    assert found[1][0] == 0, found[1][1]


def named(command: str, words: list[str]) -> list[str]:
    """The standing words, the bare ones by their names, with these after them in place of any of the same name."""
    standing = STANDING[command].split()
    positional = getattr(ARGUMENTS[command], "POSITIONAL", [fields(ARGUMENTS[command])[0].name])
    bare = list(takewhile(lambda word: not word.startswith("-"), standing))
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    if command == "compare":
        return [*([] if "runs" in given else ["--runs", *bare]), *words]
    kept = [
        part for name, word in zip(positional, bare, strict=False) if name not in given for part in (f"--{name}", word)
    ]
    rest = standing[len(bare) :]
    return [*kept, *rest, *words]


def test_the_same_words_again_have_the_same_outcome(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or a difference would show nothing."""
    for command in STANDING:
        found = []
        for number in range(2):
            here = tmp_path / command / str(number)
            shutil.copytree(results, here)
            monkeypatch.chdir(here)
            found.append(outcome([*command.split(), *named(command, [])], capsys))
        assert found[0] == found[1], command


def test_as_many_programs_at_once_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = []

    def look(*_: Any, **more: Any) -> Any:
        workers.append(more["workers"])
        raise UsageError("seen")

    monkeypatch.setattr("asap_hf.benchmarks.open_benchmark", small_benchmark)
    monkeypatch.setattr("asap_hf.evaluate.foreign_samples.grade_file", look)
    for asked in ([], ["--grader_workers", "3"]):
        assert main(["grade", *STANDING["grade"].split(), *asked]) == 2
    assert workers == [None, 3]


@pytest.mark.parametrize("pruner", BUILT_IN)
def test_a_flag_that_a_pruner_does_not_use_is_refused_with_those_that_do(pruner: str) -> None:
    used, every = flags_of(BUILT_IN[pruner]), set().union(*map(flags_of, BUILT_IN.values()))
    for name in every - used - {"score"}:
        case = TABLE["prune"][name]
        assert isinstance(case, Case)
        beside = "--tokenizer tok" if name == "scorer" else ""
        if name == "ratio" and "answer_keep" in used:
            beside = LLM
        words = f"--dataset_name traces.jsonl --output_dir out --pruner {pruner} {case.words.split()[0]} "
        words += f"{' '.join(case.words.split()[1:2])} {beside}"
        with pytest.raises(UsageError, match=f"{name} has an effect only with"):
            refuse_unused_of_prune(parse(ARGUMENTS["prune"], words.split(), "prune"))


REFUSED = [
    ("prune traces.jsonl --dry_run --threshold 0.7", "--threshold has an effect only with an LLM"),
    ("prune traces.jsonl --dry_run --max_cost 7 --prompt_price 1 --completion_price 1", "only with an LLM"),
    (f"prune traces.jsonl --dry_run {LLM} --answer_keep 0.7", "--answer_keep has an effect only without an LLM"),
    (f"prune traces.jsonl --dry_run {LLM} --anchor_mode select --threshold 0.7", "with --anchor_mode rewrite"),
    (f"prune traces.jsonl --dry_run {LLM} --anchor_structured vllm", "only with --anchor_mode select"),
    (f"prune traces.jsonl --dry_run {LLM} --anchor_gpu_memory 0.5", "only with --anchor_backend vllm"),
    (
        "prune traces.jsonl --dry_run --anchor_model m --anchor_backend vllm --timeout 9",
        "with --anchor_backend endpoint",
    ),
    ("prune traces.jsonl --dry_run --decontaminate_n 8", "only with --decontaminate"),
    (
        "prune traces.jsonl --dry_run --pruner wo_fine --max_tokens 9",
        "--max_tokens has an effect only with --pruner asap",
    ),
    ("prune traces.jsonl --dry_run --dataset_split test", "--dataset_split is for folders and Hub datasets"),
    ("prune traces.jsonl --dry_run --dataset_config b", "--dataset_config is for folders and Hub datasets"),
    ("prune pruned --dry_run --limit 2", "--limit was settled"),
    ("prune pruned --dry_run --ledger_dir here", "--ledger_dir has no effect on a former result"),
    ("compare-pruners traces.jsonl --overwrite", "only with --output_dir"),
    ("compare-pruners traces.jsonl --ledger_dir here", "only with an LLM"),
    ("compare-pruners traces.jsonl --pruners random --loo_window 9", "with --pruner spirit_loo, pir"),
    ("compare-pruners traces.jsonl --dataset_split test", "--dataset_split is for folders and Hub datasets"),
    ("evaluate m --benchmark humaneval --dry_run --seed 7", "--seed has an effect only where the --temperature"),
    (
        "evaluate m --benchmark humaneval --dry_run --base_url x",
        "--base_url has an effect only with --engine endpoint",
    ),
    (
        "evaluate m --benchmark humaneval --dry_run --engine endpoint --dtype float32",
        "with --engine vllm or transformers",
    ),
    ("grade samples.jsonl --benchmark humaneval --overwrite", "only with --output_dir"),
    ("compare one two --overwrite", "only with --output_dir"),
    ("compare one two --original one", "only where trainings are compared"),
    ("compare trained trained-2 --budget 9", "only where evaluations are compared"),
    ("compare one two --base_model m", "only with --paper"),
    ("train --kind train-lora", "--kind has an effect only with --recipe"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[words for words, _ in REFUSED])
def test_a_flag_without_effect_is_refused(
    words: str, said: str, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results)
    assert main(words.split()) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("asap-hf:")]
    assert len(error) == 1
    assert said in error[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--tag v1", "only with --push_to_hub"),
        ("--private", "only with --push_to_hub"),
        ("--license mit", "only with --push_to_hub"),
        ("--repo_id me/other", "in place of --output_dir"),
        ("--dataset_config solutions", "only without --source"),
        ("--loo_window 9", "only with --pruner spirit_loo, pir"),
    ],
)
def test_so_is_one_of_a_dataset_script(words: str, said: str) -> None:
    standing = "--source traces.jsonl --anchor_model none --output_dir out"
    arguments = parse(ARGUMENTS["asap_codeforces_pruned.py"], [*standing.split(), *words.split()], "script")
    with pytest.raises(UsageError, match=said):
        prune.main(arguments)


def test_a_recipes_values_for_one_method_do_not_keep_from_another(tmp_path: Path) -> None:
    """What only stands in the file may be without effect where the flag that decides was typed."""
    (tmp_path / "p.yaml").write_text("pruner: random\nseed: 7\ntokenizer: tok\n")
    standing = ["traces.jsonl", "--config", str(tmp_path / "p.yaml"), "--output_dir", "out"]
    for more in ([], ["--pruner", "keep_last"]):
        refuse_unused_of_prune(parse(ARGUMENTS["prune"], [*standing, *more], "prune"))
    (tmp_path / "p.yaml").write_text("pruner: keep_last\nseed: 7\n")
    for more in ([], ["--pruner", "keep_last", "--seed", "8"]):
        with pytest.raises(UsageError, match="--seed has an effect only with"):
            refuse_unused_of_prune(parse(ARGUMENTS["prune"], [*standing, *more], "prune"))


BENCHES = sorted((ROOT / "bench").glob("*.py"))


@pytest.mark.parametrize("bench", BENCHES, ids=lambda path: path.stem)
def test_every_flag_of_a_bench_is_read(bench: Path) -> None:
    text = bench.read_text(encoding="utf-8")
    flags = re.findall(r'add_argument\(\s*"--(\w+)"', text)
    assert [
        name
        for name in flags
        if not re.search(rf"\b(arguments|args|parsed)\.{name}\b|parse_(known_)?args\(\)(\[0\])?\.{name}\b", text)
    ] == []
