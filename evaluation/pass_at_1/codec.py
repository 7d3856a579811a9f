"""Encodes values as JSON and decodes them, so that an untrusted process can return data alone, and no objects with
code.

Lists, numbers, strings, booleans and `None` are encoded as themselves. Everything else is an object with one key, the
tag, which says how to decode it."""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from .codec_types import FACTORIES, FLATTENED, ITERATED, ITERATORS, JOINED, MADE, PAIRED, PLAIN, READ, WRITTEN

_DEEPEST = 150
_MOST_VALUES = 4_000_000
_LONGEST_ITERATOR = 1_000_000
_LARGE = (
    1 << 62
)  # whole numbers from here on are hexadecimal: this takes linear time, and Python does not limit the digits


class CodecError(Exception):
    """A value cannot be encoded, or a message cannot be decoded."""


class Encoder:
    """Encodes values.

    Args:
        classes (`Mapping[str, type]`, *optional*):
            Classes whose instances are encoded by value: their attributes, with the links between instances.
        handle (`Callable[[object], int]`, *optional*):
            Stores an object of any other type and gives its number, by which the other side can use it.
    """

    def __init__(self, classes: Mapping[str, type] | None = None, handle: Callable[[object], int] | None = None):
        self._classes = classes or {}
        self._handle = handle

    def encode(self, value: object) -> dict[str, Any]:
        """The message for `value`.

        Raises:
            [`CodecError`]: if it is nested too deeply or too large, or of another type and there are no handles.
        """
        self._count = 0
        self._numbers: dict[int, int] = {}
        self._nodes: list[object] = []
        root = self._tree(value, 0)
        nodes = []
        for node in self._nodes:  # which grows meanwhile, as attributes lead to other instances
            parts = {str(name): self._tree(part, 1) for name, part in _attributes(node).items()}
            nodes.append([type(node).__name__, parts])
        return {"value": root, "nodes": nodes} if nodes else {"value": root}

    def _tree(self, value: Any, depth: int) -> Any:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise CodecError("too many values")
        if depth > _DEEPEST:
            raise CodecError("nested too deeply")
        kind = type(value)
        if kind is int and not -_LARGE < value < _LARGE:
            return {"int": hex(value)}
        if kind in PLAIN:
            return value
        if kind is list:
            return self._trees(value, depth)
        if kind in PAIRED:
            tag, items = PAIRED[kind]
            return {tag: self._pairs(items(value), depth)}
        if kind in ITERATED:
            return {ITERATED[kind]: self._trees(value, depth)}
        if kind in WRITTEN:
            tag, write = WRITTEN[kind]
            return {tag: write(value)}
        return self._uncommon(kind, value, depth)

    def _uncommon(self, kind: type, value: Any, depth: int) -> Any:
        if self._classes.get(kind.__name__) is kind:
            return {"node": self._node(value)}
        if _is_numpy_scalar(kind):
            plain = value.item()
            return {"scalar": [kind.__name__, self._tree(float(value) if type(plain) is kind else plain, depth + 1)]}
        if kind in ITERATORS:
            return {"iterator": self._trees(itertools.islice(value, _LONGEST_ITERATOR + 1), depth)}
        if kind is defaultdict:
            made = next((name for name, factory in FACTORIES.items() if value.default_factory is factory), None)
            return {"defaultdict": [made, self._pairs(value.items(), depth)]}
        for base, flatten in FLATTENED.items():
            if issubclass(kind, base):
                return self._tree(flatten(value), depth)
        if self._handle is None:
            raise CodecError(f"{kind.__name__} cannot be sent")
        return {"handle": [self._handle(value), kind.__name__]}

    def _trees(self, values: Any, depth: int) -> list[Any]:
        if type(values) in (list, tuple) and _all_plain(values):
            self._count += len(values)
            return list(values)
        trees = [self._tree(value, depth + 1) for value in values]
        if len(trees) > _LONGEST_ITERATOR and type(values) is itertools.islice:
            raise CodecError("an iterator without end")
        return trees

    def _pairs(self, items: Any, depth: int) -> list[Any]:
        return [[self._tree(key, depth + 1), self._tree(value, depth + 1)] for key, value in items]

    def _node(self, value: object) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._nodes)
            self._nodes.append(value)
        return number


class Decoder:
    """Decodes messages into values of Python's own types, of the classes given, or handles.

    Args:
        classes (`Mapping[str, type]`, *optional*):
            Classes whose instances are encoded by value. Decoding calls none of their methods.
        handle (`Callable[[int, str], object]`, *optional*):
            Makes the stand-in for an object of the other side from its number and the name of its type.
    """

    def __init__(self, classes: Mapping[str, type] | None = None, handle: Callable[[int, str], object] | None = None):
        self._classes = classes or {}
        self._handle = handle
        self._nodes: list[Any] = []

    def decode(self, message: Any) -> Any:
        """The value of `message`, as parsed from JSON.

        Raises:
            [`CodecError`]: if it is not valid.
        """
        try:
            nodes = message.get("nodes", [])
            self._nodes = [object.__new__(self._classes[name]) for name, _ in nodes]
            for node, (_, attributes) in zip(self._nodes, nodes, strict=True):
                _set(node, {_attribute(name): self._value(tree) for name, tree in attributes.items()})
            return self._value(message["value"])
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise CodecError(f"not a message: {type(error).__name__}") from error

    def _value(self, tree: Any) -> Any:
        if type(tree) is list:
            return [self._value(part) for part in tree] if {list, dict} & {*map(type, tree)} else tree
        if type(tree) is not dict:
            return tree
        [(tag, content)] = tree.items()
        if tag in READ:
            return READ[tag](content)
        if tag in MADE:
            return MADE[tag]([self._value(part) for part in content])
        if tag in JOINED:
            return JOINED[tag](self._dict(content))
        match tag:
            case "defaultdict":
                return defaultdict(FACTORIES.get(content[0]), self._dict(content[1]))
            case "scalar":
                return self._value(content[1])
            case "node":
                return self._nodes[content]
            case "handle" if self._handle is not None:
                return self._handle(int(content[0]), str(content[1])[:80])
        raise CodecError(f"not a tag: {tag[:80]}")

    def _dict(self, pairs: Any) -> dict[Any, Any]:
        return {self._value(key): self._value(value) for key, value in pairs}


def _all_plain(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether these values are encoded as themselves. For long lists of numbers, which are common, this is ten times
    as fast."""
    kinds = {*map(type, values)}
    if not kinds <= PLAIN:
        return False
    numbers = values if kinds == {int} else [value for value in values if type(value) is int]
    return not numbers or (min(numbers) > -_LARGE and max(numbers) < _LARGE)


def _is_numpy_scalar(kind: type) -> bool:
    """Whether this is a type of numpy's scalars. numpy is not imported for this: without it, there are none."""
    generic = getattr(sys.modules.get("numpy"), "generic", None)
    return isinstance(generic, type) and issubclass(kind, generic)


def _attributes(node: object) -> dict[str, Any]:
    if hasattr(node, "__dict__"):
        return vars(node)
    slots = [vars(kind).get("__slots__", ()) for kind in type(node).__mro__]
    names = [name for some in slots for name in ([some] if isinstance(some, str) else some)]
    return {name: getattr(node, name) for name in names if hasattr(node, name)}


def _set(node: object, attributes: dict[str, Any]) -> None:
    if hasattr(node, "__dict__"):
        vars(node).update(attributes)
        return
    for name, value in attributes.items():
        object.__setattr__(node, name, value)


def _attribute(name: str) -> str:
    if name.startswith("__"):
        raise CodecError(f"not an attribute: {name[:80]}")
    return name
