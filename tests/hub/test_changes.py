import hashlib
import re

import pytest

from asap_hf.errors import UsageError
from asap_hf.hub.changes import Stored, changes


def stored(*files: str) -> dict[str, Stored]:
    return {path: Stored(hashlib.sha256(path.encode()).hexdigest(), len(path)) for path in files}


@pytest.mark.parametrize(
    ("ours", "there", "former", "kind", "overwrite", "written", "deleted"),
    [
        ("a b", "", "", "dataset", False, "a b", ""),
        ("a b", "a b", "a b", "dataset", False, "", ""),
        ("a", "a b", "a b", "dataset", False, "", "b"),
        ("a", "a b", "a", "dataset", False, "", ""),
        ("a", "a b c", "a b gone", "model", False, "", "b"),
        ("a", "README.md LICENSE .gitattributes", "README.md LICENSE .gitattributes", "model", False, "a", ""),
        (
            "a",
            "dataset_infos.json .huggingface.yaml",
            "",
            "dataset",
            False,
            "a",
            ".huggingface.yaml dataset_infos.json",
        ),
        ("a", "dataset_infos.json", "", "model", False, "a", ""),
        ("a", "x.csv", "", "model", False, "a", ""),
        ("a", "x.csv", "", "dataset", True, "a", "x.csv"),
        ("a", "x.csv", "x.csv", "dataset", False, "a", "x.csv"),
        ("x.parquet", "x.parquet", "", "dataset", False, "", ""),
    ],
)
def test_changes(ours: str, there: str, former: str, kind: str, overwrite: bool, written: str, deleted: str) -> None:
    files = {path: path.encode() for path in ours.split()}
    found = changes(files, stored(*there.split()), {*former.split()}, kind, overwrite)
    assert (found.written, found.deleted) == (tuple(written.split()), tuple(deleted.split()))


@pytest.mark.parametrize("path", ["x.parquet", "a/x.JSONL", "x.jsonl.gz", "x.arrow", "x.tar"])
def test_changes_refuses_data_that_is_not_ours(path: str) -> None:
    with pytest.raises(UsageError, match=re.escape(path)):
        changes({"a": b"a"}, stored(path), set(), "dataset")
    with pytest.raises(UsageError, match=re.escape(path)):
        changes({path: b"other content"}, stored(path), set(), "dataset")


def test_small_and_large_files_are_told_by_their_own_hashes() -> None:
    small = Stored(hashlib.sha1(b"blob 1\0a").hexdigest(), 1)
    assert small.holds(b"a")
    assert not small.holds(b"b")
    assert Stored(hashlib.sha256(b"a").hexdigest(), 1).holds(b"a")
