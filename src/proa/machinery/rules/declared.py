"""Schemas as types of the expression language, with how large their values can be.

What has no type is not there for expressions: fields of unknown structure, lists of them. The sizes are upstream's,
from the limits a schema sets or else from what fits into a request, since costs are estimated from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from proa.lang.cel import types
from proa.lang.cel.cost import Range
from proa.lang.cel.estimate import ITEMS, KEYS, VALUES, Path
from proa.lang.cel.types import Type
from proa.machinery.declare import UNSET
from proa.machinery.rules.names import escape, is_reserved
from proa.machinery.structural.tree import Node

LARGEST_REQUEST = 3 * 1024 * 1024
_BYTES_OF_CHARACTER = 4

# Of a value's JSON text: the least it takes.
_LIST = _OBJECT = _STRING = 2
_BOOL, _NUMBER = 4, 1
_DURATION, _DATE, _INSTANT = 3, 12, 21
_LONGEST_TIME = 32


@dataclass(frozen=True, slots=True)
class Declared:
    """A type. most: how many elements or characters a value can have. least: bytes of JSON it takes at least."""

    type: Type
    most: int = 0
    least: int = 1
    fields: Mapping[str, Declared] = field(default_factory=dict)
    element: Declared | None = None

    def at(self, path: Path) -> Declared | None:
        """What lies there, below a value of this type."""
        found: Declared | None = self
        for step in path:
            if found is None:
                return None
            if step in (ITEMS, VALUES):
                found = found.element
            elif step == KEYS:
                found = _KEY if found.type.kind == "map" else None
            else:
                found = found.fields.get(step)
        return found


_KEY = Declared(types.STRING, 0, _STRING)


@dataclass(frozen=True, slots=True)
class DeclaredSizes:
    """The sizes of what is below `self` and `oldSelf`, for estimates."""

    root: Declared

    def size(self, path: Path | None, of: Type) -> Range | None:
        found = self.root.at(path[1:]) if path else None
        return None if found is None else Range(0, found.most)


def declared(node: Node, *, root: bool, name: str = "selfType") -> Declared | None:
    """The type of a schema; None for what expressions do not see. root: it has metadata, as resources have."""
    if node.int_or_string:
        most = LARGEST_REQUEST - 2 if node.max_length is None else max(node.max_length, 0) * _BYTES_OF_CHARACTER
        return Declared(types.DYN, most)
    match node.type:
        case "array":
            return _list(node, name)
        case "object":
            return _map(node, name) if _is_map(node, root) else _struct(with_metadata(node) if root else node, name)
        case "string":
            return _string(node)
        case "boolean":
            return Declared(types.BOOL, least=_BOOL)
        case "number":
            return Declared(types.DOUBLE, least=_NUMBER)
        case "integer":
            return Declared(types.INT, least=_NUMBER)
        case _:
            return None


def property_of(of: Declared, name: str, node: Node) -> Declared | None:
    """The type of a property, even of one whose name expressions cannot say."""
    identifier = escape(name)
    if identifier is None:
        return declared(node, root=node.embedded)
    return of.fields.get(identifier)


def with_metadata(node: Node) -> Node:
    """The root of a resource: what every object has is always there for expressions."""
    metadata = node.properties.get("metadata", _NOTHING).properties
    named = [node.properties.get(each, _NOTHING) for each in ("kind", "apiVersion")]
    named += [metadata.get(each, _NOTHING) for each in ("name", "generateName")]
    if all(each.type == "string" for each in named):
        return node
    properties = {**node.properties, "kind": _TEXT, "apiVersion": _TEXT, "metadata": _METADATA}
    return replace(node, properties=properties, additional=None)


_NOTHING = Node()
_TEXT = Node(type="string")
_METADATA = Node(type="object", properties={"name": _TEXT, "generateName": _TEXT})


def _is_map(node: Node, root: bool) -> bool:
    return isinstance(node.additional, Node) and not root


def _list(node: Node, name: str) -> Declared | None:
    if node.items is None:
        return None
    element = declared(node.items, root=node.items.embedded, name=f"{name}.@idx")
    if element is None:
        return None
    most = (LARGEST_REQUEST - 2) // (element.least + 1) if node.max_items is None else max(node.max_items, 0)
    return Declared(types.list_of(element.type), most, _LIST, element=element)


def _map(node: Node, name: str) -> Declared | None:
    assert isinstance(node.additional, Node)
    element = declared(node.additional, root=node.additional.embedded, name=f"{name}.@elem")
    if element is None:
        return None
    # A key, its quotes, a colon and a comma.
    most = (LARGEST_REQUEST - 2) // (element.least + 6) if node.max_properties is None else max(node.max_properties, 0)
    return Declared(types.map_of(types.STRING, element.type), most, _OBJECT, element=element)


def _struct(node: Node, name: str) -> Declared:
    fields: dict[str, Declared] = {}
    least = _OBJECT
    for each, schema in node.properties.items():
        found = declared(schema, root=schema.embedded, name=f"{name}.{each}")
        if found is None:
            continue
        identifier = escape(each)
        if identifier is not None:
            fields[identifier] = found
        if is_reserved(each):
            fields[each] = found
        if each in node.required and schema.default is UNSET:
            least += len(each) + found.least + 4
    made = types.struct(name, {each: found.type for each, found in fields.items()})
    return Declared(made, 0, least, fields)


def _string(node: Node) -> Declared:
    match node.format:
        case "byte":
            return Declared(types.BYTES, LARGEST_REQUEST - 2 if node.max_length is None else node.max_length, _STRING)
        case "duration":
            return Declared(types.DURATION, _LONGEST_TIME, _DURATION)
        case "date":
            return Declared(types.TIMESTAMP, _DATE, _DATE)
        case "date-time":
            return Declared(types.TIMESTAMP, _LONGEST_TIME, _INSTANT)
    if node.max_length is not None:
        most = max(node.max_length, 0) * _BYTES_OF_CHARACTER
    elif node.enum:
        most = max((len(each) for each in node.enum if isinstance(each, str)), default=0)
    else:
        most = LARGEST_REQUEST - 2
    return Declared(types.STRING, most, _STRING)
