"""PodNodeSelector (opt-in): a namespace says on which nodes its pods run, the configuration which labels they may name.

Source of the namespace's selector: its annotation, else `clusterDefaultNodeSelector` of the configuration; what may be
named: the configuration's entry of the namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.core_v1.resources import NAMESPACES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.machinery.names import label_value, qualified_name
from proa.machinery.resource import Resource

ANNOTATION = "scheduler.alpha.kubernetes.io/node-selector"
_SECTION = "podNodeSelectorPluginConfig"
_DEFAULT = "clusterDefaultNodeSelector"


class PodNodeSelector:
    name = "PodNodeSelector"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)
        configured = context.configuration.get(self.name, {}).get(_SECTION) or {}
        self._selectors = {name: _labels(f"{_SECTION}.{name}", text or "") for name, text in configured.items()}

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "pods" and not subresource

    async def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        merged = {**await self._checked(attributes, spec), **(spec.get("nodeSelector") or {})}
        if merged:
            spec["nodeSelector"] = merged

    async def validate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        await self._checked(attributes, spec)
        allowed = self._selectors.get(attributes.namespace)
        asked = (spec.get("nodeSelector") or {}).items()
        if allowed and not asked <= allowed.items():
            raise attributes.forbidden("pod node label selector labels conflict with its namespace whitelist")

    async def _checked(self, attributes: Attributes, spec: Mapping[str, Any]) -> Mapping[str, str]:
        """The namespace's selector, which the pod's must not contradict."""
        wanted = await self._selector(attributes)
        asked = spec.get("nodeSelector") or {}
        if any(asked.get(name, value) != value for name, value in wanted.items()):
            raise attributes.forbidden("pod node label selector conflicts with its namespace node label selector")
        return wanted

    async def _selector(self, attributes: Attributes) -> Mapping[str, str]:
        name = attributes.namespace
        namespace = self._namespaces.get(name) or await self._client.get(NAMESPACES, name)
        text = namespace.metadata.annotations.get(ANNOTATION)
        if text is None:
            return self._selectors.get(_DEFAULT, {})
        try:
            return _labels(ANNOTATION, text)
        except ConfigurationError as error:
            raise attributes.forbidden(f"namespace {name}: {error}") from None


def _labels(where: str, text: str) -> Mapping[str, str]:
    """`a=b,c=d`. Raises ConfigurationError."""
    labels: dict[str, str] = {}
    for each in filter(None, text.split(",")):
        key, said, value = (part.strip() for part in each.partition("="))
        if not said or "=" in value or qualified_name(key) or label_value(value):
            raise ConfigurationError(f"{where}: invalid selector: {each!r}, it must be name=value")
        labels[key] = value
    return labels
