"""Empties a namespace that is being deleted: pods first, then everything else there is, then lets go of it.

What exists is asked of the API itself (discovery), so custom resources go too. Conditions say what is still in the way
(KEP-5080 for the order). Admission keeps new objects out once the phase is Terminating.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from proa.api.core_v1 import Namespace, NamespaceCondition
from proa.api.core_v1.resources import NAMESPACES, PODS
from proa.base.errors import ProaError
from proa.client.discovery import Discovery, Served, discover
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import set_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.status import is_not_found
from proa.machinery.timestamps import format_time

FINALIZER = "kubernetes"
# What is still there (finalizers run, pods stop) is looked at again after so many seconds; lost pods are seen at once.
AGAIN = 5.0

# condition type: (reason and message while all is well, reason otherwise)
_WELL = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}
_NOT_WELL = {
    "NamespaceDeletionDiscoveryFailure": "DiscoveryFailed",
    "NamespaceDeletionGroupVersionParsingFailure": "GroupVersionParsingFailed",
    "NamespaceDeletionContentFailure": "ContentDeletionFailed",
    "NamespaceContentRemaining": "SomeResourcesRemain",
    "NamespaceFinalizersRemaining": "SomeFinalizersRemain",
}


@dataclass
class Remains:
    """What one pass could not delete: how many objects of each resource, held by which finalizers; and errors."""

    objects: dict[str, int] = field(default_factory=dict)
    finalizers: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def problems(self, discovery: Discovery) -> dict[str, str]:
        """What each condition has to complain of."""
        found: dict[str, str] = {}
        if discovery.failures:
            failed = ", ".join(f"{name}: {why}" for name, why in sorted(discovery.failures.items()))
            found["NamespaceDeletionDiscoveryFailure"] = (
                f"Discovery failed for some groups, {len(discovery.failures)} failing: "
                f"unable to retrieve the complete list of server APIs: {failed}"
            )
        if self.errors:
            found["NamespaceDeletionContentFailure"] = (
                f"Failed to delete all resource types, {len(self.errors)} remaining: {', '.join(sorted(self.errors))}"
            )
        if self.objects:
            counts = ", ".join(f"{name} has {n} resource instances" for name, n in sorted(self.objects.items()))
            found["NamespaceContentRemaining"] = f"Some resources are remaining: {counts}"
        if self.finalizers:
            counts = ", ".join(f"{name} in {n} resource instances" for name, n in sorted(self.finalizers.items()))
            found["NamespaceFinalizersRemaining"] = f"Some content in the namespace has finalizers remaining: {counts}"
        return found


def conditions_of(
    old: tuple[NamespaceCondition, ...], problems: Mapping[str, str], now: str
) -> tuple[NamespaceCondition, ...]:
    """The five conditions, True where there is a problem."""
    conditions = old
    for type, (reason, message) in _WELL.items():
        problem = problems.get(type)
        conditions = set_condition(
            conditions,
            NamespaceCondition(
                type=type,
                status="False" if problem is None else "True",
                lastTransitionTime=now,
                reason=reason if problem is None else _NOT_WELL[type],
                message=message if problem is None else problem,
            ),
        )
    return conditions


class NamespaceController(Controller):
    name = "namespace"
    workers = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = context.informer(NAMESPACES)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(NAMESPACES, when=_is_going), Maps(PODS, self._emptied_of_pod))

    def _emptied_of_pod(self, old: Any, new: Any) -> Iterable[str]:
        if new is None:
            namespace = self._namespaces.get(old.metadata.namespace)
            if namespace is not None and namespace.metadata.deletionTimestamp is not None:
                yield namespace.metadata.name

    async def reconcile(self, key: str) -> Outcome:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletionTimestamp is None:
            return DONE
        if FINALIZER not in namespace.spec.finalizers:
            return DONE
        if namespace.status.phase != "Terminating":
            status = msgspec.structs.replace(namespace.status, phase="Terminating")
            namespace = await update_status_if_changed(self.client, NAMESPACES, namespace, status)
        discovery = await discover(self.client)
        remains = await self._empty(key, discovery)
        problems = remains.problems(discovery)
        conditions = conditions_of(namespace.status.conditions, problems, format_time(self.now()))
        status = msgspec.structs.replace(namespace.status, conditions=conditions)
        namespace = await update_status_if_changed(self.client, NAMESPACES, namespace, status)
        if problems:
            return requeue_after(AGAIN, "; ".join(problems.values()))
        return await self._let_go(namespace)

    async def _let_go(self, namespace: Namespace) -> Outcome:
        finalizers = tuple(each for each in namespace.spec.finalizers if each != FINALIZER)
        spec = msgspec.structs.replace(namespace.spec, finalizers=finalizers)
        try:
            await self.client.update(NAMESPACES, msgspec.structs.replace(namespace, spec=spec), subresource="finalize")
        except ProaError as error:
            if not is_not_found(error):
                raise
        return Outcome(note="empty")

    async def _empty(self, namespace: str, discovery: Discovery) -> Remains:
        """Delete what there is. Nothing but pods while there are pods: they may still need the rest."""
        deletable = [each for each in discovery.resources if each.namespaced and "delete" in each.verbs]
        remains = Remains()
        for pods_turn in (True, False):
            for served in deletable:
                if ((served.group, served.plural) == ("", "pods")) is pods_turn:
                    await self._delete_all(namespace, served, remains)
            if remains.objects or remains.errors:
                break
        return remains

    async def _delete_all(self, namespace: str, served: Served, remains: Remains) -> None:
        path = served.path(namespace)
        try:
            items = await self._items(path, served)
            if not items:
                return
            if "deletecollection" in served.verbs:
                await self.client.document("DELETE", path, {"propagationPolicy": "Background"})
            else:
                for item in items:
                    await self._delete_one(served.path(namespace, item["metadata"]["name"]))
            items = await self._items(path, served)
        except ProaError as error:
            remains.errors.append(f"{served.qualified}: {error}")
            return
        if items:
            remains.objects[f"{served.plural}.{served.group}"] = len(items)
        for item in items:
            for finalizer in item["metadata"].get("finalizers", ()):
                remains.finalizers[finalizer] = remains.finalizers.get(finalizer, 0) + 1

    async def _items(self, path: str, served: Served) -> Sequence[Any]:
        if "list" not in served.verbs:
            return ()
        return (await self.client.document("GET", path)).get("items") or ()

    async def _delete_one(self, path: str) -> None:
        try:
            await self.client.document("DELETE", path, {"propagationPolicy": "Background"})
        except ProaError as error:
            if not is_not_found(error):
                raise


def _is_going(old: Any, new: Any) -> bool:
    return new is not None and new.metadata.deletionTimestamp is not None
