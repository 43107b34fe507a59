"""DefaultTolerationSeconds: a pod stays five minutes on a node that is lost, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.resource import Resource

SECONDS = 300
_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Stateless):
    name = "DefaultTolerationSeconds"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation in ("CREATE", "UPDATE") and resource.qualified == "pods" and not subresource

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        tolerations = spec.get("tolerations") or []
        missing = _untolerated(tolerations) if tolerations else _KEYS
        if missing:
            spec["tolerations"] = tolerations + [
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
                for key in missing
            ]


def _untolerated(tolerations: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    tolerated = {each.get("key") or "" for each in tolerations if each.get("effect") in (None, "", "NoExecute")}
    return () if "" in tolerated else [key for key in _KEYS if key not in tolerated]
