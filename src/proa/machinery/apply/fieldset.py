"""Sets of fields, in the form managedFields stores them (FieldsV1), and their algebra.

A set is nested JSON: `f:<name>` descends into a field, `k:<json>` into the list element with those keys, `v:<json>`
into a set's value. A member without members below it is `{}`; one with members below it carries `.`. Source: KEP-555
and the FieldsV1 documentation. Sets are values: no function changes its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from proa.machinery.schema import (
    ANY,
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    derived,
)

FieldSet = Mapping[str, Any]
MEMBER = "."
_encoder = msgspec.json.Encoder(order="deterministic")


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of either."""
    if not left or not right:
        # A leaf united with a subtree stays a member itself.
        return {**(left or right), MEMBER: {}} if (left or right) else {}
    return _united(left, right)


def unite(sets: Sequence[FieldSet]) -> FieldSet:
    """Members of any; nothing for no sets."""
    total: FieldSet = {}
    for each in sets:
        total = _united(total, each)
    return total


def _united(left: FieldSet, right: FieldSet) -> dict[str, Any]:
    merged = dict(left)
    for name, below in right.items():
        merged[name] = union(merged[name], below) if name in merged else below
    return merged


def difference(left: FieldSet, right: FieldSet) -> dict[str, Any]:
    """Members of `left` that are not members of `right`."""
    return _combined(left, right, keep_common=False)


def intersection(left: FieldSet, right: FieldSet) -> dict[str, Any]:
    """Members of both."""
    return _combined(left, right, keep_common=True)


def _combined(left: FieldSet, right: FieldSet, *, keep_common: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, below in left.items():
        if name == MEMBER:
            continue
        if name not in right:
            if not keep_common:
                kept[name] = below
            continue
        other = right[name]
        remaining = _combined(below, other, keep_common=keep_common)
        is_kept = _is_member(below) and (_is_member(other) == keep_common)
        if remaining:
            kept[name] = {**({MEMBER: {}} if is_kept else {}), **remaining}
        elif is_kept:
            kept[name] = {}
    return kept


def _is_member(node: FieldSet) -> bool:
    return not node or MEMBER in node


def leaves(fields: FieldSet, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member as the path of its elements; those of one level, by name, before what is below them."""
    names = sorted(name for name in fields if name != MEMBER)
    yield from ((*prefix, name) for name in names if _is_member(fields[name]))
    for name in names:
        yield from leaves(fields[name], (*prefix, name))


def dotted(path: Sequence[str]) -> str:
    """A member as conflicts name it: `.spec.containers[name="a"].image`."""
    parts: list[str] = []
    for element in path:
        kind, _, text = element.partition(":")
        if kind == "f":
            parts.append(f".{text}")
        elif kind == "k":
            keys = msgspec.json.decode(text)
            parts.append("[" + ",".join(f"{key}={_encoder.encode(keys[key]).decode()}" for key in sorted(keys)) + "]")
        else:
            parts.append(f"[={text}]")
    return "".join(parts)


def property_of(schema: Schema, name: str) -> Property:
    """What is known of the field `name` below `schema`; anything below an unknown field is untyped."""
    if isinstance(schema, ObjectSchema):
        return schema.properties.get(name) or Property(name, ANY)
    return Property(name, schema.value if isinstance(schema, MapSchema) else ANY)


_WITH_FIELDS = (ObjectSchema, MapSchema, AnySchema)


def is_granular(value: Any, field: Property) -> bool:
    """Whether fields inside `value` are owned one by one. Untyped objects are granular, untyped lists atomic."""
    if field.map_type == "atomic":
        return False
    schema = field.schema
    if isinstance(value, dict):
        return isinstance(schema, _WITH_FIELDS)
    return isinstance(value, list) and isinstance(schema, ListSchema) and schema.type in ("map", "set")


def element_key(element: Any, schema: ListSchema) -> str:
    """How an element of a `map` or `set` list is named in a set; absent keys count with their defaults."""
    if schema.type == "set":
        return "v:" + _encoder.encode(element).decode()
    values = []
    for key in schema.keys:
        value = element.get(key) if isinstance(element, dict) else None
        if value is None:
            default = property_of(schema.item, key).facts.default
            value = None if default is msgspec.UNSET else default
        values.append(value)
    try:
        return _key_text(schema.keys, *values)
    except TypeError:  # a key that is no scalar cannot be remembered
        return _key_text.__wrapped__(schema.keys, *values)


@lru_cache(maxsize=16384, typed=True)
def _key_text(keys: tuple[str, ...], *values: Any) -> str:
    """Remembered, because the same containers, ports and conditions come again and again."""
    given = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    return "k:" + _encoder.encode(given).decode()


def children(value: Any, schema: Schema) -> dict[str, tuple[Any, Property]]:
    """The parts of a granular value by their element names."""
    if isinstance(value, dict):
        return {f"f:{name}": (each, property_of(schema, name)) for name, each in value.items()}
    assert isinstance(schema, ListSchema)
    return {element_key(each, schema): (each, schema.element) for each in value}


def fields_of(value: Any, field: Property) -> dict[str, Any]:
    """The set of what `value` says: what an applier owns."""
    if not is_granular(value, field):
        return {}
    found: dict[str, Any] = {}
    in_list = isinstance(value, list)
    for name, (each, below) in children(value, field.schema).items():
        inner = fields_of(each, below)
        found[name] = {MEMBER: {}, **inner} if in_list and inner else inner
    return found


def changes(old: Any, new: Any, field: Property, *, as_stored: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """(added or modified, removed) members between two values of one granular field; `{}` when the same.

    What Go always writes is always there: it neither comes nor goes, only what is in it does. as_stored: what becomes
    empty or zero, and is not stored then, goes.
    """
    schema = field.schema
    if isinstance(new, dict):
        return _changes(old, new, "f:", lambda name: property_of(schema, name), as_stored)
    assert isinstance(schema, ListSchema)
    before = {element_key(each, schema): each for each in old}
    after = {element_key(each, schema): each for each in new}
    return _changes(before, after, "", lambda key: schema.element, as_stored)


_Fields = Callable[[str], Property]
"""What is known of a part, by its name. Asked only of parts that differ: nearly all are the same."""


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str, field_of: _Fields, as_stored: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    removed = _only_in(before, after, prefix, field_of)
    written = _only_in(after, before, prefix, field_of)
    for name, value in after.items():
        if name not in before:
            continue
        previous = before[name]
        if previous is value or previous == value:
            continue
        below = field_of(name)
        if as_stored and not value and _is_left_out(below):
            members = _newcomer(below)(previous)
            if members is not None:
                removed[prefix + name] = members
        elif is_granular(value, below) and is_granular(previous, below):
            inner_written, inner_removed = changes(previous, value, below, as_stored=as_stored)
            if inner_written:
                written[prefix + name] = inner_written
            if inner_removed:
                removed[prefix + name] = inner_removed
        else:
            written[prefix + name] = {}
    return written, removed


def _only_in(these: Mapping[str, Any], those: Mapping[str, Any], prefix: str, field_of: _Fields) -> dict[str, Any]:
    """The members of what came, or went, whole."""
    found: dict[str, Any] = {}
    for name, value in these.items():
        if name not in those:
            members = _newcomer(field_of(name))(value)
            if members is not None:
                found[prefix + name] = members
    return found


def _empty_value(field: Property) -> Any:
    """What the field holds when it was not set, for what Go always writes; None for what it leaves out."""
    schema = field.schema
    if isinstance(schema, ObjectSchema):
        return None if field.nullable or not field.name else {}
    if not field.always:
        return None
    match schema:
        case ListSchema():
            return []
        case MapSchema():
            return {}
        case ScalarSchema():
            return schema.zero
        case _:
            return None


def fields_of_new(document: dict[str, Any], schema: ObjectSchema) -> dict[str, Any]:
    """What the creator of an object owns: everything in it, but for the parts that every such object has."""
    return _new_object(schema)(document) or {}


# Every created object passes through these, so what a field means is looked up once per schema, not once per value.
# Sets are values: one empty one serves all leaves.

_Visitor = Callable[[Any], dict[str, Any]]
_LEAF: dict[str, Any] = {}


def _visitor(field: Property) -> _Visitor | None:
    """What makes the set of a whole value of this field; None where it is a leaf."""
    if field.map_type == "atomic":
        return None
    match field.schema:
        case ObjectSchema() as schema:
            return _object_visitor(schema)
        case MapSchema() as schema:
            return _map_visitor(_visitor(Property("", schema.value)))
        case ListSchema(type="map" | "set") as schema:
            return _list_visitor(schema, _visitor(schema.element))
        case AnySchema():
            return _untyped
        case _:
            return None


_Newcomer = Callable[[Any], dict[str, Any] | None]
"""A value that was not there to its set; None where it says no more than its absence did."""


@lru_cache(maxsize=1024)
def _newcomer(field: Property) -> _Newcomer:
    visit = _visitor(field)
    empty = _empty_value(field)
    if empty is None:
        return _given(visit, left_out=_is_left_out(field))
    if visit is None:
        return lambda value: None if value == empty else _LEAF
    inside = _new_object(field.schema) if isinstance(field.schema, ObjectSchema) else _without_itself(visit)
    kind = type(empty)
    return lambda value: inside(value) if isinstance(value, kind) else _LEAF


def _given(visit: _Visitor | None, *, left_out: bool) -> _Newcomer:
    if left_out:
        return lambda value: (_LEAF if visit is None else visit(value)) if value else None
    return lambda value: _LEAF if visit is None or not value else visit(value)


def _is_left_out(field: Property) -> bool:
    """Whether Go writes nothing where a field is empty or zero, so that nobody can own that; pointers it does write."""
    if not field.attribute or field.always:
        return False
    match field.schema:
        case ListSchema() | MapSchema():
            return True
        case ScalarSchema():
            return not field.nullable
        case _:
            return False


@derived
def _new_object(schema: ObjectSchema) -> _Newcomer:
    names: dict[str, tuple[str, _Newcomer]] = {}

    def visit(value: Any) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for name, each in value.items():
            known = names.get(name)
            if known is None:
                known = f"f:{name}", _newcomer(property_of(schema, name))
                if name in schema.properties:
                    names[name] = known
            members = known[1](each)
            if members is not None:
                found[known[0]] = members
        return found or None

    return visit


def _without_itself(visit: _Visitor) -> _Newcomer:
    return lambda value: {name: below for name, below in visit(value).items() if name != MEMBER} or None


@derived
def _object_visitor(schema: ObjectSchema) -> _Visitor:
    names: dict[str, tuple[str, _Visitor | None, bool]] = {}

    def visit(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return _LEAF
        found: dict[str, Any] = {MEMBER: _LEAF}
        for name, each in value.items():
            known = names.get(name)
            if known is None:
                field = property_of(schema, name)
                known = f"f:{name}", _visitor(field), _is_left_out(field)
                if name in schema.properties:
                    names[name] = known
            member, below, left_out = known
            if each:
                found[member] = _LEAF if below is None else below(each)
            elif not left_out:
                found[member] = _LEAF
        return found

    return visit


def _map_visitor(below: _Visitor | None) -> _Visitor:
    def visit(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return _LEAF
        found: dict[str, Any] = {MEMBER: _LEAF}
        for name, each in value.items():
            found[f"f:{name}"] = _LEAF if below is None or not each else below(each)
        return found

    return visit


def _list_visitor(schema: ListSchema, below: _Visitor | None) -> _Visitor:
    def visit(value: Any) -> dict[str, Any]:
        if not isinstance(value, list):
            return _LEAF
        found: dict[str, Any] = {MEMBER: _LEAF}
        for each in value:
            found[element_key(each, schema)] = _LEAF if below is None or not each else below(each)
        return found

    return visit


def _untyped(value: Any) -> dict[str, Any]:
    return _map_visitor(_untyped)(value)


def without(value: Any, fields: FieldSet, field: Property) -> Any:
    """`value` with the members of `fields` taken out, whole; containers that are no members stay, even when emptied."""
    if not fields or not is_granular(value, field):
        return value

    def kept(name: str, each: Any, below: Property) -> tuple[bool, Any]:
        if name not in fields:
            return True, each
        inner = fields[name]
        return (False, None) if _is_member(inner) else (True, without(each, inner, below))

    return _filtered(value, field.schema, kept)


def _filtered(value: Any, schema: Schema, kept: Callable[[str, Any, Property], tuple[bool, Any]]) -> Any:
    if isinstance(value, dict):
        result = {}
        for name, each in value.items():
            keep, left = kept(f"f:{name}", each, property_of(schema, name))
            if keep:
                result[name] = left
        return result
    assert isinstance(schema, ListSchema)
    pairs = (kept(element_key(each, schema), each, schema.element) for each in value)
    return [left for keep, left in pairs if keep]
