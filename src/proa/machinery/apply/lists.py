"""What keeps the lists of an applied configuration from being merged: elements without their keys, or said twice.

Not here: fields that the schema does not know (`conform`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proa.machinery.apply.fieldset import dotted, element_key, is_granular, property_of
from proa.machinery.fields import quoted
from proa.machinery.schema import ListSchema, Property


def list_defects(applied: Any, field: Property, path: tuple[str, ...] = ()) -> list[str]:
    """What is wrong, with the path of the list it is wrong in."""
    if not is_granular(applied, field):
        return []
    found: list[str] = []
    if isinstance(applied, dict):
        for name, value in applied.items():
            if value.__class__ in (dict, list):
                found += list_defects(value, property_of(field.schema, name), (*path, f"f:{name}"))
        return found
    schema = field.schema
    assert isinstance(schema, ListSchema)
    seen = set()
    for position, element in enumerate(applied):
        key = element_key(element, schema)
        missing = next((each for each in schema.keys if f'"{each}":' not in key), "")
        if missing:
            why = f"associative list with keys has an element that omits key field {quoted(missing)}"
            return [*found, f"{dotted(path)}: element {position}: {why} (and doesn't have default value)"]
        if key in seen:
            found.append(f"{dotted(path)}: duplicate entries for key {dotted((key,))}")
        seen.add(key)
        found += list_defects(element, schema.element, (*path, key))
    return found


def told(defects: Sequence[str]) -> str:
    """Defects of an applied configuration in one text, as clients know them: on lines of their own if several."""
    return defects[0] if len(defects) == 1 else "\n  ".join(["errors:", *defects])
