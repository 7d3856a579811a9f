"""Check that a dataset's card fits its Parquet files, so that `load_dataset` can load them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .content import Files, parquet_of, text_of

if TYPE_CHECKING:
    from datasets import DatasetInfo


def require_loadable(files: Files) -> None:
    """Refuse a dataset whose card does not fit its Parquet files; only their footers are read.

    For each config that the card's YAML names: its splits have rows, and if `dataset_info` says something of it, the
    columns, their types and the rows of each split are as it says.

    Raises:
        [`UsageError`]: names the config and what does not fit.
    """
    from datasets.info import DatasetInfosDict

    try:
        infos = DatasetInfosDict.from_dataset_card_data(_card_data(files))
    except ValueError as error:
        raise UsageError(f"README.md has a dataset_info that cannot be read: {_brief(error)}") from error
    for config, splits in data_files(files).items():
        for split, paths in splits.items():
            _require_rows(files, f"{config}/{split}", paths)
        if config in infos:
            _refuse_other_columns(files, config, splits, infos[config])
            _refuse_other_rows(files, config, splits, infos[config])


def data_files(files: Files) -> dict[str, dict[str, list[str]]]:
    """Config → split → the Parquet files that the card's YAML names, in the order in which `load_dataset` reads them.

    Raises:
        [`UsageError`]: if there is no card, or its YAML cannot be read.
    """
    from datasets.data_files import sanitize_patterns
    from datasets.utils.metadata import MetadataConfigs

    paths = sorted(path for path in files if path.endswith(".parquet"))
    try:
        configs = MetadataConfigs.from_dataset_card_data(_card_data(files))
    except ValueError as error:
        raise UsageError(f"README.md has configs that cannot be read: {_brief(error)}") from error
    return {
        config: {
            split: [path for pattern in patterns for path in paths if _matches(path, str(pattern))]
            for split, patterns in sanitize_patterns(parameters["data_files"]).items()
        }
        for config, parameters in configs.items()
        if "data_files" in parameters
    }


def _card_data(files: Files) -> Any:
    from huggingface_hub import DatasetCard
    from yaml import YAMLError

    if "README.md" not in files:
        raise UsageError("a dataset is published with its card, and there is no README.md")
    try:
        return DatasetCard(text_of(files["README.md"])).data
    except (ValueError, YAMLError) as error:
        raise UsageError(f"README.md has YAML that cannot be read: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _matches(path: str, pattern: str) -> bool:
    """`*` stays within a folder, `**` does not."""
    return fnmatchcase(path, pattern) and ("**" in pattern or path.count("/") == pattern.count("/"))


def _require_rows(files: Files, name: str, paths: Sequence[str]) -> None:
    """`load_dataset` fails at a split without rows, and at a file whose first row group has none, as it takes that
    group's length for its batches."""
    if not paths:
        raise UsageError(f"README.md names Parquet files for {name}, but none of them is there")
    footers = {path: parquet_of(path, files[path]).metadata for path in paths}
    for path, footer in footers.items():
        if footer.num_row_groups and not footer.row_group(0).num_rows:
            raise UsageError(
                f"{path} begins with an empty row group, which load_dataset cannot read; write it without"
            )
    if not any(footer.num_rows for footer in footers.values()):
        raise UsageError(f"{name} has no rows, which load_dataset cannot read; leave it out")


def _refuse_other_columns(files: Files, config: str, splits: Mapping[str, Sequence[str]], info: DatasetInfo) -> None:
    from datasets import Features

    said = info.features or {}
    for path in (path for paths in splits.values() for path in paths):
        found = Features.from_arrow_schema(parquet_of(path, files[path]).schema_arrow)
        differing = [name for name in {**found, **said} if found.get(name) != said.get(name)]
        if said and differing:
            raise UsageError(f"{path}: README.md says otherwise of the columns {', '.join(differing)} in {config!r}")


def _refuse_other_rows(files: Files, config: str, splits: Mapping[str, Sequence[str]], info: DatasetInfo) -> None:
    footers = {split: [parquet_of(path, files[path]).metadata for path in paths] for split, paths in splits.items()}
    found = {split: sum(one.num_rows for one in footers[split]) for split in splits}
    said = {split: one.num_examples for split, one in (info.splits or {}).items()}
    if said and said != found:
        raise UsageError(f"README.md gives {config!r} the rows {said}, but its files have {found}")
