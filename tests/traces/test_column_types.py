"""Column types that hold for every row of a JSON lines file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Features, Json, List, Value

from asap_hf.traces.column_types import column_types, fits

COLUMNS: list[tuple[list[Any], Any]] = [
    ([1, 2], Value("int64")),
    ([1, None], Value("int64")),
    ([1, 2.5], Value("float64")),
    ([1 << 70, 2], Value("float64")),
    ([True, False], Value("bool")),
    (["a", None], Value("string")),
    ([None, None], Value("string")),
    ([1, "a"], Json()),
    ([True, 1], Json()),
    ([{"a": 1}, None], Json()),
    ([[1], [2]], Json()),
]


@pytest.mark.parametrize(("values", "wanted"), COLUMNS, ids=str)
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_the_type_of_a_column_takes_all_of_its_values(
    values: list[Any], wanted: Any, ending: str, tmp_path: Path
) -> None:
    lines = "".join(json.dumps({"a": value}) + "\n\n" for value in values).encode() + b'{"b": "late"}\n'
    path = tmp_path / f"rows{ending}"
    path.write_bytes(gzip.compress(lines) if ending.endswith(".gz") else lines)
    assert column_types(path) == Features({"a": wanted, "b": Value("string")})


@pytest.mark.parametrize("content", ["[1]\n", '{"a": 1}\nnull\n', "no json\n"])
def test_what_is_no_json_lines_file(content: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"."):
        column_types(tmp_path / "rows.jsonl")


def test_whether_types_of_the_first_rows_hold_for_all() -> None:
    first = Features({"a": Value("int64"), "b": List({"c": Value("string")})})
    assert fits(first, Features({"a": Value("int64"), "b": Json()}))
    assert not fits(first, Features({"a": Value("float64"), "b": Json()}))
    assert not fits(first, Features({"a": Json(), "b": Json()}))
    assert not fits(first, Features({"a": Value("int64"), "b": Json(), "late": Value("string")}))
