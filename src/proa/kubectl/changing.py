"""What `apply` sends: the difference between what was applied last, what is to be, and what there is.

Three ways, because a field that is missing from the manifest is to go only if an earlier manifest set it; what others
set stays. Pure: documents in, a patch out. With a schema the patch is a strategic merge patch, in which lists with a
merge key change element by element; without one, lists are replaced whole (RFC 7386), as for custom resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proa.machinery.schema import ListSchema, Schema

Document = Mapping[str, Any]
_DELETE, _DELETE_FROM, _ORDER, _RETAIN = "$patch", "$deleteFromPrimitiveList", "$setElementOrder", "$retainKeys"


def covers(current: Any, wanted: Any) -> bool:
    """Whether `current` already says all that `wanted` says; lists must have the same elements in the same order."""
    if isinstance(wanted, Mapping):
        if not isinstance(current, Mapping):
            return not wanted and current is None
        return all(value is None or covers(current.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(current, list):
            return not wanted and current is None
        return len(current) == len(wanted) and all(map(covers, current, wanted))
    return bool(current == wanted) and isinstance(current, bool) == isinstance(wanted, bool)


def drops(last: Any, wanted: Any, current: Any) -> bool:
    """Whether something that was applied last and is still there is no longer wanted."""
    if isinstance(last, Mapping) and isinstance(wanted, Mapping) and isinstance(current, Mapping):
        return any(
            key in current and (key not in wanted or drops(value, wanted[key], current[key]))
            for key, value in last.items()
        )
    if isinstance(last, list) and isinstance(wanted, list) and isinstance(current, list):
        return len(last) > len(wanted) or any(map(drops, last, wanted, current))
    return False


def patch(last: Document, wanted: Document, current: Document, schema: Schema | None = None) -> dict[str, Any]:
    """The patch that makes `current` what is wanted; {} when it is."""
    changes: dict[str, Any] = {}
    for key, value in wanted.items():
        below, strategy = _below(schema, key)
        before, now = last.get(key), current.get(key)
        if value is None:
            if now is not None:
                changes[key] = None
        elif isinstance(value, Mapping) and isinstance(now, Mapping):
            found = patch(before if isinstance(before, Mapping) else {}, value, now, below)
            if found and "retainKeys" in strategy:
                found[_RETAIN] = list(value)
            if found:
                changes[key] = found
        elif isinstance(value, list) and isinstance(now, list):
            changes |= _list_changes(key, before if isinstance(before, list) else [], value, now, below)
        elif not covers(now, value):
            changes[key] = value
    changes |= {key: None for key in last if key not in wanted and key in current}
    return changes


def _list_changes(
    name: str, last: list[Any], wanted: list[Any], current: list[Any], schema: Schema | None
) -> dict[str, Any]:
    merge: tuple[str, ...] = getattr(schema, "merge", ())
    if schema is None or "merge" not in merge:
        return {} if covers(current, wanted) and not drops(last, wanted, current) else {name: wanted}
    listed: ListSchema = schema  # type: ignore[assignment]
    if not listed.key:
        added = [each for each in wanted if each not in current]
        gone = [each for each in last if each not in wanted and each in current]
        return ({name: added} if added else {}) | ({f"{_DELETE_FROM}/{name}": gone} if gone else {})
    before, now, ours = (_by_key(each, listed.key) for each in (last, current, wanted))
    elements: list[Any] = []
    for identity, each in ours.items():
        if identity not in now:
            elements.append(each)
        elif found := patch(before.get(identity, {}), each, now[identity], listed.item):
            if "retainKeys" in merge:
                found[_RETAIN] = list(each)
            elements.append({**found, listed.key: identity})
    elements += [{_DELETE: "delete", listed.key: each} for each in before if each not in ours and each in now]
    if not elements:
        return {}
    return {name: elements, f"{_ORDER}/{name}": [{listed.key: each} for each in ours]}


def _by_key(elements: list[Any], key: str) -> dict[Any, Document]:
    return {each.get(key): each for each in elements if isinstance(each, Mapping)}


def _below(schema: Any, name: str) -> tuple[Schema | None, tuple[str, ...]]:
    """A field's schema, None where nothing is known, and its patch strategy."""
    properties = getattr(schema, "properties", None)
    if properties is not None:
        found = properties.get(name)
        return (found.schema, found.merge) if found is not None else (None, ())
    return getattr(schema, "value", None), ()
