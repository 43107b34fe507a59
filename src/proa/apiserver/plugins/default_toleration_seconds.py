"""DefaultTolerationSeconds: a pod stays five minutes on a node that is lost, unless it says otherwise."""

from __future__ import annotations

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

    async def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        tolerations = spec.get("tolerations") or ()
        tolerated = {each.get("key") or "" for each in tolerations if each.get("effect") in (None, "", "NoExecute")}
        missing = [key for key in _KEYS if key not in tolerated]
        if missing and "" not in tolerated:  # which stands for every key
            spec["tolerations"] = [
                *tolerations,
                *[
                    {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
                    for key in missing
                ],
            ]
