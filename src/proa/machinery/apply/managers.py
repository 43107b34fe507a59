"""Who owns which fields: the entries of metadata.managedFields, and how a write moves ownership.

Source: KEP-555. Two writes exist: `apply`, which owns exactly what it says and conflicts with others, and every other
write, which owns what it changed. Documents are plain JSON; nothing given is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from proa.machinery.apply import last_applied
from proa.machinery.apply.fieldset import (
    FieldSet,
    changes,
    difference,
    dotted,
    fields_of,
    fields_of_new,
    intersection,
    leaves,
    unite,
)
from proa.machinery.apply.merging import merged
from proa.machinery.apply.pruning import pruned
from proa.machinery.meta import StatusCause
from proa.machinery.schema import ObjectSchema, Property
from proa.machinery.status import apply_conflict, bad_request

APPLY = "Apply"
UPDATE = "Update"
MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"
BEFORE = "before-first-apply"

Document = dict[str, Any]

# What nobody owns: identity and what the server itself writes.
_UNOWNED: FieldSet = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        f"f:{name}": {}
        for name in (
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "selfLink",
            "generation",
            "resourceVersion",
            "managedFields",
        )
    },
}
_UNOWNED_METADATA = frozenset(name.removeprefix("f:") for name in _UNOWNED["f:metadata"])


class Writer(msgspec.Struct, frozen=True):
    """Who writes, as managedFields tells writers apart. time: RFC 3339, when the write happens."""

    manager: str
    operation: str
    api_version: str
    time: str
    subresource: str = ""


class _Entry(msgspec.Struct, frozen=True):
    writer: Writer
    fields: FieldSet

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.writer.manager, self.writer.operation, self.writer.api_version, self.writer.subresource

    def document(self) -> Document:
        writer = self.writer
        document: Document = {
            "manager": writer.manager,
            "operation": writer.operation,
            "apiVersion": writer.api_version,
            "time": writer.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": dict(self.fields),
        }
        if writer.subresource:
            document["subresource"] = writer.subresource
        return document


def _entries(document: Mapping[str, Any]) -> list[_Entry]:
    found = []
    for each in (document.get("metadata") or {}).get("managedFields") or ():
        writer = Writer(
            each.get("manager") or "",
            each.get("operation") or UPDATE,
            each.get("apiVersion") or "",
            each.get("time") or "",
            each.get("subresource") or "",
        )
        found.append(_Entry(writer, each.get("fieldsV1") or {}))
    return found


def _with_entries(document: Mapping[str, Any], entries: Iterable[_Entry]) -> Document:
    metadata = dict(document.get("metadata") or ())
    metadata.pop("managedFields", None)
    kept = [each.document() for each in entries if each.fields]
    if kept:
        metadata["managedFields"] = kept
    return {**document, "metadata": metadata}


def _bare(document: Mapping[str, Any]) -> Document:
    """The document without what nobody owns."""
    bare = dict(document)
    bare.pop("apiVersion", None)
    bare.pop("kind", None)
    metadata = bare.pop("metadata", None) or {}
    bare["metadata"] = {name: value for name, value in metadata.items() if name not in _UNOWNED_METADATA}
    return bare


def _fields_of_created(new: Mapping[str, Any], schema: ObjectSchema) -> FieldSet:
    """Replicas differ in what nobody owns, their names: they share a set, and encoding is cheaper than walking."""
    bare = _bare(new)
    said = msgspec.json.encode(bare)
    return _fields_said(said, schema) if len(said) <= _LARGEST_REPLICA else fields_of_new(bare, schema)


_LARGEST_REPLICA = 32 * 1024
"""Bytes. What is larger is data, not the pod of a workload, and would be kept for nothing."""


@lru_cache(128)
def _fields_said(bare: bytes, schema: ObjectSchema) -> FieldSet:
    return fields_of_new(msgspec.json.decode(bare), schema)


def track_update(
    live: Mapping[str, Any] | None, new: Mapping[str, Any], schema: ObjectSchema, writer: Writer
) -> Document:
    """`new` with managedFields brought up to date for a create, update or patch by `writer`.

    Owners are those that `new` names, so a client may move ownership by hand; an empty managedFields list forgets all
    of them, an absent one keeps those of `live` (None on create).
    """
    metadata = new.get("metadata") or {}
    if live is None:
        return _with_entries(new, [_Entry(writer, _fields_of_created(new, schema))])
    written, removed = changes(_bare(live), _bare(new), Property("", schema), as_stored=True)
    if "managedFields" not in metadata:
        entries = _entries(live)
    elif any(metadata["managedFields"] or ()):
        entries = _entries(new)
    else:
        entries = []
    if not entries or not (written or removed):
        return _with_entries(new, entries)  # what nobody manages stays so until somebody applies it
    touched = unite((written, removed))
    kept: list[_Entry] = []
    mine: _Entry | None = None
    identity = _Entry(writer, {}).identity
    for each in entries:
        if each.identity == identity:
            mine = each
        else:
            kept.append(replace(each, fields=difference(each.fields, touched)))
    owned = difference(mine.fields, removed) if mine else {}
    kept.append(_Entry(writer, unite((owned, written))))
    return _with_entries(new, _capped(kept))


def _capped(entries: Sequence[_Entry]) -> Sequence[_Entry]:
    """At most so many update managers; the oldest beyond that become one."""
    if len(entries) <= MAX_UPDATE_MANAGERS:
        return entries
    updates = sorted((each for each in entries if each.writer.operation == UPDATE), key=lambda each: each.writer.time)
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return entries
    old = updates[: excess + 1]
    newest = old[-1].writer
    ancient = _Entry(replace(newest, manager=ANCIENT, subresource=""), unite([each.fields for each in old]))
    return [ancient, *(each for each in entries if each not in old)]


def server_side_apply(
    live: Mapping[str, Any] | None,
    applied: Mapping[str, Any],
    schema: ObjectSchema,
    writer: Writer,
    *,
    force: bool = False,
) -> Document:
    """The object after `writer` applies the configuration `applied`, whose lists can be merged (`list_defects`).

    Raises StatusError 409 naming each conflict.
    Fields the same manager applied before and leaves out now are removed, unless somebody else owns them too.
    """
    if ((applied.get("metadata") or {}).get("managedFields")) is not None:
        raise bad_request("metadata.managedFields must be nil")
    root = Property("", schema)
    current: Document = dict(live) if live is not None else {}
    entries = _entries(current)
    if live is not None and not entries:
        nobody = replace(writer, manager=BEFORE, operation=UPDATE, subresource="")
        entries = [_Entry(nobody, fields_of_new(_bare(live), schema))]
    identity = _Entry(writer, {}).identity
    mine = next((each for each in entries if each.identity == identity), None)
    # The same manager may have applied another version of the API before: that ownership moves too.
    former = [
        each
        for each in entries
        if each.writer.operation == APPLY
        and each.writer.manager == writer.manager
        and each.writer.subresource == writer.subresource
    ]
    others = [each for each in entries if each not in former]
    bare = _bare(applied)
    wanted = fields_of(bare, root)
    if not wanted["f:metadata"]:
        del wanted["f:metadata"]
    result = merged(current, applied, root)
    before = unite([each.fields for each in former])
    if difference(before, wanted):
        managed = unite((fields_of(applied, root), *(each.fields for each in others)))
        result = pruned(result, before, managed, root)
    written, removed = changes(_bare(current), _bare(result), root)
    conflicts = [(each, intersection(each.fields, written)) for each in others]
    conflicts = [(each, common) for each, common in conflicts if common]
    if conflicts and not force:
        if writer.manager == last_applied.MANAGER:
            allowed = last_applied.still_said(current, writer.api_version, root)
            conflicts = [(each, left) for each, common in conflicts if (left := difference(common, allowed))]
        if conflicts:
            raise _conflict(conflicts)
    touched = unite((written, removed))
    others = [replace(each, fields=difference(each.fields, touched)) for each in others]
    unchanged = mine is not None and mine.fields == wanted and _bare(current) == _bare(result)
    entry = mine if unchanged and mine is not None else _Entry(writer, wanted)
    if writer.manager == last_applied.MANAGER:
        result = last_applied.brought_up_to_date(result, applied)
    return _with_entries(result, [*others, entry])


def _conflict(conflicts: Sequence[tuple[_Entry, FieldSet]]) -> Exception:
    causes: list[StatusCause] = []
    listed: list[str] = []
    for entry, fields in sorted(conflicts, key=lambda each: each[0].identity):
        by = _named(entry.writer)
        paths = [dotted(path) for path in leaves(fields)]
        causes += (StatusCause(reason="FieldManagerConflict", message=f"conflict with {by}", field=p) for p in paths)
        listed += (f"conflicts with {by}:", *(f"- {path}" for path in paths))
    if len(causes) == 1:
        return apply_conflict(causes, f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}")
    return apply_conflict(causes, f"Apply failed with {len(causes)} conflicts: " + "\n".join(listed))


def _named(writer: Writer) -> str:
    """How a conflict names a writer: when and in which version matters only for one that did not apply."""
    by = f'"{writer.manager}"'
    if writer.subresource:
        by += f' with subresource "{writer.subresource}"'
    if writer.operation == UPDATE:
        by += f" using {writer.api_version}" + (f" at {writer.time}" if writer.time else "")
    return by
