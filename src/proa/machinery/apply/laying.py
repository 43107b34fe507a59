"""Laying a partial document over a live one without owners: what an ApplyConfiguration of a policy does.

Not here: the merge itself (`merging`), and who owns what then (`managers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.base.errors import ProaError
from proa.machinery.apply.fieldset import is_granular, property_of
from proa.machinery.apply.lists import list_defects, told
from proa.machinery.apply.merging import merged
from proa.machinery.schema import ListSchema, ObjectSchema, Property


class LayingError(ProaError):
    """The partial document does not fit to the schema, or sets what can only be set as a whole."""


def laid_over(live: Mapping[str, Any], part: Mapping[str, Any], schema: ObjectSchema) -> dict[str, Any]:
    """What `live` becomes when it must say what `part` says. Raises LayingError."""
    root = Property("", schema)
    defects = [f"{each}: field not declared in schema" for each in _undeclared(part, root, "")]
    defects += list_defects(part, root)
    if defects:
        raise LayingError(f"failed to convert patch object to typed object: {told(defects)}")
    atomic = _atomics(part, root, "")
    if atomic:
        what = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise LayingError(f"invalid ApplyConfiguration: {what}")
    found: dict[str, Any] = merged(live, part, root)
    return found


def _undeclared(value: Any, field: Property, path: str) -> list[str]:
    schema = field.schema
    if isinstance(value, dict):
        own = (
            [f"{path}.{name}" for name in value if name not in schema.properties]
            if isinstance(schema, ObjectSchema) and schema.properties
            else []
        )
        below = [_undeclared(each, property_of(schema, name), f"{path}.{name}") for name, each in value.items()]
        return own + [each for found in below for each in found]
    if isinstance(value, list) and isinstance(schema, ListSchema):
        item = schema.element
        return [each for place, one in enumerate(value) for each in _undeclared(one, item, f"{path}[{place}]")]
    return []


def _atomics(value: Any, field: Property, path: str) -> list[str]:
    found = [path] if isinstance(value, dict | list) and not is_granular(value, field) else []
    if isinstance(value, dict):
        for name, each in value.items():
            found += _atomics(each, property_of(field.schema, name), f"{path}.{name}")
    elif isinstance(value, list) and isinstance(field.schema, ListSchema):
        item = field.schema.element
        for place, each in enumerate(value):
            found += _atomics(each, item, f"{path}[{place}]")
    return found
