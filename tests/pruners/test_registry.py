"""Methods of `--pruner`: one record each, from this package or from an installed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from asap_hf.pruners.registry import BUILT_IN
from tests.compare_pruners.traces import rows, small_model

ROOT = Path(__file__).resolve().parents[2]

EVERY_OTHER = '''
from dataclasses import dataclass

from asap_hf.pruners.base import Pruner, Pruning
from asap_hf.pruners.method import Method


@dataclass(frozen=True)
class EveryOtherPruner(Pruner):
    """Keep every second step."""

    name = "every_other"

    def prune(self, traces):
        return [Pruning(trace.select(range(0, len(trace.steps), 2))) for trace in traces]


METHOD = Method("every_other", lambda _: (EveryOtherPruner(),), "a test's own: every second step stays", budget={})
BEAM = Method("beam", lambda _: (EveryOtherPruner(),), "a method with a setting that is no flag", settings=("beam",))
KEEP_LAST = Method("keep_last", lambda _: (EveryOtherPruner(),), "a method with a name that is taken")
NO_METHOD = "no_method"
'''
ENTRY_POINTS = """[asap_hf.pruners]
every_other = every_other:METHOD
beam = every_other:BEAM
keep_last = every_other:KEEP_LAST
no_method = every_other:NO_METHOD
no_module = nowhere:METHOD
renamed = every_other:METHOD
"""
# Commands one after the other, in one process: exit code and output of each.
RUN = """
import contextlib, io, json, sys
from asap_hf.cli import main
found = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    found.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""
PRUNERS = ("every_other", "beam", "keep_last", "no_method", "no_module", "renamed", "random")


def install(folder: Path) -> Path:
    """A wheel with [`EVERY_OTHER`], installed into a folder of its own."""
    wheel = folder / "every_other-1.2-py3-none-any.whl"
    files = {
        "every_other.py": EVERY_OTHER,
        "every_other-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: every-other\nVersion: 1.2\n",
        "every_other-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "every_other-1.2.dist-info/entry_points.txt": ENTRY_POINTS,
        "every_other-1.2.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    words = ["install", "--no-deps", "--no-index", "--quiet", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    return folder / "site"


@dataclass(frozen=True)
class Runs:
    """What commands gave where the package is installed."""

    folder: Path
    prune: dict[str, tuple[int, str, str]]
    others: list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("every_other")
    traces, model = folder / "traces.jsonl", small_model(folder)
    traces.write_text("".join(json.dumps(row) + "\n" for row in rows(3)))
    prune = [
        ["prune", str(traces), "--pruner", name, "--tokenizer", model, "--output_dir", str(folder / name)]
        for name in PRUNERS
    ]
    compare = ["compare-pruners", str(traces), "--ratios", "0.5", "--traces", "1", "--judge", model, "--device", "cpu"]
    others = [
        [*compare, "--pruners", "every_other,random", "--tokenizer", model],
        [*compare, "--max_tokens_trace", "5"],  # no trace is that short, so nothing is measured
        ["prune", str(traces), "--pruner", "every_other", "--seed", "7", "--dry_run"],
        ["prune", str(traces), "--pruner", "every_other", "--tokenizer", model, "--dry_run"],
        ["prune", "--help"],
    ]
    environment = {**os.environ, "PYTHONPATH": str(install(folder)), "ASAP_HF_LEDGER": "off"}
    command = [sys.executable, "-c", RUN, json.dumps([*prune, *others])]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]
    return Runs(folder, dict(zip(PRUNERS, found, strict=False)), found[len(PRUNERS) :])


def test_every_record_is_whole() -> None:
    for name, method in BUILT_IN.items():
        assert method.name == name
        assert method.description or method.paper == "§3.1"
        assert not method.description.endswith(".")
        assert method.score is None or method.budget is not None


def test_every_method_has_its_row_in_the_paper_s_table() -> None:
    """A method of the paper in the row of what it is there, any other in a row that says it is not in the paper."""
    table = [line for line in (ROOT / "PAPER.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    for method in BUILT_IN.values():
        named = [row for row in table if f"`{method.name}`" in row]
        assert len(named) >= 1, f"PAPER.md has no row for {method.name}"
        place = method.paper.replace("§3.1", "§3.1, the method")
        assert any(place in row if place else "not in the paper" in row for row in named), method.name


def test_a_method_of_an_installed_package_is_one_everywhere(runs: Runs) -> None:
    assert runs.prune["every_other"][0] == 0, runs.prune["every_other"][2]
    run = json.loads((runs.folder / "every_other" / "run.json").read_text())
    assert run["settings"]["pruner"] == "every_other"
    assert run["libraries"]["every-other"] == "1.2"
    assert "This is a test's own: every second step stays." in (runs.folder / "every_other" / "README.md").read_text()
    compared, by_default, refused, dry, shown = runs.others
    assert compared[0] == 0, compared[2]
    assert "every_other" in compared[1]
    assert "left out: no_module, the pruner 'no_module' of the package every-other 1.2 cannot be" in by_default[1]
    assert "left out: every_other" not in by_default[1]
    assert "--seed has an effect only with --pruner tokenskip, random" in refused[2]
    assert "this pruner does not say what it costs" in dry[1]
    assert "every_other" in shown[1]


BROKEN = {
    "beam": "lists the setting 'beam', which is no flag of asap-hf prune",
    "keep_last": "has a name that is asap-hf's own",
    "no_method": "is no asap_hf Method of that name",
    "no_module": "cannot be imported (ModuleNotFoundError: No module named 'nowhere')",
    "renamed": "is no asap_hf Method of that name",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_package_does_wrong_is_said_in_one_sentence_with_its_name(name: str, runs: Runs) -> None:
    code, _, said = runs.prune[name]
    assert (code, len(said.strip().splitlines())) == (2, 1)
    assert f"asap-hf: the pruner '{name}' of the package every-other 1.2 {BROKEN[name]}" in said
    assert not (runs.folder / name).exists()


def test_a_broken_package_is_no_matter_to_other_pruners(runs: Runs) -> None:
    assert runs.prune["random"] == (0, *runs.prune["random"][1:])
    assert (runs.folder / "random" / "run.json").exists()
