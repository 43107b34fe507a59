"""Laying an applied configuration over a live object, by the schema (KEP-555's merge)."""

from __future__ import annotations

from typing import Any

from proa.machinery.apply.fieldset import element_key, is_granular, property_of
from proa.machinery.schema import ListSchema, Property


def merged(live: Any, applied: Any, field: Property) -> Any:
    """What `live` becomes when it must say what `applied` says. Lists keep both orders; the applied one wins."""
    if live is None or not is_granular(applied, field) or not is_granular(live, field):
        return applied
    if isinstance(applied, dict):
        result = dict(live)
        for name, value in applied.items():
            result[name] = merged(live.get(name), value, property_of(field.schema, name))
        return result
    assert isinstance(field.schema, ListSchema)
    return _merged_list(live, applied, field.schema)


def _merged_list(live: list[Any], applied: list[Any], schema: ListSchema) -> list[Any]:
    """Both lists are walked side by side. Elements that only `live` has keep their place among the others; shared ones
    come in the applied order."""
    item = schema.element
    left, right = [element_key(each, schema) for each in live], [element_key(each, schema) for each in applied]
    stored: dict[str, Any] = {}
    for key, value in zip(left, live, strict=True):
        stored[key] = None if key in stored else value  # what is there twice is replaced, not merged into
    wanted = dict(zip(right, applied, strict=True))
    shared = [key for key in right if key in stored]
    shared.reverse()
    result: list[Any] = []
    taken: set[str] = set()
    at, to = 0, 0
    while at < len(left) or to < len(right):
        both = at < len(left) and to < len(right)
        if both and left[at] != right[to] and left[at] in wanted and shared and shared[-1] != left[at]:
            at += 1  # shared, but its turn is later
            continue
        if at < len(left) and left[at] not in wanted:
            result.append(live[at])
            at += 1
            continue
        if at < len(left) and (left[at] in taken or (both and left[at] == right[to])):
            at += 1
        if to < len(right):
            key = right[to]
            taken.add(key)
            result.append(merged(stored.get(key), wanted[key], item))
            to += 1
            if shared and shared[-1] == key:
                shared.pop()
    return result
