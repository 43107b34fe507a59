"""RuntimeClass: a pod that names one is charged its overhead and goes only where it is offered.

Which handlers a node has is the kubelet's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import Toleration
from proa.api.node_v1 import RuntimeClass as Class
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.quantity import QuantityError, parse
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.rules.taints import merged_tolerations

_MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"


class RuntimeClass:
    name = "RuntimeClass"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._classes = context.informers.informer(RUNTIME_CLASSES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "pods" and not subresource

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        name = spec.get("runtimeClassName")
        return None if name is None else self._take_over(attributes, spec, name)

    async def _take_over(self, attributes: Attributes, spec: dict[str, Any], name: str) -> None:
        found = await self._class(attributes, name)
        if found.overhead is not None:
            if spec.get("overhead") and not _same(spec["overhead"], found.overhead.podFixed):
                raise attributes.forbidden(_MISMATCH)
            spec["overhead"] = dict(found.overhead.podFixed)
        if found.scheduling is not None:
            _select_nodes(attributes, spec, found.scheduling.nodeSelector)
            _tolerate(spec, found.scheduling.tolerations)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        name = spec.get("runtimeClassName")
        return self._compare(attributes, spec, name) if name or spec.get("overhead") else None

    async def _compare(self, attributes: Attributes, spec: dict[str, Any], name: str | None) -> None:
        found = None if name is None else await self._class(attributes, name)
        if found is None or found.overhead is None:
            if spec.get("overhead"):
                raise attributes.forbidden(
                    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
                )
        elif not _same(spec.get("overhead") or {}, found.overhead.podFixed):
            raise attributes.forbidden(_MISMATCH)

    async def _class(self, attributes: Attributes, name: str) -> Class:
        found = self._classes.get(name)
        if found is not None:
            return found
        try:
            return await self._client.get(RUNTIME_CLASSES, name)
        except StatusError as error:
            if not is_not_found(error):
                raise
            raise attributes.forbidden(f'pod rejected: RuntimeClass "{name}" not found') from None


def _select_nodes(attributes: Attributes, spec: dict[str, Any], wanted: Mapping[str, str]) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in wanted.items():
        if selector.setdefault(key, value) != value:
            raise attributes.forbidden(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
    if selector:
        spec["nodeSelector"] = selector


def _tolerate(spec: dict[str, Any], more: Sequence[Toleration]) -> None:
    if more:
        own = msgspec.convert(spec.get("tolerations") or [], tuple[Toleration, ...])
        spec["tolerations"] = msgspec.to_builtins(merged_tolerations((*own, *more)))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    try:
        return one.keys() == other.keys() and all(parse(one[name]) == parse(other[name]) for name in one)
    except QuantityError:
        return False  # validation names the field
