"""ResourceQuota: what a namespace may have in all. A write that would make it more is refused.

`rules.quota` decides; here is what makes the decision hold when many write at once. Requests of one namespace that come
while another is being decided are decided together, against one state, and each quota is written once for all of them,
guarded by its resourceVersion: the charge is stored before the object is. A request that fails later leaves its charge
behind; the ResourceQuota controller counts anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from proa.api.core_v1 import ResourceQuota as Quota
from proa.api.core_v1 import ScopedResourceSelectorRequirement
from proa.api.core_v1.resources import RESOURCE_QUOTAS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.client.informer import NAMESPACE_INDEX
from proa.machinery.decode import to_typed
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_conflict, is_not_found
from proa.rules.quota import EVALUATORS, IGNORED, Limited, QuotaRefusedError, Request, charge, evaluator_of

_TRIES = 8
_TOGETHER = 200


@dataclass(slots=True, eq=False)
class _Waiter:
    """A request that waits for its decision."""

    attributes: Attributes
    request: Request
    decision: asyncio.Future[None]


class ResourceQuota:
    name = "ResourceQuota"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._quotas = context.informers.informer(RESOURCE_QUOTAS)
        self._limited = _limited(context.configuration.get(self.name, {}))
        self._written: dict[str, Quota] = {}
        self._waiting: dict[str, list[_Waiter]] = {}
        self._deciding: dict[str, asyncio.Lock] = {}

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (
            resource.namespaced
            and resource.qualified not in IGNORED
            and evaluator_of(resource.qualified).handles(operation, subresource)
        )

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        if not self._limited and not self._quotas.by_index(NAMESPACE_INDEX, attributes.namespace):
            return None
        request = _request(attributes)
        if request.old is not None and not request.evaluator.changes(request.subresource, request.new, request.old):
            return None
        return self._charge(attributes, request)

    async def _charge(self, attributes: Attributes, request: Request) -> None:
        namespace = attributes.namespace
        waiter = _Waiter(attributes, request, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(namespace, []).append(waiter)
        lock = self._deciding.setdefault(namespace, asyncio.Lock())
        try:
            async with lock:
                while not waiter.decision.done():
                    await self._decide_next(namespace)
        finally:
            waiter.decision.cancel()  # no more than a mark, for one that went away undecided
            if namespace not in self._waiting and not lock.locked():
                self._deciding.pop(namespace, None)
        waiter.decision.result()

    async def _decide_next(self, namespace: str) -> None:
        """Decide for the requests that wait, all but those beyond a batch."""
        waiting = self._waiting.pop(namespace)
        batch, rest = waiting[:_TOGETHER], waiting[_TOGETHER:]
        if rest:
            self._waiting[namespace] = rest
        try:
            await self._decide(self._current(namespace), batch)
        finally:
            # Whoever led the batch may have been cancelled: the next one takes its place.
            undecided = [each for each in batch if not each.decision.done()]
            if undecided:
                self._waiting[namespace] = [*undecided, *self._waiting.get(namespace, ())]

    async def _decide(self, quotas: Sequence[Quota], batch: Sequence[_Waiter]) -> None:
        for _ in range(_TRIES):
            after = self._charge_all(quotas, batch)
            failed, last = await self._write(quotas, after)
            if not failed:
                for each in batch:
                    _settle(each)
                return
            # Only the quotas that somebody else changed meanwhile are asked again.
            quotas = failed
        for each in batch:
            _settle(each, last)

    def _charge_all(self, quotas: Sequence[Quota], batch: Sequence[_Waiter]) -> Sequence[Quota]:
        now = self._clock.now()
        for each in batch:
            if each.decision.done():
                continue
            attributes = each.attributes
            try:
                after = charge(quotas, each.request, now, self._limited)
            except QuotaRefusedError as error:
                _settle(each, attributes.forbidden(str(error)))
                continue
            if attributes.dry_run:
                _settle(each)
            else:
                quotas = after
        return quotas

    async def _write(self, before: Sequence[Quota], after: Sequence[Quota]) -> tuple[list[Quota], StatusError | None]:
        """Store what changed; the quotas as they are now where that was too late, and why."""
        newer: list[Quota] = []
        last: StatusError | None = None
        for old, new in zip(before, after, strict=True):
            if new is old:
                continue
            meta = new.metadata
            key = f"{meta.namespace}/{meta.name}"
            try:
                self._written[key] = await self._client.update(RESOURCE_QUOTAS, new, subresource="status")
            except StatusError as error:
                if is_not_found(error):
                    continue  # a quota that is gone limits nothing
                if not is_conflict(error):
                    raise
                last = error
                try:
                    newer.append(await self._client.get(RESOURCE_QUOTAS, meta.name, meta.namespace))
                except StatusError as gone:
                    if not is_not_found(gone):
                        raise
        return newer, last

    def _current(self, namespace: str) -> Sequence[Quota]:
        """The quotas of a namespace: as the informer has them, or as they were last written if that is newer."""
        current = []
        for quota in self._quotas.by_index(NAMESPACE_INDEX, namespace):
            key = f"{namespace}/{quota.metadata.name}"
            written = self._written.get(key)
            if written is not None:
                if written.metadata.uid == quota.metadata.uid and _revision(written) > _revision(quota):
                    quota = written
                else:
                    del self._written[key]
            current.append(quota)
        return current


def _settle(waiter: _Waiter, error: Exception | None = None) -> None:
    decision = waiter.decision
    if not decision.done():
        if error is None:
            decision.set_result(None)
        else:
            decision.set_exception(error)


def _request(attributes: Attributes) -> Request:
    resource = attributes.resource
    evaluator = evaluator_of(resource.qualified)
    if evaluator not in EVALUATORS:  # the others only count
        return Request(evaluator, attributes.subresource, attributes.document)
    assert attributes.document is not None
    new = to_typed(attributes.document, resource.type)
    old = to_typed(dict(attributes.old), resource.type) if attributes.old is not None else None
    return Request(evaluator, attributes.subresource, new, old)


def _revision(quota: Quota) -> int:
    return int(quota.metadata.resourceVersion or 0)


def _limited(configuration: Mapping[str, Any]) -> tuple[Limited, ...]:
    """The limitedResources of a ResourceQuotaConfiguration. Raises ConfigurationError."""
    found = []
    for position, each in enumerate(configuration.get("limitedResources") or ()):
        group, plural = each.get("apiGroup") or "", each.get("resource")
        if not plural:
            raise ConfigurationError(f"ResourceQuota: limitedResources[{position}].resource: Required value")
        try:
            scopes = msgspec.convert(each.get("matchScopes") or [], tuple[ScopedResourceSelectorRequirement, ...])
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"ResourceQuota: limitedResources[{position}].matchScopes: {error}") from error
        qualified = f"{plural}.{group}" if group else plural
        found.append(Limited(qualified, tuple(each.get("matchContains") or ()), scopes))
    return tuple(found)
