import hashlib
import json
from pathlib import Path

import pytest

from asap_hf import __version__
from asap_hf.hub.manifest import manifest_of, read_manifest


def test_it_names_every_file_but_itself(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"aa")
    manifest = json.loads(manifest_of({"data/a.parquet": tmp_path / "a", "README.md": b"", "manifest.json": b"old"}))
    assert manifest == {
        "asap_hf": __version__,
        "files": {
            "README.md": {"sha256": hashlib.sha256(b"").hexdigest(), "bytes": 0},
            "data/a.parquet": {"sha256": hashlib.sha256(b"aa").hexdigest(), "bytes": 2},
        },
    }


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000  # longer than what is read at once
    for name in ("here", "there"):
        (tmp_path / name).write_bytes(content)
    manifest = manifest_of({"b": content, "é": b"e"})
    assert (
        manifest
        == manifest_of({"é": b"e", "b": tmp_path / "here"})
        == manifest_of({"é": b"e", "b": tmp_path / "there"})
    )
    assert manifest.endswith(b"}\n")
    assert manifest != manifest_of({"b": content[1:], "é": b"e"})


def test_reading_gives_back_what_was_written() -> None:
    assert read_manifest(manifest_of({"a/é": b"1", "b": b"2"})) == {
        "a/é": hashlib.sha256(b"1").hexdigest(),
        "b": hashlib.sha256(b"2").hexdigest(),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"asap_hf"',
        "{}",
        '{"files": {"a": {"sha256": "00"}}}',
        '{"asap_hf": "9", "files": ["a"]}',
        '{"asap_hf": "9", "files": null}',
        '{"asap_hf": "9"}',
        '{"asap_hf": "9", "files": {"a": "00", "b": {"bytes": 1}, "c": {"sha256": 7}}}',
        '{"manifest_version": 3, "name": "a web extension", "icons": {}}',
        b"\xff\xfe",
    ],
)
def test_a_strangers_manifest_names_nothing(text: str | bytes) -> None:
    assert read_manifest(text) == {}


def test_a_later_versions_manifest_is_understood() -> None:
    assert read_manifest('{"asap_hf": "9.0", "made": "now", "files": {"a": {"sha256": "00", "kind": "data"}}}') == {
        "a": "00"
    }
