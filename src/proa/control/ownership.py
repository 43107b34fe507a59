"""Who controls what: finding a controller's objects, adopting orphans its selector matches, releasing what it no longer
matches. Every workload controller does it this way, so that two never fight over an object.

An object is adopted only after the owner was read from the API itself and is not being deleted: an owner seen only in
the copy may be gone, and what it adopted would be collected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from proa.base.errors import ProaError
from proa.client.informer import Informer, key_of
from proa.client.protocol import Client
from proa.machinery.declare import Object
from proa.machinery.meta import LabelSelector
from proa.machinery.resource import Resource
from proa.machinery.status import is_invalid, is_not_found
from proa.rules.owners import controller_of, controller_reference
from proa.rules.selection import matches

T = TypeVar("T", bound=Object)

CONTROLLER_INDEX = "controller"


def _controllers(obj: Any) -> Iterable[str]:
    reference = controller_of(obj)
    return (reference.uid if reference is not None else orphans_of(obj.metadata.namespace),)


def orphans_of(namespace: str) -> str:
    """The index value of the objects of a namespace that nobody controls."""
    return f"orphan/{namespace}"


def index_by_controller(informer: Informer[Any]) -> None:
    """Index objects by the uid of their controller."""
    informer.add_index(CONTROLLER_INDEX, _controllers)


def controlled_by(informer: Informer[T], uid: str) -> Sequence[T]:
    """The objects whose controller has this uid."""
    return informer.by_index(CONTROLLER_INDEX, uid)


class Claims(Generic[T]):
    """The objects of one resource that a controller's objects own."""

    def __init__(self, client: Client, owners: Resource[Any], owned: Resource[T], informer: Informer[T]) -> None:
        self._client = client
        self._owners = owners
        self._owned = owned
        self._informer = informer
        index_by_controller(informer)

    async def of(self, owner: Any, selector: LabelSelector | Mapping[str, str] | None) -> list[T]:
        """What `owner` controls after claiming: raises StatusError when an adoption or a release fails."""
        claimed: list[T] = []
        for obj in controlled_by(self._informer, owner.metadata.uid):
            if matches(selector, _meta(obj).labels) or owner.metadata.deletionTimestamp is not None:
                claimed.append(obj)
            else:
                await self._release(owner, obj)
        if owner.metadata.deletionTimestamp is not None:
            return claimed
        orphans = [
            obj
            for obj in self._informer.by_index(CONTROLLER_INDEX, orphans_of(owner.metadata.namespace))
            if _meta(obj).deletionTimestamp is None and matches(selector, _meta(obj).labels)
        ]
        if orphans and await self._may_adopt(owner):
            for obj in orphans:
                adopted = await self._adopt(owner, obj)
                if adopted is not None:
                    claimed.append(adopted)
        return claimed

    async def _may_adopt(self, owner: Any) -> bool:
        meta = owner.metadata
        live: Any = await self._client.get(self._owners, meta.name, meta.namespace)
        return live.metadata.uid == meta.uid and live.metadata.deletionTimestamp is None

    async def _adopt(self, owner: Any, obj: T) -> T | None:
        reference = msgspec.to_builtins(controller_reference(owner))
        return await self._patch(obj, {"metadata": {"uid": _meta(obj).uid, "ownerReferences": [reference]}})

    async def _release(self, owner: Any, obj: T) -> T | None:
        remove = {"$patch": "delete", "uid": owner.metadata.uid}
        return await self._patch(obj, {"metadata": {"uid": _meta(obj).uid, "ownerReferences": [remove]}})

    async def _patch(self, obj: T, patch: dict[str, Any]) -> T | None:
        """None when the object is gone, or controlled by somebody else by now."""
        meta = _meta(obj)
        try:
            return await self._client.patch(self._owned, meta.name, meta.namespace, patch, type="strategic")
        except ProaError as error:
            if is_not_found(error) or is_invalid(error):
                return None
            raise


def selecting_owners(owners: Informer[T], obj: Any) -> Iterable[str]:
    """Keys of the owners in the namespace of an orphan whose `spec.selector` matches it."""
    for owner in owners.list(obj.metadata.namespace):
        spec: Any = owner.spec  # type: ignore[attr-defined]
        if matches(spec.selector, obj.metadata.labels):
            yield key_of(owner)


class OrphanTrigger(Generic[T]):
    """For `Maps`: an orphan that appears or changes wakes the owners that may adopt it."""

    def __init__(self, owners: Informer[T]) -> None:
        self._owners = owners

    def __call__(self, old: Any, new: Any) -> Iterable[str]:
        if new is None or controller_of(new) is not None or new.metadata.deletionTimestamp is not None:
            return ()
        return selecting_owners(self._owners, new)


def _meta(obj: Any) -> Any:
    return obj.metadata
