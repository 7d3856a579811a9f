"""Columns of the source that are copied into the result. Each gets one type, so that no value stops the run when it is
written, after the work is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..traces.conversations import as_text
from ..traces.trace import encodable

if TYPE_CHECKING:
    from datasets import Features


@dataclass(frozen=True)
class CarriedColumns:
    """The columns that are copied, and their types.

    Args:
        features (`Mapping`):
            Their types in the result.
        as_texts (`frozenset[str]`):
            Those whose values are written as text: a text as it is, anything else as JSON.
    """

    features: Mapping[str, Any]
    as_texts: frozenset[str]

    @classmethod
    def of(cls, features: Features, names: Sequence[str], certain: bool = True) -> CarriedColumns:
        """Choose the types: plain columns, and lists and structs of such, keep theirs; those of mixed types (`Json`),
        of none or of arrays become text.

        Args:
            features (`Features`):
                The source's.
            names (`Sequence[str]`):
                The columns.
            certain (`bool`, *optional*, defaults to `True`):
                Whether every row is of these types; those of a stream may have been read off its first rows.

        Raises:
            [`UsageError`]: if a column holds images, sounds or the like.
        """
        from datasets import Value

        for name in names:
            if _is_media(features[name]):
                raise UsageError(f"the column {name!r} holds no values that can be carried along: leave it out")
        as_texts = frozenset(name for name in names if not (certain and _is_plain(features[name])))
        return cls({name: Value("string") if name in as_texts else features[name] for name in names}, as_texts)

    def of_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a row copies."""
        return {name: self._value(name, row.get(name)) for name in self.features}

    def check(self, carried: Sequence[Mapping[str, Any]]) -> None:
        """Check that these rows can be written, before anything is spent on them.

        Raises:
            [`UsageError`]: if not, with the column.
        """
        from datasets import Features
        from pyarrow import ArrowException, array

        for field in Features(self.features).arrow_schema:
            try:
                array([row[field.name] for row in carried], type=field.type)
            except (ArrowException, ValueError, TypeError, OverflowError) as error:
                raise UsageError(
                    f"the column {field.name!r} cannot be carried along: {str(error).splitlines()[0]}"
                ) from error

    def _value(self, name: str, value: Any) -> Any:
        if name not in self.as_texts:
            return value
        return None if value is None else encodable(as_text(value))


def _is_plain(feature: Any) -> bool:
    """Whether Arrow has a type of its own for every value."""
    from datasets import ClassLabel, Value

    if isinstance(feature, Mapping):
        return all(map(_is_plain, feature.values()))
    if isinstance(feature, Value):
        return bool(feature.dtype != "null")
    inner = _inner(feature)
    return isinstance(feature, ClassLabel) if inner is None else _is_plain(inner)


def _is_media(feature: Any) -> bool:
    from datasets import Audio, Image, Nifti, Pdf, Video

    if isinstance(feature, Mapping):
        return any(map(_is_media, feature.values()))
    inner = _inner(feature)
    return isinstance(feature, (Audio, Image, Nifti, Pdf, Video)) if inner is None else _is_media(inner)


def _inner(feature: Any) -> Any:
    """The type of a list's items; `None` for anything else."""
    from datasets import LargeList, List

    if isinstance(feature, list):
        return feature[0]
    return feature.feature if isinstance(feature, (List, LargeList)) else None
