"""A dataset's card says what run.json says; its lines load, train and reproduce, and its YAML parses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from asap_hf.cards import dataset_card_body, dataset_card_data
from asap_hf.cli import main
from asap_hf.commands.command_line import parse
from asap_hf.commands.methods import settings_of
from asap_hf.commands.prune_arguments import PruneArguments
from asap_hf.paper import QWEN_7B
from asap_hf.reporting.markdown import code, count
from asap_hf.traces.trace import REASONS
from tests.card_runs import BASELINES, EDGES, PAPERS, RUNS, blocks, parts, run_of, words
from tests.render_card import card_html


@pytest.mark.parametrize("run", [*RUNS.values(), BASELINES], ids=[*RUNS, "baselines"])
def test_every_number_of_the_run_is_in_its_card(run: dict[str, Any]) -> None:
    card = dataset_card_body(run, "me/pruned", "tokens.png")
    for config, one in parts(run).items():
        summary, spreads = one["summary"], one["summary"]["tokens"]
        shown = [spread for stage, spread in spreads.items() if not config or stage == list(spreads)[-1]]
        for spread in shown:
            share = spread["total"] / spreads["before"]["total"]
            numbers = [count(spread["total"]), count(spread["median"]), count(spread["max"]), f"{share:.1%}"]
            assert f"| {' | '.join(numbers)} |" in card
        for number in (summary["rows"], summary["usable"], summary["longest"]):
            assert count(number) in card
        for title in ("unusable", "failures", "filtered", "unjudged"):
            for reason, number in summary[title].items():
                assert re.search(rf"^\|[^\n]*{re.escape(code(reason))}[^\n]* {number:,} \|", card, re.MULTILINE)
        for name, value in one["settings"].items():
            if value is not False:
                assert name in card
                assert str(value)[:12] in card or json.dumps(value) in card
    assert not re.search(r"None|\{\{|\{%|\n{3}| \n", card)
    assert re.findall(r"^## (.*)", card, re.MULTILINE) == [
        "Load",
        "Train",
        "How it was made",
        "Rows",
        "Source",
        "Limits",
        "Reproduce",
        "Citation",
    ]


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_command_in_a_card_asks_for_the_same_settings(run: dict[str, Any]) -> None:
    (command,) = blocks(dataset_card_body(run, "out"), "bash")[1:]
    told = words(command)
    assert told[:3] == ["asap-hf", "prune", run["source"]]
    assert settings_of(parse(PruneArguments, told[2:], "asap-hf prune")) == run["settings"]


def test_a_hash_of_local_weights_is_told_but_not_asked_for() -> None:
    for revision, is_asked_for in (("0123456789" * 4, True), ("01234567" * 8, False)):
        run = deepcopy(RUNS["wo_coarse"])
        run["settings"]["scorer_revision"] = revision
        card = dataset_card_body(run, "out")
        assert f"`scorer_revision: {revision[:12]}…`" in card
        assert (f"--scorer_revision {revision}" in card) is is_asked_for


def test_a_source_on_the_hub_is_asked_for_at_its_commit_and_a_file_is_not() -> None:
    run = {**deepcopy(RUNS["the paper's"]), "source_revision": "0123456789" * 4}
    assert words(blocks(dataset_card_body(run, "out"), "bash")[1])[3:5] == ["--dataset_revision", "0123456789" * 4]
    for local in (RUNS["the paper's"], {**run, "source": "traces.jsonl"}):
        assert "--dataset_revision" not in dataset_card_body(local, "out")


def test_the_training_command_is_one_that_trl_takes() -> None:
    from trl.scripts.sft import make_parser

    for run, config in ((RUNS["the paper's"], None), (BASELINES, "both_stages,_a_budget")):
        command = blocks(dataset_card_body(run, "me/pruned"), "bash")[0]
        told = words(command)
        assert told[:2] == ["trl", "sft"]
        script, training, model, _ = make_parser().parse_args_and_config([*told[2:], "--bf16", "false"])
        assert (script.dataset_name, script.dataset_config) == ("me/pruned", config)
        assert training.max_length == 8192  # the least power of two over 5,561
        assert model.model_name_or_path == (QWEN_7B if config is None else "HuggingFaceTB/SmolLM2-135M-Instruct")


LENGTHS = [(1, 1024), (1024, 1024), (1025, 2048), (4096, 4096), (4097, 8192)]


@pytest.mark.parametrize(("longest", "max_length"), LENGTHS)
def test_max_length_is_the_least_power_of_two_that_cuts_nothing(longest: int, max_length: int) -> None:
    card = dataset_card_body(run_of("--pruner wo_any", longest=longest), "out")
    assert f"--max_length {max_length} " in card
    assert ("TRL's default is 1,024" in card) is (longest > 1024)


def test_what_the_default_of_trl_would_cut_is_counted_in_bins() -> None:
    assert "at least 7 of the 10 rows would be" in dataset_card_body(RUNS["wo_any"], "out")
    histogram = {"edges": EDGES, "before": [9, 0, 0, 1, 0]}
    assert "rows would be" not in dataset_card_body(run_of("--pruner wo_any", histogram=histogram), "out")


DEVIATIONS = {
    "both stages, a ratio": "`source`, `splitter`, `answer_keep`, `scorer`, `ratio`",
    "both stages, a budget": "`source`, `splitter`, `answer_keep`, `scorer`, `max_tokens`",
    "wo_coarse": "`source`, `splitter`, `scorer`",
    "wo_fine": "`source`, `splitter`, `answer_keep`",
    "wo_any": "`source`, `splitter`",
    "the paper's": "`splitter`, `keep_llm_text`",
    "the reference's": None,
    "select": "`source`, `splitter`, `anchor_mode`, `keep_llm_text`",
}


@pytest.mark.parametrize(("name", "deviations"), DEVIATIONS.items(), ids=DEVIATIONS)
def test_deviations_from_the_paper_are_named(name: str, deviations: str | None) -> None:
    found = re.search(r"^Not as in the paper: (.*)\.$", dataset_card_body(RUNS[name], "out"), re.MULTILINE)
    assert (found[1] if found else None) == deviations


def test_the_table_of_settings_holds_the_papers_values() -> None:
    card = dataset_card_body(RUNS["both stages, a budget"], "out")
    for row in (
        "| `source` | `traces.jsonl` | `open-r1/codeforces-cots` (§4.1) |",
        "| `splitter` | `code` | `paper`, which cuts at blank lines (Algorithms 1 and 2) |",
        f"| `scorer` | `embedded` | `{QWEN_7B}` (Appendix A) |",
        "| `score` | `first_token_surprisal` | the same (Eq. 2) |",
        "| `max_tokens` | `2048` | `4096` (Appendix A) |",
    ):
        assert row in card
    assert "| `threshold` | `0.6` | the same (Appendix A) |" in dataset_card_body(RUNS["the paper's"], "out")


# A sentence, in which of the runs above it stands, and nowhere else.
SENTENCES = {
    "Whole steps were taken out": set(RUNS) - {"the reference's", "wo_any"},
    "in the words of an LLM": {"the reference's"},
    "The text that is kept is the original's": {"the paper's"},
    "Nothing is pruned": {"wo_any"},
    "`answer_anchor`: the steps that share": {
        name for name in RUNS if "answer_anchor" in RUNS[name]["summary"]["tokens"]
    },
    "say nothing about models": {name for name in RUNS if "answer_anchor" in RUNS[name]["summary"]["tokens"]},
    "`reference`, as the authors' code has it": {"the reference's"},
    "`iterative` (§3.3": {name for name in RUNS if "iterative" in RUNS[name]["summary"]["tokens"]},
    "135 million parameters": {"both stages, a ratio", "both stages, a budget", "wo_coarse", "trouble"},
    'split="unusable"': {"trouble"},
    "`filtered.jsonl`": {"trouble"},
    "rows were left out": {"trouble"},
    "and on no others": {"trouble"},
    "Whether the answers are right was not checked": set(RUNS) - {"trouble"},
    "Its licence: `cc-by-4.0`": {"the paper's", "the reference's"},
    "solved by DeepSeek-R1": {"the paper's", "the reference's"},
    "@misc{penedo2025codeforces,": {"the paper's", "the reference's"},
    "No licence of it is on record": set(RUNS) - {"the paper's", "the reference's"},
    "@article{zeng2025pruning,": set(RUNS),
    "TRL trains on the whole conversation there, prompts included, unless": set(RUNS),
    "always pass `--assistant_only_loss true`": set(RUNS),
    "To be run where `traces.jsonl` lies.": set(RUNS) - {"the paper's", "the reference's"},
    "An LLM may answer otherwise when it is asked again.": {"the paper's", "the reference's", "select"},
}


@pytest.mark.parametrize(("sentence", "names"), SENTENCES.items(), ids=SENTENCES)
def test_a_sentence_stands_where_it_is_true(sentence: str, names: set[str]) -> None:
    cards = {name: " ".join(dataset_card_body(run, "out").split()) for name, run in RUNS.items()}
    assert {name for name, card in cards.items() if sentence in card} == names


def test_rows_that_cannot_be_used_are_explained() -> None:
    rendered = card_html(dataset_card_body(RUNS["trouble"], "out"))
    for reason, sentence in REASONS.items():
        told = sentence.replace("<", "&lt;").replace(">", "&gt;")
        assert f"<td>unusable, {told} (<code>{reason}</code>)</td>" in rendered


def test_baselines_share_one_card_with_a_row_for_each_config() -> None:
    card = dataset_card_body(BASELINES, "me/baselines", "tokens.png")
    for config in BASELINES["runs"]:
        assert f'load_dataset("me/baselines", "{config}")' in card
        assert re.search(rf"^\| `{config}` \| 10 \| 12,344 \|", card, re.MULTILINE)
    assert "| `wo_fine` | `pruner: wo_fine`, `answer_keep: 0.25` | `source`, `splitter`, `answer_keep` |" in card
    assert "--dataset_config both_stages,_a_budget" in card
    assert "messages" not in card
    folders = [words(block)[-1] for block in blocks(card, "bash")[1].split("asap-hf prune")[1:]]
    assert folders == [f"out-{config}" for config in BASELINES["runs"]]


def test_time_and_money_are_not_in_a_card() -> None:
    """A run that was killed and went on must give the same bytes."""
    resumed = run_of("--ratio 0.25", "answer_anchor", "iterative", seconds=99.0, llm={"calls": 3, "cost": 7.5})
    assert dataset_card_body(resumed, "out") == dataset_card_body(RUNS["both stages, a ratio"], "out")


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real result: the first bundled traces, both stages, scored by the embedded model."""
    folder = tmp_path_factory.mktemp("pruned") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAP_HF_LEDGER", "off")
        assert (
            main(
                [
                    "prune",
                    str(files("asap_hf.traces.samples") / "traces.jsonl"),
                    "--limit",
                    "2",
                    "--ratio",
                    "0.5",
                    "--output_dir",
                    str(folder),
                ]
            )
            == 0
        )
        yield folder


def test_the_load_lines_of_a_real_result_load_it(pruned: Path) -> None:
    run = json.loads((pruned / "run.json").read_text())
    card = dataset_card_body(run, str(pruned))
    (block,) = blocks(card, "python")
    scope: dict[str, Any] = {}
    lines = [line for line in block.splitlines() if line and not line.startswith("#")]
    exec(lines[0], scope)
    rows = [eval(line, scope) for line in lines[1:]]
    assert [splits["train"].num_rows for splits in rows] == [2, 2, 2]
    columns = {name for name in rows[0]["train"].column_names if name != "id"}
    described = re.findall(
        r"^\| (`[^|]*`)(?:, and[^|]*)? \|.*\|$", card.split("## Train")[0].split("| column |")[1], re.M
    )
    assert set(re.findall(r"`(\w+)`", " ".join(described))) == columns
    assert max(rows[0]["train"]["tokens_in_all"]) == run["summary"]["longest"]


def test_the_yaml_of_a_real_result_stays_byte_for_byte(pruned: Path) -> None:
    run = json.loads((pruned / "run.json").read_text())
    readme = (pruned / "README.md").read_text()
    data = dataset_card_data(run, "me/pruned", "apache-2.0", DatasetCard(readme).data)
    yaml = f"{data}\n"
    assert re.search(r"^dataset_info:\n.*^configs:\n.*?(?=^---)", readme, re.M | re.DOTALL)[0] in yaml  # type: ignore[index]
    card = DatasetCard(f"---\n{data}\n---\n\n{dataset_card_body(run, 'me/pruned')}")
    assert vars(card.data) == vars(data)
    assert set(MetadataConfigs.from_dataset_card_data(card.data)) == {"default", "messages", "steps"}
    infos = DatasetInfosDict.from_dataset_card_data(card.data)
    assert infos["default"].splits["train"].num_examples == 2
    assert (data.license, data.pretty_name) == ("apache-2.0", "pruned")
    assert (data.size_categories, data.task_categories) == (["n<1K"], ["text-generation"])
    assert {"asap-hf", "chain-of-thought", "trl"} <= set(data["tags"])
    assert (data.language, data.source_datasets) == (None, None)


SIZES = [(999, "n<1K"), (1000, "1K<n<10K"), (9556, "1K<n<10K"), (10_000, "10K<n<100K"), (10**9, "1B<n<10B")]


@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_the_yaml_says_how_many_rows_and_whence(rows: int, size: str) -> None:
    run = run_of(PAPERS, "anchor_rewrite", "iterative", source="open-r1/codeforces-cots", usable=rows)
    data = dataset_card_data(run, "me/pruned", "", DatasetCardData(license="cc-by-4.0", tags=["mine"]))
    assert data.size_categories == [size]
    assert data.source_datasets == ["open-r1/codeforces-cots"]
    assert data.language == ["en"]
    assert data.license == "cc-by-4.0"
    assert data["tags"][0] == "mine"
