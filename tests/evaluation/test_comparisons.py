"""Tests the comparison of values and outputs: tables of pairs, and random ones against a transcription of the
rules."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from evaluation.pass_at_1.codec import Encoder
from evaluation.pass_at_1.host_comparisons import close_value, is_root, same_output, same_value, tolerance_for
from evaluation.pass_at_1.messages import text_of, unpacked

SAME_OUTPUTS = [
    ("5", "5\n"),
    ("  5 \n\n", "5"),
    ("a b\nc", "a b \n c\n"),
    ("1 2.0 3e2", "1.00 2 300"),
    ("1_000", "1000"),
    ("-0", "0"),
    ("１２", "12"),
    ("", " \n"),
    ("a\r\nb\r\n", "a\nb"),
    ("0.10", "0.1"),
    ("Infinity", "inf"),
]
OTHER_OUTPUTS = [
    ("5", "6"),
    ("a", "A"),
    ("a  b", "a b"),
    ("1 2", "1\n2"),
    ("1\n\n2", "1\n2"),
    ("0.30000000000000004", "0.3"),
    ("1e-9", "0"),
    ("nan", "NaN"),
    ("sNaN", "snan"),
    ("1 x", "1.0 x"),
    ("1", "1 1"),
    ("0x10", "16"),
    ("", "0"),
    ("9" * 5000, "9" * 4999 + "8"),
]


@pytest.mark.parametrize(("printed", "expected"), SAME_OUTPUTS)
def test_outputs_that_are_the_same(printed: str, expected: str) -> None:
    assert same_output(printed, expected)
    assert same_output(expected, printed)


@pytest.mark.parametrize(("printed", "expected"), OTHER_OUTPUTS)
def test_outputs_that_differ(printed: str, expected: str) -> None:
    assert not same_output(printed, expected)
    assert not same_output(expected, printed)


def tree_of(value: object) -> Any:
    """The value as it comes from a candidate's process."""
    return unpacked(text_of(Encoder().encode(value)["value"]).encode())


SAME_VALUES: list[tuple[Any, Any]] = [
    (3, 3),
    (3.0, 3),
    (True, 1),
    ("a", "a"),
    (None, None),
    ([1, [2.5, "x"], None], [1, [2.5, "x"], None]),
    ((1, 2), [1, 2]),
    ([], []),
    ({"a": [1]}, {"a": [1]}),
    (1 << 80, 1 << 80),
    (1 << 500, 1 << 500),
    (-(1 << 62), -(1 << 62)),
    (Decimal("2.50"), 2.5),
    (Decimal(5), 5),
    (Decimal("1E+30"), 10**30),
    (Decimal("Infinity"), math.inf),
    (Fraction(5, 2), 2.5),
    (Fraction(10, 2), 5),
    (Fraction(1, 1 << 1074), 5e-324),
    ([Decimal(1), [Fraction(1, 2)], {"a": Fraction(3)}], [1, [0.5], {"a": 3}]),
    (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
    (Counter("aab"), {"a": 2, "b": 1}),
    (defaultdict(list, {"a": [1]}), {"a": [1]}),
]
OTHER_VALUES: list[tuple[Any, Any]] = [
    (3, 4),
    ("3", 3),
    ([(1, 2)], [[1, 2]]),
    ([1, 2, 3], [1, 2]),
    ([1], 1),
    (1, [1]),
    (math.nan, math.nan),
    ([math.nan], [math.nan]),
    ({"a": 1}, {"b": 1}),
    ({"a": 1, "b": 2}, {"a": 1}),
    ({1, 2}, [1, 2]),
    (None, False),
    (b"a", "a"),
    (0.1 + 0.2, 0.3),
    (1 << 80, float(1 << 80) * 2),
    (Decimal("0.1"), 0.1),
    (Decimal("2.5"), "2.5"),
    (Decimal("NaN"), math.nan),
    (Decimal("sNaN"), 1),
    (Decimal("1E+999999999"), 1),
    (Fraction(1, 3), 1 / 3),
    (Fraction(1, 2), "1/2"),
    (Fraction(1, 1 << 100_000), 0.0),
    (Counter(a=0), {}),
    (deque([1, 2]), [1, 2]),
    (range(1, 3), [1, 2]),
    ({1: 0}.keys(), [1]),
    (iter([1]), [1]),
    (date(2024, 1, 2), "2024-01-02"),
]


@pytest.mark.parametrize(("value", "expected"), [*SAME_VALUES, *OTHER_VALUES])
def test_the_rule_is_that_of_one_process(value: Any, expected: Any) -> None:
    """The rule gives the same as LiveCodeBench's harness, which has the value itself."""
    expected = json.loads(json.dumps(expected))  # another NaN than that in the value
    if isinstance(value, tuple):
        value = list(value)
    try:
        is_same = value == expected
    except ArithmeticError:
        is_same = False
    assert same_value(expected, tree_of(value)) == is_same


@pytest.mark.parametrize(("value", "expected"), SAME_VALUES)
def test_values_that_are_the_same(value: Any, expected: Any) -> None:
    assert same_value(expected, tree_of(value))


@pytest.mark.parametrize(("value", "expected"), OTHER_VALUES)
def test_values_that_differ(value: Any, expected: Any) -> None:
    assert not same_value(expected, tree_of(value))


BAD_TREES = [
    {"handle": [0, "E"]},
    {"tuple": 3},
    {"tuple": {"list": [1]}},
    {"int": "zz"},
    {"decimal": "zz"},
    {"decimal": 1},
    {"decimal": "1" * 5000 + "x"},
    {"fraction": ["0x1", "0x0"]},
    {"fraction": ["0x1", "-0x2"]},
    {"fraction": ["0x1"]},
    {"fraction": [1, 2]},
    {"defaultdict": [1]},
    {"counter": 3},
    {"int": 5},
    {"scalar": [1]},
    {"scalar": ["float64"]},
    {"set": [[1]]},
    {"dict": [[1]]},
    {"dict": [[[1], 1]]},
    {"node": 0},
    {},
    {"a": 1, "b": 2},
    [[[{"range": []}]]],
]


@pytest.mark.parametrize("tree", BAD_TREES)
@pytest.mark.parametrize("expected", [1, 1.5, "a", None, [1], (1,), {1}, frozenset([1]), {1: 1}, [[[1]]], True])
def test_what_means_nothing_equals_nothing(tree: Any, expected: Any) -> None:
    assert not same_value(expected, tree)
    assert not close_value(expected, 1e-6, tree)
    assert not is_root([0.0, 1.0], 1e-6, tree)


CLOSE = [  # returned, expected, tolerance
    (1.0 + 5e-7, 1.0, 1e-6),
    ([1.0, 2.0000001], [1.0, 2.0], 1e-6),
    ([[1.0], [2.0]], [[1.0], [2.0000001]], 1e-6),
    (1e9 + 50, 1e9, 1e-6),
    (3, 3.0, 1e-6),
    ((1, 2), (1, 2), 0.0),
    (math.inf, math.inf, 1e-6),
    ({1, 2}, frozenset([2, 1]), 0.0),
    ({(1, 2): {"a": None}}, {(1, 2): {"a": None}}, 0.0),
    ({Decimal(1): {Fraction(4, 2)}}, {1: {2}}, 0.0),
    ({1: 0, 2: 0}.keys(), {1, 2}, 0.0),
    (OrderedDict(a=1, b=2), OrderedDict(a=1, b=2), 0.0),
    (complex(1, 2), complex(1, 2), 0.0),
    ([1, 2.0000001], [1.0, 2], 1e-6),
]
NOT_CLOSE = [
    (1.0 + 5e-6, 1.0, 1e-6),
    (1.0 + 5e-7, 1.0, 0.0),
    (1, 1.0000001, 1e-6),
    ((1.0,), [1.0], 1e-6),
    ([1.0], [1.0, 1.0], 1e-6),
    ([1.0], [[1.0]], 1e-6),
    (math.nan, math.nan, 1e-6),
    (math.inf, 1.0, 1e-6),
    (1.0, math.inf, 1e-6),
    (10**400, 1.0, 1e-6),
    (["a"], ["b"], 1e-6),
    ([{1.0}], [{1.0000001}], 1e-6),
    (Decimal("1.0000001"), 1.0, 1e-6),
    (Fraction(10_000_001, 10_000_000), 1.0, 1e-6),
    (OrderedDict(b=2, a=1), OrderedDict(a=1, b=2), 0.0),
]


@pytest.mark.parametrize(("returned", "expected", "tolerance"), CLOSE)
def test_values_that_are_close(returned: Any, expected: Any, tolerance: float) -> None:
    assert close_value(expected, tolerance, tree_of(returned))


@pytest.mark.parametrize(("returned", "expected", "tolerance"), NOT_CLOSE)
def test_values_that_are_not_close(returned: Any, expected: Any, tolerance: float) -> None:
    assert not close_value(expected, tolerance, tree_of(returned))


def test_a_number_of_numpys_is_equal_but_not_close() -> None:
    numpy = pytest.importorskip("numpy")
    assert close_value(0.5, 1e-6, tree_of(numpy.float64(0.5)))
    assert close_value([3], 1e-6, tree_of([numpy.int64(3)]))
    assert not close_value(0.5, 1e-6, tree_of(numpy.float64(0.5000001)))


@pytest.mark.parametrize(
    ("expected", "atol", "tolerance"),
    [
        (1, 0, 0.0),
        (1.0, 0, 1e-6),
        ([1.0, 2.0], 0, 1e-6),
        ((1.0,), 0, 1e-6),
        ([1.0, 2], 0, 0.0),
        ([], 0, 0.0),
        ([[1.0]], 0, 0.0),
        (1, 1e-4, 1e-4),
    ],
)
def test_the_tolerance_is_evalpluss(expected: Any, atol: float, tolerance: float) -> None:
    assert tolerance_for(expected, atol) == tolerance


def test_a_root_is_judged_by_the_polynomial() -> None:
    assert is_root([-6, 11, -6, 1], 1e-4, 2.00001)
    assert is_root([-6, 11, -6, 1], 1e-4, 3)
    assert is_root([-6, 11, -6, 1], 1e-4, tree_of(Decimal("2.00001")))
    assert is_root([-6, 11, -6, 1], 1e-4, tree_of(Fraction(200_001, 100_000)))
    assert not is_root([-6, 11, -6, 1], 1e-4, tree_of(Decimal("NaN")))
    assert not is_root([-6, 11, -6, 1], 1e-4, tree_of(Decimal("1E+999999")))
    assert not is_root([-6, 11, -6, 1], 1e-4, 2.5)
    assert not is_root([1, 2], 1e-4, math.nan)
    assert not is_root([1, 2], 1e-4, "1")
    assert not is_root([1, 2], 1e-4, {"int": hex(10**500)})


def reference_rule(printed: str, expected: str) -> bool:
    """LiveCodeBench's rule, transcribed from its harness."""
    lines = [line.strip() for line in printed.strip().split("\n")]
    others = [line.strip() for line in expected.strip().split("\n")]
    if len(lines) != len(others):
        return False
    for line, other in zip(lines, others, strict=True):
        if line == other:
            continue
        numbers = []
        for text in (line, other):
            try:
                numbers.append([Decimal(word) for word in text.split()])
            except ArithmeticError:
                return False
        if numbers[0] != numbers[1]:
            return False
    return True


def test_random_outputs_are_judged_as_by_the_reference() -> None:
    rng = random.Random(0)
    words = ["1", "1.0", "01", "1e0", "-0", "0", "nan", "x", "", " ", "\n", "\n\n", "\t", "1_0", "10", "inf", "X"]
    verdicts = []
    for _ in range(20_000):
        printed, expected = (" ".join(rng.choices(words, k=rng.randint(0, 4))) for _ in range(2))
        verdicts.append(same_output(printed, expected))
        assert verdicts[-1] == reference_rule(printed, expected), (printed, expected)
    assert 500 < sum(verdicts) < 15_000
