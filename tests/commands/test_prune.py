"""`asap-hf prune` as a user runs it: real rows, the embedded model, a server that answers as a strong model would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from datasets import Dataset, DatasetDict, load_dataset

from asap_hf.cli import main
from tests.strong_endpoint import StrongEndpoint, strong_endpoint

SAMPLES = Path(__file__).parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"
BROKEN = [
    {"id": "open", "prompt": "p", "completion": "<think>\nnever ends"},
    {"id": "none", "prompt": "p", "completion": "just an answer"},
    {"id": "empty", "prompt": "p", "completion": "<think>\n\n</think>\n\nanswer"},
    {"id": "mute", "prompt": "", "completion": "<think>\na\n\nb\n</think>\n\nanswer"},
]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, embedded_model: str) -> Path:
    """A ledger with the scores of the traces below, whole ones and what stage 1 leaves at the usual budgets."""
    folder = tmp_path_factory.mktemp("scored")
    write_traces(folder / "traces.jsonl")
    for ratio in ("0.25", "0.5"):
        asked = ["--ratio", ratio, "--ledger_dir", folder / "ledger", "--output_dir", folder / ratio]
        assert prune(folder / "traces.jsonl", *asked) == 0
    return folder / "ledger"


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scored: Path) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    shutil.copytree(scored, tmp_path / "ledger")


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    return write_traces(tmp_path / "traces.jsonl")


def write_traces(path: Path) -> Path:
    """Six short samples with four rows that cannot be pruned between them."""
    samples = sorted((json.loads(line) for line in SAMPLES.open()), key=lambda row: len(row["completion"]))[:6]
    rows = [*samples[:3], *BROKEN, *samples[3:]]
    keep = ("id", "prompt", "completion")
    path.write_text("".join(json.dumps({name: row[name] for name in keep}) + "\n" for row in rows))
    return path


@pytest.fixture
def endpoint() -> Iterator[StrongEndpoint]:
    with strong_endpoint() as server:
        yield server


def prune(*arguments: object) -> int:
    return main(["prune", *(str(argument) for argument in arguments)])


def load(folder: Path, config: str = "default") -> DatasetDict:
    return load_dataset(str(folder), config)


def data_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_traces_in_a_dataset_out_with_every_decision_on_record(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prune(traces, "--ratio", "0.25", "--output_dir", tmp_path / "out") == 0
    table = capsys.readouterr().out
    out, steps = load(tmp_path / "out"), load(tmp_path / "out", "steps")["train"]
    originals = [json.loads(line) for line in traces.open()]
    assert out["train"]["id"] == [row["id"] for row in originals if row not in BROKEN]
    assert out["unusable"]["id"] == [row["id"] for row in BROKEN]
    assert out["unusable"]["reason"] == ["unclosed_think", "no_think", "empty_reasoning", "no_question"]
    assert out["unusable"]["completion"] == [row["completion"] for row in BROKEN]
    by_id = {row["id"]: row for row in originals}
    for row, record in zip(out["train"], steps, strict=True):
        original = by_id[row["id"]]["completion"]
        assert original == record["opening"] + "".join(record["steps"]) + record["closing"] + record["answer"]
        kept = "".join(record["steps"][position] for position in record["kept"]).rstrip()
        assert row["completion"] == kept + record["closing"] + record["answer"]
        assert row["prompt"].endswith("<think>\n")
        assert row["ok"] == (row["reason"] == "")
        assert row["tokens_after"] <= max(1, int(0.25 * row["tokens_before"])) or row["remark"].startswith(
            "over_budget"
        )
        assert set(record["kept"]) <= set(record["coarse_kept"])
        scored = [i for i, value in enumerate(record["first_token_surprisal"]) if value is not None]
        assert scored == record["coarse_kept"] == sorted(record["removal_order"])
        assert record["lengths"][len(record["coarse_kept"]) - len(record["kept"])] == row["tokens_after"]
        assert all(len(record[name]) == len(record["steps"]) for name in ("mean_entropy", "perplexity"))
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["summary"]["rows"] == 10
    assert run["summary"]["unusable"] == dict.fromkeys(out["unusable"]["reason"], 1)
    assert f"{run['summary']['tokens']['iterative']['total']:,}" in table


def test_a_new_budget_from_stored_scores_equals_a_run_at_that_budget(
    traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prune(traces, "--ratio", "0.25", "--output_dir", tmp_path / "quarter") == 0
    assert prune(traces, "--max_tokens", "60", "--output_dir", tmp_path / "direct") == 0
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    monkeypatch.setattr("asap_hf.scoring.surprisal.SurprisalScorer.__call__", None)
    assert prune(tmp_path / "quarter", "--max_tokens", "60", "--output_dir", tmp_path / "again") == 0
    assert data_files(tmp_path / "again") == data_files(tmp_path / "direct")
    assert (tmp_path / "again" / "README.md").read_text() == (tmp_path / "direct" / "README.md").read_text()


def test_another_score_from_stored_scores_equals_a_run_with_that_score(traces: Path, tmp_path: Path) -> None:
    assert prune(traces, "--ratio", "0.2", "--output_dir", tmp_path / "first") == 0
    with_entropy = ("--ratio", "0.2", "--score", "mean_entropy", "--output_dir")
    assert prune(traces, *with_entropy, tmp_path / "direct") == 0
    assert prune(tmp_path / "first", *with_entropy, tmp_path / "again") == 0
    assert data_files(tmp_path / "again") == data_files(tmp_path / "direct")


def test_a_second_run_loads_no_model_and_gives_the_same_bytes(
    traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prune(traces, "--max_tokens", "100", "--output_dir", tmp_path / "one") == 0
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    assert prune(traces, "--max_tokens", "100", "--output_dir", tmp_path / "two") == 0
    assert data_files(tmp_path / "one") == data_files(tmp_path / "two")


@pytest.mark.parametrize("mode", ["rewrite", "select"])
def test_an_llm_prunes_and_only_original_text_is_kept(
    mode: str, traces: Path, tmp_path: Path, endpoint: StrongEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    llm = ("--anchor_model", "strong", "--anchor_base_url", endpoint.url, "--anchor_mode", mode)
    prices = ("--prompt_price", "1", "--completion_price", "2")
    settings = (*llm, *prices, "--pruner", "wo_fine", "--splitter", "paper")
    assert prune(traces, *settings, "--output_dir", tmp_path / "out") == 0
    out, steps = load(tmp_path / "out")["train"], load(tmp_path / "out", "steps")["train"]
    assert out["reason"] == [""] * 6
    assert sum(out["tokens_after"]) < sum(out["tokens_before"])
    for row, record in zip(out, steps, strict=True):
        assert all(
            step in "".join(record["steps"]) for step in row["completion"].split("</think>")[0].strip().split("\n\n")
        )
        assert record["attempts"] == 1
        assert "The solution needs" in record["anchor"]
    account = json.loads((tmp_path / "out" / "run.json").read_text())["summary"]["llm"]
    assert account["calls"] == sum(endpoint.asked.values()) == 12
    assert account["cost"] == pytest.approx((account["prompt_tokens"] + 2 * account["completion_tokens"]) / 1e6)
    assert "LLM calls" in capsys.readouterr().out


def test_what_an_llm_answered_once_is_not_asked_again(traces: Path, tmp_path: Path, endpoint: StrongEndpoint) -> None:
    settings = ("--anchor_model", "strong", "--anchor_base_url", endpoint.url, "--pruner", "wo_fine")
    assert prune(traces, *settings, "--output_dir", tmp_path / "one") == 0
    asked = sum(endpoint.asked.values())
    assert prune(traces, *settings, "--output_dir", tmp_path / "two") == 0
    assert sum(endpoint.asked.values()) == asked > 0
    assert data_files(tmp_path / "one") == data_files(tmp_path / "two")


def test_failed_rows_are_kept_counted_and_redone_alone(traces: Path, tmp_path: Path) -> None:
    spoiled: list[str] = []

    def spoil(name: str, before: int, good: str) -> str:
        if good.startswith("Read the input"):
            return good
        if len(spoiled) < 2 and name not in spoiled:
            spoiled.append(name)
        return "Something that was never said." if name in spoiled and before < 3 else good

    with strong_endpoint(spoil) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_concurrency", "1")
        settings = (*llm, "--pruner", "wo_fine", "--max_attempts", "3", "--output_dir", tmp_path / "out")
        assert prune(traces, *settings) == 0
        first = load(tmp_path / "out")["train"]
        failed = [row["id"] for row in first if not row["ok"]]
        assert len(failed) == 2
        assert all("not in the original" in row["reason"] for row in first if not row["ok"])
        assert all(row["tokens_after"] == row["tokens_before"] for row in first if not row["ok"])
        asked = sum(server.asked.values())
        assert prune(traces, *settings, "--retry_failed") == 0
        assert sum(server.asked.values()) == asked + 2
    second = load(tmp_path / "out")["train"]
    assert second["ok"] == [True] * 6
    assert second["id"] == first["id"]
    for old, new in zip(first, second, strict=True):
        assert old["id"] in failed or old == new


def test_an_unreachable_endpoint_is_one_sentence_and_cheap(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--anchor_model", "m", "--anchor_base_url", "http://127.0.0.1:9/v1", "--ratio", "0.5")
    assert prune(traces, *settings, "--output_dir", tmp_path / "out") == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("asap-hf:")]
    assert len(errors) == 1
    assert "unreachable" in errors[0]
    assert not (tmp_path / "out").exists()


def test_an_endpoint_that_goes_away_costs_its_rows_and_no_more(traces: Path, tmp_path: Path) -> None:
    with strong_endpoint() as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "1")
        assert prune(traces, *llm, "--pruner", "wo_fine", "--limit", "3", "--output_dir", tmp_path / "three") == 0
    assert prune(traces, *llm, "--ratio", "0.5", "--output_dir", tmp_path / "out") == 0
    out = load(tmp_path / "out")["train"]
    assert [row["ok"] for row in out] == [True] * 3 + [False] * 3
    assert all("unreachable" in row["reason"] for row in out if not row["ok"])
    assert all(after <= before / 2 for after, before in zip(out["tokens_after"], out["tokens_before"], strict=True))


def test_max_cost_is_never_passed(traces: Path, tmp_path: Path, endpoint: StrongEndpoint) -> None:
    llm = ("--anchor_model", "strong", "--anchor_base_url", endpoint.url, "--anchor_max_tokens", "400")
    prices = ("--prompt_price", "1000", "--completion_price", "1000", "--max_cost", "8", "--pruner", "wo_fine")
    assert prune(traces, *llm, *prices, "--output_dir", tmp_path / "out") == 0
    account = json.loads((tmp_path / "out" / "run.json").read_text())["summary"]["llm"]
    assert 0 < account["cost"] <= 8
    reasons = load(tmp_path / "out")["train"]["reason"]
    assert any("max_cost" in reason for reason in reasons)


def test_a_dry_run_says_what_it_would_take_and_does_nothing(
    traces: Path, tmp_path: Path, endpoint: StrongEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    llm = (
        "--anchor_model",
        "strong",
        "--anchor_base_url",
        endpoint.url,
        "--prompt_price",
        "3",
        "--completion_price",
        "9",
    )
    assert prune(traces, *llm, "--output_dir", tmp_path / "out", "--dry_run") == 0
    shown = capsys.readouterr().out
    for word in ("6 usable", "unclosed" if "unclosed" in shown else "never ends", "LLM calls", "LLM cost", "FLOPs"):
        assert word in shown
    assert sum(endpoint.asked.values()) == 0
    assert not (tmp_path / "out").exists()


def test_every_flag_can_stand_in_yaml(traces: Path, tmp_path: Path) -> None:
    settings = {
        "dataset_name": str(traces),
        "output_dir": str(tmp_path / "out"),
        "max_tokens": 50,
        "pruner": "wo_coarse",
    }
    (tmp_path / "prune.yaml").write_text(yaml.safe_dump(settings))
    assert prune("--config", tmp_path / "prune.yaml", "--max_tokens", "40") == 0
    out = load(tmp_path / "out")
    assert all(row["tokens_after"] <= 40 or row["remark"].startswith("over_budget") for row in out["train"])
    assert load(tmp_path / "out", "steps")["train"]["budget"] == [40] * 6


@pytest.mark.parametrize(
    ("pruner", "budget", "stages"),
    [
        ("wo_coarse", ["--max_tokens", "80"], ["iterative"]),
        ("wo_fine", ["--ratio", "0.25"], ["answer_anchor"]),
        ("wo_any", [], []),
    ],
)
def test_ablations_leave_a_stage_out(
    pruner: str, budget: list[str], stages: list[str], traces: Path, tmp_path: Path
) -> None:
    assert prune(traces, "--pruner", pruner, *budget, "--output_dir", tmp_path / "out") == 0
    steps = load(tmp_path / "out", "steps")["train"]
    assert [stage["stage"] for stage in json.loads(steps[0]["record"])] == stages
    if pruner == "wo_any":
        assert all(record["kept"] == list(range(len(record["steps"]))) for record in steps)


def test_other_columns_come_along_when_named(tmp_path: Path) -> None:
    row = json.loads(SAMPLES.open().readline())
    rows = [{"idx": 7, "q": row["prompt"], "r": row["completion"], "level": "easy", "messages": [{"role": "user"}]}]
    Dataset.from_list(rows).to_parquet(str(tmp_path / "t.parquet"))
    columns = ("--prompt_column", "q", "--completion_column", "r", "--keep_columns", "level")
    assert prune(tmp_path / "t.parquet", *columns, "--pruner", "wo_fine", "--output_dir", tmp_path / "out") == 0
    out = load(tmp_path / "out")["train"]
    assert (out[0]["idx"], out[0]["level"]) == (7, "easy")
    assert "messages" not in out.column_names


BAD: list[tuple[list[str], int, str]] = [
    (["missing.jsonl", "--output_dir", "out"], 2, "no file or folder"),
    (["TRACES"], 2, "--output_dir"),
    (["TRACES", "--output_dir", "out", "--prompt_column", "nope"], 2, "the columns are: id, prompt, completion"),
    (["TRACES", "--output_dir", "out", "--max_tokens", "0"], 2, "max_tokens"),
    (["TRACES", "--output_dir", "out", "--ratio", "1.5"], 2, "ratio"),
    (["TRACES", "--output_dir", "out", "--ratio", "0.5", "--max_tokens", "9"], 2, "not both"),
    (["TRACES", "--output_dir", "out", "--score", "charm"], 2, "charm"),
    (["TRACES", "--output_dir", "out", "--scorer", "./no/model"], 2, "no/model"),
    (["TRACES", "--output_dir", "out", "--splitter", "axe"], 2, "axe"),
    (["TRACES", "--output_dir", "out", "--max_cost", "1", "--anchor_model", "m"], 2, "price"),
    (["TRACES", "--output_dir", "out", "--keep_columns", "nope"], 2, "nope"),
    (["TRACES", "--config", "missing.yaml", "--output_dir", "out"], 2, "missing.yaml"),
    (["TRACES", "--output_dir", "TRACES/out"], 1, "cannot be written"),
    (["TRACES", "--output_dir", "out", "--retry_failed"], 2, "no result"),
]


@pytest.mark.parametrize(("arguments", "code", "says"), BAD, ids=[" ".join(case[0][1:]) for case in BAD])
def test_bad_input_is_one_sentence_with_the_remedy(
    arguments: list[str],
    code: int,
    says: str,
    traces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert prune(*(argument.replace("TRACES", str(traces)) for argument in arguments)) == code
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("asap-hf:")]
    assert len(error) == 1
    assert says in error[0]
    assert "Traceback" not in error[0]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "ledger") == [
        n for n in before if n != "ledger"
    ]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    from asap_hf.errors import UsageError

    with pytest.raises(UsageError):
        prune(tmp_path / "missing.jsonl", "--output_dir", tmp_path / "out", "--debug")


def test_no_key_and_no_folder_of_this_machine_is_written_anywhere(
    traces: Path, tmp_path: Path, endpoint: StrongEndpoint, monkeypatch: pytest.MonkeyPatch, embedded_model: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    monkeypatch.setenv("MY_KEY", "sk-anothersecret")
    llm = ("--anchor_model", "strong", "--anchor_base_url", endpoint.url, "--anchor_api_key_env", "MY_KEY")
    settings = (*llm, "--scorer", embedded_model, "--max_tokens", "100", "--output_dir", tmp_path / "out")
    assert prune(traces, *settings) == 0
    for path in [*(tmp_path / "out").rglob("*"), *(tmp_path / "ledger").rglob("*")]:
        content = path.read_bytes() if path.is_file() else b""
        for secret in (b"secret", str(tmp_path).encode(), embedded_model.encode()):
            assert secret not in content, path


def test_a_former_result_settles_the_rest(traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prune(traces, "--pruner", "wo_fine", "--output_dir", tmp_path / "coarse") == 0
    assert prune(tmp_path / "coarse", "--max_tokens", "50", "--output_dir", tmp_path / "again") == 2
    assert "holds no scores" in capsys.readouterr().err
    assert prune(tmp_path / "coarse", "--splitter", "paper", "--output_dir", tmp_path / "again") == 2
    assert "--splitter was settled" in capsys.readouterr().err
    assert prune(tmp_path / "coarse", "--max_tokens", "50", "--dry_run") == 2
    assert "holds no scores" in capsys.readouterr().err
    assert prune(traces, "--ratio", "0.5", "--no_all_scores", "--output_dir", tmp_path / "fine") == 0
    capsys.readouterr()
    assert prune(tmp_path / "fine", "--max_tokens", "50", "--dry_run") == 0
    assert "6 rows with stored scores: a new budget needs no model and no LLM" in capsys.readouterr().out
    assert prune(tmp_path / "fine", "--max_tokens", "50", "--score", "mean_entropy", "--dry_run") == 2
    assert "holds no score 'mean_entropy'" in capsys.readouterr().err
    assert prune(tmp_path / "coarse", "--dry_run") == 2
    assert "holds no scores" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_a_new_ratio_is_held_against_what_stage_1_left(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer anchor keeps what the budget asks for, and what it cut was never scored."""
    assert prune(traces, "--ratio", "0.25", "--output_dir", tmp_path / "out") == 0
    capsys.readouterr()
    for more in (("--output_dir", tmp_path / "more"), ("--dry_run",)):
        assert prune(tmp_path / "out", "--ratio", "0.5", *more) == 2
        error = capsys.readouterr().err
        assert "more than stage 1 left" in error
        assert "prune the traces anew with --ratio 0.5" in error
    assert not (tmp_path / "more").exists()
    assert prune(tmp_path / "out", "--dry_run") == 0
    assert "needs no model and no LLM" in capsys.readouterr().out
    # A smaller one is what the same stage 1 and that budget give, and the difference to a run of its own is told.
    assert prune(tmp_path / "out", "--ratio", "0.125", "--output_dir", tmp_path / "less") == 0
    assert "stage 1 left 0.25 of each reasoning" in capsys.readouterr().err
    same = ("--ratio", "0.125", "--answer_keep", "0.25", "--output_dir", tmp_path / "direct")
    assert prune(traces, *same) == 0
    assert data_files(tmp_path / "less") == data_files(tmp_path / "direct")
    settings = [json.loads((tmp_path / name / "run.json").read_text())["settings"] for name in ("less", "direct")]
    assert settings[0] == settings[1]
    # The former budget itself, and any number of tokens beside the same share of stage 1, are exact without a word.
    capsys.readouterr()
    assert prune(tmp_path / "less", "--ratio", "0.25", "--output_dir", tmp_path / "back") == 0
    assert data_files(tmp_path / "back") == data_files(tmp_path / "out")
    assert prune(tmp_path / "out", "--max_tokens", "60", "--output_dir", tmp_path / "tokens") == 0
    assert "note:" not in capsys.readouterr().err


def test_another_score_alone_keeps_the_former_budget(traces: Path, tmp_path: Path) -> None:
    one_stage = ("--pruner", "wo_coarse", "--ratio", "0.5")
    assert prune(traces, *one_stage, "--output_dir", tmp_path / "out") == 0
    assert prune(tmp_path / "out", "--score", "mean_entropy", "--output_dir", tmp_path / "again") == 0
    assert prune(traces, *one_stage, "--score", "mean_entropy", "--output_dir", tmp_path / "direct") == 0
    assert data_files(tmp_path / "again") == data_files(tmp_path / "direct")
    settings = json.loads((tmp_path / "again" / "run.json").read_text())["settings"]
    assert (settings["ratio"], "max_tokens" in settings) == (0.5, False)


def test_without_a_stage_1_any_ratio_is_exact(traces: Path, tmp_path: Path) -> None:
    for pruner in ("keep_last", "random"):
        assert (
            prune(traces, "--pruner", pruner, "--ratio", "0.2", "--output_dir", tmp_path / "out", "--overwrite") == 0
        )
        out = (tmp_path / f"{pruner}-again", tmp_path / f"{pruner}-direct")
        assert prune(tmp_path / "out", "--ratio", "0.8", "--output_dir", out[0]) == 0
        assert prune(traces, "--pruner", pruner, "--ratio", "0.8", "--output_dir", out[1]) == 0
        assert data_files(out[0]) == data_files(out[1])


def test_rows_that_were_dropped_stay_counted_under_a_new_budget(traces: Path, tmp_path: Path) -> None:
    spoilt: list[str] = []

    def spoil(name: str, before: int, good: str) -> str:
        if not good.startswith("Read the input") and not spoilt:
            spoilt.append(name)
        return "Something that was never said." if name in spoilt else good

    with strong_endpoint(spoil) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "1")
        settings = (*llm, "--on_failure", "drop", "--ratio", "0.5")
        assert prune(traces, *settings, "--output_dir", tmp_path / "out") == 0
    assert prune(tmp_path / "out", "--ratio", "0.9", "--output_dir", tmp_path / "again") == 0
    first, again = (json.loads((tmp_path / name / "run.json").read_text())["summary"] for name in ("out", "again"))
    for name in ("rows", "usable", "dropped", "dropped_reasons"):
        assert first[name] == again[name]
    assert first["dropped"] == 1


def test_rows_without_a_valid_pruning_can_be_dropped_and_are_counted(traces: Path, tmp_path: Path) -> None:
    def spoil(name: str, before: int, good: str) -> str:
        return good if good.startswith("Read the input") or name[0] in "01234567" else "Never said."

    with strong_endpoint(spoil) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "2")
        assert (
            prune(traces, *llm, "--on_failure", "drop", "--pruner", "wo_fine", "--output_dir", tmp_path / "out") == 0
        )
    summary = json.loads((tmp_path / "out" / "run.json").read_text())["summary"]
    rows = load(tmp_path / "out")["train"]
    assert 0 < summary["dropped"] < 6
    assert summary["usable"] == len(rows) == 6 - summary["dropped"]
    assert all(rows["ok"])


def test_a_source_with_nothing_to_train_on_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in BROKEN))
    assert prune(tmp_path / "t.jsonl", "--output_dir", tmp_path / "out") == 1
    assert "1 unclosed_think" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_llms_own_text_is_kept_only_when_asked_for(traces: Path, tmp_path: Path, endpoint: StrongEndpoint) -> None:
    llm = ("--anchor_model", "strong", "--anchor_base_url", endpoint.url, "--splitter", "paper")
    settings = (*llm, "--pruner", "wo_fine", "--keep_llm_text")
    assert prune(traces, *settings, "--output_dir", tmp_path / "out") == 0
    originals = {row["id"]: row["completion"] for row in map(json.loads, traces.open())}
    rows = load(tmp_path / "out")["train"]
    texts = [(row["completion"].split("</think>")[0].strip(), originals[row["id"]]) for row in rows]
    invented = [step for text, original in texts for step in text.split("\n\n") if step not in original]
    assert invented, "the server edits its copies lightly"


def test_what_is_written_is_what_trl_trains_on(traces: Path, tmp_path: Path, embedded_model: str) -> None:
    """Nothing configured but `max_length`: each row's labels are its completion and one EOS."""
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
    from trl import SFTConfig, SFTTrainer

    assert prune(traces, "--ratio", "0.25", "--output_dir", tmp_path / "out") == 0
    rows = load(tmp_path / "out")["train"]
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes))
    arguments = SFTConfig(str(tmp_path / "sft"), max_length=16384, report_to="none", use_cpu=True, bf16=False)
    trainer = SFTTrainer(model, arguments, train_dataset=rows, processing_class=tokenizer)
    examples = list(trainer.train_dataset)
    assert len(examples) == len(rows)
    for row, example in zip(rows, examples, strict=True):
        labels = trainer.data_collator([example])["labels"][0].tolist()
        learned = tokenizer.decode([label for label in labels if label != -100])
        assert learned == row["completion"] + tokenizer.eos_token


@pytest.fixture
def filtered(tmp_path: Path) -> Path:
    """A sample with the right answer, one with a wrong one, one whose question is a benchmark's, one without tests."""
    rows = sorted((json.loads(line) for line in SAMPLES.open()), key=lambda row: len(row["completion"]))[:4]
    rows[1]["completion"] = rows[1]["completion"].partition("</think>")[0] + "</think>\n\n```python\nprint('no')\n```"
    rows[2]["prompt"] = " ".join(f"word{number}" for number in range(40))
    rows[3]["tests"] = None
    path = tmp_path / "filtered.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problem = {"task_id": "HumanEval/0", "prompt": rows[2]["prompt"], "entry_point": "f", "test": ""}
    (tmp_path / "benchmark.jsonl").write_text(json.dumps(problem) + "\n")
    return path


@pytest.mark.parametrize("shards", [(), ("--num_shards", "3")])
def test_filters_leave_rows_out_count_them_and_say_why(
    filtered: Path, tmp_path: Path, shards: tuple[str, ...]
) -> None:
    ids = [json.loads(line)["id"] for line in filtered.open()]
    flags = ["--sample_tests", "--decontaminate", tmp_path / "benchmark.jsonl", "--ratio", "0.25", *shards]
    assert prune(filtered, *flags, "--output_dir", tmp_path / "out") == 0
    assert load(tmp_path / "out")["train"]["id"] == [ids[0], ids[3]]
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["summary"]["rows"] == 4
    assert run["summary"]["usable"] == 2
    assert run["summary"]["filtered"] == {"sample_tests: failed": 1, "decontamination: benchmark": 1}
    assert run["summary"]["unjudged"] == {"sample_tests: no_tests": 1}
    assert run["settings"]["decontaminate"] == "benchmark.jsonl"
    told = [json.loads(line) for line in (tmp_path / "out" / "filtered.jsonl").open()]
    assert [(one["id"], one["filter"]) for one in told] == [(ids[1], "sample_tests"), (ids[2], "decontamination")]
    assert "HumanEval/0" in told[1]["evidence"]
    assert prune(tmp_path / "out", "--ratio", "0.1", "--output_dir", tmp_path / "again") == 0
    assert (tmp_path / "again" / "filtered.jsonl").read_bytes() == (tmp_path / "out" / "filtered.jsonl").read_bytes()
    again = json.loads((tmp_path / "again" / "run.json").read_text())["summary"]
    assert {name: again[name] for name in ("rows", "filtered", "unjudged")} == {
        name: run["summary"][name] for name in ("rows", "filtered", "unjudged")
    }


def test_after_a_retry_the_summary_counts_every_row_in_every_stage(traces: Path, tmp_path: Path) -> None:
    spoilt: list[str] = []

    def spoil(name: str, before: int, good: str) -> str:
        if good.startswith("Read the input") or spoilt:
            return good
        spoilt.append(name)
        return "Something that was never said."

    with strong_endpoint(spoil) as server:
        llm = ("--anchor_model", "strong", "--anchor_base_url", server.url, "--max_attempts", "1")
        settings = (*llm, "--ratio", "0.25", "--output_dir", tmp_path / "out")
        assert prune(traces, *settings) == 0
        assert sum(load(tmp_path / "out")["train"]["ok"]) == 5
        assert prune(traces, *settings, "--retry_failed") == 0
    summary = json.loads((tmp_path / "out" / "run.json").read_text())["summary"]
    assert not summary["failures"]
    stages = [stage for stage in summary["histogram"] if stage != "edges"]
    assert stages == ["before", "anchor_rewrite", "iterative"]
    for stage in stages:
        assert sum(summary["histogram"][stage]) == 6
