"""What an applier said before and says no more leaves the object, unless somebody else says it.

Source: KEP-555. A field of a struct goes with the last thing that was in it; an element of a list, or a key of a map,
goes when it itself was said. Not here: the algebra of sets (`fieldset`).
"""

from __future__ import annotations

from typing import Any

from proa.machinery.apply.fieldset import (
    MEMBER,
    FieldSet,
    difference,
    fields_of,
    intersection,
    property_of,
    unite,
    without,
)
from proa.machinery.schema import ListSchema, ObjectSchema, Property


def pruned(merged: Any, former: FieldSet, managed: FieldSet, root: Property) -> Any:
    """`merged` without what `former` has and `managed`, the sets of everybody now, has not."""
    last = _with_named(former, root)
    whole = _with_named(fields_of(merged, root), root)
    alone = without(merged, last, root)
    kept = unite((_with_named(fields_of(alone, root), root), _with_named(managed, root)))
    owned = without(merged, difference(whole, kept), root)
    gone = difference(whole, _with_named(fields_of(owned, root), root))
    return without(merged, intersection(gone, last), root)


def _with_named(fields: FieldSet, field: Property) -> FieldSet:
    """The set with the fields of structs that something is said in as members themselves."""
    schema = field.schema
    known = schema.properties if isinstance(schema, ObjectSchema) else {}
    found: dict[str, Any] = {}
    for name, below in fields.items():
        if name == MEMBER or not below:
            found[name] = below
            continue
        if isinstance(schema, ListSchema):
            inner = _with_named(below, schema.element)
        else:
            inner = _with_named(below, property_of(schema, name.removeprefix("f:")))
        found[name] = {MEMBER: {}, **inner} if name.removeprefix("f:") in known else inner
    return found
