"""Compares returned values and outputs with the expected ones, by the rules of LiveCodeBench and EvalPlus.

The values come from untrusted code as trees of JSON (see [`Encoder`]); they are compared without running its code.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Collection, Sequence
from decimal import Decimal, DecimalException
from fractions import Fraction
from typing import Any

_PLAIN = {type(None), bool, int, float, str}
_RELATIVE = 1e-7
_FLOAT_TOLERANCE = 1e-6
_LONGEST_FRACTION = 1 << 14  # bits of numerator and denominator; a float needs less than 1,100


class UnlikeError(Exception):
    """The returned value does not have the shape of the expected one."""


def same_output(printed: str, expected: str) -> bool:
    """Whether a program's output is the expected one (LiveCodeBench's rule).

    White space around the whole and around each line does not matter, the number of lines does. Lines are equal as
    texts, or if both consist of numbers, as exact numbers: `1`, `1.0` and `1e0` are the same, `1e-9` is not `0`.
    """
    lines, others = _lines(printed), _lines(expected)
    return len(lines) == len(others) and all(map(_same_line, lines, others))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_line(line: str, other: str) -> bool:
    if line == other:
        return True
    try:
        return [Decimal(word) for word in line.split()] == [Decimal(word) for word in other.split()]
    except DecimalException:
        return False


def same_value(expected: Any, tree: Any) -> bool:
    """Whether a returned value is the expected one (LiveCodeBench's rule): `==`, a tuple being a list at the top.

    Args:
        expected (JSON value):
            The value that the test expects.
        tree (JSON value):
            The returned value, as [`Encoder`] makes it; untrusted.
    """
    if isinstance(tree, dict) and tree.keys() == {"tuple"}:
        tree = tree["tuple"]
    try:
        return bool(value_like(tree, expected) == expected)
    except (RecursionError, UnlikeError):
        return False


def close_value(expected: Any, tolerance: float, tree: Any) -> bool:
    """Whether a returned value is the expected one (EvalPlus's rule): `==`, or of the same type and length with all
    numbers in it as close as `tolerance` and 1e-7 of the expected one. NaN is close to nothing.

    Args:
        expected (`Any`):
            The value that the reference solution returned.
        tolerance (`float`):
            See [`tolerance_for`]; 0 for equality alone.
        tree (JSON value):
            The returned value, as [`Encoder`] makes it; untrusted.
    """
    try:
        value = value_like(tree, expected)
        if value == expected:
            return True
        return tolerance > 0 and type(value) is type(expected) and _close(value, expected, tolerance)
    except (OverflowError, RecursionError, UnlikeError):
        return False


def is_root(coefficients: Sequence[float], tolerance: float, tree: Any) -> bool:
    """Whether a returned value is a root of a polynomial (EvalPlus's rule for HumanEval/32, which has many answers).

    Args:
        coefficients (`Sequence[float]`):
            Coefficients, that of x**0 first.
        tolerance (`float`):
            How far from 0 the value of the polynomial may be.
        tree (JSON value):
            The returned value, as [`Encoder`] makes it; untrusted.
    """
    try:
        root = _scalar(tree)
        return abs(sum(c * math.pow(root, power) for power, c in enumerate(coefficients))) <= tolerance
    except (OverflowError, TypeError, UnlikeError, ValueError):
        return False


def tolerance_for(expected: Any, atol: float) -> float:
    """The absolute tolerance of EvalPlus: the problem's own, else 1e-6 where floats are expected, else none."""
    if atol:
        return atol
    floats = [expected] if isinstance(expected, float) else expected
    if isinstance(floats, (list, tuple)) and floats and all(isinstance(one, float) for one in floats):
        return _FLOAT_TOLERANCE
    return 0.0


def _close(value: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, (list, tuple)):
        same_length = isinstance(value, (list, tuple)) and len(value) == len(expected)
        return same_length and all(_close(one, other, tolerance) for one, other in zip(value, expected, strict=True))
    if not isinstance(value, (int, float)) or not isinstance(expected, (int, float)):
        return False
    return value == expected or abs(value - expected) <= tolerance + _RELATIVE * abs(expected) < math.inf


class _OtherFloat(float):
    """A number of a numpy type: equal as a number, but not of the expected type."""


def value_like(tree: Any, expected: Any) -> Any:
    """Decode `tree` along the expected value, so that the result is never larger than that.

    Raises:
        [`UnlikeError`]: if kind, length or keys differ, so that the two are not equal.
    """
    if isinstance(expected, (list, tuple)):
        parts = _as_many(tree if isinstance(expected, list) else _tagged(tree, "tuple"), expected)
        if {*map(type, parts)} <= _PLAIN:
            return type(expected)(parts)
        return type(expected)(map(value_like, parts, expected))
    if isinstance(expected, (set, frozenset)):
        parts = _as_many(_tagged(tree, "set", "frozenset", "keys"), expected)
        return type(expected)(map(_key, parts))
    if isinstance(expected, dict):
        return _dict_like(tree, expected)
    return _scalar(tree)


def _tagged(tree: Any, *tags: str) -> Any:
    if isinstance(tree, dict) and len(tree) == 1:
        [(tag, content)] = tree.items()
        if tag in tags:
            return content
    raise UnlikeError


def _as_many(parts: Any, expected: Collection[Any]) -> list[Any]:
    if not isinstance(parts, list) or len(parts) != len(expected):
        raise UnlikeError
    return parts


def _dict_like(tree: Any, expected: dict[Any, Any]) -> dict[Any, Any]:
    match tree:
        case {"defaultdict": [_, pairs]}:
            pass
        case _:
            pairs = _tagged(tree, "dict", "ordered", "counter")
    made = OrderedDict if "ordered" in tree else dict
    return made(_item_like(pair, expected) for pair in _as_many(pairs, expected))


def _item_like(pair: Any, expected: dict[Any, Any]) -> tuple[Any, Any]:
    key_tree, tree = _as_many(pair, (0, 1))
    key = _key(key_tree)
    if key not in expected:
        raise UnlikeError
    return key, value_like(tree, expected[key])


def _key(tree: Any) -> Any:
    if isinstance(tree, dict) and tree.keys() == {"tuple"} and isinstance(tree["tuple"], list):
        return tuple(map(_key, tree["tuple"]))
    return _scalar(tree)


def _scalar(tree: Any) -> Any:
    match tree:
        case None | str() | int() | float():
            return tree
        case {"int": str(digits)} if re.fullmatch("-?0x[0-9a-f]+", digits):
            return int(digits, 16)
        case {"scalar": [str(), float(value)]}:
            return _OtherFloat(value)
        case {"scalar": [str(), value]}:
            return _scalar(value)
        case {"complex": [float(real), float(imaginary)]}:
            return complex(real, imaginary)
        case {"decimal": str(text)}:
            return _decimal(text)
        case {"fraction": [str(upper), str(lower)]}:
            return _fraction(_scalar({"int": upper}), _scalar({"int": lower}))
    raise UnlikeError


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except DecimalException:
        raise UnlikeError from None
    if value.is_snan():  # comparing it raises an exception
        raise UnlikeError
    return value


def _fraction(upper: int, lower: int) -> Any:
    """A fraction from a numerator and a denominator in lowest terms, as Python has them. Longer ones are refused,
    since reducing them would take too long."""
    if lower == 1:
        return upper
    if lower <= 0 or max(upper.bit_length(), lower.bit_length()) > _LONGEST_FRACTION:
        raise UnlikeError
    return Fraction(upper, lower)
