"""The gate: a type made of a schema, which the C converter accepts only for documents with nothing wrong in them.

What passes has no unknown fields, no nulls where none may be, every value of its type and within its bounds. The
converter cannot say everything (patterns, formats, junctors); what it cannot is checked by functions that visit only
such values (`remainder`). What is refused is not yet wrong: the walks decide (`prune`, `explain`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proa.machinery.meta import ObjectMeta
from proa.machinery.structural.explain import fits
from proa.machinery.structural.formats import text_check
from proa.machinery.structural.patterns import searcher
from proa.machinery.structural.tree import Node

Check = Callable[[Any], bool]

_INT64 = 1 << 63
_ANYTHING: Any = bool | int | float | str | list | dict


def gate_of(root: Node) -> Any:
    """The type of a whole object; its `metadata` is an ObjectMeta."""
    return _struct(root, embedded=True)


def remainder(node: Node, *, root: bool = False) -> Check | None:
    """What the gate does not check of a value that passes it: whether the rest is in order. None: nothing is left."""
    own = _own_check(node)
    named = {name: rest for name, below in node.properties.items() if (rest := remainder(below)) is not None}
    if root and "metadata" in node.properties:
        named["metadata"] = _walked(node.properties["metadata"])  # to the gate it is an ObjectMeta and no more
    other = remainder(node.additional) if isinstance(node.additional, Node) else None
    item = remainder(node.items) if node.items is not None else None
    pairs = tuple(named.items())
    if own is None and not pairs and other is None and item is None:
        return None

    null = _takes_null(node)

    def check(value: Any) -> bool:
        if value is None:
            return null
        if own is not None and not own(value):
            return False
        if isinstance(value, dict):
            for name, below in pairs:
                if name in value and not below(value[name]):
                    return False
            if other is not None:
                return all(other(each) for each in value.values())
        elif item is not None and isinstance(value, list):
            return all(item(each) for each in value)
        return True

    return check


# --- types ---


def _type(node: Node) -> Any:
    made = _value_type(node)
    return made | None if node.nullable and made is not Any and _takes_null(node) else made


def _takes_null(node: Node) -> bool:
    """Whether a null that the type allows is among the values that are allowed."""
    return node.enum is None or None in node.enum


def _value_type(node: Node) -> Any:
    if node.int_or_string:
        return Annotated[int, Meta(ge=-_INT64, le=_INT64 - 1)] | str
    match node.type:
        case "object":
            return _object_type(node)
        case "array":
            items: Any = list
            return _sized(items[_type(node.items) if node.items is not None else Any], node.min_items, node.max_items)
        case "string":
            if node.enum is not None and all(isinstance(each, str) for each in node.enum):
                return Literal[tuple(node.enum)] if node.enum else Any  # an empty one refuses all, and is left over
            return _sized(str, node.min_length, node.max_length)
        case "integer":
            return _integer(node)
        case "number":
            bounds = _bounds(node, node.minimum, node.maximum)
            return Annotated[float, _meta(**bounds)] if bounds else float
        case "boolean":
            return bool
        case _:
            return _ANYTHING


def _object_type(node: Node) -> Any:
    if isinstance(node.additional, Node):
        values: Any = dict
        return _sized(values[str, _type(node.additional)], node.min_properties, node.max_properties)
    if node.additional is True or (node.preserve and not node.properties and not node.embedded):
        return _sized(dict[str, Any], node.min_properties, node.max_properties)
    return _struct(node, embedded=node.embedded)


def _struct(node: Node, *, embedded: bool) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    properties: dict[str, Any] = {name: _type(below) for name, below in node.properties.items()}
    if embedded:
        properties |= {"apiVersion": str, "kind": str, "metadata": ObjectMeta}
    for position, (name, made) in enumerate(properties.items()):
        attribute = name if name == "metadata" and embedded else f"f{position}"
        names[attribute] = name
        if name in node.required:
            fields.insert(0, (attribute, made, msgspec.NODEFAULT))
        else:
            fields.append((attribute, made if made is Any else made | UnsetType, UNSET))
    return msgspec.defstruct(
        "Gate",
        [(name, made) if default is msgspec.NODEFAULT else (name, made, default) for name, made, default in fields],
        rename=names,
        forbid_unknown_fields=not node.preserve,
        kw_only=True,
        frozen=True,
        gc=False,
    )


def _sized(made: Any, least: int | None, most: int | None) -> Any:
    if least is None and most is None:
        return made
    return Annotated[made, _meta(min_length=least, max_length=most)]


def _meta(**bounds: Any) -> Meta:
    return Meta(**bounds)


def _integer(node: Node) -> Any:
    low, high = (-(1 << 31), (1 << 31) - 1) if node.format == "int32" else (-_INT64, _INT64 - 1)
    if node.minimum is not None and not node.exclusive_minimum:
        low = max(low, _up(node.minimum))
    if node.maximum is not None and not node.exclusive_maximum:
        high = min(high, int(node.maximum))
    return Annotated[int, Meta(ge=low, le=high)]


def _up(bound: float) -> int:
    return -int(-bound // 1)


def _bounds(node: Node, low: float | None, high: float | None) -> dict[str, float]:
    found: dict[str, float] = {}
    if low is not None:
        found["gt" if node.exclusive_minimum else "ge"] = low
    if high is not None:
        found["lt" if node.exclusive_maximum else "le"] = high
    return found


# --- what is left over ---


def _own_check(node: Node) -> Check | None:
    """The check of one value by itself."""
    if node.embedded:
        return lambda value: False  # what it says it is wants a closer look
    if node.junctors or node.unique_items or node.multiple_of is not None:
        return _walked(node)
    literal = node.type == "string" and node.enum is not None and all(isinstance(each, str) for each in node.enum)
    if node.enum is not None and (not literal or not node.enum):
        return _walked(node)
    if not node.types or node.int_or_string:
        said = node.pattern or node.format or node.required or node.properties or node.items is not None
        sizes = (node.min_length, node.max_length, node.min_items, node.max_items, node.min_properties)
        bounds = (node.max_properties, node.minimum, node.maximum)
        return _walked(node) if said or any(each is not None for each in (*sizes, *bounds)) else None
    if node.type == "string":
        sized = literal and (node.min_length is not None or node.max_length is not None)
        return _walked(node) if sized else _text(node)
    if node.type == "integer" and (node.exclusive_minimum or node.exclusive_maximum or _fractional(node)):
        return _walked(node)
    if node.type == "number" and node.format == "float":
        return _walked(node)
    if node.type == "object":
        return _object_check(node)
    return None


def _walked(node: Node) -> Check:
    return lambda value: fits(value, node)


def _text(node: Node) -> Check | None:
    form = text_check(node.type, node.format)
    if node.pattern:
        found = searcher(node.pattern)
        return found if form is None else lambda value: found(value) and form(value)
    return form


def _fractional(node: Node) -> bool:
    return any(each is not None and each != int(each) for each in (node.minimum, node.maximum))


def _object_check(node: Node) -> Check | None:
    declared = isinstance(node.additional, Node) or node.additional is True
    required = tuple(name for name in node.required if declared or name not in node.properties)
    struct = not declared and not (node.preserve and not node.properties)
    sized = struct and (node.min_properties is not None or node.max_properties is not None)
    if sized or node.additional is False:
        return _walked(node)
    return (lambda value: all(name in value for name in required)) if required else None
