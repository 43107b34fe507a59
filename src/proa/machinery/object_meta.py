"""Validation of what every object carries: metadata on create and update, label selectors, conditions.

The wording is upstream's, because tools match on it. Not here: filling metadata in (the API server's registry) and
what a kind adds (its strategy).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from proa.machinery import names
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.meta import Condition, LabelSelector, ObjectMeta, OwnerReference

METADATA = Path("metadata")
ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all annotation keys and values together."""
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"

_FIELD_MANAGER_LIMIT = 128
_SUBRESOURCE_LIMIT = 256


def validate_object_meta(
    meta: ObjectMeta, errors: ErrorList, *, namespaced: bool, name_rule: str = "subdomain", path: Path = METADATA
) -> None:
    """Metadata of a new object whose name has been generated and whose namespace has been filled in."""
    if meta.generateName:
        stem = meta.generateName[:-1] + "a" if meta.generateName.endswith("-") else meta.generateName
        for text in names.name_errors(name_rule, stem):
            errors.invalid(path.child("generateName"), meta.generateName, text)
    if not meta.name:
        errors.required(path.child("name"), "name or generateName is required")
    else:
        for text in names.name_errors(name_rule, meta.name):
            errors.invalid(path.child("name"), meta.name, text)
    if not namespaced:
        if meta.namespace:
            errors.forbidden(path.child("namespace"), "not allowed on this type")
    elif not meta.namespace:
        errors.required(path.child("namespace"))
    else:
        for text in _namespace_errors(meta.namespace):
            errors.invalid(path.child("namespace"), meta.namespace, text)
    if meta.generation < 0:
        errors.invalid(path.child("generation"), meta.generation, "must be greater than or equal to 0")
    _validate_common(meta, errors, path)
    if meta.finalizers:
        validate_finalizers(meta.finalizers, errors, path.child("finalizers"))


def validate_object_meta_update(new: ObjectMeta, old: ObjectMeta, errors: ErrorList, *, path: Path = METADATA) -> None:
    """Metadata of a new version. System-set fields a client left out have been copied from the old one before.

    The resourceVersion is not looked at: it guards the write, and is no part of what is stored.
    """
    if old.deletionTimestamp is not None:
        added = sorted(set(new.finalizers) - set(old.finalizers))
        if added:
            listed = ", ".join(map(quoted, added))
            errors.forbidden(
                path.child("finalizers"),
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}",
            )
    if new.generation < old.generation:
        errors.invalid(path.child("generation"), new.generation, "must not be decremented")
    for field in _IMMUTABLE:
        if getattr(new, field) != getattr(old, field):
            errors.immutable(path.child(field), getattr(new, field))
    _validate_common(new, errors, path)
    if new.finalizers != old.finalizers:
        validate_finalizers(new.finalizers, errors, path.child("finalizers"))


_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


@lru_cache(maxsize=1024)
def _namespace_errors(name: str) -> tuple[str, ...]:
    return tuple(names.dns1123_label(name))


def _validate_common(meta: ObjectMeta, errors: ErrorList, path: Path) -> None:
    if meta.labels:
        validate_labels(meta.labels, errors, path.child("labels"))
    if meta.annotations:
        validate_annotations(meta.annotations, errors, path.child("annotations"))
    if meta.ownerReferences:
        validate_owner_references(meta.ownerReferences, errors, path.child("ownerReferences"))
    for position, entry in enumerate(meta.managedFields):
        said = entry.operation, entry.fieldsType, entry.manager, entry.subresource
        if not _is_managed_soundly(*said):
            _validate_managed(*said, errors, path.child("managedFields").index(position))


@lru_cache(maxsize=8192)
def _key_errors(key: str) -> tuple[str, ...]:
    return tuple(names.qualified_name(key))


@lru_cache(maxsize=8192)
def _value_errors(value: str) -> tuple[str, ...]:
    return tuple(names.label_value(value))


def validate_labels(labels: Mapping[str, str], errors: ErrorList, path: Path) -> None:
    """Keys are qualified names, values label values."""
    for key, value in labels.items():
        for text in _key_errors(key):
            errors.invalid(path, key, text)
        for text in _value_errors(value):
            errors.invalid(path, value, text)


def validate_annotations(annotations: Mapping[str, str], errors: ErrorList, path: Path) -> None:
    """Keys are qualified names in any case; all together are bounded."""
    size = 0
    for key, value in annotations.items():
        for text in _key_errors(key.lower()):
            errors.invalid(path, key, text)
        size += len(key) + (len(value) if value.isascii() else len(value.encode()))
    if size > ANNOTATIONS_LIMIT:
        errors.too_long(path, ANNOTATIONS_LIMIT)


def validate_owner_references(references: Iterable[OwnerReference], errors: ErrorList, path: Path) -> None:
    """Every reference is complete, none is an Event, at most one is the controller."""
    controller = ""
    for each in references:
        version = each.apiVersion.rpartition("/")[2]
        if not version:
            errors.invalid(path.child("apiVersion"), each.apiVersion, "version must not be empty")
        for field in ("kind", "name", "uid"):
            if not getattr(each, field):
                errors.invalid(path.child(field), getattr(each, field), "must not be empty")
        if each.apiVersion == "v1" and each.kind == "Event":
            errors.invalid(path, each, "/v1, Kind=Event is disallowed from being an owner")
        if each.controller:
            this = f"{each.kind}/{each.name}"
            if controller:
                errors.invalid(
                    path,
                    tuple(references),
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {this}',
                )
            controller = controller or this


def validate_finalizers(finalizers: Iterable[str], errors: ErrorList, path: Path) -> None:
    """Each is a qualified name; orphaning and foreground deletion exclude each other."""
    finalizers = tuple(finalizers)
    for each in finalizers:
        for text in _key_errors(each):
            errors.invalid(path, each, text)
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        errors.invalid(path, finalizers, f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set")


@lru_cache(maxsize=1024)
def _is_managed_soundly(operation: str, fields_type: str, manager: str, subresource: str) -> bool:
    """Remembered, because the same few writers come again and again, and every write passes all of an object's."""
    errors = ErrorList()
    _validate_managed(operation, fields_type, manager, subresource, errors, METADATA)
    return not errors


def _validate_managed(
    operation: str, fields_type: str, manager: str, subresource: str, errors: ErrorList, path: Path
) -> None:
    if operation not in ("Apply", "Update"):
        errors.invalid(path.child("operation"), operation, "must be `Apply` or `Update`")
    if fields_type not in ("", "FieldsV1"):
        errors.invalid(path.child("fieldsType"), fields_type, "must be `FieldsV1`")
    validate_field_manager(manager, errors, path.child("manager"))
    if len(subresource) > _SUBRESOURCE_LIMIT:
        errors.too_long(path.child("subresource"), _SUBRESOURCE_LIMIT)


def validate_field_manager(manager: str, errors: ErrorList, path: Path) -> None:
    """At most 128 bytes, printable."""
    if len(manager.encode()) > _FIELD_MANAGER_LIMIT:
        errors.too_long(path, _FIELD_MANAGER_LIMIT)
    for position, character in enumerate(manager):
        if not character.isprintable():
            errors.invalid(path, manager, f"invalid character U+{ord(character):04X} (at position {position})")


def validate_label_selector(selector: LabelSelector | None, errors: ErrorList, path: Path) -> None:
    """A LabelSelector inside an object."""
    if selector is None:
        return
    if selector.matchLabels:
        validate_labels(selector.matchLabels, errors, path.child("matchLabels"))
    for position, each in enumerate(selector.matchExpressions):
        at = path.child("matchExpressions").index(position)
        if each.operator in ("In", "NotIn"):
            if not each.values:
                errors.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'")
        elif each.operator in ("Exists", "DoesNotExist"):
            if each.values:
                errors.forbidden(
                    at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        else:
            errors.invalid(at.child("operator"), each.operator, "not a valid selector operator")
        for text in _key_errors(each.key):
            errors.invalid(at.child("key"), each.key, text)
        for index, value in enumerate(each.values):
            for text in _value_errors(value):
                errors.invalid(at.child("values").index(index), value, text)


def validate_conditions(conditions: Iterable[Condition], errors: ErrorList, path: Path) -> None:
    """Conditions of the standard type: unique types, a known status, a reason, a time."""
    seen = set()
    for position, each in enumerate(conditions):
        at = path.index(position)
        if each.type in seen:
            errors.duplicate(at.child("type"), each.type)
        seen.add(each.type)
        if not each.type:
            errors.required(at.child("type"))
        if each.status not in ("True", "False", "Unknown"):
            errors.unsupported(at.child("status"), each.status, ("False", "True", "Unknown"))
        if each.observedGeneration < 0:
            errors.invalid(
                at.child("observedGeneration"), each.observedGeneration, "must be greater than or equal to zero"
            )
        if each.lastTransitionTime is None:
            errors.required(at.child("lastTransitionTime"))
        if not each.reason:
            errors.required(at.child("reason"))
        if len(each.reason) > 1024:
            errors.too_long(at.child("reason"), 1024)
        if len(each.message) > 32 * 1024:
            errors.too_long(at.child("message"), 32 * 1024)
