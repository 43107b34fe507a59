"""The metadata the system fills in and guards: names, uids, times, namespaces, generations.

Pure functions over plain documents; the registry calls them around every write. Not here: labels, annotations and
managed fields, which belong to the client, and deletion (`deletion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from proa.machinery import status as failures
from proa.machinery.names import new_uid
from proa.machinery.resource import Resource

Document = dict[str, Any]

# What an update can never change: taken over from the stored object.
_GUARDED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def of(document: Document) -> Document:
    """The metadata of a document, made where it is missing. Raises StatusError 400 when it is no object."""
    metadata = document.get("metadata")
    if metadata is None:
        metadata = document["metadata"] = {}
    elif not isinstance(metadata, dict):
        raise failures.bad_request("metadata: must be an object")
    return metadata


def match_namespace(resource: Resource[Any], metadata: Document, namespace: str) -> None:
    """The object's namespace is the request's. Raises StatusError 400 when the object says another."""
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        metadata["namespace"] = namespace
    elif metadata["namespace"] != namespace:
        raise failures.bad_request(_OTHER_NAMESPACE)


_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


def fill_for_create(resource: Resource[Any], document: Document, namespace: str, now: str, random: Random) -> Document:
    """Make the metadata of a new object complete but for its name; the metadata."""
    metadata = of(document)
    match_namespace(resource, metadata, namespace)
    if metadata.pop("resourceVersion", None):
        raise failures.bad_request("resourceVersion should not be set on objects to be created")
    for name in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        metadata.pop(name, None)
    metadata["uid"] = new_uid(random)
    metadata["creationTimestamp"] = now
    if resource.has_generation:
        metadata["generation"] = 1
    return metadata


def name_of(document: Mapping[str, Any]) -> str:
    """The name that a document says; '' where it says none."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def match_name(said: str, name: str) -> None:
    """What replaces an object says the name that the URL does. Raises StatusError 400."""
    if not said:
        detail = f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        raise failures.bad_request(detail)
    if said != name:
        raise failures.bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")


def guard_update(resource: Resource[Any], document: Document, old: Mapping[str, Any], name: str) -> Document:
    """Take what an update cannot change from the stored object; the metadata.

    Raises StatusError: 400 when the object names another than the URL does, 409 when its uid is of another.
    """
    metadata = of(document)
    kept = old["metadata"]
    match_name(metadata.setdefault("name", name), name)
    match_namespace(resource, metadata, kept.get("namespace", ""))
    uid = metadata.get("uid")
    if uid and uid != kept.get("uid"):
        raise failures.other_uid(resource, name, uid, kept.get("uid", ""))
    metadata.pop("selfLink", None)
    for field in _GUARDED:
        if field in kept:
            metadata[field] = kept[field]
        else:
            metadata.pop(field, None)
    if "generateName" in kept:
        metadata.setdefault("generateName", kept["generateName"])
    return metadata


def check_settled(resource: Resource[Any], metadata: Document, old: Mapping[str, Any], revision: int) -> None:
    """What somebody outside of the server made of the metadata in admission is still about the object that is updated.

    revision: which is replaced; that need not be said. Raises StatusError 400, 409.
    """
    match_namespace(resource, metadata, old["metadata"].get("namespace", ""))
    found = metadata.get("resourceVersion")
    if found and found != str(revision):
        raise failures.conflict(resource, old["metadata"]["name"])


def dedup_owners(metadata: Document, warnings: list[str], when: str = "") -> None:
    """Leave out owners that are said twice, with a warning. when: where the second was found, if not in the request."""
    said = metadata.get("ownerReferences")
    if not said or len(said) < 2:
        return
    kept: list[Document] = []
    again: list[Document] = []
    for each in said:
        (again if each in kept else kept).append(each)
    if again:
        metadata["ownerReferences"] = kept
        warnings.append(
            f".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, "
            "and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
            + ", ".join(each.get("uid", "") for each in again)
        )


AFTER_ADMISSION = " after mutating admission happens"


def desired_changed(document: Mapping[str, Any], old: Mapping[str, Any], *, with_status: bool = False) -> bool:
    """Whether anything but metadata and status differs: what `metadata.generation` counts.

    with_status: the status is a field like any other, because it has no subresource.
    """
    return any(
        document.get(field) != old.get(field)
        for field in document.keys() | old.keys()
        if field not in _UNCOUNTED and (field != "status" or with_status)
    )


_UNCOUNTED = ("metadata", "apiVersion", "kind")
