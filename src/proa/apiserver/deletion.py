"""What a delete means: at once, after a grace period, or when the last finalizer is gone.

A pure decision over the stored document and the options, so that it can be read and tested without a server. Not here:
storing the outcome (registry), and acting on it: the kubelet, the garbage collector and the namespace controller do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from proa.apiserver.metadata import Document
from proa.apiserver.options import refuse
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path
from proa.machinery.resource import Resource
from proa.machinery.strategy import DEFAULT
from proa.machinery.timestamps import format_time

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_POLICIES = ("Foreground", "Background", "Orphan")


class Deletion(msgspec.Struct, frozen=True):
    """The outcome: `document` is None to remove the object now, else the object as it must be stored while it goes
    away; `changed` is False when it is already so."""

    document: Document | None
    changed: bool = True


def check_options(options: Mapping[str, Any]) -> None:
    """Raises StatusError 422 for contradicting or unknown DeleteOptions."""
    policy, errors = options.get("propagationPolicy"), ErrorList()
    if policy is not None:
        path = Path("propagationPolicy")
        if options.get("orphanDependents") is not None:
            errors.invalid(path, policy, "orphanDependents and deletionPropagation cannot be both set")
        if policy not in _POLICIES:
            errors.unsupported(path, policy, (*_POLICIES, "nil"))
    if options.get("ignoreStoreReadErrorWithClusterBreakingPotential"):
        path = Path("ignoreStoreReadErrorWithClusterBreakingPotential")
        errors.forbidden(path, "what is stored can be read, so nothing is deleted without having been")
    refuse("DeleteOptions", errors)


def warnings(resource: Resource[Any], options: Mapping[str, Any]) -> list[str]:
    """What a client should know who deletes with these DeleteOptions."""
    strategy: Any = resource.strategy or DEFAULT
    said = options.get("propagationPolicy") is not None or options.get("orphanDependents") is not None
    return [strategy.orphans_warning] if strategy.orphans_warning and not said else []


def check_preconditions(resource: Resource[Any], name: str, options: Mapping[str, Any], uid: str, version: str) -> None:
    """Raises StatusError 409 when the object is not the one the client meant."""
    wanted = options.get("preconditions") or {}
    for what, field, asked, found in (
        ("UID", "UID", wanted.get("uid"), uid),
        ("ResourceVersion", "ResourceVersion", wanted.get("resourceVersion"), version),
    ):
        if asked is not None and asked != found:
            raise failures.conflict(
                resource,
                name,
                f"Precondition failed: {what} in precondition: {asked}, {field} in object meta: {found}",
            )


def decide(resource: Resource[Any], stored: Mapping[str, Any], options: Mapping[str, Any], now: datetime) -> Deletion:
    """What deleting `stored` with these DeleteOptions does. `stored` is not changed."""
    if resource.strategy is not None and stored["metadata"].get("deletionTimestamp") is None:
        marked: Document = {**stored, "metadata": dict(stored["metadata"])}
        resource.strategy.prepare_for_delete(marked, format_time(now))
        stored = marked
    metadata: Document = dict(stored["metadata"])
    strategy: Any = resource.strategy or DEFAULT
    finalizers = _finalizers(metadata.get("finalizers", []), options, orphan=strategy.orphans_dependents)
    grace = _grace(resource, stored, options)
    deleting = metadata.get("deletionTimestamp")
    if deleting is not None:
        before = metadata.get("deletionGracePeriodSeconds") or 0
        grace = before if options.get("gracePeriodSeconds") is None else min(grace, before)
    pending = bool(finalizers) or holds_namespace(resource, stored)
    if grace == 0 and not pending:
        return Deletion(None)

    if deleting is None:
        metadata["deletionTimestamp"] = format_time(now + timedelta(seconds=grace))
        if metadata.get("generation"):
            metadata["generation"] += 1
    elif grace < (metadata.get("deletionGracePeriodSeconds") or 0):
        metadata["deletionTimestamp"] = format_time(now + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    document: Document = {**stored, "metadata": metadata}
    if resource.qualified == "namespaces":
        document["status"] = {**document.get("status", {}), "phase": "Terminating"}
    return Deletion(document, document != stored)


def complete(resource: Resource[Any], document: Mapping[str, Any]) -> bool:
    """Whether an object that is being deleted has nothing left to wait for, so that an update removes it."""
    metadata = document["metadata"]
    return (
        metadata.get("deletionTimestamp") is not None
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not holds_namespace(resource, document)
    )


def holds_namespace(resource: Resource[Any], document: Mapping[str, Any]) -> bool:
    """A Namespace has finalizers of its own in its spec; they go through its finalize subresource."""
    return resource.qualified == "namespaces" and bool((document.get("spec") or {}).get("finalizers"))


def _finalizers(found: list[str], options: Mapping[str, Any], *, orphan: bool) -> list[str]:
    """The finalizers after the propagation policy has had its say. Without one those present stay; where none of them
    is one, dependents go too, unless they are orphaned by default."""
    policy = options.get("propagationPolicy")
    if options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    if policy is None and orphan and not {ORPHAN, FOREGROUND} & set(found):
        policy = "Orphan"
    if policy is None:
        return list(found)
    kept = [each for each in found if each not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    return kept


def _grace(resource: Resource[Any], stored: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Seconds the object is given. Only pods have any: one that runs nowhere, or no more, needs none."""
    if resource.qualified != "pods":
        return 0
    spec, status = stored.get("spec") or {}, stored.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    grace = options.get("gracePeriodSeconds")
    if grace is None:
        grace = spec.get("terminationGracePeriodSeconds")
        grace = 30 if grace is None else grace
    return 1 if grace < 0 else int(grace)
