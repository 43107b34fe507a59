"""Finding the Services that select a pod, without asking every Service of its namespace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proa.api.core_v1 import Pod, Service
from proa.client.informer import Informer, key_of
from proa.rules.endpoints import facts_of
from proa.rules.selection import matches_map

# Each Service is listed under one label of its selector; a pod it selects has that label.
SELECTOR_INDEX = "selector"


def _first_label(service: Service) -> Iterable[str]:
    for label, value in sorted(service.spec.selector.items())[:1]:
        yield f"{service.metadata.namespace}/{label}={value}"


class ServicesOfPod:
    """For `Maps`: the keys of the Services whose endpoints a change of a pod may change."""

    def __init__(self, services: Informer[Service]) -> None:
        self._services = services
        services.add_index(SELECTOR_INDEX, _first_label)

    def __call__(self, old: Any, new: Any) -> Iterable[str]:
        if old is not None and new is not None:
            if facts_of(old) == facts_of(new):
                return ()
            if old.metadata.labels == new.metadata.labels:
                return self.selecting(new)
        keys: set[str] = set()
        for pod in (old, new):
            if pod is not None:
                keys.update(self.selecting(pod))
        return keys

    def selecting(self, pod: Pod) -> Iterable[str]:
        """Keys of the Services that select `pod`."""
        meta = pod.metadata
        for label, value in meta.labels.items():
            for service in self._services.by_index(SELECTOR_INDEX, f"{meta.namespace}/{label}={value}"):
                if matches_map(service.spec.selector, meta.labels):
                    yield key_of(service)
