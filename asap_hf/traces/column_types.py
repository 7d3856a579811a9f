"""Column types of a JSON lines file, read off all of its rows.

`datasets` takes them from the first 10 MiB, and stops at the first row after that which is of other types: an id that
becomes a text, a column that was null until then, a column that was not there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Features

ENDINGS = (".jsonl", ".ndjson", ".json")


def column_types(path: Path) -> Features:
    """A type for every column that any row has: that of its values where all are of one, `Json` for any other.

    Args:
        path (`Path`):
            The file; decompressed as its ending says.

    Raises:
        `ValueError`: if a line is no JSON object.
    """
    from datasets import Features
    from fsspec import open as open_any

    kinds: dict[str, set[str]] = {}
    with open_any(str(path), "rb", compression="infer") as lines:
        for line in lines:
            row = json.loads(line) if line.strip() else {}
            if not isinstance(row, dict):
                raise ValueError("a line is no JSON object")
            for name, value in row.items():
                kinds.setdefault(name, set()).update(_kinds(value))
    return Features({name: _type(found) for name, found in kinds.items()})


def fits(features: Features, types: Features) -> bool:
    """Whether columns of types that were read off the first rows take what all rows hold. Of lists and objects only
    the whole is read."""
    from datasets import Json

    return all(
        name in features and (features[name] == wanted or not hasattr(features[name], "dtype"))
        for name, wanted in types.items()
        if not isinstance(wanted, Json) or hasattr(features.get(name), "dtype")
    )


def _kinds(value: Any) -> set[str]:
    match value:
        case None:
            return set()
        case bool():
            return {"bool"}
        case int() if -(1 << 63) <= value < 1 << 63:
            return {"int64"}
        case int() | float():  # a whole number of more than 64 bits, too, as for pyarrow
            return {"float64"}
        case str():
            return {"string"}
    return {"other"}


def _type(kinds: set[str]) -> Any:
    from datasets import Json, Value

    if kinds == {"int64", "float64"}:
        return Value("float64")
    if len(kinds) > 1 or kinds == {"other"}:
        return Json()
    return Value(next(iter(kinds), "string"))
