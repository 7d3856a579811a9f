from __future__ import annotations

import io
import re

import pyarrow.parquet as pq
import pytest

from asap_hf.errors import UsageError
from asap_hf.hub.loadable import data_files, require_loadable
from tests.publish_driver import dataset_files, edited

FILES = dataset_files(1)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            edited(FILES, "dtype: float64", "dtype: float32"),
            "steps/.*: README.md says otherwise of the columns score in 'steps'",
        ),
        (
            edited(FILES, "name: prompt", "name: question"),
            "default/.*: README.md says otherwise of the columns .*prompt.*",
        ),
        (
            edited(FILES, "num_examples: 3", "num_examples: 4"),
            "README.md gives 'default' the rows .*4.*, but its files have .*3.*",
        ),
        (edited(FILES, "steps/train-", "steps/test-"), "README.md names Parquet files for steps/train, but none .*"),
        (edited(FILES, "tags:", "tags: ["), "README.md has YAML that cannot be read.*"),
        (edited(FILES, "split: train", "split: a-b"), "README.md has configs that cannot be read.*"),
        ({path: FILES[path] for path in FILES if path != "README.md"}, "a dataset is published with its card, .*"),
        (
            {**FILES, "steps/train-00000001-00000-of-00001.parquet": b"PAR1"},
            "steps/.* cannot be read as a Parquet file.*",
        ),
    ],
)
def test_a_dataset_that_could_not_be_loaded(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_loadable(files)
    assert re.fullmatch(message, str(caught.value))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (0, "steps/train has no rows, which load_dataset cannot read; leave it out"),
        (1, "steps/.* begins with an empty row group, which load_dataset cannot read; write it without"),
    ],
)
def test_a_table_without_rows(groups: int, message: str) -> None:
    path = "steps/train-00000001-00000-of-00001.parquet"
    empty, sink = pq.read_table(io.BytesIO(FILES[path])).slice(0, 0), io.BytesIO()
    with pq.ParquetWriter(sink, empty.schema) as writer:
        for _ in range(groups):
            writer.write_table(empty)
    with pytest.raises(UsageError, match=message):
        require_loadable({**FILES, path: sink.getvalue()})


def test_a_card_that_says_nothing_of_the_data() -> None:
    require_loadable({"README.md": b"---\nlicense: mit\n---\n# Hello\n", "data.csv": b"a\n1\n"})


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ("a/train-*", ["a/train-0.parquet", "a/train-1.parquet"]),
        ("a/*.parquet", ["a/test-0.parquet", "a/train-0.parquet", "a/train-1.parquet"]),
        ("'*'", []),
        ("'**'", ["a/b/train-2.parquet", "a/test-0.parquet", "a/train-0.parquet", "a/train-1.parquet"]),
        ("[a/train-1*, a/train-0*]", ["a/train-1.parquet", "a/train-0.parquet"]),
    ],
)
def test_the_files_of_a_split(patterns: str, found: list[str]) -> None:
    card = f"---\nconfigs:\n- config_name: x\n  data_files:\n  - split: train\n    path: {patterns}\n---\n"
    names = ["a/train-1.parquet", "a/train-0.parquet", "a/test-0.parquet", "a/b/train-2.parquet", "a/train-0.json"]
    assert data_files({**dict.fromkeys(names, b""), "README.md": card.encode()}) == {"x": {"train": found}}
