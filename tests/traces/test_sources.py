"""What the user names is opened, or one sentence says why not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets import Dataset

from asap_hf.errors import UsageError
from asap_hf.traces.sources import open_source

ROWS = [{"id": f"r{number}", "prompt": "question", "completion": f"text {number}"} for number in range(5)]


def lines(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_as(path: Path) -> Path:
    match path.suffixes:
        case [".jsonl"]:
            path.write_text(lines(ROWS))
        case [".jsonl", ".gz"]:
            path.write_bytes(gzip.compress(lines(ROWS).encode()))
        case [".json"]:
            path.write_text(json.dumps(ROWS))
        case [".parquet"]:
            Dataset.from_list(ROWS).to_parquet(str(path))
        case [".csv"]:
            Dataset.from_list(ROWS).to_csv(str(path))
        case []:
            path.mkdir()
            (path / "train.jsonl").write_text(lines(ROWS))
    return path


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.json", "t.parquet", "t.csv", "folder"])
def test_every_kind_of_source_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    source = open_source(str(write_as(tmp_path / name)))
    assert [row for batch in source.batches(2) for row in batch] == ROWS
    assert [len(batch) for batch in source.batches(2)] == [2, 2, 1]
    assert source.label == name
    assert source.rows == 5


def test_limit_takes_the_first_rows(tmp_path: Path) -> None:
    source = open_source(str(write_as(tmp_path / "t.jsonl")), limit=2)
    assert [row["id"] for batch in source.batches(64) for row in batch] == ["r0", "r1"]


def test_a_folder_rewritten_in_place_gives_its_new_rows(tmp_path: Path) -> None:
    folder = write_as(tmp_path / "folder")
    assert open_source(str(folder)).rows == 5
    (folder / "train.jsonl").write_text(lines(ROWS[:3]))
    assert open_source(str(folder)).rows == 3


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.jsonl", None, "no file or folder"),
        ("./missing", None, "no file or folder"),
        ("empty.jsonl", "", "no rows"),
        ("broken.jsonl", '{"prompt": "a"\n', "cannot be read"),
        ("notes.txt", "text", "no kind of file"),
        ("broken.parquet", "not parquet", "cannot be read"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path, name: str, content: str | None, says: str) -> None:
    path = name if content is None else str(tmp_path / name)
    if content is not None:
        Path(path).write_text(content)
    with pytest.raises(UsageError, match=says) as raised:
        open_source(path)
    assert "\n" not in str(raised.value)


LATIN = json.dumps({**ROWS[0], "prompt": "Straße"}, ensure_ascii=False)
PACKED = gzip.compress(lines(ROWS * 500).encode(), mtime=0)
MALFORMED: dict[str, tuple[str, bytes, str]] = {
    "latin-1": ("t.jsonl", LATIN.encode("latin-1"), "it is not UTF-8: convert it"),
    "latin-1, late": ("t.jsonl", lines(ROWS * 500).encode() + LATIN.encode("latin-1"), "it is not UTF-8"),
    "latin-1 in a list": ("t.json", f"[{LATIN}]".encode("latin-1"), "it is not UTF-8"),
    "latin-1 in a table": ("t.csv", "prompt,completion\nStraße,b\n".encode("latin-1"), "it is not UTF-8"),
    "UTF-16": ("t.jsonl", lines(ROWS).encode("utf-16"), "it is not UTF-8"),
    "UTF-16 in a table": ("t.csv", "prompt,completion\na,b\n".encode("utf-16"), "it is not UTF-8"),
    "no JSON on the first line": ("t.jsonl", b"text\n", "does not begin with a JSON object"),
    "no JSON on a later line": ("t.jsonl", lines(ROWS).encode() + b"text\n", "in row 5"),
    "a line cut off": ("t.jsonl", lines(ROWS).encode()[:-9], "in row 4"),
    "null, at which pyarrow crashes": ("t.jsonl", b"null\nnull\n", "does not begin with a JSON object"),
    "blank lines": ("t.jsonl", b"\n\n", "no rows"),
    "an empty list": ("t.json", b"[]", "no rows"),
    "a header alone": ("t.csv", b"prompt,completion\n", "no rows"),
    "a line of more cells": ("t.csv", b"prompt,completion\na,b\na,b,c,d\n", "Expected 2 fields"),
    "gzip cut off": ("t.jsonl.gz", PACKED[: len(PACKED) // 2], "ended before the end-of-stream"),
    "no gzip": ("t.jsonl.gz", b"text", "Not a gzipped file"),
    "no Parquet": ("t.parquet", b"PAR1" + bytes(range(200)), "cannot be read"),
    "no Arrow": ("t.arrow", bytes(100), "cannot be read"),
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("name", "content", "says"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_one_sentence_wherever_the_fault_stands(
    tmp_path: Path, name: str, content: bytes, says: str, streaming: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says) as raised:
        for _ in open_source(str(tmp_path / name), streaming=streaming).batches(2):
            pass  # of a stream, a late fault shows when its row comes
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


def test_rows_that_are_not_taken_may_be_malformed(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(lines(ROWS * 500).encode() + LATIN.encode("latin-1"))
    assert open_source(str(tmp_path / "t.jsonl"), limit=5).rows == 5


@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.csv"])
def test_a_byte_order_mark_does_no_harm(tmp_path: Path, name: str) -> None:
    path = write_as(tmp_path / name)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [row for batch in open_source(str(path)).batches(2) for row in batch] == ROWS


def test_a_connection_that_breaks_while_rows_come_is_no_fault_of_the_source(tmp_path: Path) -> None:
    from datasets import IterableDataset

    from asap_hf.errors import RunError
    from asap_hf.traces.sources import Source

    def rows() -> Iterator[dict[str, str]]:
        yield from ROWS
        raise ConnectionResetError("Connection reset by peer")

    batches = Source("me/rows", IterableDataset.from_generator(rows), None).batches(5)
    assert next(batches) == ROWS
    with pytest.raises(RunError, match="Connection reset by peer; the same command goes on"):
        next(batches)


def test_a_split_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nope"):
        open_source(str(write_as(tmp_path / "folder")), split="nope")


def test_a_dataset_that_the_hub_does_not_have_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="nobody/nothing"):
        open_source("nobody/nothing")
