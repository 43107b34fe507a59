"""Publishes the cluster's root certificates to every namespace, as ConfigMap `kube-root-ca.crt`: pods mount it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import ConfigMap
from proa.api.core_v1.resources import CONFIG_MAPS, NAMESPACES
from proa.base.errors import ProaError
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.pods import says_namespace_terminates
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.meta import ObjectMeta

NAME = "kube-root-ca.crt"
ENTRY = "ca.crt"
DESCRIPTION = "kubernetes.io/description"
EXPLAINED = "Certificates that prove the identity of the API server to clients inside the cluster, and of nothing else."


class RootCAController(Controller):
    name = "root-ca-certificate-publisher"
    workers = 1

    def __init__(self, context: Context, root_ca: str) -> None:
        super().__init__(context)
        self._data = {ENTRY: root_ca}
        self._namespaces = context.informer(NAMESPACES)
        self._config_maps = context.informer(CONFIG_MAPS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(NAMESPACES), Maps(CONFIG_MAPS, _namespace))

    async def reconcile(self, key: str) -> Outcome:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletionTimestamp is not None:
            return DONE
        current = self._config_maps.get(f"{key}/{NAME}")
        if current is None:
            meta = ObjectMeta(name=NAME, namespace=key, annotations={DESCRIPTION: EXPLAINED})
            try:
                await self.client.create(CONFIG_MAPS, ConfigMap(metadata=meta, data=self._data))
            except ProaError as error:
                if not says_namespace_terminates(error):
                    raise
        elif current.data != self._data or DESCRIPTION not in current.metadata.annotations:
            annotations = {DESCRIPTION: EXPLAINED, **current.metadata.annotations}
            meta = msgspec.structs.replace(current.metadata, annotations=annotations)
            await self.client.update(
                CONFIG_MAPS, msgspec.structs.replace(current, metadata=meta, data=self._data, binaryData={})
            )
        return DONE


def _namespace(old: Any, new: Any) -> Iterable[str]:
    meta = (new if new is not None else old).metadata
    if meta.name == NAME:
        yield meta.namespace
