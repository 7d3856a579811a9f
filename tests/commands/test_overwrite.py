"""`--overwrite`, in every command that has it: a project, its input and its notes are still there afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from asap_hf.cli import main
from asap_hf.commands import compare, compare_pruners, evaluate, explore, grade, prune, publish, recipe
from asap_hf.commands.dataset_script import DatasetScriptArguments
from asap_hf.compare_pruners.results import Results
from asap_hf.train.output import refuse_to_train_over
from tests.compare.folders import Sample, write_evaluation
from tests.compare_pruners.traces import rows
from tests.tiny_models import byte_level_tokenizer

Words = Callable[[Path], list[object]]


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of somebody's, with traces, samples, an evaluation and a page, and a tokenizer beside it."""
    byte_level_tokenizer().save_pretrained(tmp_path / "tok")
    folder = tmp_path / "proj"
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(3)))
    (folder / "samples.jsonl").write_text(json.dumps({"task_id": "HumanEval/0", "solution": "x = 1\n"}) + "\n")
    problem = {
        "task_id": "HumanEval/0",
        "prompt": "def f():\n",
        "entry_point": "f",
        "test": "def check(f):\n    f()\n",
    }
    (folder / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    (folder / "thesis.py").write_text("years = 4\n")
    (folder / "run.json").write_text('{"sweep": 7}')
    (folder / "page.html").write_text("<!doctype html>mine")
    write_evaluation(folder / "evaluated", [Sample(f"HumanEval/{number}") for number in range(3)])
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pruned(proj: Path, *more: object) -> list[object]:
    tokenizer = proj.parent / "tok"
    return ["prune", proj / "raw" / "t.jsonl", "--pruner", "keep_last", "--tokenizer", tokenizer, *more]


def graded(proj: Path, *more: object) -> list[object]:
    return ["grade", proj / "samples.jsonl", "--benchmark", "humaneval", "--path", proj / "problems.jsonl", *more]


def evaluated(proj: Path, *more: object) -> list[object]:
    benchmark = ["--benchmark", "humaneval", "--benchmark_path", f"humaneval={proj / 'problems.jsonl'}"]
    engine = ["--engine", "endpoint", "--base_url", "http://127.0.0.1:9/v1", "--tokenizer", proj.parent / "tok"]
    return ["evaluate", "m", *benchmark, *engine, *more]


COMMANDS: dict[str, Words] = {
    "prune": lambda proj: pruned(proj, "--output_dir", proj),
    "prune in shards": lambda proj: pruned(proj, "--output_dir", proj, "--num_shards", 2),
    "prune again": lambda proj: pruned(proj, "--output_dir", proj, "--retry_failed"),
    "prune into the input's folder": lambda proj: pruned(proj, "--output_dir", proj / "raw"),
    "prune into the input": lambda proj: pruned(proj, "--output_dir", proj / "raw" / "t.jsonl"),
    "prune a folder into itself": lambda proj: ["prune", proj / "raw", "--output_dir", proj / "raw" / "out"],
    "grade": lambda proj: graded(proj, "--output_dir", proj),
    "evaluate": lambda proj: evaluated(proj, "--output_dir", proj),
    "grade into an evaluation": lambda proj: graded(proj, "--output_dir", proj / "evaluated"),
    "compare": lambda proj: ["compare", proj / "evaluated", "--output_dir", proj],
    "compare into a run": lambda proj: ["compare", proj / "evaluated", "--output_dir", proj / "evaluated"],
    "compare-pruners": lambda proj: ["compare-pruners", proj / "raw" / "t.jsonl", "--output_dir", proj],
    "recipe copy": lambda proj: ["recipe", "copy", "smollm2-135m", proj / "thesis.py"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("asked", [(), ("--overwrite",)], ids=["plain", "overwrite"])
def test_somebodys_project_is_left_as_it_is(
    project: Path, name: str, asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(project)
    assert run(*COMMANDS[name](project), *asked) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "--overwrite" not in error
    remedies = ("choose another --output_dir", "name another", "beside it", "no result")
    assert any(remedy in error for remedy in remedies)
    assert everything(project) == before
    assert not [path.name for path in project.parent.iterdir() if path.name.startswith(".")]


def test_every_command_with_the_flag_is_tried_here() -> None:
    arguments = {
        "prune": prune.ARGUMENTS,
        "grade": grade.ARGUMENTS,
        "evaluate": evaluate.ARGUMENTS,
        "compare": compare.ARGUMENTS,
        "compare-pruners": compare_pruners.ARGUMENTS,
        "explore": explore.ARGUMENTS,
        **{f"recipe {name}": one for name, (one, _, _) in recipe.COMMANDS.items()},
        **{f"publish {name}": one for name, (one, _, _) in publish.COMMANDS.items()},
    }
    flagged = {name for name, one in arguments.items() if "overwrite" in {field.name for field in fields(one)}}
    # On the Hub it is files of another tool: tests/pushing. A page is a file: tests/explore/test_command.py.
    elsewhere = {"explore", *(f"publish {name}" for name in publish.COMMANDS)}
    assert flagged - elsewhere == {name for name in COMMANDS if name in arguments}


def test_a_result_is_replaced_and_one_with_a_note_in_it_is_not(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for shards in (1, 2):
        assert run(*pruned(project, "--output_dir", out, "--overwrite", "--num_shards", shards)) == 0
    first = json.loads((out / "run.json").read_text())
    assert run(*pruned(project, "--output_dir", out)) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert run("prune", out, "--ratio", 0.25, "--output_dir", tmp_path / "quarter") == 0
    assert run("prune", out, "--ratio", 0.75, "--output_dir", tmp_path / "quarter", "--overwrite") == 0
    assert run("prune", out, "--ratio", 0.25, "--output_dir", out, "--overwrite") == 2
    assert "is what this run reads" in capsys.readouterr().err
    (out / "notes.txt").write_text("mine")
    for again in (["--overwrite"], ["--overwrite", "--num_shards", 2], ["--retry_failed"]):
        assert run(*pruned(project, "--output_dir", out, *again)) == 2
        assert "holds 'notes.txt', which asap-hf did not write" in capsys.readouterr().err
    assert (out / "notes.txt").read_text() == "mine"
    assert json.loads((out / "run.json").read_text()) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "proj", "quarter", "tok"]


def test_a_ledger_in_the_output_is_refused_before_anything_is_done(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*pruned(project, "--output_dir", tmp_path / "out", "--ledger_dir", tmp_path / "out" / "ledger")) == 2
    assert "keeps its work in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_compare_pruners_writes_over_no_file_of_something_else(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("run.json", "table.md"):
        (out / name).write_text("mine")
        assert run("compare-pruners", project / "raw" / "t.jsonl", "--output_dir", out, "--overwrite") == 2
        assert f"holds a {name} of something else" in capsys.readouterr().err
        assert (out / name).read_text() == "mine"
        (out / name).unlink()
    (out / "results.jsonl").write_text('{"settings": {"judge": "another"}}\n{"trace": "paid"}\n')
    Results(out, {"judge": "this"}, overwrite=True).close()
    assert (out / "results-1.jsonl").read_text().endswith('{"trace": "paid"}\n')


@pytest.mark.parametrize("there", ["README.md", "config.json", "model-00001-of-00002.safetensors"])
def test_a_training_writes_over_nothing_but_a_trainings_files(tmp_path: Path, there: str) -> None:
    from asap_hf.errors import UsageError

    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")  # which no training writes
    refuse_to_train_over(out, [])
    (out / there).write_text("mine")
    with pytest.raises(UsageError, match=f"holds '{there}', which no training left there"):
        refuse_to_train_over(out, [])
    (out / "checkpoint-5").mkdir()
    (out / "checkpoint-5" / "trainer_state.json").touch()
    refuse_to_train_over(out, [])
    for read in (out, out / "checkpoint-5"):
        with pytest.raises(UsageError, match="what this run reads"):
            refuse_to_train_over(out, [read])
    (out / "run.json").write_text('{"asap_hf": "1"}')
    with pytest.raises(UsageError, match="holds a result of asap-hf"):
        refuse_to_train_over(out, [])


def test_a_dataset_script_writes_its_own_result_anew_and_no_other(project: Path, tmp_path: Path) -> None:
    def overwrites(**changes: object) -> bool:
        asked = {
            "source": str(project / "raw" / "t.jsonl"),
            "output_dir": str(tmp_path / "out"),
            "pruner": "keep_last",
        }
        settings = {"anchor_model": "none", "tokenizer": str(tmp_path / "tok"), "ratio": 0.5}
        arguments = DatasetScriptArguments(**{**asked, **settings, **changes})  # type: ignore[arg-type]
        arguments.check()
        return arguments.overwrite

    assert not overwrites()
    assert run(*pruned(project, "--ratio", 0.5, "--output_dir", tmp_path / "out")) == 0
    assert overwrites()
    assert not overwrites(ratio=0.25)
    assert not overwrites(limit=2)
    assert not overwrites(pruner="random")
    assert not overwrites(source=str(project / "problems.jsonl"))
    assert overwrites(ratio=0.25, overwrite=True)
