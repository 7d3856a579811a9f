"""What comes along of the source never stops a run at the write, whatever its type."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import (
    Array2D,
    ClassLabel,
    Dataset,
    Features,
    Image,
    IterableDataset,
    Json,
    LargeList,
    List,
    Sequence,
    Value,
)

from asap_hf.cli import main
from asap_hf.dataset.carried_columns import CarriedColumns
from asap_hf.dataset.run import PruningRun
from asap_hf.dataset.writer import DatasetWriter, table_rows
from asap_hf.errors import UsageError
from asap_hf.pruners.base import Sequential
from asap_hf.pruners.keep_last import keep_last
from asap_hf.traces.rows import Columns
from asap_hf.traces.sources import Source
from tests.strong_endpoint import strong_endpoint

TRACE = {"prompt": "How many?", "completion": "<think>\nFirst.\n\nThen.\n\nDone.\n</think>\n\nIt is 5."}

PLAIN: dict[str, tuple[Any, list[Any]]] = {
    "int8": (Value("int8"), [1, -128, None]),
    "uint64": (Value("uint64"), [(1 << 63) - 1, 0, None]),
    "float16": (Value("float16"), [0.5, -2.0, None]),
    "float64": (Value("float64"), [float("inf"), 1e300, None]),
    "bool": (Value("bool"), [True, False, None]),
    "string": (Value("string"), ["a", "é\n", None]),
    "large_string": (Value("large_string"), ["a", "", None]),
    "binary": (Value("binary"), [b"\xff\x00", b"", None]),
    "decimal": (Value("decimal128(20, 5)"), [Decimal("1.50000"), Decimal("-3.00000"), None]),
    "date": (Value("date32"), [date(2025, 1, 31), date(1, 1, 1), None]),
    "time": (Value("time64[us]"), [time(23, 59, 59, 5), time(0), None]),
    "timestamp": (Value("timestamp[us]"), [datetime(2025, 1, 31, 5), datetime(1, 1, 1), None]),
    "duration": (Value("duration[us]"), [timedelta(days=3, microseconds=5), timedelta(0), None]),
    "label": (ClassLabel(names=["easy", "hard"]), [1, 0, None]),
    "list": (List(Value("int64")), [[1, 2], [], None]),
    "large list": (LargeList(Value("string")), [["a"], [None], None]),
    "struct": ({"a": Value("string"), "b": List({"c": Value("int64")})}, [{"a": "x", "b": [{"c": 1}]}, None, None]),
}
AS_TEXT: dict[str, tuple[Any, list[Any], list[str | None]]] = {
    "json": (
        Json(),
        [1, "b2", None, True, 2.5, [1, {"z": None}], {"a": ["é"]}],
        ["1", "b2", None, "true", "2.5", '[1, {"z": null}]', '{"a": ["é"]}'],
    ),
    "list of json": (List(Json()), [[1, "a"], [], None], ['[1, "a"]', "[]", None]),
    "null": (Value("null"), [None, None], [None, None]),
    "array": (Array2D((1, 2), "int64"), [[[1, 2]], [[3, 4]]], ["[[1, 2]]", "[[3, 4]]"]),
}


def rows_with(values: list[Any], feature: Any) -> Dataset:
    text = {name: Value("string") for name in TRACE}
    columns = {name: [value] * len(values) for name, value in TRACE.items()}
    return Dataset.from_dict({**columns, "some_id": values}, features=Features({**text, "some_id": feature}))


def carry(dataset: Any, folder: Path, tokenizer: str) -> list[Any]:
    source = Source("rows", dataset, None)
    production = PruningRun(source, Columns("prompt", "completion"), Sequential((keep_last(tokenizer, 5),)), tokenizer)
    settings = {"pruner": "keep_last", "tokenizer": "embedded", "score": "position", "max_tokens": 5}
    production.write(folder / "out", settings)
    return [row["some_id"] for row in table_rows(folder / "out", "default", "train")]


@pytest.mark.parametrize(("feature", "values"), PLAIN.values(), ids=PLAIN)
def test_a_column_of_one_type_keeps_it(feature: Any, values: list[Any], tmp_path: Path, tiny: str) -> None:
    assert carry(rows_with(values, feature), tmp_path, tiny) == values


@pytest.mark.parametrize(("feature", "values", "told"), AS_TEXT.values(), ids=AS_TEXT)
def test_a_column_of_mixed_types_comes_along_as_text(
    feature: Any, values: list[Any], told: list[str | None], tmp_path: Path, tiny: str
) -> None:
    assert carry(rows_with(values, feature), tmp_path, tiny) == told


def test_a_stream_whose_types_were_read_off_its_first_rows_may_change_them_late(tmp_path: Path, tiny: str) -> None:
    def rows() -> Any:
        for number in range(300):
            yield {**TRACE, "some_id": "late" if number == 280 else {"a": 1} if number == 290 else number}

    ids = carry(IterableDataset.from_generator(rows), tmp_path, tiny)
    assert (ids[0], ids[279], ids[280], ids[290]) == ("0", "279", "late", '{"a": 1}')


def test_numpy_values_and_halves_of_surrogate_pairs_are_text_too(tmp_path: Path) -> None:
    carried = CarriedColumns.of(Features({"id": Json()}), ["id"])
    told = [
        carried.of_row({"id": value})["id"] for value in (np.int64(5), np.array([1, 2]), "\ud800x", {"a": "\ud800"})
    ]
    assert told == ["5", "[1, 2]", "\\ud800x", '{"a": "\\ud800"}']
    with DatasetWriter(tmp_path / "out") as writer:
        writer.table("default", "train", Features(carried.features)).add([{"id": one} for one in told])
        writer.finish({}, "")
    assert [row["id"] for row in table_rows(tmp_path / "out", "default", "train")] == told


def test_what_cannot_come_along_is_refused_before_anything_is_done() -> None:
    for feature in (Image(), List(Image()), {"a": Sequence(Image())}):
        with pytest.raises(UsageError, match="'picture'.*leave it out"):
            CarriedColumns.of(Features({"picture": feature}), ["picture"])
    carried = CarriedColumns.of(Features({"id": Value("int64"), "name": Value("string")}), ["id", "name"])
    carried.check([{"id": 1, "name": "a"}, {"id": None, "name": None}])
    for wrong in ({"id": "b2", "name": "a"}, {"id": 1 << 70, "name": "a"}, {"id": [1], "name": "a"}):
        with pytest.raises(UsageError, match="the column 'id' cannot be carried along"):
            carried.check([wrong])


@pytest.mark.parametrize("streaming", [(), ("--streaming", "true")])
def test_ids_that_change_their_type_after_the_first_chunk(
    streaming: tuple[str, ...], tmp_path: Path, embedded_model: str
) -> None:
    """`datasets` reads JSON lines in chunks of 10 MiB, and takes the types from the first."""
    long = {**TRACE, "unread": "x" * 200_000}
    rows = [{"id": number, "note_id": None, **long} for number in range(60)]
    rows += [{"id": "b2", "note_id": "n", "new_id": 1.5, **long}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert (tmp_path / "rows.jsonl").stat().st_size > 11 << 20
    settings = ("--pruner", "keep_last", "--ratio", "0.5", *streaming, "--output_dir", str(tmp_path / "out"))
    assert main(["prune", str(tmp_path / "rows.jsonl"), *settings]) == 0
    first, *_, last = table_rows(tmp_path / "out", "default", "train")
    assert (first["id"], first["note_id"], first["new_id"]) == ("0", None, None)
    assert (last["id"], last["note_id"], last["new_id"]) == ("b2", "n", 1.5)


def test_mixed_ids_cost_no_second_call_of_an_llm(tmp_path: Path, embedded_model: str, monkeypatch: Any) -> None:
    """The answers that were paid for are in the ledger when the write fails, and the run after that asks nothing."""
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    sample = Path(__file__).parents[2] / "asap_hf" / "traces" / "samples" / "traces.jsonl"
    rows = sorted((json.loads(line) for line in sample.open()), key=lambda row: len(row["completion"]))[:2]
    kept = [{**{name: row[name] for name in TRACE}, "id": one} for row, one in zip(rows, (1, "b2"), strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    with strong_endpoint() as server:
        llm = ["--anchor_model", "strong", "--anchor_base_url", server.url, "--pruner", "wo_fine"]
        command = ["prune", str(tmp_path / "rows.jsonl"), *llm, "--output_dir", str(tmp_path / "out")]
        with monkeypatch.context() as broken:
            broken.setattr("asap_hf.dataset.writer._Table._flush", full_disk)
            assert main(command) == 1
        asked = sum(server.asked.values())
        assert asked == 4
        assert not (tmp_path / "out").exists()
        assert main(command) == 0
        assert sum(server.asked.values()) == asked
    assert [row["id"] for row in table_rows(tmp_path / "out", "default", "train")] == ["1", "b2"]


def full_disk(_: Any) -> None:
    import errno

    raise OSError(errno.ENOSPC, "no space left on device")
