"""Nothing of the user's is replaced, moved, truncated or deleted, whatever --output_dir names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Features, Value

from asap_hf.dataset.result_folder import DATASET
from asap_hf.dataset.writer import DatasetWriter
from asap_hf.errors import RunError, UsageError
from asap_hf.runtime.output_folder import LOCK_FILE, OutputFolder, WorkingFolder
from tests.killing import kills

FEATURES = Features({"row": Value("int64"), "completion": Value("string")})
ANOTHER_FOLDER = "choose another --output_dir$"


def write(folder: Path, text: str = "new", overwrite: bool = True, listed: bool = True) -> None:
    with DatasetWriter(folder, overwrite) as writer:
        writer.table("default", "train", FEATURES).add([{"row": 0, "completion": text}])
        writer.finish({"asap_hf": text, "summary": {}}, "# body\n")
    if not listed:  # as earlier versions left it
        run = folder / "run.json"
        run.write_text(
            json.dumps({name: told for name, told in json.loads(run.read_text()).items() if name != "files"})
        )


def version(folder: Path) -> str:
    return str(json.loads((folder / "run.json").read_text())["asap_hf"])


def everything(folder: Path) -> dict[str, bytes | str]:
    """All that lies in a folder, hidden or not."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    } | {f"{path.relative_to(folder)}/": "" for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()}


def add(path: str, text: str = "mine") -> Callable[[Path], object]:
    def work(out: Path) -> None:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text)

    return work


def table_of(out: Path) -> Path:
    return next((out / "default").iterdir())


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a note": (add("notes.txt"), "'notes.txt'"),
    "a hidden file": (add(".env"), "'.env'"),
    "a repository": (add(".git/HEAD"), "'.git/HEAD'"),
    "a file in a subfolder": (add("plots/a/loss.png"), "'plots/a/loss.png'"),
    "a file among the tables": (add("default/mine.parquet"), "'default/mine.parquet'"),
    "an empty folder": (lambda out: (out / "later").mkdir(), "'later'"),
    "a file renamed": (lambda out: table_of(out).rename(out / "default" / "best.parquet"), "'default/best.parquet'"),
    "a link to a file": (lambda out: (out / "link").symlink_to("/etc/passwd"), "'link'"),
    "a link to a folder": (lambda out: (out / "messages").symlink_to(out.parent), "'messages'"),
    "another's table": (
        lambda out: (out / "default" / "train-deadbeef-00000-of-00001.parquet").write_bytes(b"PAR1"),
        "'default/train-deadbeef-00000-of-00001.parquet'",
    ),
    "a copy of a config": (lambda out: _copied(out), "'default-of-mine/train-"),
    "an edited card": (lambda out: (out / "README.md").open("a").write("My words.\n"), "'README.md'"),
}


def _copied(out: Path) -> None:
    (out / "default-of-mine").mkdir()
    (out / "default-of-mine" / table_of(out).name).write_bytes(table_of(out).read_bytes())


@pytest.mark.parametrize("name", FOREIGN)
def test_a_result_with_something_of_the_users_in_it_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    write(out, "old")
    work, named = FOREIGN[name]
    work(out)
    before = everything(tmp_path)
    for overwrite in (True, False):
        with pytest.raises(UsageError, match=named) as refused:
            DatasetWriter(out, overwrite)
        assert "--overwrite" not in str(refused.value)
        assert "move it elsewhere" in str(refused.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", [name for name in FOREIGN if name not in ("another's table", "an edited card")])
def test_so_is_one_of_an_earlier_version(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    write(out, "old", listed=False)
    FOREIGN[name][0](out)
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=FOREIGN[name][1]):
        DatasetWriter(out, overwrite=True)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("listed", [True, False])
def test_a_result_as_it_was_written_is_replaced(tmp_path: Path, listed: bool) -> None:
    write(tmp_path / "out", "old", listed=listed)
    write(tmp_path / "out")
    assert version(tmp_path / "out") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "run", ["{", "[]", '{"name": "sweep 7"}', '"asap_hf"'], ids=["no JSON", "a list", "another's", "a word"]
)
def test_a_run_json_of_something_else_makes_no_result(tmp_path: Path, run: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(run)
    with pytest.raises(UsageError, match=f"is not a pruned dataset, and holds 'run.json': {ANOTHER_FOLDER}"):
        DatasetWriter(tmp_path / "out", overwrite=True)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", overwrite=False)
    assert version(tmp_path / "out") == "new"


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "/": (lambda _: None, "is a mount point"),
    ".": (lambda _: None, "is or holds the working directory"),
    "..": (lambda _: None, "is or holds the working directory"),
    "here": (lambda top: (top / "here").mkdir(), "is or holds your home"),
    "~": (lambda _: None, "which only a shell understands"),
    "~/out": (lambda _: None, "which only a shell understands"),
    "file": (lambda top: (top / "file").write_text("mine"), "is a file"),
    "nothing": (lambda top: (top / "nothing").symlink_to("gone"), "is a link that leads to nothing"),
    "home": (lambda top: (top / "home").symlink_to("here"), "is or holds your home"),
    "deep/../.": (lambda top: (top / "deep").mkdir(), "is or holds the working directory"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_never_replaced_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "work" / "here"))
    work, said = PLACES[place]
    if place == "home":
        (tmp_path / "work" / "here").mkdir()
    work(tmp_path / "work")
    before = everything(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=said):
            DatasetWriter(Path(place), overwrite)
    assert everything(tmp_path) == before


def test_a_result_that_one_works_in_is_not_moved_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out", "old")
    monkeypatch.chdir(tmp_path / "out" / "default")
    with pytest.raises(UsageError, match="is or holds the working directory"):
        DatasetWriter(tmp_path / "out", overwrite=True)


def test_through_a_link_its_target_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "out")
    (tmp_path / "disk" / "out").mkdir()
    write(tmp_path / "out", "old")
    write(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert version(tmp_path / "disk" / "out") == "new"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["out"]


def test_a_parent_that_cannot_be_written_is_one_sentence() -> None:
    with pytest.raises(RunError, match="cannot be written"):
        DatasetWriter(Path("/proc/asap-hf/out"))
    with pytest.raises(RunError, match="cannot be written"):
        DatasetWriter(Path("/proc/asap-hf-out"))


@pytest.mark.parametrize("name", [".out.old", ".out.lock", ".out.partial.old", "out.unfinished-1"])
@pytest.mark.parametrize("folder", [True, False])
def test_what_the_user_calls_like_our_own_names_stays_as_it_is(tmp_path: Path, name: str, folder: bool) -> None:
    write(tmp_path / "out", "old")
    mine = tmp_path / name
    if folder:
        mine.mkdir()
        mine = mine / "thesis.tex"
    mine.write_text("years of work")
    write(tmp_path / "out")
    assert mine.read_text() == "years of work"
    assert version(tmp_path / "out") == "new"


@pytest.mark.parametrize("kind", ["file", "folder", "link", "folder of ours"])
def test_what_the_user_calls_like_the_working_folder_is_named_and_stays(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "out", "old")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    mine = tmp_path / ".out.partial"
    if kind == "file":
        mine.write_text("years of work")
    elif kind == "link":
        mine.symlink_to("mine")
    else:
        (tmp_path / "mine").rename(mine)
    if kind == "folder of ours":
        (mine / LOCK_FILE).touch()
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=r"\.out\.partial' .* and is in the way: move it elsewhere"):
        DatasetWriter(tmp_path / "out", overwrite=True)
    assert everything(tmp_path) == before


def test_an_unfinished_evaluation_is_not_taken_for_a_killed_pruning(tmp_path: Path) -> None:
    killed = tmp_path / ".out.partial"
    killed.mkdir()
    for name in (LOCK_FILE, "settings.json", "generations.jsonl"):
        (killed / name).write_text("paid for" if name != LOCK_FILE else "")
    with pytest.raises(UsageError, match="holds 'generations.jsonl', which does not belong to this run"):
        DatasetWriter(tmp_path / "out", overwrite=True)
    assert (killed / "generations.jsonl").read_text() == "paid for"


def test_what_comes_in_while_the_new_one_is_made_stays(tmp_path: Path) -> None:
    write(tmp_path / "out", "old")
    with DatasetWriter(tmp_path / "out", overwrite=True) as writer:
        writer.table("default", "train", FEATURES)
        (tmp_path / "out" / "notes.txt").write_text("mine")
        with pytest.raises(UsageError, match=r"'notes\.txt'"):
            writer.finish({"asap_hf": "new"}, "")
    assert version(tmp_path / "out") == "old"
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_killed_at_every_moment_the_old_or_the_new_result_stands_there_whole(tmp_path: Path) -> None:
    run = {"asap_hf": "1", "files": {"table": 3}}

    def fill(folder: Path, text: str) -> None:
        (folder / "table").write_text(text)
        (folder / "run.json").write_text(json.dumps(run))

    def replace_it() -> None:
        with OutputFolder(tmp_path / "out", DATASET, overwrite=True) as folder:
            fill(folder.begin(), "new")
            folder.put_in_place()

    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", "old")
    seen = []
    for moment in kills(replace_it):
        with OutputFolder(tmp_path / "out", DATASET, overwrite=True):
            pass
        seen.append((tmp_path / "out" / "table").read_text())
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], moment
        fill(tmp_path / "out", "old")
    assert set(seen) == {"old", "new"}
    assert len(seen) > 20


def test_a_process_that_ends_leaves_the_next_one_to_hold_the_folder(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from asap_hf.runtime.output_folder import WorkingFolder
held = WorkingFolder(Path({str(tmp_path / "out")!r}))
"""
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with WorkingFolder(tmp_path / "out"):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "another process is writing" in other.stderr
    assert list(tmp_path.iterdir()) == []
