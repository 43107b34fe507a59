"""Strategic merge patch: merge patch that knows, from the schema, how each list merges.

Source: the declared patch strategy and merge key of a field (x-kubernetes-patch-strategy, -merge-key), and the
directives a patch may carry: `$patch` (replace, delete), `$retainKeys`, `$deleteFromPrimitiveList/<field>` and
`$setElementOrder/<field>`. Lists without the `merge` strategy are replaced whole. What is not there cannot be merged
into: a new value is taken as it is, without its directives, and not at all where it says what to do with the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.machinery.schema import ANY, ListSchema, MapSchema, ObjectSchema, Property, Schema
from proa.machinery.status import bad_request

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"

_DIRECTIVES = (_PATCH, _RETAIN, _DELETE_FROM, _ORDER)

Document = dict[str, Any]


def strategic(document: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> Document:
    """`document` after `patch`. Raises StatusError 400 for an unknown directive or an element without its merge key."""
    return _merge_object(document, patch, schema)


def _child(schema: Schema, name: str) -> Property:
    """What is known of the field `name`; anything below an unknown field merges as plain JSON."""
    if isinstance(schema, ObjectSchema):
        found = schema.properties.get(name)
        if found is not None:
            return found
    if isinstance(schema, MapSchema):
        return Property(name, schema.value)
    return Property(name, ANY)


def _merge_object(document: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> Document:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _clean({name: value for name, value in patch.items() if name != _PATCH})  # type: ignore[no-any-return]
    if directive == "delete":
        return {}
    if directive is not None:
        raise bad_request(f"unknown patch type: {directive} in map: use replace or delete")
    merged = dict(document)
    if _RETAIN in patch:
        kept = _list(patch, _RETAIN)
        if not all(isinstance(name, str) for name in kept):
            raise bad_request(f"{_RETAIN} must list names of fields")
        keep = set(kept)
        unlisted = [name for name in patch if not name.startswith("$") and patch[name] is not None and name not in keep]
        if unlisted:
            raise bad_request(f"the fields {', '.join(unlisted)} are in the patch but not in {_RETAIN}")
        merged = {name: value for name, value in merged.items() if name in keep}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        current = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict | list) and type(current) is not type(value):
            if _is_directive(value):
                merged.pop(name, None)
            else:
                merged[name] = _clean(value)
        else:
            merged[name] = _merge_field(current, value, _child(schema, name))
    for name in _fields_with_directives(patch):
        below = _child(schema, name).schema
        delete, order = _list(patch, _DELETE_FROM + name), _list(patch, _ORDER + name)
        _check_order(patch.get(name), order, below)
        if isinstance(document.get(name), list) and isinstance(merged.get(name), list):
            merged[name] = _arrange(merged[name], document[name], below, delete=delete, order=order)
    return merged


def _merge_field(current: Any, value: Any, field: Property) -> Any:
    schema = field.schema
    if isinstance(value, dict):
        if "replace" in field.merge:
            return _clean(value)
        return _merge_object(current if isinstance(current, dict) else {}, value, schema)
    if isinstance(value, list):
        if isinstance(schema, ListSchema) and "merge" in schema.merge:
            return _merge_list(current if isinstance(current, list) else [], value, schema)
        return [_clean(each) for each in value]
    return value


def _merge_list(current: list[Any], patch: list[Any], schema: ListSchema) -> list[Any]:
    if not schema.key:
        union = [*current, *(each for each in dict.fromkeys(patch) if each not in current)]
        return _interleaved(union, current, list(dict.fromkeys(patch)), "")
    if any(isinstance(each, dict) and each.get(_PATCH) == "replace" for each in patch):
        return _clean(patch)  # type: ignore[no-any-return]
    merged = list(current)
    for element in patch:
        if not isinstance(element, dict) or schema.key not in element:
            raise bad_request(f"map: {element} does not contain declared merge key: {schema.key}")
        position = next(
            (at for at, each in enumerate(merged) if each.get(schema.key) == element[schema.key]),
            None,
        )
        if element.get(_PATCH) == "delete":
            merged = [each for each in merged if each.get(schema.key) != element[schema.key]]
        elif position is None:
            merged.append(_merge_object({}, element, schema.item))
        else:
            merged[position] = _merge_object(merged[position], element, schema.item)
    return _interleaved(merged, current, patch, schema.key)


def _check_order(patch: Any, order: list[Any], schema: Schema) -> None:
    """The elements of a patch stand in the order that the patch asks for. Raises StatusError 400."""
    if not order or not isinstance(patch, list):
        return
    key = schema.key if isinstance(schema, ListSchema) else ""
    wanted = iter([_identity(each, key) for each in order])
    for each in patch:
        if not _is_directive(each) and _identity(each, key) not in wanted:  # `in` goes on where it stopped
            raise bad_request(f"The order in patch list:\n{patch}\n doesn't match {_ORDER} list:\n{order}\n")


def _arrange(merged: list[Any], before: list[Any], schema: Schema, *, delete: list[Any], order: list[Any]) -> list[Any]:
    """Take out what `$deleteFromPrimitiveList` names, then order as `$setElementOrder` says."""
    kept = [each for each in merged if each not in delete]
    if not order:
        return kept
    key = schema.key if isinstance(schema, ListSchema) else ""
    return _interleaved(kept, before, order, key)


def _interleaved(merged: list[Any], before: list[Any], order: list[Any], key: str) -> list[Any]:
    """`merged` with the elements that `order` names in that order, a new one before those it does not name.

    Elements that `order` does not name keep their place relative to those they stood beside before.
    """

    wanted = [_identity(each, key) for each in order]
    old = [_identity(each, key) for each in before]
    placed = [(_identity(each, key), each) for each in merged]
    named = sorted((pair for pair in placed if pair[0] in wanted), key=lambda pair: wanted.index(pair[0]))
    others = [pair for pair in placed if pair[0] not in wanted]
    arranged: list[Any] = []
    while named and others:
        left, right = named[0][0], others[0][0]
        takes_left = left not in old or (right in old and old.index(left) < old.index(right))
        arranged.append((named if takes_left else others).pop(0)[1])
    return [*arranged, *(each for _, each in (*named, *others))]


def _identity(element: Any, key: str) -> Any:
    """What tells an element of a list from the others: its merge key, or itself."""
    return element.get(key) if key and isinstance(element, dict) else element


def _fields_with_directives(patch: Mapping[str, Any]) -> list[str]:
    names = (
        name.removeprefix(prefix) for name in patch for prefix in (_DELETE_FROM, _ORDER) if name.startswith(prefix)
    )
    return list(dict.fromkeys(names))


def _list(patch: Mapping[str, Any], name: str) -> list[Any]:
    value = patch.get(name) or []
    if not isinstance(value, list):
        raise bad_request(f"{name} must be a list")
    return value


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and _PATCH in value


def _clean(value: Any) -> Any:
    """A value that is taken whole: its nulls and directives mean nothing there, nor does what they are about."""
    if isinstance(value, dict):
        kept = ((name, each) for name, each in value.items() if each is not None and not name.startswith(_DIRECTIVES))
        return {name: _clean(each) for name, each in kept if not _is_directive(each)}
    if isinstance(value, list):
        return [_clean(each) for each in value if not _is_directive(each)]
    return value
