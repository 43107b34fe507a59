"""Who owns whom, across all resources: a view over the shared informers and nothing of its own.

Every informer carries an index of its objects by the uids of their owners, so dependents are looked up, owners are
fetched, and there is no second copy of the cluster that could disagree with the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from proa.client.informer import Informer, key_of
from proa.machinery.meta import OwnerReference
from proa.machinery.resource import Resource

OWNER_INDEX = "owner"

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of one resource."""

    resource: Resource[Any]
    object: Any

    @property
    def meta(self) -> Any:
        return self.object.metadata

    @property
    def key(self) -> str:
        return work_key(self.resource, self.object)

    @property
    def is_deleting(self) -> bool:
        return self.meta.deletionTimestamp is not None

    @property
    def waits_for_dependents(self) -> bool:
        """It is being deleted in the foreground: it goes after what it blocks on."""
        return self.is_deleting and FOREGROUND in self.meta.finalizers

    @property
    def orphans_dependents(self) -> bool:
        return self.is_deleting and ORPHAN in self.meta.finalizers

    def blocks(self, owner_uid: str) -> bool:
        """Whether the foreground deletion of this owner waits for it."""
        return any(each.uid == owner_uid and each.blockOwnerDeletion for each in self.meta.ownerReferences)

    @property
    def blocks_any(self) -> bool:
        """Whether the foreground deletion of some owner of it would wait for it."""
        return any(each.blockOwnerDeletion for each in self.meta.ownerReferences)


def work_key(resource: Resource[Any], obj: Any) -> str:
    """`plural.group|namespace/name`."""
    return f"{resource.qualified}|{key_of(obj)}"


def _owner_uids(obj: Any) -> Iterable[str]:
    return {reference.uid for reference in obj.metadata.ownerReferences}


class Graph:
    """See the module."""

    def __init__(self, informers: dict[Resource[Any], Informer[Any]]) -> None:
        self._informers: dict[Resource[Any], Informer[Any]] = {}
        self._by_name: dict[str, Resource[Any]] = {}
        self._by_kind: dict[tuple[str, str], Resource[Any]] = {}
        for resource, informer in informers.items():
            self.add(resource, informer)

    def add(self, resource: Resource[Any], informer: Informer[Any]) -> None:
        """Take in the objects of one more resource."""
        informer.add_index(OWNER_INDEX, _owner_uids)
        self._informers[resource] = informer
        self._by_name[resource.qualified] = resource
        self._by_kind[resource.group, resource.kind] = resource

    def remove(self, resource: Resource[Any]) -> Informer[Any]:
        """Leave out a resource that is served no more; its informer."""
        del self._by_name[resource.qualified]
        del self._by_kind[resource.group, resource.kind]
        return self._informers.pop(resource)

    def thing(self, key: str) -> Thing | None:
        """The object of a work key."""
        qualified, _, name = key.partition("|")
        resource = self._by_name.get(qualified)
        if resource is None:
            return None
        obj = self._informers[resource].get(name)
        return Thing(resource, obj) if obj is not None else None

    def resource_of(self, reference: OwnerReference) -> Resource[Any] | None:
        """The resource of an owner; None when it is not watched."""
        group, _, _ = reference.apiVersion.rpartition("/")
        return self._by_kind.get((group, reference.kind))

    def owner(self, dependent: Thing, reference: OwnerReference) -> Thing | None:
        """The owner, if the copies have it: the very one, by uid, where the dependent may refer to."""
        resource = self.resource_of(reference)
        if resource is None:
            return None
        namespace = dependent.meta.namespace if resource.namespaced else ""
        obj = self._informers[resource].get(f"{namespace}/{reference.name}" if namespace else reference.name)
        return Thing(resource, obj) if obj is not None and obj.metadata.uid == reference.uid else None

    def dependents(self, uid: str) -> Iterator[Thing]:
        """Everything that names this owner."""
        for resource, informer in list(self._informers.items()):
            for obj in informer.by_index(OWNER_INDEX, uid):
                yield Thing(resource, obj)
