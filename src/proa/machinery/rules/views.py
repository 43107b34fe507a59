"""Values of documents as their schema means them: texts that are times, whole numbers that are doubles, sets.

`view_of` says how a value of a schema is shown, and says nothing (None) where plain JSON will do, which is most often.
A view converts what is taken out of it, not the whole.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from proa.lang.cel import texts, values
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.values import ListValue, MapValue, Timestamp
from proa.machinery.rules.declared import with_metadata
from proa.machinery.rules.names import escape
from proa.machinery.structural.tree import Node

Show = Callable[[Any], Any]


def view_of(node: Node, *, root: bool = False) -> Show | None:
    """How values of a schema are shown; None: as they are."""
    if node.int_or_string:
        return None
    match node.type:
        case "string":
            return _TEXTS.get(node.format)
        case "number":
            return _double
        case "array" if node.items is not None:
            return _expecting(list, "an array", "array", _list(node, node.items))
        case "object":
            made = _object(with_metadata(node) if root or node.embedded else node)
            return _expecting(Mapping, "a map", "object", made)
        case _:
            return None


def _expecting(kind: type, what: str, of: str, show: Show | None) -> Show | None:
    if show is None:
        return None

    def checked(value: Any) -> Any:
        if not isinstance(value, kind):
            raise EvaluationError(f"invalid data, expected {what} for the provided schema with type={of}")
        return show(value)

    return checked


def _double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _list(node: Node, items: Node) -> Show | None:
    show = view_of(items)
    match node.list_type:
        case "map":
            return lambda elements: KeyedList(elements, show, node.list_keys)
        case "set":
            return lambda elements: SetList(elements, show)
        case _:
            return None if show is None else lambda elements: PlainList(elements, show)


def _object(node: Node) -> Show | None:
    if not node.properties:
        if not isinstance(node.additional, Node):
            return None
        show = view_of(node.additional)
        return None if show is None else lambda content: MapView(content, show)
    shows = {name: view_of(each) for name, each in node.properties.items()}
    identifiers = {name: escape(name) for name in node.properties}
    if all(shown is None for shown in shows.values()) and all(
        identifiers[name] == name and not each.nullable for name, each in node.properties.items()
    ):
        return None
    names = {identifier: name for name, identifier in identifiers.items() if identifier is not None}
    names |= {name: name for name in node.properties if name not in names}
    return lambda content: ObjectView(content, names, shows)


# Strings that are more


def _parsed(what: str, parse: Callable[[str], Any]) -> Show:
    def show(value: Any) -> Any:
        found = parse(value) if isinstance(value, str) else value
        if found is None and value is not None:
            raise EvaluationError(f"Invalid {what} {value}")
        return found

    return show


def _date(text: str) -> Timestamp | None:
    try:
        days = date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None
    return Timestamp.of(days * 86400 * values.SECOND)


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None


def _instant(text: str) -> Timestamp | None:
    return texts.instant(text.upper().replace(" ", "T", 1))


_TEXTS: Mapping[str, Show] = {
    "duration": _parsed("duration", texts.duration),
    "date": _parsed("date formatted string", _date),
    "date-time": _parsed("date-time formatted string", _instant),
    "byte": _parsed("byte formatted string", _bytes),
}


# Containers


class PlainList(ListValue):
    """Elements that are shown each."""

    __slots__ = ("_elements", "_show")

    def __init__(self, elements: Sequence[Any], show: Show | None) -> None:
        self._elements = elements
        self._show = show

    def __len__(self) -> int:
        return len(self._elements)

    def __getitem__(self, place: Any) -> Any:
        found = self._elements[place]
        if self._show is None or found is None:
            return found
        return [self._show(each) for each in found] if isinstance(place, slice) else self._show(found)

    def __iter__(self) -> Iterator[Any]:
        if self._show is None:
            return iter(self._elements)
        return (None if each is None else self._show(each) for each in self._elements)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, values.LISTS) and len(self) == len(other) and all(map(values.equal, self, other))

    __hash__ = None  # type: ignore[assignment]


class SetList(PlainList):
    """A list of type set: the order does not count, and nothing is twice in a sum."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, values.LISTS) and len(self) == len(other) and all(_in(each, self) for each in other)

    __hash__ = None

    def joined(self, other: Sequence[Any]) -> Sequence[Any]:
        found = list(self)
        found += [each for each in other if not _in(each, found)]
        return SetList(found, None)


class KeyedList(PlainList):
    """A list of type map: elements are the same that have the same keys, in any order; of a sum the later ones stay."""

    __slots__ = ("_keys",)

    def __init__(self, elements: Sequence[Any], show: Show | None, keys: Sequence[str]) -> None:
        super().__init__(elements, show)
        self._keys = tuple(escape(each) or each for each in keys)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, values.LISTS) or len(self) != len(other):
            return False
        own = {self._key(each): each for each in self}
        return all(values.equal(own[key], each) if (key := self._key(each)) in own else False for each in other)

    __hash__ = None

    def joined(self, other: Sequence[Any]) -> Sequence[Any]:
        found = {self._key(each): each for each in self}
        found |= {self._key(each): each for each in other}
        return KeyedList(list(found.values()), None, self._keys)

    def _key(self, element: Any) -> tuple[Any, ...]:
        if not isinstance(element, values.MAPS):
            raise EvaluationError("unexpected data format for element of array with x-kubernetes-list-type=map")
        return tuple((type(found), found) for found in (element.get(key) for key in self._keys))


def _in(wanted: Any, elements: Sequence[Any]) -> bool:
    return any(values.equal(wanted, each) for each in elements)


class MapView(MapValue):
    """Values that are shown each."""

    __slots__ = ("_content", "_show")

    def __init__(self, content: Mapping[str, Any], show: Show) -> None:
        self._content = content
        self._show = show

    def __getitem__(self, key: Any) -> Any:
        found = self._content[key]
        return None if found is None else self._show(found)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


class ObjectView(MapValue):
    """Properties by their identifiers, and by their names; one that is null is not there."""

    __slots__ = ("_content", "_names", "_shows")

    def __init__(self, content: Mapping[str, Any], names: Mapping[str, str], shows: Mapping[str, Show | None]) -> None:
        self._content = content
        self._names = names
        self._shows = shows

    def __getitem__(self, key: Any) -> Any:
        name = self._names[key]
        found = self._content[name]
        if found is None:
            raise KeyError(key)
        show = self._shows[name]
        return found if show is None else show(found)

    def __contains__(self, key: object) -> bool:
        name = self._names.get(key) if isinstance(key, str) else None
        return name is not None and self._content.get(name) is not None

    def __iter__(self) -> Iterator[Any]:
        return (name for name in self._shows if self._content.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
