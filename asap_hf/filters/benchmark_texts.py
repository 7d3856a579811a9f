"""Read the problem texts of benchmarks from the Hub or from a local copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..benchmarks.files import KINDS, downloaded, kind_of, rows_of
from ..benchmarks.registry import FAMILIES
from ..errors import UsageError
from .decontamination import BenchmarkText

# First match wins. LeetCodeDataset's `prompt` holds nothing but imports, its `query` a fixed frame around the problem.
_TEXTS = ("question_content", "problem_description", "description", "query", "prompt")
_IDS = ("task_id", "question_id", "slug", "id", "idx")


def open_benchmark_texts(names_or_paths: Sequence[str]) -> list[BenchmarkText]:
    """The problems of benchmarks, in order.

    Files are read as data and nothing of a dataset is run: LiveCodeBench's loading script, which `datasets` no longer
    takes, is not needed for its files, and its pickled private tests are passed over. Downloads are kept in the Hub's
    cache and work offline from there. LiveCodeBench's are 4.5 GB, nearly all of it tests: a local file with the
    questions alone does as well.

    Args:
        names_or_paths (`Sequence[str]`):
            Datasets of benchmarks (`livecodebench` is releases v1 to v6, `leetcode` LeetCodeDataset's test split, the
            228 problems of the paper), or files (`.jsonl`, `.jsonl.gz`, `.parquet`) with the text of a
            problem in the column `question_content`, `problem_description`, `description`, `query` or `prompt` and its
            name in `task_id`, `question_id`, `slug`, `id` or `idx`; a problem without one goes by its row number. Such
            a benchmark is called as its file, without the ending.

    Raises:
        [`UsageError`]: if a name is unknown, or a file cannot be read or has none of these columns.
        [`RunError`]: if the Hub cannot be reached.
    """
    return [problem for name in names_or_paths for problem in _problems(name)]


def _problems(name: str) -> list[BenchmarkText]:
    benchmark, paths = (name, downloaded(FAMILIES[name])[0]) if name in FAMILIES else _local(name)
    problems = [
        BenchmarkText(benchmark, str(_first(row, _IDS, default=number)), text)
        for path in paths
        for number, row in enumerate(rows_of(path, columns=(*_IDS, *_TEXTS)))
        if isinstance(text := _first(row, _TEXTS), str)
    ]
    if not problems:
        raise UsageError(f"{name!r} has no problem's text in any of the columns {', '.join(_TEXTS)}")
    return problems


def _local(name: str) -> tuple[str, list[Path]]:
    path = Path(name).expanduser()
    kind = kind_of(path)
    if kind is None or not path.is_file():
        raise UsageError(
            f"there is no benchmark {name!r}: give one of {', '.join(sorted(FAMILIES))}, or a file "
            f"({', '.join(KINDS)})"
        )
    return path.name.removesuffix(kind), [path]


def _first(row: Mapping[str, Any], names: Sequence[str], default: Any = None) -> Any:
    """The first of these columns that holds something."""
    return next((row[name] for name in names if row.get(name) is not None), default)
