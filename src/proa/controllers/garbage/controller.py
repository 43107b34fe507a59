"""The garbage collector's work: for one object, whether its owners still want it, or its dependents still hold it.

An owner counts as absent only when the API itself says so, by uid: a copy may be behind. Owner references across
namespaces are invalid: such an owner does not exist. Custom resources are watched from the moment their definition is
established until it goes. Kinds that are not watched here (those of other servers) are looked up in the API when a
dependent is looked at, and again every so often while they exist.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from proa.api.apiextensions_v1.resources import CUSTOM_RESOURCE_DEFINITIONS
from proa.api.apiextensions_v1.served import resource_of
from proa.api.groups import resources
from proa.base.errors import ProaError
from proa.client.discovery import Discovery, discover
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import Maps, Trigger
from proa.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Thing, work_key
from proa.machinery.fields import quoted
from proa.machinery.meta import OwnerReference
from proa.machinery.resource import Resource
from proa.machinery.status import is_not_found

# Owners known to be gone, so that a thousand dependents of one cost one request.
ABSENT_REMEMBERED = 500
# Seconds until an owner of a kind that is not watched is asked for again.
UNWATCHED_AGAIN = 30.0

Policy = Literal["Background", "Foreground", "Orphan"]


def collectable() -> tuple[Resource[Any], ...]:
    """Every resource that can own or be owned; events neither own nor are owned, and there are many."""
    wanted = {"list", "watch", "delete"}
    return tuple(each for each in resources() if wanted <= set(each.verbs) and each.plural != "events")


class GarbageCollector(Controller):
    name = "garbage-collector"
    workers = 20

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._resources = collectable()
        self._graph = Graph({resource: context.informer(resource) for resource in self._resources})
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._events = context.recorder("garbage-collector-controller")
        self._discovery: Discovery | None = None
        self._custom: dict[str, tuple[Resource[Any], Callable[[], None]]] = {}
        definitions = context.informer(CUSTOM_RESOURCE_DEFINITIONS)
        self._stop_following = definitions.on_change(self._definition_changed)

    def close(self) -> None:
        self._stop_following()
        for name in [*self._custom]:
            self._leave(name)

    def _definition_changed(self, old: Any, new: Any) -> None:
        """Watch what is defined, in the version it is best had in."""
        name = (new or old).metadata.name
        resource = resource_of(new)
        watched = self._custom.get(name)
        if watched is not None and (watched[0] != resource or resource is None):
            self._leave(name, gone=new is None)
            watched = None
        if watched is None and resource is not None:
            informer = self.context.informer(resource)
            self._graph.add(resource, informer)
            changes = self._changes_of(resource)

            def changed(before: Any, after: Any) -> None:
                for key in changes(before, after):
                    self.queue.add(key)

            self._custom[name] = resource, informer.on_change(changed)

    def _leave(self, name: str, *, gone: bool = False) -> None:
        """Watch it no more. gone: its objects have gone with the definition; what they owned is looked at once more."""
        resource, disconnect = self._custom.pop(name)
        disconnect()
        informer = self._graph.remove(resource)
        if gone:
            for obj in informer.list():
                self._gone(obj)
                for each in self._graph.dependents(obj.metadata.uid):
                    self.queue.add(each.key)
        self.context.informers.forget(informer)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return tuple(Maps(resource, self._changes_of(resource)) for resource in self._resources)

    def _changes_of(self, resource: Resource[Any]) -> Callable[[Any, Any], Iterable[str]]:
        graph = self._graph

        def keys(old: Any, new: Any) -> Iterable[str]:
            if new is None:
                dependents = [each.key for each in graph.dependents(old.metadata.uid)]
                if dependents:
                    self._gone(old)
                return dependents + self._waiting_owners(resource, old)
            meta = new.metadata
            if old is None:
                interesting = bool(meta.ownerReferences) or (meta.deletionTimestamp is not None and meta.finalizers)
                return (work_key(resource, new),) if interesting else ()
            before = old.metadata
            if before.ownerReferences != meta.ownerReferences:
                return [work_key(resource, new), *self._waiting_owners(resource, old)]
            if meta.deletionTimestamp is None or not (ORPHAN in meta.finalizers or FOREGROUND in meta.finalizers):
                return ()
            if before.deletionTimestamp is None or before.finalizers != meta.finalizers:
                return (work_key(resource, new),)
            return ()

        return keys

    def _waiting_owners(self, resource: Resource[Any], obj: Any) -> list[str]:
        """Owners whose foreground deletion may go on now that `obj` is gone or has let go."""
        thing = Thing(resource, obj)
        owners = [self._graph.owner(thing, reference) for reference in obj.metadata.ownerReferences]
        return [owner.key for owner in owners if owner is not None and owner.waits_for_dependents]

    async def reconcile(self, key: str) -> Outcome:
        thing = self._graph.thing(key)
        if thing is None:
            return DONE
        if thing.orphans_dependents:
            return await self._orphan(thing)
        if thing.waits_for_dependents:
            return await self._wait_for_dependents(thing)
        if thing.is_deleting or not thing.meta.ownerReferences:
            return DONE
        return await self._keep_or_collect(thing)

    async def _keep_or_collect(self, thing: Thing) -> Outcome:
        solid: list[OwnerReference] = []
        absent: list[OwnerReference] = []
        waiting: list[OwnerReference] = []
        unwatched = False
        for reference in thing.meta.ownerReferences:
            owner = self._graph.owner(thing, reference)
            if owner is not None:
                (waiting if owner.waits_for_dependents else solid).append(reference)
                continue
            found = await self._live_owner(thing, reference)
            if found is None:
                absent.append(reference)
                continue
            unwatched = unwatched or self._graph.resource_of(reference) is None
            meta = found["metadata"]
            waits = bool(meta.get("deletionTimestamp")) and FOREGROUND in meta.get("finalizers", ())
            (waiting if waits else solid).append(reference)
        if solid:
            if absent or waiting:
                await self._remove_owners(thing, [*absent, *waiting])
            return requeue_after(UNWATCHED_AGAIN, "an owner's kind is not watched") if unwatched else DONE
        policy: Policy = "Background"
        dependents = list(self._graph.dependents(thing.meta.uid)) if waiting else []
        if dependents:
            # Owners may own each other in a circle, and each would wait for the next one for ever.
            if any(each.waits_for_dependents for each in dependents) and thing.blocks_any:
                await self._stop_blocking(thing)
                return Outcome(note="may be in a circle: blocks its owners no more")
            policy = "Foreground"
        elif ORPHAN in thing.meta.finalizers:
            policy = "Orphan"
        elif FOREGROUND in thing.meta.finalizers:
            policy = "Foreground"
        await self._delete(thing, policy)
        return Outcome(note=f"collected ({policy})")

    async def _live_owner(self, thing: Thing, reference: OwnerReference) -> dict[str, Any] | None:
        """The owner as the API has it; None when it is truly absent."""
        group, _, version = reference.apiVersion.rpartition("/")
        if (reference.uid, "") in self._absent or (reference.uid, thing.meta.namespace) in self._absent:
            return None
        resource = self._graph.resource_of(reference)
        if resource is not None:
            namespaced, root = resource.namespaced, resource.plural
            version = resource.version
        else:
            served = await self._discover(reference)
            namespaced, root, version = served.namespaced, served.plural, served.version
        if namespaced and not thing.meta.namespace:
            self._tell_invalid(thing, reference)
            # Nobody can say which namespace was meant, so nobody can say that the owner is gone.
            return {"metadata": {"uid": reference.uid}}
        namespace = thing.meta.namespace if namespaced else ""
        prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
        path = f"{prefix}/namespaces/{namespace}/{root}" if namespace else f"{prefix}/{root}"
        try:
            found = await self.client.document("GET", f"{path}/{reference.name}")
        except ProaError as error:
            if not is_not_found(error):
                raise
            found = None
        if found is not None and found["metadata"]["uid"] == reference.uid:
            return found
        if namespace and self._lives_elsewhere(reference, namespace):
            self._tell_invalid(thing, reference)
        self._remember_absent(reference.uid, namespace)
        return None

    def _gone(self, owner: Any) -> None:
        """An owner that was seen to go need not be asked for; its kind may even be gone with it."""
        self._remember_absent(owner.metadata.uid, owner.metadata.namespace)

    def _remember_absent(self, uid: str, namespace: str) -> None:
        self._absent[uid, namespace] = None
        if len(self._absent) > ABSENT_REMEMBERED:
            self._absent.popitem(last=False)

    def _lives_elsewhere(self, reference: OwnerReference, namespace: str) -> bool:
        resource = self._graph.resource_of(reference)
        if resource is None:
            return False
        return any(
            each.metadata.uid == reference.uid and each.metadata.namespace != namespace
            for each in self.context.informer(resource).list()
        )

    def _tell_invalid(self, thing: Thing, reference: OwnerReference) -> None:
        kind, namespace = f"{reference.apiVersion}/{reference.kind}", thing.meta.namespace
        what = f"[{kind}, namespace: {namespace}, name: {reference.name}, uid: {reference.uid}]"
        why = f"ownerRef {what} does not exist in namespace {quoted(namespace)}"
        self._events.warning(thing.object, "OwnerRefInvalidNamespace", why)

    async def _discover(self, reference: OwnerReference) -> Any:
        served = self._discovery.find(reference.apiVersion, reference.kind) if self._discovery is not None else None
        if served is None:
            self._discovery = await discover(self.client)
            served = self._discovery.find(reference.apiVersion, reference.kind)
        if served is None:
            raise ProaError(f"no resource is served for owner kind {reference.kind} in {reference.apiVersion}")
        return served

    async def _wait_for_dependents(self, thing: Thing) -> Outcome:
        """Foreground: its dependents are collected now, and it goes when none that blocks is left."""
        uid = thing.meta.uid
        dependents = list(self._graph.dependents(uid))
        for each in dependents:
            if not each.is_deleting:
                self.queue.add(each.key)
        blocking = [each for each in dependents if each.blocks(uid)]
        if not blocking:
            await self._remove_finalizer(thing, FOREGROUND)
            return Outcome(note="no dependent blocks it any more")
        return Outcome(note=f"waits for {len(blocking)} dependents")

    async def _orphan(self, thing: Thing) -> Outcome:
        uid = thing.meta.uid
        references = [OwnerReference(uid=uid)]
        dependents = list(self._graph.dependents(uid))
        for each in dependents:
            await self._remove_owners(each, references)
        await self._remove_finalizer(thing, ORPHAN)
        return Outcome(note=f"orphaned {len(dependents)} dependents")

    async def _remove_owners(self, thing: Thing, references: Iterable[OwnerReference]) -> None:
        uids = {each.uid for each in references}
        left = [_plain(each) for each in thing.meta.ownerReferences if each.uid not in uids]
        patch = {
            "metadata": {
                "uid": thing.meta.uid,
                "resourceVersion": thing.meta.resourceVersion,
                "ownerReferences": left or None,
            }
        }
        await self._patch(thing, patch)

    async def _stop_blocking(self, thing: Thing) -> None:
        """Its owners' foreground deletion waits for it no longer; the changed references bring it back here."""
        references = [{**_plain(each), "blockOwnerDeletion": False} for each in thing.meta.ownerReferences]
        meta = {"uid": thing.meta.uid, "resourceVersion": thing.meta.resourceVersion, "ownerReferences": references}
        await self._patch(thing, {"metadata": meta})

    async def _remove_finalizer(self, thing: Thing, finalizer: str) -> None:
        left = [each for each in thing.meta.finalizers if each != finalizer]
        meta = {"uid": thing.meta.uid, "resourceVersion": thing.meta.resourceVersion, "finalizers": left or None}
        await self._patch(thing, {"metadata": meta})

    async def _patch(self, thing: Thing, patch: dict[str, Any]) -> None:
        try:
            await self.client.patch(thing.resource, thing.meta.name, thing.meta.namespace, patch, type="merge")
        except ProaError as error:
            if not is_not_found(error):
                raise

    async def _delete(self, thing: Thing, policy: Policy) -> None:
        meta = thing.meta
        try:
            # Guarded by the version too: an owner added a moment ago must not lose it.
            await self.client.delete(
                thing.resource,
                meta.name,
                meta.namespace,
                propagation=policy,
                uid=meta.uid,
                resource_version=meta.resourceVersion,
            )
        except ProaError as error:
            if not is_not_found(error):
                raise


def _plain(reference: OwnerReference) -> dict[str, Any]:
    fields = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
    return {name: value for name in fields if (value := getattr(reference, name)) is not None}
