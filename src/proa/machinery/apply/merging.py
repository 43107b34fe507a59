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
    item = Property("", schema.item)
    stored = {element_key(each, schema): each for each in live}
    wanted = {element_key(each, schema): each for each in applied}
    result: list[Any] = []
    waiting = list(stored)
    for key, value in wanted.items():
        if key in stored:
            # Elements only the live list has keep their place before the shared element they stood before.
            while waiting and waiting[0] != key and waiting[0] not in wanted:
                result.append(stored[waiting.pop(0)])
            if key in waiting:
                waiting.remove(key)
        result.append(merged(stored.get(key), value, item))
    return [*result, *(stored[key] for key in waiting if key not in wanted)]
