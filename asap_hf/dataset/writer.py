"""Write a dataset folder whole or not at all: Parquet files, and a README that `load_dataset` understands."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.files import disk_errors
from ..runtime.output_folder import OutputFolder
from .result_folder import DATASET, RUN_FILE, file_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Features

# Rows that wait in memory before they become a Parquet row group; long traces make a record of some 100 KB.
_ROW_GROUP = 256
_REMEDY = "make room or choose another --output_dir, then run the same command again: finished work is in the ledger"
_MAX_SHARD_BYTES = 500 * 1024 * 1024  # what `datasets` uses for its own shards


class DatasetWriter:
    """Writes rows to a dataset folder. Everything is written next to `output_dir` and renamed onto it by `finish`.

    Args:
        output_dir (`Path`):
            Where the dataset will stand.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace the dataset that stands there. Until `finish` it stays untouched.
        inputs (`Collection[Path]`, *optional*):
            Folders that the rows come from, which are not to be replaced.

    Raises:
        `UsageError`: if `output_dir` may not be written ([`refuse_to_replace`]), or another process is writing it.
    """

    def __init__(self, output_dir: Path, overwrite: bool = False, inputs: Collection[Path] = ()):
        self.output_dir = output_dir
        with _disk_errors():
            self._folder = OutputFolder(output_dir, DATASET, overwrite, inputs)
            self.partial = self._folder.begin()
        self._tables: dict[tuple[str, str], _Table] = {}

    def table(self, config: str, split: str, features: Features) -> _Table:
        """The table of one split of one config, made on first use."""
        if (config, split) not in self._tables:
            self._tables[config, split] = _Table(self.partial / config, split, features)
        return self._tables[config, split]

    def add_line(self, name: str, line: str) -> None:
        """Append a line to a text file next to the tables."""
        with _disk_errors(), (self.partial / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def finish(self, run: Mapping[str, Any], card: str) -> None:
        """Close the tables, write README.md and run.json, and put the folder in place.

        Args:
            run (`Mapping`):
                What `run.json` holds: settings, versions, the summary.
            card (`str`):
                Body of the README, below its YAML.
        """
        with _disk_errors():
            for table in self._tables.values():
                table.close()
            self._write_readme(card)
            metadata = {**run, "files": file_sizes(self.partial)}
            text = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
            (self.partial / RUN_FILE).write_text(text, encoding="utf-8")
            self._folder.put_in_place()
        self.close()

    def close(self) -> None:
        """Give up what is not finished; nothing happens after `finish`."""
        for table in self._tables.values():
            table.abandon()
        self._folder.close()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write_readme(self, card: str) -> None:
        from datasets import DatasetInfo, SplitDict, SplitInfo
        from datasets.info import DatasetInfosDict
        from datasets.utils.metadata import MetadataConfigs
        from huggingface_hub import DatasetCard, DatasetCardData

        infos: dict[str, DatasetInfo] = {}
        configs: dict[str, dict[str, Any]] = {}
        for config in sorted({config for config, _ in self._tables}):
            tables = {split: table for (one, split), table in self._tables.items() if one == config}
            features = next(iter(tables.values())).features
            splits = SplitDict()
            for split, table in tables.items():
                splits.add(SplitInfo(split, num_bytes=table.bytes, num_examples=table.rows))
            size = sum(table.bytes for table in tables.values())
            infos[config] = DatasetInfo(features=features, splits=splits, dataset_size=size, download_size=size)
            files = [{"split": split, "path": f"{config}/{table.prefix}-*"} for split, table in tables.items()]
            configs[config] = {"data_files": files}
        default = "default" if "default" in configs else next(iter(self._tables))[0]
        configs[default]["default"] = True
        data = DatasetCardData(tags=["asap-hf", "chain-of-thought", "pruned"])
        DatasetInfosDict(infos).to_dataset_card_data(data)
        MetadataConfigs(configs).to_dataset_card_data(data)
        DatasetCard(f"---\n{data}\n---\n\n{card}").save(self.partial / "README.md")


class _Table:
    """One split: Parquet shards, closed by size; the number of rows; bytes on disk."""

    def __init__(self, folder: Path, split: str, features: Features):
        folder.mkdir(exist_ok=True)
        self.folder, self.split, self.features = folder, split, features
        self.rows = 0
        self.prefix = split
        self._waiting: list[Mapping[str, Any]] = []
        self._shards: list[Path] = []
        self._writer: Any = None
        self._sink: _Sink | None = None

    @property
    def bytes(self) -> int:
        return sum(shard.stat().st_size for shard in self._shards)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows; a full row group goes to disk."""
        self._waiting += rows
        self.rows += len(rows)
        if len(self._waiting) >= _ROW_GROUP:
            with _disk_errors():
                self._flush()

    def adopt(self, shards: Sequence[Path], rows: int) -> None:
        """Take over the Parquet files of another folder unchanged: hard links where the file system has them, so a
        file that was uploaded once keeps its hash."""
        self.rows += rows
        for shard in shards:
            mine = self.folder / f"{self.split}.{len(self._shards)}.writing"
            with _disk_errors():
                try:
                    os.link(shard, mine)
                except OSError:  # another file system, or one without links
                    shutil.copyfile(shard, mine)
            self._shards.append(mine)

    def close(self) -> None:
        """Write what waits, check that all of it is on disk, and name the shards by number and by a hash of what is in
        them: a folder that is rewritten in place gets new file names, and no cache can take it for the old one."""
        self._flush()
        self.abandon()
        if self._sink is not None:
            self._sink.check()
        digest = hashlib.sha256()
        for shard in self._shards:
            with shard.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        self.prefix = f"{self.split}-{digest.hexdigest()[:8]}"
        count = len(self._shards)
        self._shards = [
            shard.rename(self.folder / f"{self.prefix}-{number:05d}-of-{count:05d}.parquet")
            for number, shard in enumerate(self._shards)
        ]

    def abandon(self) -> None:
        """Close the open shard, finished or not."""
        if self._writer is not None and self._sink is not None:
            self._writer.close()
            self._sink.close()
            self._writer = None

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self.features.arrow_schema
        if self._writer is None and (self._waiting or not self._shards):
            self._shards.append(self.folder / f"{self.split}.{len(self._shards)}.writing")
            self._sink = _Sink(self._shards[-1])
            self._writer = pq.ParquetWriter(
                self._sink, schema, use_content_defined_chunking=True, write_page_index=True
            )
        if self._sink is None:
            return
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist([dict(row) for row in self._waiting], schema=schema))
            self._waiting = []
            self._sink.check()
        if self._sink.tell() >= _MAX_SHARD_BYTES:
            self.abandon()


class _Sink(io.RawIOBase):
    """A file that stores its first error instead of raising it: pyarrow aborts the whole process when content-defined
    chunking meets a full disk. The writer calls `check`."""

    def __init__(self, path: Path):
        super().__init__()
        self._file = path.open("wb")
        self._error: OSError | None = None
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, block: Any) -> int:
        self._written += len(block)
        if self._error is None:
            try:
                self._file.write(block)
            except OSError as error:
                self._error = error
        return len(block)

    def close(self) -> None:
        if not self.closed:
            try:
                self._file.close()
            except OSError as error:
                self._error = self._error or error
        super().close()

    def check(self) -> None:
        """Raise what went wrong so far."""
        if self._error is not None:
            raise self._error


def _disk_errors() -> AbstractContextManager[None]:
    return disk_errors("the result", _REMEDY)


def table_files(folder: Path, config: str, split: str) -> list[Path]:
    """The files of one table of a dataset folder, in their order."""
    return sorted((folder / config).glob(f"{split}-*.parquet"))


def table_rows(
    folder: Path, config: str, split: str, columns: list[str] | None = None, batch_size: int = 64
) -> Iterator[dict[str, Any]]:
    """The rows of one table of a dataset folder, read in batches; a row of a long trace takes some 100 KB."""
    import pyarrow.parquet as pq

    for path in table_files(folder, config, split):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_size, columns=columns):
                yield from batch.to_pylist()
