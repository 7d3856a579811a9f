"""The types of values that [`Encoder`] and [`Decoder`] support: type → tag and what is written, tag → how it is
decoded."""

from __future__ import annotations

import datetime
import decimal
import fractions
import itertools
import types
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

# Encoded as themselves.
PLAIN = {type(None), bool, int, float, str}
# For these exact types; a value of a derived type is converted first, see FLATTENED.
ITERATED: dict[type, str] = {
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
    deque: "deque",
    type({}.keys()): "keys",
    type({}.values()): "values",
}
WRITTEN: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bytes: ("bytes", bytes.hex),
    bytearray: ("bytearray", bytearray.hex),
    complex: ("complex", lambda value: [value.real, value.imag]),
    range: ("range", lambda value: [hex(value.start), hex(value.stop), hex(value.step)]),
    decimal.Decimal: ("decimal", str),
    fractions.Fraction: ("fraction", lambda value: [hex(value.numerator), hex(value.denominator)]),
    datetime.date: ("date", datetime.date.isoformat),
    datetime.time: ("time", datetime.time.isoformat),
    datetime.datetime: ("datetime", datetime.datetime.isoformat),
    datetime.timedelta: ("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
}
PAIRED: dict[type, tuple[str, Callable[[Any], Any]]] = {
    dict: ("dict", dict.items),
    OrderedDict: ("ordered", OrderedDict.items),
    Counter: ("counter", dict.items),
    type({}.items()): ("items", iter),
}
# Base type → conversion of a derived value, by the base's own methods, so that no method of an untrusted class
# decides.
FLATTENED: dict[type, Callable[[Any], Any]] = {
    int: int.__pos__,
    float: float.__pos__,
    str: str.__str__,
    list: lambda value: [*list.__iter__(value)],
    tuple: lambda value: (*tuple.__iter__(value),),
    OrderedDict: lambda value: OrderedDict(OrderedDict.items(value)),
    Counter: lambda value: Counter(dict(dict.items(value))),
    dict: lambda value: {**dict(dict.items(value))},
    set: lambda value: {*set.__iter__(value)},
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    deque: lambda value: deque(deque.__iter__(value)),
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    bytearray: lambda value: bytearray.__getitem__(value, slice(None)),
    complex: complex.__pos__,
    decimal.Decimal: decimal.Decimal,
    fractions.Fraction: fractions.Fraction.__pos__,
}
FACTORIES: dict[str, type] = {kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict, set)}
ITERATORS = {
    types.GeneratorType,
    *(map, filter, zip, enumerate, reversed),
    *map(type, (iter([]), iter(()), iter({}), iter(set()), iter(""), iter(range(0)), reversed([]))),
    *map(type, (iter({}.values()), iter({}.items()))),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
}

MADE: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
    "keys": lambda values: dict.fromkeys(values).keys(),
    "values": lambda values: dict(enumerate(values)).values(),
    "iterator": iter,
}
READ: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(*parts),
    "range": lambda parts: range(*(int(part, 16) for part in parts)),
    "decimal": decimal.Decimal,
    "fraction": lambda parts: fractions.Fraction(*(int(part, 16) for part in parts)),
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
}
JOINED: dict[str, Callable[[dict[Any, Any]], Any]] = {
    "dict": lambda found: found,
    "ordered": OrderedDict,
    "counter": Counter,
    "items": dict.items,
}
