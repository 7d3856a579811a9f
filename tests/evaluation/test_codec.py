"""Tests the codec: decoded values equal the encoded ones, and are data alone."""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import pytest

from evaluation.pass_at_1.codec import CodecError, Decoder, Encoder

Point = namedtuple("Point", "x y")


class Level(IntEnum):
    LOW = 1


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__

    def __pos__(self) -> int:
        return 99


class Exact(Decimal):
    def __str__(self) -> str:
        return "99"


class Third(Fraction):
    numerator = property(lambda self: 99)  # type: ignore[assignment]


class Lines(deque[int]):
    def __iter__(self) -> Any:
        return iter([99])


class Raw(bytes):
    def hex(self, *_: Any) -> str:
        return "99"


class Recent(OrderedDict[str, int]):
    pass


def without_a_module() -> Any:
    """A class without `__module__`: `type` makes one where the globals have no `__name__`."""
    names: dict[str, Any] = {}
    exec("S = type('S', (str,), {})", names)
    return names["S"]


def moved() -> Recent:
    made = Recent(a=1, b=2)
    made.move_to_end("a")
    return made


class Node:
    def __init__(self, val: int, next: Node | None = None):
        self.val, self.next = val, next


def there_and_back(value: object, classes: dict[str, type] | None = None) -> Any:
    return Decoder(classes).decode(json.loads(json.dumps(Encoder(classes).encode(value))))


SAME = [
    *(None, True, 0, -7, 1 << 61, 1 << 62, -(1 << 62), 1 << 500, 1.5, -0.0, math.inf, "", "\ud800 é\0", b"\xff", 1j),
    *([], [1, "a", None], (), (1, (2,)), {1: (2,), "a": [3]}, {1, 2}, frozenset([(1, 2)]), range(3, 9, 2)),
    *(bytearray(b"x"), deque([1, [2]]), Decimal("1.50"), Fraction(1, 3), [True, 1, 1.0], [1 << 62, 1], [1, None, 2.5]),
    *(OrderedDict(b=1, a=2), Counter("aab"), defaultdict(list, {1: [2]}), Decimal("1E+999999"), Decimal("-0.1")),
    *(date(2024, 2, 29), time(1, 2, 3, 4), timedelta(-1, 5, 6), datetime(2024, 2, 29, 1, 2, 3, 4)),
    *(datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=-3.5)))),
]


@pytest.mark.parametrize("value", SAME, ids=lambda value: f"{value!r:.20}")
def test_values_arrive_as_they_were(value: Any) -> None:
    arrived = there_and_back(value)
    assert arrived == value
    assert type(arrived) is type(value)
    if isinstance(value, (list, tuple)):
        assert [*map(type, arrived)] == [*map(type, value)]


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (Point(1, 2), (1, 2)),
        (Level.LOW, 1),
        (Liar(7), 7),
        ([Liar(7)], [7]),
        (Exact("1.50"), Decimal("1.50")),
        (Third(1, 3), Fraction(1, 3)),
        (Lines([1, 2]), deque([1, 2])),
        (Raw(b"x"), b"x"),
        (moved(), OrderedDict([("b", 2), ("a", 1)])),
        (without_a_module()("x"), "x"),
    ],
)
def test_what_derives_from_a_builtin_arrives_as_that(value: Any, arrives: Any) -> None:
    arrived = there_and_back(value)
    assert type(arrived) is type(arrives)
    assert repr(arrived) == repr(arrives)


@pytest.mark.parametrize(
    "values",
    [
        (x for x in [1, 2]),
        map(abs, [-1, 2]),
        zip([1], [2], strict=True),
        reversed([2, 1]),
        iter((1, 2)),
        {1: 0, 2: 0}.keys(),
        {0: 1, 1: 2}.values(),
        {1: 2}.items(),
    ],
    ids=lambda values: type(values).__name__,
)
def test_iterators_and_views_can_be_iterated_and_equal_no_list(values: Any) -> None:
    arrived = there_and_back(values)
    assert list(arrived) in ([1, 2], [(1, 2)])
    assert arrived != [1, 2]


def test_links_between_objects_are_kept_however_long_the_chain() -> None:
    head = None
    for number in range(5000):
        head = Node(number, head)
    assert head is not None
    arrived = there_and_back([head, head], {"Node": Node})
    assert arrived[0] is arrived[1]
    numbers = []
    node = arrived[0]
    while node is not None:
        numbers.append(node.val)
        node = node.next
    assert numbers == [*range(4999, -1, -1)]


def test_a_class_with_slots_goes_by_value_as_well() -> None:
    class Pair:
        __slots__ = ("left", "right")

    pair = Pair()
    pair.left = [pair]  # type: ignore[attr-defined]
    arrived = there_and_back(pair, {"Pair": Pair})
    assert arrived.left[0] is arrived
    assert not hasattr(arrived, "right")


def test_a_dictionary_with_defaults_keeps_them_where_they_are_plain() -> None:
    assert there_and_back(defaultdict(int))["a"] == 0
    assert there_and_back(defaultdict(lambda: 5)).default_factory is None


def test_a_circle_arrives_as_a_circle() -> None:
    node = Node(1)
    node.next = node
    arrived = there_and_back(node, {"Node": Node})
    assert arrived.next is arrived


def test_what_is_unknown_becomes_a_handle_or_an_error() -> None:
    class Strange:
        pass

    known: list[object] = []

    def handle(value: object) -> int:
        known.append(value)
        return len(known) - 1

    strange = Strange()
    message = Encoder(handle=handle).encode([strange, print])
    assert known == [strange, print]
    decoded = Decoder(handle=lambda number, kind: (number, kind)).decode(message)
    assert decoded == [(0, "Strange"), (1, "builtin_function_or_method")]
    for refused in (strange, print, Node(1)):
        with pytest.raises(CodecError, match="cannot be sent"):
            Encoder().encode(refused)
    with pytest.raises(CodecError):
        Decoder().decode(message)


def forever() -> Any:
    while True:
        yield 1


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("value", "why"), [(circle(), "deep"), (forever(), "without end"), ([[0] * 1000] * 4001, "many")]
)
def test_what_has_no_end_is_not_sent(value: Any, why: str) -> None:
    with pytest.raises(CodecError, match=why):
        Encoder().encode(value)


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {},
        {"value": {}},
        {"value": {"a": 1, "b": 2}},
        {"value": {"eval": "1"}},
        {"value": {"tuple": 1}},
        {"value": {"set": [[1]]}},
        {"value": {"dict": [[1]]}},
        {"value": {"int": "x"}},
        {"value": {"int": 1}},
        {"value": {"fraction": ["0x1", "0x0"]}},
        {"value": {"decimal": "x"}},
        {"value": {"range": ["0x1"] * 9}},
        {"value": {"node": 0}},
        {"value": {"node": 0}, "nodes": [["object", {}]]},
        {"value": {"node": 0}, "nodes": [["Node", {"__class__": 1}]]},
        {"value": {"node": 0}, "nodes": [["Node"]]},
        {"value": {"node": 0}, "nodes": 1},
        {"value": {"handle": [0, "x"]}},
        {"value": {"scalar": 1}},
        {"value": {"date": "x"}},
        {"value": {"datetime": 1}},
        {"value": {"timedelta": [10**30]}},
        {"value": {"counter": [1]}},
        {"value": {"defaultdict": "int"}},
        {"value": {"defaultdict": [[], []]}},
    ],
)
def test_nonsense_is_refused(message: Any) -> None:
    with pytest.raises(CodecError):
        Decoder({"Node": Node}).decode(message)


def test_deep_nonsense_is_refused() -> None:
    tree: Any = 1
    for _ in range(5000):
        tree = [tree]
    with pytest.raises(CodecError, match="RecursionError"):
        Decoder().decode({"value": tree})


def test_numbers_of_numpys_arrive_as_python_ones() -> None:
    numpy = pytest.importorskip("numpy")
    arrived = there_and_back([numpy.float64(0.5), numpy.int64(3), numpy.bool_(True)])
    assert [*map(type, arrived)] == [float, int, bool]
    assert arrived == [0.5, 3, True]
