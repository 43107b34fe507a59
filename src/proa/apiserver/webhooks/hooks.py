"""The admission webhooks that are configured now, and which of them such a write concerns.

Compiled when a configuration changes, so that a write costs one look into a table, and nothing at all where no webhook
is configured. Not here: selectors and conditions of a single write (`admission`), asking (`client`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from proa.apiserver import keys
from proa.apiserver.matching import matched_version
from proa.client.informer import Informers
from proa.machinery import status as failures
from proa.machinery.decode import to_document
from proa.machinery.resource import Resource
from proa.machinery.selectors import EVERYTHING, Selector, label_selector

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Hook:
    """One webhook of a configuration. What is remembered of it is kept by identity.

    uid: its own among all. spec: as declared. target: its clientConfig as a document.
    """

    configuration: str
    name: str
    uid: str
    spec: Any
    target: dict[str, Any]
    namespaces: Selector
    objects: Selector

    @property
    def ignores_failure(self) -> bool:
        return bool(self.spec.failurePolicy == "Ignore")

    @property
    def timeout(self) -> float:
        return float(self.spec.timeoutSeconds or 10)


class Concern(NamedTuple):
    """A webhook that such writes concern. version: as which it wants to see them; position: its own among all."""

    hook: Hook
    version: Resource[Any]
    position: int


class Hooks:
    """Every webhook of one kind of configuration, in the order of the configurations' names.

    served: the resources the server has now, the same tuple for as long as they are the same.
    """

    def __init__(
        self, informers: Informers, resource: Resource[Any], served: Callable[[], tuple[Resource[Any], ...]]
    ) -> None:
        self._informer = informers.informer(resource)
        self._served = served
        self._known: tuple[Resource[Any], ...] = ()
        self._by_configuration: dict[str, tuple[Hook, ...]] = {}
        self._all: tuple[Hook, ...] = ()
        self._concerns: dict[tuple[Resource[Any], str, str], tuple[Concern, ...]] = {}
        self._informer.on_change(self._changed)

    @property
    def idle(self) -> bool:
        """Whether it is certain that there are none."""
        return not self._all and self._informer.is_synced

    async def concerning(self, resource: Resource[Any], subresource: str, operation: str) -> Sequence[Concern]:
        """The webhooks whose rules name such writes. Raises StatusError 403 while it cannot be known."""
        if not self._informer.is_synced:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._informer.synced()
            except TimeoutError:
                raise failures.forbidden(resource, "", "not yet ready to handle request") from None
        served = self._served()
        if served is not self._known:
            self._known = served
            self._concerns.clear()
        found = self._concerns.get((resource, subresource, operation))
        if found is None:
            found = tuple(self._concerned(resource, subresource, operation))
            self._concerns[resource, subresource, operation] = found
        return found

    def _concerned(self, resource: Resource[Any], subresource: str, operation: str) -> Sequence[Concern]:
        equivalents = _equivalents(resource, subresource, self._known)
        found = []
        for position, hook in enumerate(self._all):
            others = equivalents if hook.spec.matchPolicy == "Equivalent" else ()
            version = matched_version(hook.spec.rules, resource, subresource, operation, others)
            if version is not None:
                found.append(Concern(hook, version, position))
        return found

    def _changed(self, old: Any, new: Any) -> None:
        name = (new or old).metadata.name
        if new is None:
            self._by_configuration.pop(name, None)
        else:
            self._by_configuration[name] = tuple(_compiled(new))
        ordered = sorted(self._by_configuration.items())
        self._all = tuple(hook for _, hooks in ordered for hook in hooks)
        self._concerns.clear()


def _compiled(configuration: Any) -> Sequence[Hook]:
    name = configuration.metadata.name
    return [
        Hook(
            configuration=name,
            name=each.name,
            uid=f"{name}/{each.name}/{position}",
            spec=each,
            target=to_document(each.clientConfig),
            namespaces=_selector(each.namespaceSelector),
            objects=_selector(each.objectSelector),
        )
        for position, each in enumerate(configuration.webhooks)
    ]


def _selector(selector: Any) -> Selector:
    return EVERYTHING if selector is None else label_selector(selector)


def _equivalents(
    resource: Resource[Any], subresource: str, served: Sequence[Resource[Any]]
) -> tuple[Resource[Any], ...]:
    """The other versions in which the same stored objects are served."""
    prefix = keys.prefix(resource)
    return tuple(
        each
        for each in served
        if each != resource
        and keys.prefix(each) == prefix
        and (not subresource or each.subresource(subresource) is not None)
    )
